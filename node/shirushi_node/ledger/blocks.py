"""Reading committed blocks: whole, filtered, and their chaincode events.

Source: core/peer/deliverevents.go (filtered blocks), internal/pkg/gateway/event (chaincode events).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from fabric_protos.common import common_pb2
from fabric_protos.peer import (
    chaincode_event_pb2,
    events_pb2,
    proposal_pb2,
    proposal_response_pb2,
    transaction_pb2,
)
from google.protobuf.message import DecodeError

from shirushi_core.errors import InvalidInputError
from shirushi_node.ledger.store import LedgerStore

REMEMBERED_BLOCKS = 64
"""Blocks whose events are kept parsed: listeners mostly follow the newest ones together."""

REMEMBERED_EVENT_BYTES = 1 << 20
"""Blocks with larger events are parsed anew for each listener."""


def read_block(store: LedgerStore, number: int) -> common_pb2.Block:
    """Return a committed block; raises InvalidInputError beyond the height."""
    data = store.block_bytes(number)
    if data is None:
        raise InvalidInputError(f"no such block number [{number}] in index")
    return common_pb2.Block.FromString(data)


def envelope_of(block: common_pb2.Block, position: int) -> common_pb2.Envelope:
    """Return the envelope at a position in a committed block."""
    return common_pb2.Envelope.FromString(block.data.data[position])


def chaincode_events(block: common_pb2.Block) -> tuple[chaincode_event_pb2.ChaincodeEvent, ...]:
    """Return the events of a block's valid transactions, in order."""
    return tuple(
        event
        for transaction in _transactions(block)
        if transaction.code == transaction_pb2.VALID
        for event in transaction.events
        if event.chaincode_id and event.event_name and event.tx_id
    )


def filtered_block(block: common_pb2.Block) -> events_pb2.FilteredBlock:
    """Return what a block says of its transactions: ids, types, validation codes, and events without their payload."""
    filtered = events_pb2.FilteredBlock(number=block.header.number)
    for transaction in _transactions(block):
        filtered.channel_id = transaction.header.channel_id
        entry = filtered.filtered_transactions.add(
            txid=transaction.header.tx_id, type=transaction.header.type, tx_validation_code=transaction.code
        )
        if transaction.header.type == common_pb2.ENDORSER_TRANSACTION:
            entry.transaction_actions.SetInParent()
        for event in transaction.events:
            if event.chaincode_id:
                entry.transaction_actions.chaincode_actions.add().chaincode_event.CopyFrom(
                    chaincode_event_pb2.ChaincodeEvent(
                        tx_id=event.tx_id, chaincode_id=event.chaincode_id, event_name=event.event_name
                    )
                )
    return filtered


class EventReader:
    """Reads blocks' chaincode events; blocks read lately are remembered, for listeners follow the same ones."""

    def __init__(self, store: LedgerStore) -> None:
        self._store = store
        self._events: OrderedDict[int, tuple[chaincode_event_pb2.ChaincodeEvent, ...]] = OrderedDict()

    def events(self, number: int) -> tuple[chaincode_event_pb2.ChaincodeEvent, ...]:
        """Return the chaincode events of a committed block."""
        known = self._events.get(number)
        if known is None:
            known = chaincode_events(read_block(self._store, number))
            if sum(len(event.payload) for event in known) > REMEMBERED_EVENT_BYTES:
                return known
            self._events[number] = known
            if len(self._events) > REMEMBERED_BLOCKS:
                self._events.popitem(last=False)
        return known


@dataclass(frozen=True, slots=True)
class _Transaction:
    header: common_pb2.ChannelHeader
    code: int
    events: tuple[chaincode_event_pb2.ChaincodeEvent, ...]


def _transactions(block: common_pb2.Block) -> Iterator[_Transaction]:
    """Yield a committed block's transactions; malformed ones, which are invalid anyway, are passed over."""
    codes = block.metadata.metadata[common_pb2.TRANSACTIONS_FILTER]
    for data, code in zip(block.data.data, codes, strict=True):
        try:
            envelope = common_pb2.Envelope.FromString(data)
            payload = common_pb2.Payload.FromString(envelope.payload)
            header = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
        except DecodeError:
            continue
        is_endorsed = header.type == common_pb2.ENDORSER_TRANSACTION
        yield _Transaction(header, code, tuple(_events(payload.data)) if is_endorsed else ())


def _events(data: bytes) -> Iterator[chaincode_event_pb2.ChaincodeEvent]:
    try:
        for action in transaction_pb2.Transaction.FromString(data).actions:
            payload = transaction_pb2.ChaincodeActionPayload.FromString(action.payload)
            response = proposal_response_pb2.ProposalResponsePayload.FromString(
                payload.action.proposal_response_payload
            )
            result = proposal_pb2.ChaincodeAction.FromString(response.extension)
            yield chaincode_event_pb2.ChaincodeEvent.FromString(result.events)
    except DecodeError:
        return
