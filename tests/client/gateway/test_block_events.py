"""Listening to blocks: whole, filtered, with private data."""

from __future__ import annotations

import asyncio
import gc

import grpc
import pytest
from fabric_protos.common import common_pb2
from fabric_protos.peer import events_pb2
from tests.client.gateway.stand_in import LedgerEntry

from shirushi_client.gateway import InMemoryCheckpointer, StreamEndedError, connect
from shirushi_core.errors import InvalidInputError

KINDS = {
    "block": (common_pb2.Block, lambda block: block.header.number),
    "filtered_block": (events_pb2.FilteredBlock, lambda block: block.number),
    "block_and_private_data": (events_pb2.BlockAndPrivateData, lambda event: event.block.header.number),
}
kinds = pytest.mark.parametrize("kind", KINDS)


def listen(network, kind, **options):
    return getattr(network, f"get_{kind}_events")(**options)


async def numbers(events, kind, count):
    return [KINDS[kind][1](await asyncio.wait_for(anext(events), 10)) for _ in range(count)]


@kinds
async def test_a_committed_block_is_received(network, peer, kind):
    async with listen(network, kind) as events:
        await peer.wait_for_listeners(1)
        number = await peer.commit(LedgerEntry("tx"))
        event = await asyncio.wait_for(anext(events), 10)
    message_type, number_of = KINDS[kind]
    assert isinstance(event, message_type)
    assert number_of(event) == number


@kinds
async def test_blocks_are_replayed_from_a_start_block(network, peer, kind):
    for i in range(3):
        await peer.commit(LedgerEntry(f"tx{i}"))
    async with listen(network, kind, start_block=1) as events:
        assert await numbers(events, kind, 3) == [1, 2, 3]


@kinds
async def test_listening_can_be_closed_and_started_again(network, peer, kind):
    for _ in range(2):
        async with listen(network, kind) as events:
            await peer.wait_for_listeners(1)
            number = await peer.commit(LedgerEntry("tx"))
            assert await numbers(events, kind, 1) == [number]
        await peer.wait_for_listeners(0)


@kinds
async def test_closing_one_listener_leaves_the_other(network, peer, kind):
    first, second = listen(network, kind), listen(network, kind)
    await peer.wait_for_listeners(2)
    await first.aclose()
    await peer.wait_for_listeners(1)
    number = await peer.commit(LedgerEntry("tx"))
    assert await numbers(second, kind, 1) == [number]
    await second.aclose()


@kinds
async def test_resuming_from_a_checkpoint_neither_loses_nor_repeats(network, peer, kind):
    for i in range(3):
        await peer.commit(LedgerEntry(f"tx{i}"))
    checkpointer = InMemoryCheckpointer()
    received = []
    for _ in range(4):
        async with listen(network, kind, start_block=0, checkpoint=checkpointer) as events:
            received += await numbers(events, kind, 1)
            await checkpointer.checkpoint_block(received[-1])
    assert received == [0, 1, 2, 3]


@kinds
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (common_pb2.Status.FORBIDDEN, grpc.StatusCode.PERMISSION_DENIED),
        (common_pb2.Status.NOT_FOUND, grpc.StatusCode.NOT_FOUND),
        (999, grpc.StatusCode.UNKNOWN),
    ],
)
async def test_a_status_from_the_deliver_service_is_an_error(network, peer, kind, status, code):
    peer.deliver_status = status
    async with listen(network, kind) as events:
        for _ in range(2):
            with pytest.raises(StreamEndedError, match=f"with status {status}") as caught:
                await asyncio.wait_for(anext(events), 10)
            assert caught.value.code is code


async def test_a_block_of_another_kind_than_asked_for_is_refused(network, peer, monkeypatch):
    monkeypatch.setattr(peer, "_block", lambda number: None)
    await peer.commit(LedgerEntry("tx"))
    request = network.new_block_events_request(start_block=0)
    monkeypatch.setattr(type(request), "_field", "filtered_block")
    monkeypatch.setattr(peer, "_block", lambda number: common_pb2.Block())
    async with request.get_events() as events:
        with pytest.raises(InvalidInputError, match="expected filtered_block"):
            await asyncio.wait_for(anext(events), 10)


@kinds
async def test_a_stream_that_nobody_holds_any_more_is_let_go(network, peer, kind):
    events = listen(network, kind, start_block=0)
    await numbers(events, kind, 1)
    del events
    gc.collect()
    await peer.wait_for_listeners(0)


@kinds
async def test_the_request_names_the_channel_and_has_no_end(channel, peer, p256, kind):
    async with (
        connect(channel, p256.identity, p256.signer, tls_client_certificate_hash=b"h" * 32) as gateway,
        listen(gateway.get_network("mychannel"), kind),
    ):
        await peer.wait_for_listeners(1)
    [(header, seek)] = peer.seeks
    assert (header.channel_id, header.type) == ("mychannel", common_pb2.HeaderType.DELIVER_SEEK_INFO)
    assert header.tls_cert_hash == b"h" * 32
    assert seek.start.HasField("next_commit")
    assert seek.stop.specified.number == 2**64 - 1
