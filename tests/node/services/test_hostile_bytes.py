"""Bytes from outside: whatever they are, the answer is a typed error or an answer."""

from __future__ import annotations

from contextlib import suppress

import pytest
from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2
from fabric_protos.orderer import ab_pb2
from fabric_protos.peer import chaincode_shim_pb2, proposal_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st
from tests.support.consortium import CHANNEL, Consortium
from tests.support.throwaway_ca import NOW
from tests.support.transactions import signed_proposal, transaction

from shirushi_client.gateway.error_details import parse_details
from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.block import new_block
from shirushi_core.fabric.proposal import parse_signed_proposal
from shirushi_core.fabric.signing import load_certificate
from shirushi_node.ledger.blocks import chaincode_events, filtered_block
from shirushi_node.ledger.gateway.errors import GatewayError, error_detail, status_bytes
from shirushi_node.ledger.gateway.requests import parse_proposed
from shirushi_node.ledger.invocation import Invocation, Transaction
from shirushi_node.ledger.proposals import CheckedProposal
from shirushi_node.ledger.seek import SeekError, parse_seek
from shirushi_node.ledger.shim.state_calls import StateCalls

CLIENT = Consortium(members=None).client
PROPOSAL = signed_proposal(CLIENT)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Some bytes, or good ones with a piece cut out, replaced or put in."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=200))
    start = draw(st.integers(0, len(whole)))
    end = draw(st.integers(start, min(len(whole), start + 20)))
    return whole[:start] + draw(st.binary(max_size=20)) + whole[end:]


@given(damaged(PROPOSAL.proposal_bytes))
def test_a_gateway_reads_a_proposal_or_refuses_it(data: bytes) -> None:
    with suppress(InvalidInputError):
        parse_proposed(proposal_pb2.SignedProposal(proposal_bytes=data))


def _seek() -> bytes:
    header = common_pb2.ChannelHeader(
        channel_id=CHANNEL, timestamp=Timestamp(seconds=int(NOW.timestamp()))
    ).SerializeToString()
    creator = common_pb2.SignatureHeader(creator=CLIENT.identity.serialized).SerializeToString()
    info = ab_pb2.SeekInfo(start=ab_pb2.SeekPosition(oldest=ab_pb2.SeekOldest())).SerializeToString()
    payload = common_pb2.Payload(
        header=common_pb2.Header(channel_header=header, signature_header=creator), data=info
    )
    return bytes(payload.SerializeToString())


@given(damaged(_seek()))
def test_a_seek_request_is_read_or_a_bad_one(data: bytes) -> None:
    with suppress(SeekError):
        parse_seek(common_pb2.Envelope(payload=data), NOW)


def test_a_whole_seek_request_says_when_its_creator_expires() -> None:
    request = parse_seek(common_pb2.Envelope(payload=_seek()), NOW)
    assert request.expires_at == load_certificate(CLIENT.identity.certificate_pem).not_valid_after_utc


@given(st.sampled_from(sorted(chaincode_shim_pb2.ChaincodeMessage.Type.values())), st.binary(max_size=100))
def test_a_chaincodes_call_is_answered_or_refused(kind: int, payload: bytes) -> None:
    checked = CheckedProposal(PROPOSAL, parse_signed_proposal(PROPOSAL), None)  # type: ignore[arg-type]
    calls = StateCalls(Invocation(Transaction(checked, "Org1MSP", None), "basic", ()))
    if calls.knows(kind):
        with suppress(InvalidInputError):
            calls.answer(kind, payload)
    calls.close()


GOOD = transaction(CLIENT, [CLIENT]).data


@given(st.lists(damaged(GOOD), max_size=4))
def test_a_block_of_anything_can_be_filtered(envelopes: list[bytes]) -> None:
    block = new_block(7, b"", [*envelopes, GOOD])
    block.metadata.metadata[common_pb2.TRANSACTIONS_FILTER] = bytes(len(envelopes)) + b"\0"
    assert filtered_block(block).number == 7
    assert isinstance(chaincode_events(block), tuple)


@given(
    st.sampled_from([StatusCode.ABORTED, StatusCode.UNKNOWN, StatusCode.DEADLINE_EXCEEDED]),
    st.text(max_size=300),
    st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20), st.text(max_size=200)), max_size=5),
)
def test_error_details_are_read_as_they_were_written(
    code: StatusCode, text: str, details: list[tuple[str, str, str]]
) -> None:
    error = GatewayError(code, text, [error_detail(*each) for each in details])
    found = parse_details(status_bytes(error))
    assert [(each.address, each.msp_id, each.message) for each in found] == details
    assert all(isinstance(each, gateway_pb2.ErrorDetail) for each in error.details)


@pytest.mark.parametrize("missing", ["header", "timestamp"])
def test_what_a_seek_request_lacks_is_said(missing: str) -> None:
    payload = common_pb2.Payload.FromString(_seek())
    if missing == "header":
        payload.ClearField("header")
    else:
        payload.header.channel_header = common_pb2.ChannelHeader(channel_id=CHANNEL).SerializeToString()
    with pytest.raises(SeekError, match=missing):
        parse_seek(common_pb2.Envelope(payload=payload.SerializeToString()), NOW)
