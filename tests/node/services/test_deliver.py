"""Deliver services: which blocks a seek request gets, from peers and orderers, and whom they are refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import grpc
import pytest
from fabric_protos.common import common_pb2
from fabric_protos.orderer import ab_pb2_grpc
from fabric_protos.peer import events_pb2_grpc, transaction_pb2
from tests.support.raw_client import RawClient, refusal
from tests.support.service_network import Network, StartNetwork
from tests.support.transactions import sign_envelope

from shirushi_core.fabric.block import header_hash, validation_codes
from shirushi_node.ledger.node import Limits

BLOCKS = 4  # the genesis block and three with a transaction each


async def ask(stub: Callable[..., Any], envelope: common_pb2.Envelope) -> tuple[list[Any], int | None]:
    """Send one seek request; return the replies before the status, and the status."""
    call = stub()
    await call.write(envelope)
    replies: list[Any] = []
    async for reply in call:
        if reply.WhichOneof("Type") == "status":
            call.cancel()
            return replies, reply.status
        replies.append(reply)
    return replies, None


def numbers(replies: list[Any]) -> list[int]:
    return [reply.block.header.number for reply in replies]


@pytest.fixture
async def written(client: RawClient) -> RawClient:
    for name in ("one", "two", "three"):
        await client.transact("event", name, "payload")
    return client


@pytest.fixture(params=["peer", "orderer"])
def deliver(request: pytest.FixtureRequest, written: RawClient) -> Callable[..., Any]:
    """Deliver of a peer, and of an orderer."""
    if request.param == "peer":
        return events_pb2_grpc.DeliverStub(written.peer).Deliver
    return written.orderer.Deliver


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        ("oldest", "newest", [0, 1, 2, 3]),
        (1, 2, [1, 2]),
        (2, 2, [2]),
        ("newest", "newest", [3]),
        ("oldest", "oldest", [0]),
        (2, "newest", [2, 3]),
    ],
)
async def test_a_range_is_delivered_in_order(
    written: RawClient, deliver: Callable[..., Any], start: Any, stop: Any, expected: list[int]
) -> None:
    replies, status = await ask(deliver, written.seek(start, stop))
    assert (numbers(replies), status) == (expected, common_pb2.SUCCESS)


async def test_blocks_are_whole_and_chained(written: RawClient, deliver: Callable[..., Any]) -> None:
    replies, _ = await ask(deliver, written.seek("oldest", "newest"))
    blocks = [reply.block for reply in replies]
    for before, after in pairwise(blocks):
        assert after.header.previous_hash == header_hash(before.header)
        assert validation_codes(after) == [transaction_pb2.VALID]


async def test_a_stream_takes_one_request_after_the_other(
    written: RawClient, deliver: Callable[..., Any]
) -> None:
    call = deliver()
    for number in (1, 3):
        await call.write(written.seek(number, number))
        assert (await call.read()).block.header.number == number
        assert (await call.read()).status == common_pb2.SUCCESS
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF


@pytest.mark.parametrize("start", ["next_commit", BLOCKS])
async def test_a_block_to_come_is_waited_for(
    written: RawClient, deliver: Callable[..., Any], start: Any
) -> None:
    replies = asyncio.ensure_future(ask(deliver, written.seek(start, BLOCKS)))
    while not replies.done():  # the request may arrive after a block: then the next one is its own
        await written.transact("put", "key", "value")
    blocks, status = await replies
    if start == BLOCKS:
        assert (numbers(blocks), status) == ([BLOCKS], common_pb2.SUCCESS)
    else:
        assert status in (common_pb2.SUCCESS, common_pb2.BAD_REQUEST)


async def test_failing_if_not_ready_does_not_wait(written: RawClient, deliver: Callable[..., Any]) -> None:
    replies, status = await ask(deliver, written.seek(2, 9, wait=False))
    assert (numbers(replies), status) == ([2, 3], common_pb2.NOT_FOUND)


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"start": BLOCKS + 1, "stop": BLOCKS + 1}, common_pb2.NOT_FOUND),
        ({"start": 3, "stop": 1}, common_pb2.BAD_REQUEST),
        ({"start": None, "stop": 1}, common_pb2.BAD_REQUEST),
        ({"start": 1, "stop": None}, common_pb2.BAD_REQUEST),
        ({"start": 1, "stop": 1, "channel_id": "elsewhere"}, common_pb2.NOT_FOUND),
        ({"start": 1, "stop": 1, "from_now": -16 * 60}, common_pb2.BAD_REQUEST),
        ({"start": 1, "stop": 1, "from_now": 16 * 60}, common_pb2.BAD_REQUEST),
    ],
    ids=["beyond", "backwards", "no-start", "no-stop", "no-channel", "old", "early"],
)
async def test_a_request_that_cannot_be_met_is_answered_with_a_status(
    written: RawClient, deliver: Callable[..., Any], options: dict[str, Any], status: int
) -> None:
    options = dict(options)
    if (from_now := options.pop("from_now", None)) is not None:
        options["at"] = time.time() + from_now  # now, and not when the tests were collected
    assert await ask(deliver, written.seek(**options)) == ([], status)


async def test_a_request_signed_by_another_key_is_forbidden(
    network: Network, written: RawClient, deliver: Callable[..., Any]
) -> None:
    envelope = written.seek(1, 1, signer=network.user(1))
    assert await ask(deliver, envelope) == ([], common_pb2.FORBIDDEN)


@pytest.mark.parametrize("payload", [b"\xff", b""], ids=["garbage", "no-header"])
async def test_a_malformed_request_is_a_bad_one(
    written: RawClient, deliver: Callable[..., Any], payload: bytes
) -> None:
    envelope = sign_envelope(common_pb2.Envelope(payload=payload), written.user)
    assert await ask(deliver, envelope) == ([], common_pb2.BAD_REQUEST)


async def test_headers_alone_can_be_had_and_config_blocks_stay_whole(
    written: RawClient, deliver: Callable[..., Any]
) -> None:
    replies, _ = await ask(deliver, written.seek("oldest", 1, headers_only=True))
    genesis, first = (reply.block for reply in replies)
    assert len(genesis.data.data) == 1
    assert not first.HasField("data")
    assert first.metadata.metadata[common_pb2.SIGNATURES]


async def test_a_filtered_block_has_ids_codes_and_events_without_payload(written: RawClient) -> None:
    stub = events_pb2_grpc.DeliverStub(written.peer)
    replies, status = await ask(stub.DeliverFiltered, written.seek(0, 1))
    config, block = (reply.filtered_block for reply in replies)
    assert status == common_pb2.SUCCESS
    assert config.filtered_transactions[0].type == common_pb2.CONFIG
    assert (block.channel_id, block.number) == (written.channel_id, 1)
    (transaction,) = block.filtered_transactions
    assert transaction.tx_validation_code == transaction_pb2.VALID
    (action,) = transaction.transaction_actions.chaincode_actions
    event = action.chaincode_event
    assert (event.event_name, event.chaincode_id, event.tx_id) == ("one", "basic", transaction.txid)
    assert event.payload == b""


async def test_a_block_with_private_data_has_none(written: RawClient) -> None:
    stub = events_pb2_grpc.DeliverStub(written.peer)
    replies, _ = await ask(stub.DeliverWithPrivateData, written.seek(1, 1))
    found = replies[0].block_and_private_data
    assert found.block.header.number == 1
    assert not found.private_data_map


async def test_a_stream_over_the_limit_is_refused(start_network: StartNetwork) -> None:
    client = await (await start_network(limits=Limits(deliver_streams=1))).client()
    stub = events_pb2_grpc.DeliverStub(client.peer)
    first = stub.Deliver()
    await first.write(client.seek(0, 0))
    await first.read()
    refused = await refusal(stub.Deliver().read())
    assert refused.text == "too many requests for /protos.Deliver, exceeding concurrency limit (1)"
    first.cancel()


async def test_an_orderer_also_answers_where_its_own_service_is_named(written: RawClient) -> None:
    """The peer's endpoint is no orderer."""
    refused = await refusal(ab_pb2_grpc.AtomicBroadcastStub(written.peer).Deliver().read())
    assert refused.code.name == "UNIMPLEMENTED"
