from __future__ import annotations

import contextlib
import hashlib
from typing import Any

import pytest
from fabric_protos.common import common_pb2
from fabric_protos.peer import chaincode_pb2, proposal_pb2, proposal_response_pb2
from hypothesis import given
from hypothesis import strategies as st
from tests.support.throwaway_ca import ThrowawayCa
from tests.support.transactions import signed_proposal

from shirushi_core.fabric.proposal import (
    ProposalError,
    build_transaction,
    parse_signed_proposal,
    proposal_hash,
    response_payload,
    transaction_id,
)

CLIENT = ThrowawayCa.root("ca").issue("client")
CREATOR = CLIENT.identity.serialized
NONCE = b"n" * 24


def test_what_is_proposed_is_read_back() -> None:
    signed = signed_proposal(
        CLIENT, channel_id="ch", chaincode="cc", args=[b"f", b""], transient={"t": b"secret"}, nonce=NONCE
    )
    proposal = parse_signed_proposal(signed)
    assert (proposal.channel_id, proposal.chaincode_name) == ("ch", "cc")
    assert proposal.tx_id == transaction_id(NONCE, CREATOR) == hashlib.sha256(NONCE + CREATOR).hexdigest()
    assert (proposal.nonce, proposal.creator) == (NONCE, CREATOR)
    assert (proposal.timestamp_seconds, proposal.timestamp_nanos) == (1_770_000_000, 42)
    assert proposal.args == (b"f", b"")
    assert proposal.transient == {"t": b"secret"}
    assert not proposal.is_init
    assert proposal.proposal_bytes == signed.proposal_bytes


def test_the_same_request_gives_the_same_bytes() -> None:
    transient = {str(number): b"x" for number in range(20)}
    first = signed_proposal(CLIENT, transient=transient, nonce=NONCE).proposal_bytes
    again = signed_proposal(CLIENT, transient=dict(reversed(transient.items())), nonce=NONCE).proposal_bytes
    assert first == again


def test_proposal_hash_does_not_depend_on_transient_data() -> None:
    with_secret = parse_signed_proposal(signed_proposal(CLIENT, transient={"t": b"secret"}))
    channel_header, signature_header = with_secret.channel_header_bytes, with_secret.signature_header_bytes
    bare = proposal_pb2.ChaincodeProposalPayload(
        input=proposal_pb2.ChaincodeProposalPayload.FromString(with_secret.payload_bytes).input
    ).SerializeToString()
    expected = hashlib.sha256(channel_header + signature_header + bare).digest()
    assert proposal_hash(channel_header, signature_header, with_secret.payload_bytes) == expected
    payload = response_payload(
        with_secret,
        response=proposal_response_pb2.Response(status=200),
        results=b"",
        event=b"",
        chaincode_version="1",
    )
    assert proposal_response_pb2.ProposalResponsePayload.FromString(payload).proposal_hash == expected


def test_a_transaction_holds_no_transient_data() -> None:
    proposal = parse_signed_proposal(signed_proposal(CLIENT, transient={"t": b"the secret"}))
    envelope = build_transaction(proposal, b"payload", [])
    assert b"the secret" not in envelope.SerializeToString()
    assert b"the secret" in proposal.proposal_bytes


def changed(**changes: Any) -> proposal_pb2.SignedProposal:
    """Return a good signed proposal with some of its parts replaced."""
    signed = signed_proposal(CLIENT, nonce=NONCE)
    proposal = proposal_pb2.Proposal.FromString(signed.proposal_bytes)
    header = common_pb2.Header.FromString(proposal.header)
    channel_header = common_pb2.ChannelHeader.FromString(header.channel_header)
    signature_header = common_pb2.SignatureHeader.FromString(header.signature_header)
    for name, value in changes.items():
        if name in ("type", "epoch", "tx_id", "extension"):
            setattr(channel_header, name, value)
        elif name in ("nonce", "creator"):
            setattr(signature_header, name, value)
    header.channel_header = changes.get("channel_header", channel_header.SerializeToString())
    header.signature_header = changes.get("signature_header", signature_header.SerializeToString())
    proposal.header = changes.get("header", header.SerializeToString())
    proposal.payload = changes.get("payload", proposal.payload)
    signed.proposal_bytes = changes.get("proposal_bytes", proposal.SerializeToString())
    signed.signature = changes.get("signature", signed.signature)
    return signed


def payload(**fields: Any) -> bytes:
    invocation = chaincode_pb2.ChaincodeInvocationSpec(**fields).SerializeToString()
    return bytes(proposal_pb2.ChaincodeProposalPayload(input=invocation).SerializeToString())


def extension(**fields: Any) -> bytes:
    return bytes(proposal_pb2.ChaincodeHeaderExtension(**fields).SerializeToString())


BROKEN = b"\xff"
CANNOT_PARSE = "proto: cannot parse invalid wire-format data"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"proposal_bytes": BROKEN}, f"error unmarshalling Proposal: {CANNOT_PARSE}"),
        ({"proposal_bytes": b""}, "ChaincodeHeaderExtension.ChaincodeId is nil"),
        ({"header": BROKEN}, f"error unmarshalling Header: {CANNOT_PARSE}"),
        ({"channel_header": BROKEN}, f"error unmarshalling ChannelHeader: {CANNOT_PARSE}"),
        ({"signature_header": BROKEN}, f"error unmarshalling SignatureHeader: {CANNOT_PARSE}"),
        ({"extension": BROKEN}, f"error unmarshalling ChaincodeHeaderExtension: {CANNOT_PARSE}"),
        ({"extension": b""}, "ChaincodeHeaderExtension.ChaincodeId is nil"),
        (
            {"extension": extension(chaincode_id=chaincode_pb2.ChaincodeID())},
            "ChaincodeHeaderExtension.ChaincodeId.Name is empty",
        ),
        ({"payload": BROKEN}, f"error unmarshalling ChaincodeProposalPayload: {CANNOT_PARSE}"),
        ({"payload": payload()}, "chaincode invocation spec did not contain chaincode spec"),
        (
            {"payload": payload(chaincode_spec=chaincode_pb2.ChaincodeSpec())},
            "chaincode input did not contain any input",
        ),
        ({"type": common_pb2.MESSAGE}, "invalid header type MESSAGE"),
        ({"type": 77}, "invalid header type 77"),
        ({"epoch": 1}, "epoch is non-zero"),
        ({"nonce": b""}, "nonce is empty"),
        ({"creator": b""}, "creator is empty"),
        (
            {"tx_id": "abc"},
            f"incorrectly computed txid 'abc' -- expected '{transaction_id(NONCE, CREATOR)}'",
        ),
        ({"signature": b""}, "empty signature bytes"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_a_malformed_proposal_is_refused_with_fabrics_text(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ProposalError) as caught:
        parse_signed_proposal(changed(**changes))
    assert str(caught.value) == text


GOOD = signed_proposal(CLIENT, transient={"t": b"secret"})


@given(st.data())
def test_damaged_proposals_give_a_typed_error_or_a_proposal(data: st.DataObject) -> None:
    good = GOOD.proposal_bytes
    position = data.draw(st.integers(0, len(good) - 1))
    damaged = good[:position] + data.draw(st.binary(max_size=3)) + good[position + 1 :]
    with contextlib.suppress(ProposalError):
        parse_signed_proposal(proposal_pb2.SignedProposal(proposal_bytes=damaged, signature=b"s"))


@given(st.binary(max_size=100))
def test_foreign_bytes_give_a_typed_error_or_a_proposal(data: bytes) -> None:
    with pytest.raises(ProposalError):
        parse_signed_proposal(proposal_pb2.SignedProposal(proposal_bytes=data, signature=b"s"))
