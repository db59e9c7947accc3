"""Proposals, proposal responses and the transactions made of them.

Source: protoutil/proputils.go, protoutil/txutils.go, core/endorser/msgvalidation.go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fabric_protos.common import common_pb2
from fabric_protos.peer import chaincode_pb2, proposal_pb2, proposal_response_pb2, transaction_pb2
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from shirushi_core.errors import ShirushiError

INVALID_MESSAGE = "proto: cannot parse invalid wire-format data"
"""What Go says to bytes that are no message."""


class ProposalError(ShirushiError):
    """A proposal that is malformed; its text is the one Fabric's endorser gives."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A parsed proposal: what every reader of one needs."""

    channel_id: str
    chaincode_name: str
    tx_id: str
    nonce: bytes
    creator: bytes
    timestamp_seconds: int
    timestamp_nanos: int
    args: tuple[bytes, ...]
    transient: Mapping[str, bytes]
    is_init: bool
    proposal_bytes: bytes
    header_bytes: bytes
    channel_header_bytes: bytes
    signature_header_bytes: bytes
    payload_bytes: bytes  # ChaincodeProposalPayload
    committed_payload_bytes: bytes  # the same without transient data, as it goes into the transaction


def transaction_id(nonce: bytes, creator: bytes) -> str:
    """Return hex SHA-256(nonce ‖ creator)."""
    return hashlib.sha256(nonce + creator).hexdigest()


def build_proposal(
    *,
    channel_id: str,
    chaincode_name: str,
    args: Sequence[bytes],
    creator: bytes,
    nonce: bytes,
    seconds: int,
    nanos: int,
    transient: Mapping[str, bytes] | None = None,
) -> proposal_pb2.Proposal:
    """Build an unsigned peer.Proposal for an endorser transaction (nonce: 24 bytes; timestamp: the client's clock)."""
    chaincode = chaincode_pb2.ChaincodeID(name=chaincode_name)
    channel_header = common_pb2.ChannelHeader(
        type=common_pb2.ENDORSER_TRANSACTION,
        channel_id=channel_id,
        tx_id=transaction_id(nonce, creator),
        timestamp=Timestamp(seconds=seconds, nanos=nanos),
        extension=proposal_pb2.ChaincodeHeaderExtension(chaincode_id=chaincode).SerializeToString(),
    )
    invocation = chaincode_pb2.ChaincodeInvocationSpec(
        chaincode_spec=chaincode_pb2.ChaincodeSpec(
            type=chaincode_pb2.ChaincodeSpec.NODE,
            chaincode_id=chaincode,
            input=chaincode_pb2.ChaincodeInput(args=args),
        )
    )
    header = common_pb2.Header(
        channel_header=channel_header.SerializeToString(),
        signature_header=common_pb2.SignatureHeader(creator=creator, nonce=nonce).SerializeToString(),
    )
    payload = proposal_pb2.ChaincodeProposalPayload(
        input=invocation.SerializeToString(), TransientMap=transient or {}
    )
    return proposal_pb2.Proposal(
        header=header.SerializeToString(), payload=payload.SerializeToString(deterministic=True)
    )


def parse_signed_proposal(signed: proposal_pb2.SignedProposal) -> Proposal:
    """Parse and check a signed proposal's form (not its signature): headers, type, transaction id, chaincode.

    Raises ProposalError with the text of core/endorser/msgvalidation.go.
    """
    proposal = _parse(proposal_pb2.Proposal, signed.proposal_bytes)
    header = _parse(common_pb2.Header, proposal.header)
    channel_header = _parse(common_pb2.ChannelHeader, header.channel_header)
    signature_header = _parse(common_pb2.SignatureHeader, header.signature_header)
    extension = _parse(proposal_pb2.ChaincodeHeaderExtension, channel_header.extension)
    if not extension.HasField("chaincode_id"):
        raise ProposalError("ChaincodeHeaderExtension.ChaincodeId is nil")
    if not extension.chaincode_id.name:
        raise ProposalError("ChaincodeHeaderExtension.ChaincodeId.Name is empty")
    payload = _parse(proposal_pb2.ChaincodeProposalPayload, proposal.payload)
    invocation = _parse(chaincode_pb2.ChaincodeInvocationSpec, payload.input)
    if not invocation.HasField("chaincode_spec"):
        raise ProposalError("chaincode invocation spec did not contain chaincode spec")
    if not invocation.chaincode_spec.HasField("input"):
        raise ProposalError("chaincode input did not contain any input")
    _check_headers(channel_header, signature_header)
    if not signed.proposal_bytes:
        raise ProposalError("empty proposal bytes")
    if not signed.signature:
        raise ProposalError("empty signature bytes")
    chaincode_input = invocation.chaincode_spec.input
    return Proposal(
        channel_id=channel_header.channel_id,
        chaincode_name=extension.chaincode_id.name,
        tx_id=channel_header.tx_id,
        nonce=signature_header.nonce,
        creator=signature_header.creator,
        timestamp_seconds=channel_header.timestamp.seconds,
        timestamp_nanos=channel_header.timestamp.nanos,
        args=tuple(chaincode_input.args),
        transient=dict(payload.TransientMap),
        is_init=chaincode_input.is_init,
        proposal_bytes=signed.proposal_bytes,
        header_bytes=proposal.header,
        channel_header_bytes=header.channel_header,
        signature_header_bytes=header.signature_header,
        payload_bytes=proposal.payload,
        committed_payload_bytes=_without_transient(payload.input),
    )


def response_payload(
    proposal: Proposal,
    *,
    response: proposal_response_pb2.Response,
    results: bytes,
    event: bytes,
    chaincode_version: str,
) -> bytes:
    """Return serialized ProposalResponsePayload bytes: what endorsers sign (with their identity appended)."""
    action = proposal_pb2.ChaincodeAction(
        results=results,
        events=event,
        response=response,
        chaincode_id=chaincode_pb2.ChaincodeID(name=proposal.chaincode_name, version=chaincode_version),
    )
    message = proposal_response_pb2.ProposalResponsePayload(
        proposal_hash=committed_proposal_hash(
            proposal.channel_header_bytes, proposal.signature_header_bytes, proposal.committed_payload_bytes
        ),
        extension=action.SerializeToString(),
    )
    return bytes(message.SerializeToString())


def proposal_hash(channel_header: bytes, signature_header: bytes, payload: bytes) -> bytes:
    """Return the proposal hash over headers and the payload stripped of transient data (GetProposalHash1).

    Raises ProposalError if the payload is no ChaincodeProposalPayload.
    """
    stripped = _without_transient(_parse(proposal_pb2.ChaincodeProposalPayload, payload).input)
    return committed_proposal_hash(channel_header, signature_header, stripped)


def committed_proposal_hash(channel_header: bytes, signature_header: bytes, payload: bytes) -> bytes:
    """Return the proposal hash over a payload as it stands in a transaction (GetProposalHash2)."""
    digest = hashlib.sha256(channel_header)
    digest.update(signature_header)
    digest.update(payload)
    return digest.digest()


def build_transaction(
    proposal: Proposal, payload: bytes, endorsements: Sequence[proposal_response_pb2.Endorsement]
) -> common_pb2.Envelope:
    """Build the unsigned transaction envelope out of a proposal and its endorsements (transient data removed)."""
    action = transaction_pb2.ChaincodeActionPayload(
        chaincode_proposal_payload=proposal.committed_payload_bytes,
        action=transaction_pb2.ChaincodeEndorsedAction(
            proposal_response_payload=payload, endorsements=endorsements
        ),
    )
    transaction = transaction_pb2.Transaction(
        actions=[
            transaction_pb2.TransactionAction(
                header=proposal.signature_header_bytes, payload=action.SerializeToString()
            )
        ]
    )
    body = common_pb2.Payload(
        header=common_pb2.Header(
            channel_header=proposal.channel_header_bytes, signature_header=proposal.signature_header_bytes
        ),
        data=transaction.SerializeToString(),
    )
    return common_pb2.Envelope(payload=body.SerializeToString())


def _check_headers(
    channel_header: common_pb2.ChannelHeader, signature_header: common_pb2.SignatureHeader
) -> None:
    if channel_header.type not in (common_pb2.ENDORSER_TRANSACTION, common_pb2.CONFIG):
        raise ProposalError(f"invalid header type {header_type_name(channel_header.type)}")
    if channel_header.epoch:
        raise ProposalError("epoch is non-zero")
    if not signature_header.nonce:
        raise ProposalError("nonce is empty")
    if not signature_header.creator:
        raise ProposalError("creator is empty")
    expected = transaction_id(signature_header.nonce, signature_header.creator)
    if channel_header.tx_id != expected:
        raise ProposalError(f"incorrectly computed txid '{channel_header.tx_id}' -- expected '{expected}'")


def header_type_name(number: int) -> str:
    """Return a common.HeaderType's name, or its number if it has none, as Go prints it."""
    known = common_pb2.HeaderType.values()
    return str(common_pb2.HeaderType.Name(number)) if number in known else str(number)


def _without_transient(chaincode_input: bytes) -> bytes:
    return bytes(proposal_pb2.ChaincodeProposalPayload(input=chaincode_input).SerializeToString())


def _parse(kind: type[Message], data: bytes) -> Any:
    """Parse a message (generated classes carry no types); raises ProposalError with Go's text."""
    try:
        return kind.FromString(data)
    except DecodeError:
        raise ProposalError(f"error unmarshalling {kind.DESCRIPTOR.name}: {INVALID_MESSAGE}") from None
