"""Peers that hang up, do not read, repeat themselves or send garbage: what it costs, and what it does not."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from fabric_protos.peer import chaincode_shim_pb2
from tests.chaincode.service.calls import echo, read_key
from tests.chaincode.service.conftest import PACKAGE_ID, Served
from tests.support.scripted_peer import ChaincodeMessage, ScriptedPeer

from shirushi_chaincode.service.errors import StreamError
from shirushi_chaincode.service.stream import Limits, PeerStream
from shirushi_chaincode.service.stub import ShimStub

GetState = chaincode_shim_pb2.GetState


async def end_of(peer: ScriptedPeer) -> tuple[str, grpc.StatusCode, str]:
    """Return the last words of a stream: the ERROR, the status and its details."""
    text = ""
    try:
        while (message := await peer.read()) is not grpc.aio.EOF:
            if message.type == ChaincodeMessage.ERROR:
                text = message.payload.decode()
    except grpc.aio.AioRpcError:
        pass
    return text, await peer.call.code(), await peer.call.details()


async def test_a_transaction_id_that_comes_again_ends_the_earlier_run(served: Served) -> None:
    """The peer has given up the first; what it had asked is not taken for the second's."""
    ended: list[str] = []

    async def read_twice(stub: ShimStub) -> bytes:
        try:
            first = await stub.get_state("first") or b""
            return first + (await stub.get_state("second") or b"")
        except asyncio.CancelledError:
            ended.append(stub.args[0].decode())
            raise

    peer = await served.peer(read_twice)
    tx_id = await peer.propose("old", nonce=b"n")
    await peer.expect("GET_STATE", GetState, tx_id)
    assert await peer.propose("new", nonce=b"n") == tx_id
    await peer.refuse(tx_id, "no ledger context")
    for key in ("first", "second"):
        assert (await peer.expect("GET_STATE", GetState, tx_id)).key == key
        await peer.answer(tx_id, key.encode())
    assert (await peer.completed(tx_id)).payload == b"firstsecond"
    assert ended == ["old"]
    assert served.metric('proposals_total{outcome="abandoned"}') == 1


async def test_a_peer_that_does_not_read_holds_up_its_own_proposals_only(served: Served) -> None:
    """Its messages wait within bounds; none is lost once it reads."""
    peer = await served.peer(echo, Limits(running=8, outgoing=4))
    value = "x" * 200_000
    sending = asyncio.ensure_future(propose_many(peer, 100, value))
    other = await served.dial()
    await other.register()
    for _ in range(20):
        assert (await other.completed(await other.propose("quick"))).payload == b"quick"
    answers = [await peer.completed() for _ in range(100)]
    assert all(answer.payload == value.encode() for answer in answers)
    await sending


async def propose_many(peer: ScriptedPeer, count: int, value: str) -> None:
    for _ in range(count):
        await peer.propose(value)


class DeafPeer:
    """A connection whose other end never reads."""

    async def read(self) -> bytes | None:
        await asyncio.Event().wait()
        return None

    async def write(self, message: bytes) -> None:
        await asyncio.Event().wait()


async def test_a_peer_that_never_reads_loses_its_stream(served: Served) -> None:
    stream = PeerStream(DeafPeer(), served, PACKAGE_ID, Limits(write=0.05), served.metrics)  # type: ignore[arg-type]
    with pytest.raises(StreamError, match=r"the peer did not read a message within 0\.05 s"):
        await stream.run()


async def test_a_peer_that_hangs_up_ends_its_proposals(served: Served) -> None:
    ended, started = asyncio.Event(), asyncio.Event()

    async def hang(stub: ShimStub) -> None:
        started.set()
        try:
            await stub.get_state("key")
        finally:
            ended.set()

    peer = await served.peer(hang)
    await peer.propose()
    await asyncio.wait_for(started.wait(), 5)
    peer.call.cancel()
    await asyncio.wait_for(ended.wait(), 5)
    other = await served.dial()
    assert await other.register() == PACKAGE_ID
    served.function = echo
    assert (await other.completed(await other.propose("well"))).payload == b"well"
    assert served.metric("peer_streams_open") == 1
    assert served.metric("proposals_in_flight") == 0
    assert served.metric('proposals_total{outcome="abandoned"}') == 1


async def test_a_peer_that_closes_its_side_ends_its_proposals(served: Served) -> None:
    peer = await served.peer(read_key)
    await peer.propose("key")
    await peer.expect("GET_STATE", GetState)
    await peer.call.done_writing()
    assert await peer.read() is grpc.aio.EOF
    assert await peer.call.code() is grpc.StatusCode.OK


async def test_a_late_reply_to_a_proposal_that_is_over_is_nobodys(served: Served) -> None:
    peer = await served.peer(echo)
    tx_id = await peer.propose("one")
    await peer.completed(tx_id)
    await peer.answer(tx_id, b"late")
    assert (await peer.completed(await peer.propose("two"))).payload == b"two"


async def test_a_reply_without_a_call_ends_the_stream(served: Served) -> None:
    async def wait(stub: ShimStub) -> None:
        await asyncio.Event().wait()

    peer = await served.peer(wait)
    tx_id = await peer.propose()
    await peer.answer(tx_id, b"value")
    text, code, _ = await end_of(peer)
    assert text == f"[{tx_id}] expected a reply to a call only, found one without"
    assert code is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("kind", "payload", "text"),
    [
        ("REGISTER", b"", "expected calls and replies from the peer, found REGISTER"),
        ("GET_STATE", b"", "expected calls and replies from the peer, found GET_STATE"),
        ("READY", b"", "expected calls and replies from the peer, found READY"),
    ],
)
async def test_a_message_that_is_the_chaincodes_to_send_ends_the_stream(
    served: Served, kind: str, payload: bytes, text: str
) -> None:
    peer = await served.peer(echo)
    await peer.send(kind, payload)
    assert await end_of(peer) == (text, grpc.StatusCode.INVALID_ARGUMENT, text)
    assert served.metric("peer_streams_broken_total") == 1


@pytest.mark.parametrize("registered", [False, True])
async def test_bytes_that_are_no_message_end_the_stream(served: Served, registered: bool) -> None:
    await served.start(echo)
    async with grpc.aio.insecure_channel(served.address) as channel:
        call = channel.stream_stream("/protos.Chaincode/Connect")()
        await call.read()
        if registered:
            for kind in (ChaincodeMessage.REGISTERED, ChaincodeMessage.READY):
                await call.write(ChaincodeMessage(type=kind).SerializeToString())
        await call.write(b"\xff garbage")
        text = "expected a ChaincodeMessage, found bytes that are none"
        error = ChaincodeMessage.FromString(await call.read())
        assert (error.type, error.payload.decode()) == (ChaincodeMessage.ERROR, text)
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert await call.details() == text


async def test_a_proposal_before_registration_ends_the_stream(served: Served) -> None:
    await served.start(echo)
    peer = await served.dial()
    await peer.dial()
    await peer.propose("early")
    text, _, _ = await end_of(peer)
    assert text == "expected REGISTERED from the peer, found TRANSACTION"


async def test_a_peer_that_never_registers_it_is_let_go(served: Served) -> None:
    await served.start(echo, Limits(registration=0.1))
    peer = await served.dial()
    await peer.dial()
    text, _, _ = await end_of(peer)
    assert text == "the peer did not register the chaincode within 0.1 s"


async def test_an_offer_that_is_none_ends_the_stream(served: Served) -> None:
    await served.start(echo)
    peer = await served.dial()
    await peer.dial()
    await peer.send("REGISTERED")
    await peer.send("READY", b"\xff")
    text, _, _ = await end_of(peer)
    assert text.startswith("expected a ChaincodeAdditionalParams in the peer's message")


async def creator(stub: ShimStub) -> bytes:
    return stub.creator


@pytest.mark.parametrize(
    ("payload", "proposal", "text"),
    [
        (b"\xff", b"", "failed to unmarshal input: expected a ChaincodeInput"),
        (b"", b"\xff", "error unmarshalling Proposal"),
        (b"", b"", "ChaincodeHeaderExtension.ChaincodeId is nil"),
    ],
)
async def test_a_proposal_that_is_none_is_answered_with_500(
    served: Served, payload: bytes, proposal: bytes, text: str
) -> None:
    peer = await served.peer(creator)
    await peer.send("TRANSACTION", payload, "tx", proposal={"proposal_bytes": proposal, "signature": b"s"})
    response = await peer.completed("tx")
    assert response.status == 500
    assert text in response.message
    assert (await peer.completed(await peer.propose("well"))).payload == b"creator"
