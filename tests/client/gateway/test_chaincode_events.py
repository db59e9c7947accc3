"""Listening to chaincode events."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from fabric_protos.gateway import gateway_pb2
from tests.client.gateway.stand_in import LedgerEntry, RefusalError

from shirushi_client.gateway import (
    CallOptions,
    ChaincodeEvent,
    GatewayClosedError,
    GatewayError,
    InMemoryCheckpointer,
    NoSignerError,
    SigningError,
    StreamEndedError,
    connect,
)
from shirushi_core.errors import InvalidInputError

WAIT = 10


async def take(events, count):
    return [await asyncio.wait_for(anext(events), WAIT) for _ in range(count)]


def names(events):
    return [event.event_name for event in events]


def entry(name, transaction_id=None, **others):
    return LedgerEntry(transaction_id or f"tx-{name}", event=(name, name.encode()), **others)


async def test_an_event_of_a_submitted_transaction_is_received(network, contract, peer):
    peer.event = lambda invocation: (invocation.args[1].decode(), invocation.args[2])
    async with network.get_chaincode_events("basic") as events:
        await peer.wait_for_listeners(1)
        await contract.submit_transaction("event", "foo", "bar")
        [event] = await take(events, 1)
    assert event == ChaincodeEvent(1, peer.endorsed[0].transaction_id, "basic", "foo", b"bar")


async def test_listening_begins_when_it_is_asked_for_not_when_it_is_read(network, peer):
    events = network.get_chaincode_events("basic")
    await peer.wait_for_listeners(1)
    await peer.commit(entry("early"))
    assert names(await take(events, 1)) == ["early"]
    await events.aclose()


async def test_without_a_start_only_later_events_are_received(network, peer):
    await peer.commit(entry("before"))
    async with network.get_chaincode_events("basic") as events:
        await peer.wait_for_listeners(1)
        await peer.commit(entry("after"))
        assert names(await take(events, 1)) == ["after"]


async def test_events_are_replayed_from_a_start_block_in_ledger_order(network, peer):
    await peer.commit(entry("a"))
    start = await peer.commit(entry("b"), entry("c"))
    await peer.commit(entry("d"))
    async with network.get_chaincode_events("basic", start_block=start) as events:
        received = await take(events, 3)
    assert [(e.block_number, e.event_name) for e in received] == [(2, "b"), (2, "c"), (3, "d")]


async def test_block_zero_is_a_start_like_any_other(network, peer):
    await peer.commit(entry("a"))
    async with network.get_chaincode_events("basic", start_block=0) as events:
        await take(events, 1)
    assert peer.event_requests[0].start_position.HasField("specified")


@pytest.mark.parametrize("block", [-1, 2**64])
def test_a_start_that_is_no_block_number_is_refused(network, block):
    with pytest.raises(InvalidInputError, match="block number"):
        network.new_chaincode_events_request("basic", start_block=block)


async def test_listening_can_be_closed_and_started_again(network, peer):
    async with network.get_chaincode_events("basic") as events:
        await peer.wait_for_listeners(1)
        await peer.commit(entry("one"))
        assert names(await take(events, 1)) == ["one"]
    await peer.wait_for_listeners(0)
    async with network.get_chaincode_events("basic") as events:
        await peer.wait_for_listeners(1)
        await peer.commit(entry("two"))
        assert names(await take(events, 1)) == ["two"]


async def test_closing_one_listener_leaves_the_others(network, peer):
    first, second = network.get_chaincode_events("basic"), network.get_chaincode_events("basic")
    await peer.wait_for_listeners(2)
    await peer.commit(entry("before"))
    assert names(await take(first, 1)) == names(await take(second, 1)) == ["before"]
    await first.aclose()
    await peer.wait_for_listeners(1)
    await peer.commit(entry("after"))
    assert names(await take(second, 1)) == ["after"]
    await second.aclose()


async def test_closing_ends_a_waiting_iteration(network, peer):
    events = network.get_chaincode_events("basic")

    async def read():
        return [event async for event in events]

    reading = asyncio.create_task(read())
    await peer.wait_for_listeners(1)
    await events.aclose()
    assert await asyncio.wait_for(reading, WAIT) == []
    await events.aclose()


async def test_closing_the_gateway_ends_every_stream(channel, peer, p256):
    gateway = connect(channel, p256.identity, p256.signer)
    network = gateway.get_network("mychannel")
    streams = [network.get_chaincode_events("basic"), network.get_block_events()]
    readings = [asyncio.ensure_future(anext(stream, "ended")) for stream in streams]
    await peer.wait_for_listeners(2)
    await gateway.close()
    assert await asyncio.wait_for(asyncio.gather(*readings), WAIT) == ["ended", "ended"]
    await peer.wait_for_listeners(0)
    with pytest.raises(GatewayClosedError):
        network.get_chaincode_events("basic")


async def test_a_stream_closed_before_it_could_start_is_simply_closed(network):
    events = network.get_chaincode_events("basic")
    await events.aclose()
    assert [event async for event in events] == []


async def test_giving_up_waiting_for_one_event_loses_nothing(network, peer):
    async with network.get_chaincode_events("basic") as events:
        await peer.wait_for_listeners(1)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(events), 0.02)
        await peer.commit(entry("late"))
        await peer.commit(entry("later"))
        assert names(await take(events, 2)) == ["late", "later"]


async def test_two_readers_of_one_stream_share_its_events(network, peer):
    async with network.get_chaincode_events("basic") as events:
        await peer.wait_for_listeners(1)
        readers = [asyncio.ensure_future(anext(events)) for _ in range(2)]
        await peer.commit(entry("a"), entry("b"))
        assert sorted(names(await asyncio.gather(*readers))) == ["a", "b"]


async def test_a_peers_error_surfaces_again_on_every_attempt(network, peer):
    async def fail():
        raise RefusalError(
            grpc.StatusCode.UNAVAILABLE, "failed to read events", [("p0:7051", "Org1MSP", "closing")]
        )

    peer.after_replay = fail
    await peer.commit(entry("a"))
    async with network.get_chaincode_events("basic", start_block=0) as events:
        assert names(await take(events, 1)) == ["a"]
        for _ in range(2):
            with pytest.raises(GatewayError, match="failed to read events") as caught:
                await take(events, 1)
            assert caught.value.code is grpc.StatusCode.UNAVAILABLE
            assert caught.value.details[0].address == "p0:7051"


async def test_a_peer_that_just_stops_sending_is_an_error_too(network, peer):
    async def stop():
        return

    peer.after_replay = stop
    async with network.get_chaincode_events("basic") as events:
        with pytest.raises(StreamEndedError, match="ended the stream of chaincode events"):
            await take(events, 1)


async def test_a_lost_connection_is_an_error_and_nobody_reconnects(network, peer):
    async with network.get_chaincode_events("basic") as events:
        await peer.wait_for_listeners(1)
        await peer.stop()
        with pytest.raises(GatewayError):
            await take(events, 1)
    assert len(peer.event_requests) == 1


async def test_a_channel_closed_by_its_owner_is_an_error_of_the_stream(network, peer, channel):
    events = network.get_chaincode_events("basic")
    await peer.wait_for_listeners(1)
    await channel.close()
    with pytest.raises(GatewayError) as caught:
        await take(events, 1)
    assert caught.value.code is grpc.StatusCode.CANCELLED


async def test_a_refused_request_is_a_gateway_error(network, peer):
    async def refuse():
        raise RefusalError(grpc.StatusCode.PERMISSION_DENIED, "no access to channel")

    peer.before_events = refuse
    async with network.get_chaincode_events("basic") as events:
        with pytest.raises(GatewayError, match="no access"):
            await take(events, 1)


async def test_a_deadline_bounds_the_whole_stream(network):
    async with network.get_chaincode_events("basic", options=CallOptions(timeout=0.05)) as events:
        with pytest.raises(GatewayError) as caught:
            await take(events, 1)
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_an_error_of_signing_surfaces_on_entering_the_stream(offline, channel, p256):
    with pytest.raises(NoSignerError):
        async with offline.get_network("mychannel").get_chaincode_events("basic"):
            pass
    async with connect(channel, p256.identity, lambda digest: b"") as gateway:
        with pytest.raises(SigningError):
            await anext(gateway.get_network("mychannel").get_chaincode_events("basic"))


async def test_entering_a_stream_that_is_given_up_closes_it(channel, p256):
    async def never(digest):
        await asyncio.Event().wait()

    async with connect(channel, p256.identity, never) as gateway:
        events = gateway.get_network("mychannel").get_chaincode_events("basic")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02), events:
                pass
        assert [event async for event in events] == []


async def test_resuming_after_an_event_neither_loses_nor_repeats(network, peer):
    await peer.commit(entry("a", "t1"), entry("b", "t2"), entry("c", "t3"))
    await peer.commit(entry("d", "t4"))
    checkpointer = InMemoryCheckpointer()
    received = []
    for _ in range(4):
        async with network.get_chaincode_events("basic", start_block=0, checkpoint=checkpointer) as events:
            [event] = await take(events, 1)
            received.append(event.event_name)
            await checkpointer.checkpoint_chaincode_event(event)
    assert received == ["a", "b", "c", "d"]


async def test_resuming_after_a_block_starts_with_the_next(network, peer):
    await peer.commit(entry("a"))
    await peer.commit(entry("b"))
    checkpointer = InMemoryCheckpointer()
    await checkpointer.checkpoint_block(1)
    async with network.get_chaincode_events("basic", checkpoint=checkpointer) as events:
        assert names(await take(events, 1)) == ["b"]


async def test_a_set_checkpoint_beats_a_start_block_and_a_fresh_one_does_not(network):
    def request(**options):
        signable = network.new_chaincode_events_request("basic", **options)
        signed = gateway_pb2.SignedChaincodeEventsRequest.FromString(signable.bytes)
        return gateway_pb2.ChaincodeEventsRequest.FromString(signed.request)

    checkpointer = InMemoryCheckpointer()
    fresh = request(start_block=7, checkpoint=checkpointer)
    assert (fresh.start_position.specified.number, fresh.after_transaction_id) == (7, "")
    assert request(checkpoint=checkpointer).start_position.HasField("next_commit")
    await checkpointer.checkpoint_transaction(3, "tx")
    moved = request(start_block=7, checkpoint=checkpointer)
    assert (moved.start_position.specified.number, moved.after_transaction_id) == (3, "tx")


async def test_any_object_with_a_position_is_a_checkpoint(network, peer):
    class Mine:
        block_number = 1
        transaction_id = "t1"

    await peer.commit(entry("a", "t1"), entry("b", "t2"))
    async with network.get_chaincode_events("basic", checkpoint=Mine()) as events:
        assert names(await take(events, 1)) == ["b"]
