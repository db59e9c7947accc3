"""What a caller learns when a call fails."""

from __future__ import annotations

import asyncio
import contextlib

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.client.gateway.stand_in import RefusalError, status_details

from shirushi_client.gateway import (
    CallOptions,
    CommitError,
    CommitStatusError,
    EndorseError,
    ErrorDetail,
    GatewayClosedError,
    GatewayError,
    SigningError,
    SubmitError,
    connect,
)
from shirushi_client.gateway.error_details import parse_details
from shirushi_core.errors import InvalidInputError, ShirushiError


def refuse(code, message, *details):
    def answer(invocation):
        raise RefusalError(code, message, list(details))

    return answer


COLLECT = "failed to collect enough transaction endorsements, see attached details for more info"
PEERS = [("peer0.org1:7051", "Org1MSP"), ("peer0.org2:8051", "Org2MSP"), ("peer0.org3:11051", "Org3MSP")]
MISMATCH = "ProposalResponsePayloads do not match"


@pytest.mark.parametrize(
    ("code", "message", "details"),
    [
        pytest.param(
            "UNKNOWN",
            "evaluate call to endorser returned error: chaincode response 500, Expected 1 parameters, but 0 have been supplied",
            [(*PEERS[0], "chaincode response 500, Expected 1 parameters, but 0 have been supplied")],
            id="wrong number of arguments",
        ),
        pytest.param(
            "ABORTED",
            "failed to evaluate transaction, see attached details for more info",
            [(*peer, "chaincode stream terminated") for peer in PEERS],
            id="chaincode that crashes wherever it is tried",
        ),
        pytest.param(
            "FAILED_PRECONDITION",
            "evaluate call to endorser returned error: error validating proposal: access denied: channel [mychannel]",
            [
                (
                    *PEERS[0],
                    "error validating proposal: access denied: channel [mychannel] creator org [Org1MSP]",
                )
            ],
            id="signer of another organisation",
        ),
    ],
)
async def test_a_failed_evaluation_is_a_gateway_error(contract, peer, code, message, details):
    peer.chaincode = refuse(grpc.StatusCode[code], message, *details)
    with pytest.raises(GatewayError) as caught:
        await contract.evaluate_transaction("f")
    error = caught.value
    assert type(error) is GatewayError
    assert (error.code, error.message) == (grpc.StatusCode[code], message)
    assert error.details == tuple(ErrorDetail(*detail) for detail in details)
    assert error.transaction_id == peer.evaluated[0].transaction_id


@pytest.mark.parametrize(
    ("code", "message", "details"),
    [
        pytest.param(
            "FAILED_PRECONDITION",
            "no combination of peers can be derived which satisfy the endorsement policy: "
            "No metadata was found for chaincode nonexistent in channel mychannel",
            [],
            id="unknown chaincode",
        ),
        pytest.param(
            "ABORTED",
            "failed to endorse transaction, see attached details for more info",
            [(*PEERS[0], "chaincode response 500, You've asked to invoke a function that does not exist: f")],
            id="unknown function",
        ),
        pytest.param(
            "ABORTED",
            COLLECT,
            [(*PEERS[2], "Org3MSP refuses to endorse this")],
            id="one organisation refuses",
        ),
        pytest.param(
            "ABORTED",
            COLLECT,
            [(*peer, f"{peer[1]} refuses to endorse this") for peer in PEERS[1:]],
            id="two organisations refuse",
        ),
        pytest.param(
            "ABORTED", COLLECT, [(*peer, MISMATCH) for peer in PEERS[1:]], id="endorsements that differ"
        ),
    ],
)
async def test_a_proposal_that_is_not_endorsed_is_an_endorse_error(contract, peer, code, message, details):
    peer.chaincode = refuse(grpc.StatusCode[code], message, *details)
    with pytest.raises(EndorseError) as caught:
        await contract.submit_transaction("f")
    error = caught.value
    assert (error.code, error.message) == (grpc.StatusCode[code], message)
    assert error.details == tuple(ErrorDetail(*detail) for detail in details)
    assert error.transaction_id == peer.endorsed[0].transaction_id
    assert peer.submitted == []


async def test_an_errors_text_says_who_refused_and_why(contract, peer):
    peer.chaincode = refuse(grpc.StatusCode.ABORTED, "failed to endorse", ("peer0:1", "Org3MSP", "refuses"))
    with pytest.raises(EndorseError) as caught:
        await contract.submit_transaction("f")
    assert str(caught.value) == "ABORTED: failed to endorse (Org3MSP peer0:1: refuses)"


async def test_a_refusing_orderer_is_a_submit_error(contract, peer):
    async def no_orderer():
        raise RefusalError(
            grpc.StatusCode.UNAVAILABLE, "no orderers could be reached", [("o1:7050", "Org1MSP", "down")]
        )

    peer.before_submit = no_orderer
    with pytest.raises(SubmitError, match="no orderers") as caught:
        await contract.submit_transaction("f")
    assert caught.value.transaction_id == peer.endorsed[0].transaction_id
    assert caught.value.details == (ErrorDetail("o1:7050", "Org1MSP", "down"),)


async def test_orderers_that_have_ordered_the_transaction_already_have_not_refused_it(contract, peer):
    processed = "received unsuccessful response from orderer: status=SERVICE_UNAVAILABLE, info=failed to submit request: "
    processed += "request already processed"

    async def too_late():
        refusals = [("o1:7050", "Org1MSP", processed), ("o2:7050", "Org2MSP", "connection refused")]
        raise RefusalError(grpc.StatusCode.UNAVAILABLE, "insufficient number of orderers", refusals)

    peer.chaincode = lambda invocation: b"result"
    peer.after_submit = too_late
    assert await contract.submit_transaction("f") == b"result"


async def test_an_unknown_outcome_is_a_commit_status_error_and_can_be_asked_again(contract, peer):
    async def fail():
        raise RefusalError(grpc.StatusCode.UNAVAILABLE, "peer is stopping")

    submitted = await contract.submit_async("f")
    peer.before_status = fail
    with pytest.raises(CommitStatusError) as caught:
        await submitted.get_status()
    assert caught.value.transaction_id == submitted.transaction_id
    peer.before_status = None
    assert (await submitted.get_status()).successful


def test_commit_errors_are_no_gateway_errors_and_all_are_shirushi_errors():
    assert not issubclass(CommitError, GatewayError)
    families = (GatewayError, CommitError, GatewayClosedError, SigningError)
    assert all(issubclass(family, ShirushiError) for family in families)
    assert all(issubclass(kind, GatewayError) for kind in (EndorseError, SubmitError, CommitStatusError))


async def test_a_signer_of_another_organization_is_refused_by_the_peer(channel, p256, p384):
    async with connect(channel, p256.identity, p384.signer) as gateway:
        contract = gateway.get_network("mychannel").get_contract("basic")
        with pytest.raises(GatewayError, match="bad signature") as caught:
            await contract.evaluate_transaction("exists", "123")
    assert caught.value.code is grpc.StatusCode.PERMISSION_DENIED


async def test_a_peer_that_is_not_there_is_unavailable_at_once(channel, peer, contract):
    await peer.stop()
    with pytest.raises(GatewayError) as caught:
        await contract.evaluate_transaction("f")
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE


async def test_a_deadline_given_with_the_call_ends_it(contract, peer):
    peer.chaincode = never
    with pytest.raises(EndorseError) as caught:
        await contract.submit("f", options=CallOptions(timeout=0.05))
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


async def never(invocation):
    await asyncio.Event().wait()


async def test_there_is_no_deadline_unless_one_is_given(contract, peer):
    await contract.evaluate_transaction("f")
    assert peer.evaluated[0].time_remaining is None


async def test_default_options_hold_for_their_own_call_and_are_overridden_field_by_field(channel, peer, p256):
    async with connect(
        channel,
        p256.identity,
        p256.signer,
        evaluate_options=CallOptions(timeout=50, metadata=[("from", "defaults")]),
    ) as gateway:
        contract = gateway.get_network("mychannel").get_contract("basic")
        await contract.evaluate("f", options=CallOptions(metadata=[("from", "call")]))
        await contract.evaluate_transaction("f")
        await contract.submit_transaction("f")
    overridden, default = peer.evaluated
    assert (overridden.metadata["from"], default.metadata["from"]) == ("call", "defaults")
    assert overridden.time_remaining == pytest.approx(50, abs=5)
    assert peer.endorsed[0].time_remaining is None


@pytest.mark.parametrize("answer", ["", None, 17])
async def test_a_signer_without_a_signature_is_a_signing_error(channel, p256, answer):
    async with connect(channel, p256.identity, lambda digest: answer) as gateway:
        contract = gateway.get_network("mychannel").get_contract("basic")
        with pytest.raises(SigningError, match="signer of Org1MSP"):
            await contract.evaluate_transaction("f")


async def test_a_signers_own_error_reaches_the_caller(channel, p256):
    def signer(digest):
        raise PermissionError("the card is locked")

    async with connect(channel, p256.identity, signer) as gateway:
        contract = gateway.get_network("mychannel").get_contract("basic")
        with pytest.raises(PermissionError, match="locked"):
            await contract.submit_transaction("f")


async def test_closing_the_gateway_ends_its_waiting_calls_but_not_the_channel(channel, peer, p256):
    started = asyncio.Event()

    async def wait(invocation):
        started.set()
        await asyncio.Event().wait()

    peer.chaincode = wait
    gateway = connect(channel, p256.identity, p256.signer)
    waiting = asyncio.create_task(
        gateway.get_network("mychannel").get_contract("basic").evaluate_transaction("f")
    )
    await started.wait()
    await gateway.close()
    with pytest.raises(GatewayClosedError):
        await waiting
    with pytest.raises(GatewayClosedError):
        await gateway.get_network("mychannel").get_contract("basic").evaluate_transaction("f")

    peer.chaincode = lambda invocation: b"still here"
    async with connect(channel, p256.identity, p256.signer) as another:
        assert (
            await another.get_network("mychannel").get_contract("basic").evaluate_transaction("f")
            == b"still here"
        )


async def test_closing_the_channel_is_an_error_of_the_call_not_a_cancelled_task(channel, peer, contract):
    started = asyncio.Event()

    async def wait(invocation):
        started.set()
        await asyncio.Event().wait()

    peer.chaincode = wait
    waiting = asyncio.create_task(contract.evaluate_transaction("f"))
    await started.wait()
    await channel.close()
    with pytest.raises(GatewayError) as caught:
        await waiting
    assert caught.value.code is grpc.StatusCode.CANCELLED


async def test_cancelling_the_callers_task_cancels_the_call(contract, peer):
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(invocation):
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    peer.chaincode = wait
    waiting = asyncio.create_task(contract.evaluate_transaction("f"))
    await started.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait_for(cancelled.wait(), 10)


async def test_garbled_details_do_not_hide_the_error(contract, peer, monkeypatch):
    monkeypatch.setattr("tests.client.gateway.stand_in.status_details", lambda *_: b"\x1a\xff")
    peer.chaincode = refuse(grpc.StatusCode.ABORTED, "failed to endorse", ("a", "b", "c"))
    with pytest.raises(EndorseError, match="failed to endorse") as caught:
        await contract.submit_transaction("f")
    assert caught.value.details == ()
    assert "grpc-status-details-bin" in caught.value.__notes__[0]


async def test_a_synchronous_channel_is_refused_with_a_pointer_to_the_synchronous_face(p256):
    with grpc.insecure_channel("127.0.0.1:1") as channel, pytest.raises(TypeError, match=r"gateway\.sync"):
        connect(channel, p256.identity)


texts = st.text(max_size=300)


@given(st.lists(st.tuples(texts, texts, texts), max_size=8), texts)
def test_details_come_out_as_they_went_in(details, message):
    parsed = parse_details(status_details(10, message, details))
    assert [(d.address, d.msp_id, d.message) for d in parsed] == details


@given(st.binary(max_size=200))
def test_any_bytes_give_details_or_a_typed_error(data):
    with contextlib.suppress(InvalidInputError):
        assert all(isinstance(detail, ErrorDetail) for detail in parse_details(data))


@given(st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=3), st.data())
def test_truncated_details_never_invent_an_entry(details, data):
    whole = status_details(10, "message", details)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        parsed = [(d.address, d.msp_id, d.message) for d in parse_details(cut)]
    except InvalidInputError:
        return
    assert parsed == details[: len(parsed)]


def test_entries_of_other_types_are_passed_over():
    ours = status_details(2, "", [("a", "b", "c")])
    assert parse_details(ours.replace(b"gateway.ErrorDetail", b"another.ErrorDetail")) == ()
