"""Committing blocks: every transaction judged, then all of a block written at once.

Source: core/committer, core/ledger/kvledger (CommitLegacy).
"""

from __future__ import annotations

from collections.abc import Sequence

from fabric_protos.common import common_pb2
from fabric_protos.peer import transaction_pb2

from shirushi_node.ledger.examination import VALID, Examined
from shirushi_node.ledger.store import LedgerStore
from shirushi_node.ledger.validation import Validator


def commit_block(
    store: LedgerStore, validator: Validator, block: common_pb2.Block, transactions: Sequence[Examined]
) -> list[int]:
    """Validate a block that orderers signed and commit it durably; returns the transactions' validation codes.

    `transactions` are the block's envelopes, examined. Raises StoreError if the block does not follow the last one.
    """
    with store.snapshot() as snapshot:
        decisions = validator.decide(
            block.header.number, transactions, snapshot, lambda tx_id: store.transaction(tx_id) is not None
        )
    codes = [decision.code for decision in decisions]
    store.commit(
        block,
        codes,
        [_indexed_id(each, code) for each, code in zip(transactions, codes, strict=True)],
        [(tx, each.rw_sets) for tx, each in enumerate(decisions) if each.code == VALID],
        [_timestamp(each) for each in transactions],
    )
    return codes


def _indexed_id(transaction: Examined, code: int) -> str:
    """Return the id to find a transaction by; none where it is not bound to the creator, who could take another's."""
    if transaction.header is None or code == transaction_pb2.BAD_PROPOSAL_TXID:
        return ""
    return transaction.header.tx_id


def _timestamp(transaction: Examined) -> tuple[int, int]:
    header = transaction.header
    return (0, 0) if header is None else (header.timestamp_seconds, header.timestamp_nanos)
