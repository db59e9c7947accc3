"""The synchronous face: the same client, without asyncio."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from tests.client.gateway.stand_in import LedgerEntry, RefusalError, StandInPeer

from shirushi_client import gateway as asynchronous
from shirushi_client.gateway import sync
from shirushi_client.gateway.sync.channel import AsyncChannel


class PeerInThread:
    """The stand-in peer in an event loop of its own; attributes are the peer's, coroutines are waited for."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.peer = self.run(self._make())
        self.run(self.peer.start())

    async def _make(self):
        return StandInPeer()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def commit(self, *entries):
        return self.run(self.peer.commit(*entries))

    def wait_for_listeners(self, count):
        self.run(self.peer.wait_for_listeners(count))

    def stop(self):
        self.run(self.peer.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def peer():
    peer = PeerInThread()
    yield peer
    peer.stop()


@pytest.fixture
def channel(peer):
    with grpc.insecure_channel(peer.peer.address) as channel:
        yield channel


@pytest.fixture
def gateway(channel, p256):
    with sync.connect(channel, p256.identity, p256.signer) as gateway:
        yield gateway


@pytest.fixture
def network(gateway):
    return gateway.get_network("mychannel")


@pytest.fixture
def contract(network):
    return network.get_contract("basic")


def test_evaluate_and_submit(contract, peer):
    assert contract.evaluate_transaction("echo", "conga") == b"echo,conga"
    assert contract.submit_transaction("put", b"\xff") == b"put,\xff"
    assert contract.evaluate("f", arguments=["x"], endorsing_organizations=["Org1MSP"]) == b"f,x"
    assert contract.submit("f", transient_data={"k": "v"}) == b"f"
    assert peer.peer.evaluated[1].organizations == ["Org1MSP"]
    assert peer.peer.endorsed[1].transient == {"k": b"v"}


def test_the_steps_can_be_taken_one_by_one(contract):
    proposal = contract.new_proposal("f", arguments=["x"])
    assert proposal.evaluate() == b"f,x"
    transaction = proposal.endorse()
    submitted = transaction.submit()
    status = submitted.get_status()
    assert transaction.result == submitted.result == b"f,x"
    assert status.successful
    assert status.transaction_id == proposal.transaction_id == transaction.transaction_id
    assert contract.submit_async("f").get_status().block_number == 2


def test_offline_signing(channel, p256):
    with sync.connect(channel, p256.identity) as offline:
        unsigned = offline.get_network("mychannel").get_contract("basic").new_proposal("f")
        with pytest.raises(sync.NoSignerError):
            offline.new_proposal(unsigned.bytes).endorse()
        unsigned = offline.new_signed_proposal(unsigned.bytes, p256.signer(unsigned.digest)).endorse()
        unsigned = offline.new_signed_transaction(unsigned.bytes, p256.signer(unsigned.digest)).submit()
        status = offline.new_signed_commit(unsigned.bytes, p256.signer(unsigned.digest)).get_status()
    assert status.successful


def test_errors_are_the_same(contract, peer):
    def refuse(invocation):
        raise RefusalError(grpc.StatusCode.ABORTED, "failed to endorse", [("peer0:7051", "Org1MSP", "no")])

    peer.peer.chaincode = refuse
    with pytest.raises(sync.EndorseError, match="failed to endorse") as caught:
        contract.submit_transaction("f")
    assert caught.value.code is grpc.StatusCode.ABORTED
    assert caught.value.details == (sync.ErrorDetail("peer0:7051", "Org1MSP", "no"),)
    assert caught.value.transaction_id == peer.peer.endorsed[0].transaction_id


def test_a_deadline_ends_the_call(contract, peer):
    async def never(invocation):
        await asyncio.Event().wait()

    peer.peer.chaincode = never
    with pytest.raises(sync.GatewayError) as caught:
        contract.evaluate("f", options=sync.CallOptions(timeout=0.05))
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_peer_that_is_not_there_is_unavailable(p256):
    with (
        grpc.insecure_channel("127.0.0.1:1") as channel,
        sync.connect(channel, p256.identity, p256.signer) as gateway,
        pytest.raises(sync.GatewayError) as caught,
    ):
        gateway.get_network("mychannel").get_contract("basic").evaluate_transaction("f")
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE


def test_many_threads_share_a_gateway(contract):
    with ThreadPoolExecutor(16) as threads:
        results = list(threads.map(lambda i: contract.submit_transaction("f", str(i)), range(64)))
    assert results == [f"f,{i}".encode() for i in range(64)]


def test_chaincode_events_with_a_checkpoint_that_survives_the_process(network, peer, tmp_path):
    peer.commit(LedgerEntry("t1", event=("a", b"1")), LedgerEntry("t2", event=("b", b"2")))
    received = []
    for _ in range(2):
        with (
            sync.FileCheckpointer.open(tmp_path / "checkpoint.json") as checkpointer,
            network.get_chaincode_events("basic", start_block=0, checkpoint=checkpointer) as events,
        ):
            event = next(events)
            received.append(event)
            checkpointer.checkpoint_chaincode_event(event)
    assert [(e.event_name, e.payload) for e in received] == [("a", b"1"), ("b", b"2")]


def test_the_memory_checkpointer_moves_on():
    checkpointer = sync.InMemoryCheckpointer()
    checkpointer.checkpoint_transaction(1, "tx")
    assert (checkpointer.block_number, checkpointer.transaction_id) == (1, "tx")
    checkpointer.checkpoint_block(1)
    assert (checkpointer.block_number, checkpointer.transaction_id) == (2, None)


@pytest.mark.parametrize("kind", ["block", "filtered_block", "block_and_private_data"])
def test_each_kind_of_block_event(network, peer, kind):
    with getattr(network, f"get_{kind}_events")() as events:
        peer.wait_for_listeners(1)
        number = peer.commit(LedgerEntry("tx"))
        event = next(events)
    found = {
        "block": lambda: event.header.number,
        "filtered_block": lambda: event.number,
        "block_and_private_data": lambda: event.block.header.number,
    }[kind]()
    assert found == number
    peer.wait_for_listeners(0)


def test_a_peer_that_ends_a_stream_is_an_error(network, peer):
    peer.peer.deliver_status = 403
    with network.get_block_events() as events, pytest.raises(sync.StreamEndedError, match="403 FORBIDDEN"):
        next(events)


def test_a_lost_connection_is_an_error_of_the_stream(network, peer):
    with network.get_chaincode_events("basic") as events:
        peer.wait_for_listeners(1)
        peer.run(peer.peer.stop())
        with pytest.raises(sync.GatewayError):
            next(events)


@pytest.mark.parametrize("close", ["stream", "gateway"])
def test_closing_from_another_thread_ends_a_waiting_iteration(gateway, network, peer, close):
    events = network.get_chaincode_events("basic")
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(list, events)
        peer.wait_for_listeners(1)
        (events if close == "stream" else gateway).close()
        assert reading.result(10) == []
    peer.wait_for_listeners(0)
    events.close()


def test_closing_the_gateway_ends_a_waiting_call_and_refuses_others(gateway, contract, peer, channel, p256):
    started = threading.Event()

    async def wait(invocation):
        started.set()
        await asyncio.Event().wait()

    peer.peer.chaincode = wait
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(contract.evaluate_transaction, "f")
        started.wait(10)
        gateway.close()
        with pytest.raises(sync.GatewayClosedError):
            waiting.result(10)
    with pytest.raises(sync.GatewayClosedError):
        contract.evaluate_transaction("f")
    gateway.close()
    peer.peer.chaincode = lambda invocation: b"still here"
    with sync.connect(channel, p256.identity, p256.signer) as another:
        assert another.get_network("c").get_contract("basic").evaluate_transaction("f") == b"still here"


async def test_giving_up_a_call_on_a_synchronous_channel_cancels_it_at_the_peer(channel, peer, p256):
    started, cancelled = threading.Event(), threading.Event()

    async def wait(invocation):
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    peer.peer.chaincode = wait
    async with asynchronous.connect(AsyncChannel(channel), p256.identity, p256.signer) as gateway:
        contract = gateway.get_network("mychannel").get_contract("basic")
        waiting = asyncio.create_task(contract.evaluate_transaction("f"))
        assert await asyncio.to_thread(started.wait, 10)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await asyncio.to_thread(cancelled.wait, 10)


def test_a_closed_gateway_leaves_no_thread_behind(channel, p256):
    with sync.connect(channel, p256.identity, p256.signer) as gateway:
        network = gateway.get_network("mychannel")
        network.get_contract("basic").submit_transaction("f")
        events = network.get_block_events(start_block=0)
        next(events)
    for thread in threading.enumerate():
        if thread.name == "shirushi-gateway-events":
            thread.join(10)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("shirushi-gateway")]


def test_a_stream_that_nobody_holds_any_more_is_let_go(network, peer):
    events = network.get_block_events(start_block=0)
    next(events)
    del events
    gc.collect()
    peer.wait_for_listeners(0)


def test_a_signer_that_calls_its_own_gateway_is_told_so(channel, p256):
    def signer(digest):
        return contract.evaluate_transaction("sign", digest)

    with sync.connect(channel, p256.identity, signer) as gateway:
        contract = gateway.get_network("mychannel").get_contract("basic")
        with pytest.raises(RuntimeError, match="its own gateway"):
            contract.evaluate_transaction("f")


def test_an_asynchronous_channel_is_refused_with_a_pointer_to_the_asynchronous_face(p256):
    class AioChannel(grpc.aio.Channel):
        """A channel that cannot be used."""

    AioChannel.__abstractmethods__ = frozenset()
    with pytest.raises(TypeError, match=r"use shirushi_client\.gateway\.connect"):
        sync.connect(AioChannel(), p256.identity)


@pytest.mark.parametrize(
    "name",
    [
        "Gateway",
        "Network",
        "Contract",
        "Proposal",
        "Transaction",
        "Commit",
        "SubmittedTransaction",
        "FileCheckpointer",
        "InMemoryCheckpointer",
        "ChaincodeEventsRequest",
        "BlockEventsRequest",
    ],
)
def test_the_two_faces_have_the_same_names_and_parameters(name):
    theirs, ours = getattr(asynchronous, name), getattr(sync, name)

    def public(cls):
        members = inspect.getmembers(cls, lambda member: callable(member) or isinstance(member, property))
        return {key: value for key, value in members if not key.startswith("_")}

    assert public(ours).keys() == public(theirs).keys()
    for key, value in public(theirs).items():
        if inspect.isfunction(value):
            assert (
                inspect.signature(public(ours)[key]).parameters.keys()
                == inspect.signature(value).parameters.keys()
            )


def test_the_two_faces_export_the_same_names():
    assert set(sync.__all__) == set(asynchronous.__all__)
