"""The shim protocol from the chaincode's side: registration, many proposals at once, their calls and answers."""

from __future__ import annotations

import asyncio

import pytest
from fabric_protos.peer import chaincode_pb2, chaincode_shim_pb2
from tests.chaincode.service.calls import echo, read_key
from tests.chaincode.service.conftest import PACKAGE_ID, Served
from tests.support.scripted_peer import ChaincodeMessage

from shirushi_chaincode.service.errors import PeerError, ProposalEndedError
from shirushi_chaincode.service.messages import Offer, parse_offer
from shirushi_chaincode.service.stream import Limits
from shirushi_chaincode.service.stub import ShimStub
from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.chaincode import Response

GetState = chaincode_shim_pb2.GetState


async def test_it_registers_with_its_package_id(served: Served) -> None:
    await served.start(echo)
    peer = await served.dial()
    assert await peer.register() == PACKAGE_ID


async def test_transactions_and_initialisations_both_invoke(served: Served) -> None:
    peer = await served.peer(echo)
    for kind in ("TRANSACTION", "INIT"):
        tx_id = await peer.propose("call", "value", kind=kind)
        response = await peer.completed(tx_id)
        assert (response.status, response.payload) == (200, b"value")


async def test_what_a_proposal_holds_is_the_contracts_to_read(served: Served) -> None:
    seen: list[ShimStub] = []

    async def look(stub: ShimStub) -> None:
        seen.append(stub)

    peer = await served.peer(look)
    tx_id = await peer.propose("f", "é", transient={"secret": b"s"}, decorations={"d": b"1"})
    await peer.completed(tx_id)
    (stub,) = seen
    assert (stub.channel_id, stub.tx_id, stub.args) == ("channel", tx_id, (b"f", "é".encode()))
    assert (stub.creator, stub.timestamp) == (b"creator", (12, 34))
    assert (dict(stub.transient), dict(stub.decorations)) == ({"secret": b"s"}, {"d": b"1"})
    assert stub.get_function_and_parameters() == ("f", ["é"])
    assert stub.signed_proposal.signature == b"signature"
    assert len(stub.binding) == 32


async def test_a_keepalive_comes_back_before_and_after_registration(served: Served) -> None:
    await served.start(echo)
    peer = await served.dial()
    await peer.dial()
    for kinds in (["KEEPALIVE"], ["REGISTERED", "READY", "KEEPALIVE"]):
        for kind in kinds:
            await peer.send(kind)
        assert (await peer.read()).type == ChaincodeMessage.KEEPALIVE


async def test_two_hundred_proposals_at_once_lose_none(served: Served) -> None:
    """All are in flight before any is answered, and replies come in another order than calls."""
    peer = await served.peer(read_key)
    tx_ids = [await peer.propose(f"key{number}") for number in range(200)]
    asked = [await peer.read() for _ in tx_ids]
    for message in reversed(asked):
        await peer.answer(message.txid, GetState.FromString(message.payload).key.encode())
    found = {message.txid: message for message in [await peer.read() for _ in tx_ids]}
    for number, tx_id in enumerate(tx_ids):
        assert found[tx_id].payload.endswith(f"key{number}".encode())
    assert served.metric('proposals_total{outcome="ok"}') == 200
    assert served.metric("proposals_in_flight") == 0


async def test_replies_are_told_apart_by_channel_too(served: Served) -> None:
    peer = await served.peer(read_key)
    tx_id = await peer.propose("key", nonce=b"n", channel_id="one")
    await peer.propose("key", nonce=b"n", channel_id="two")
    assert {(await peer.read()).channel_id for _ in range(2)} == {"one", "two"}
    await peer.answer(tx_id, b"second", channel_id="two")
    answer = await peer.read()
    assert (answer.channel_id, answer.payload.endswith(b"second")) == ("two", True)


async def test_calls_made_at_once_take_turns(served: Served) -> None:
    """A peer drops a second call of a transaction that comes before it answered the first."""

    async def both(stub: ShimStub) -> bytes:
        return b",".join(await asyncio.gather(*(read(stub, key) for key in ("a", "b"))))

    async def read(stub: ShimStub, key: str) -> bytes:
        return await stub.get_state(key) or b""

    peer = await served.peer(both)
    tx_id = await peer.propose()
    for key in ("a", "b"):
        assert (await peer.expect("GET_STATE", GetState)).key == key
        await peer.answer(tx_id, key.encode())
    assert (await peer.completed()).payload == b"a,b"


async def test_a_call_given_up_does_not_pass_its_reply_to_the_next(served: Served) -> None:
    async def impatient(stub: ShimStub) -> bytes:
        reading = asyncio.ensure_future(stub.get_state("first"))
        await asked.wait()
        reading.cancel()
        return await stub.get_state("second") or b""

    asked = asyncio.Event()
    peer = await served.peer(impatient)
    tx_id = await peer.propose()
    assert (await peer.expect("GET_STATE", GetState)).key == "first"
    asked.set()
    await peer.answer(tx_id, b"of first")
    assert (await peer.expect("GET_STATE", GetState)).key == "second"
    await peer.answer(tx_id, b"of second")
    assert (await peer.completed()).payload == b"of second"


async def test_a_call_left_behind_is_waited_for_before_the_answer(served: Served) -> None:
    """The same transaction id may be called again at once, and must not get the earlier call's reply."""
    left: list[asyncio.Future] = []

    async def careless(stub: ShimStub) -> bytes:
        left.append(asyncio.ensure_future(stub.get_state("key")))
        await asyncio.sleep(0)
        return b"done"

    peer = await served.peer(careless)
    tx_id = await peer.propose()
    await peer.expect("GET_STATE", GetState)
    await peer.send("KEEPALIVE")
    assert (await peer.read()).type == ChaincodeMessage.KEEPALIVE
    await peer.answer(tx_id, b"late")
    assert (await peer.completed(tx_id)).payload == b"done"
    with pytest.raises(ProposalEndedError, match="expected calls on the ledger while the proposal runs"):
        await left[0]


async def test_an_error_of_the_peer_is_raised_in_the_contract_and_never_a_value(served: Served) -> None:
    caught: list[PeerError] = []

    async def careful(stub: ShimStub) -> bytes:
        try:
            return await stub.get_state("key") or b""
        except PeerError as error:
            caught.append(error)
            return b"caught"

    peer = await served.peer(careful)
    tx_id = await peer.propose()
    await peer.expect("GET_STATE", GetState)
    await peer.refuse(tx_id, "GET_STATE failed: no such thing")
    assert (await peer.completed()).payload == b"caught"
    assert (caught[0].call, str(caught[0])) == ("GET_STATE", "GET_STATE failed: no such thing")
    assert served.metric("peer_errors_total") == 1


async def test_an_error_of_the_peer_that_the_contract_lets_pass_is_its_answer(served: Served) -> None:
    peer = await served.peer(read_key)
    tx_id = await peer.propose("key")
    await peer.expect("GET_STATE", GetState)
    await peer.refuse(tx_id, "GET_STATE failed: no ledger context")
    response = await peer.completed(tx_id)
    assert (response.status, response.message) == (500, "GET_STATE failed: no ledger context")


@pytest.mark.parametrize(
    ("raised", "text"),
    [
        (KeyError("resident 12345"), "the chaincode failed with KeyError; its log says where"),
        (SystemExit(3), "the chaincode failed with SystemExit; its log says where"),
        (asyncio.CancelledError(), "the chaincode failed with CancelledError"),
        (InvalidInputError("key must not be empty"), "key must not be empty"),
    ],
)
async def test_an_exception_is_an_answer_of_500_and_the_stream_goes_on(
    served: Served, raised: BaseException, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(stub: ShimStub) -> bytes:
        if stub.args[0] == b"fail":
            await stub.put_state("key", b"never written")
            raise raised
        return b"well"

    peer = await served.peer(fail)
    response = await peer.completed(await peer.propose("fail"))
    assert (response.status, response.message) == (500, text)
    assert "12345" not in caplog.text
    assert (await peer.completed(await peer.propose("other"))).payload == b"well"
    assert served.metric('proposals_total{outcome="failed"}') == 1


@pytest.mark.parametrize("answer", [None, Response("200"), Response(2**40), Response(200, "\ud800")])  # type: ignore[arg-type]
async def test_an_answer_that_is_none_is_a_failure(served: Served, answer: Response) -> None:
    async def invoke(stub: ShimStub) -> Response:
        return answer

    peer = await served.peer(echo)
    served.invoke = invoke  # type: ignore[method-assign]
    assert (await peer.completed(await peer.propose("f"))).status == 500


async def test_an_error_response_is_passed_on(served: Served) -> None:
    async def refuse(stub: ShimStub) -> Response:
        return Response(404, "no such asset", b"payload")

    peer = await served.peer(refuse)
    response = await peer.completed(await peer.propose())
    assert (response.status, response.message, response.payload) == (404, "no such asset", b"payload")
    assert served.metric('proposals_total{outcome="refused"}') == 1


async def test_a_chaincode_that_takes_too_long_is_cut_off(served: Served) -> None:
    async def hang(stub: ShimStub) -> None:
        await asyncio.Event().wait()

    peer = await served.peer(hang, Limits(proposal=0.05))
    response = await peer.completed(await peer.propose())
    assert (response.status, response.message) == (500, "the chaincode did not answer within 0.05 s")


async def test_more_proposals_than_may_run_wait_and_more_than_may_wait_are_rejected(served: Served) -> None:
    peer = await served.peer(read_key, Limits(running=2, waiting=3))
    tx_ids = [await peer.propose(f"key{number}") for number in range(6)]
    asked = [(await peer.read()).txid for _ in range(2)]
    rejected = await peer.completed(tx_ids[5])
    assert rejected.status == 503
    assert rejected.message.endswith("too many others run; send it to another peer, or again later")
    answered = []
    while len(answered) < 5:
        if asked:
            await peer.answer(asked.pop(0), b"value")
        message = await peer.read()
        (answered if message.type == ChaincodeMessage.COMPLETED else asked).append(message.txid)
    assert sorted(answered) == sorted(tx_ids[:5])


async def test_a_message_larger_than_a_peer_takes_fails_its_proposal_only(served: Served) -> None:
    async def large(stub: ShimStub) -> bytes:
        return b"" if stub.args[0] == b"small" else bytes(101 << 20)

    peer = await served.peer(large)
    response = await peer.completed(await peer.propose("large"))
    assert response.status == 500
    assert response.message.startswith("the chaincode's answer of 1059")
    assert (await peer.completed(await peer.propose("small"))).status == 200


async def test_several_peers_are_served_at_once(served: Served) -> None:
    await served.start(echo)
    peers = [await served.dial() for _ in range(5)]
    assert [await peer.register() for peer in peers] == [PACKAGE_ID] * 5
    assert served.metric("peer_streams_open") == 5
    for peer in peers:
        tx_id = await peer.propose("value", nonce=b"same for all")
        assert (await peer.completed(tx_id)).payload == b"value"


def test_the_offer_counts_only_where_it_is_made() -> None:
    def offer(**fields) -> Offer:
        return parse_offer(chaincode_pb2.ChaincodeAdditionalParams(**fields).SerializeToString())

    assert offer() == Offer(0, 0)
    assert offer(max_size_write_batch=7, max_size_get_multiple_keys=7) == Offer(0, 0)
    assert offer(use_write_batch=True, use_get_multiple_keys=True) == Offer(100, 100)
    assert offer(use_write_batch=True, max_size_write_batch=7) == Offer(7, 0)
