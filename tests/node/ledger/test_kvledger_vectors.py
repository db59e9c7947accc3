from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fabric_protos.peer import transaction_pb2

from shirushi_core.fabric.block import block_commit_hash, new_block, sign_block
from shirushi_core.fabric.rwset import NamespaceRwSet, Version, decode
from shirushi_node.ledger.mvcc import read_conflict
from shirushi_node.ledger.state_changes import StateChanges
from shirushi_node.ledger.store import LedgerStore

READ_CONFLICTS = (
    transaction_pb2.VALID,
    transaction_pb2.MVCC_READ_CONFLICT,
    transaction_pb2.PHANTOM_READ_CONFLICT,
)


def vectors() -> list[dict[str, Any]]:
    path = Path(__file__).parents[2] / "vectors" / "kvledger-commits.json"
    blocks: list[dict[str, Any]] = json.loads(path.read_text())["blocks"]
    return blocks


def test_read_conflicts_and_commit_hashes_are_those_of_fabrics_ledger(store: LedgerStore) -> None:
    for number, expected in enumerate(vectors(), start=1):
        sets = [decode(bytes.fromhex(each)) for each in expected["results"]]
        valid: list[tuple[int, tuple[NamespaceRwSet, ...]]] = []
        codes = []
        with store.snapshot() as snapshot:
            changes = StateChanges(snapshot)
            for tx, (rw_sets, given) in enumerate(zip(sets, expected["codes"], strict=True)):
                code = read_conflict(rw_sets, changes) if given in READ_CONFLICTS else given
                if code == transaction_pb2.VALID:
                    changes.apply(Version(number, tx), rw_sets)
                    valid.append((tx, rw_sets))
                codes.append(code)
        assert codes == expected["codes"]
        block = new_block(number, store.last_header_hash, [b"tx"] * len(codes))
        sign_block(block, last_config=0, orderers=[], nonces=[])
        store.commit(block, codes, [""] * len(codes), valid, [(0, 0)] * len(codes))
        assert block_commit_hash(block).hex() == expected["commit_hash"]
