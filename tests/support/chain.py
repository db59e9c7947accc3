"""Checking a whole chain of blocks as anyone can who has the genesis block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from fabric_protos.common import common_pb2
from fabric_protos.peer import chaincode_event_pb2, proposal_pb2, proposal_response_pb2, transaction_pb2

from shirushi_core.fabric.block import (
    bft_quorum,
    data_hash,
    header_hash,
    validation_codes,
    verify_block_signatures,
)
from shirushi_core.fabric.channel_config import from_config_block
from shirushi_core.proofs.canonical import decode


def check_chain(blocks: Sequence[Any], genesis: Any) -> None:
    """Check numbers, hashes, and the orderers' signatures of all blocks, from the genesis block on."""
    consenters = from_config_block(genesis).consenters
    assert blocks[0].header == genesis.header
    assert list(blocks[0].data.data) == list(genesis.data.data)
    previous = b""
    for number, block in enumerate(blocks):
        assert block.header.number == number
        assert block.header.previous_hash == previous
        assert block.header.data_hash == data_hash(block.data.data)
        if number:
            quorum = bft_quorum(len(consenters))
            assert len(verify_block_signatures(block, consenters, quorum)) >= quorum
        assert len(validation_codes(block)) == len(block.data.data)
        previous = header_hash(block.header)


def transactions(blocks: Sequence[Any]) -> Iterator[tuple[str, int, Any]]:
    """Yield the id, validation code and chaincode event's payload (None without) of every transaction of a chaincode."""
    for block in blocks:
        for data, code in zip(block.data.data, validation_codes(block), strict=True):
            payload = common_pb2.Payload.FromString(common_pb2.Envelope.FromString(data).payload)
            header = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
            if header.type != common_pb2.ENDORSER_TRANSACTION:
                continue
            yield header.tx_id, code, _event(transaction_pb2.Transaction.FromString(payload.data))


def anchors(blocks: Sequence[Any]) -> Counter[str]:
    """Count how often each batch was anchored by a valid transaction, by batch id."""
    found: Counter[str] = Counter()
    for _, code, event in transactions(blocks):
        if code == transaction_pb2.VALID and event is not None:
            found.update(
                entry["anchor"]["statement"]["batch_id"]
                for entry in event["entries"]
                if entry["kind"] == "issuance"
            )
    return found


def _event(transaction: Any) -> Any:
    action = transaction_pb2.ChaincodeActionPayload.FromString(transaction.actions[0].payload).action
    response = proposal_response_pb2.ProposalResponsePayload.FromString(action.proposal_response_payload)
    event = chaincode_event_pb2.ChaincodeEvent.FromString(
        proposal_pb2.ChaincodeAction.FromString(response.extension).events
    )
    return decode(event.payload, max_bytes=4 << 20) if event.payload else None
