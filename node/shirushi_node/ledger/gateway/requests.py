"""Taking a proposed transaction apart as far as a gateway looks into it.

Source: internal/pkg/gateway/evaluate.go, endorse.go; protoutil/unmarshalers.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fabric_protos.common import common_pb2
from fabric_protos.peer import chaincode_pb2, proposal_pb2
from google.protobuf.message import DecodeError, Message

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.proposal import INVALID_MESSAGE


@dataclass(frozen=True, slots=True)
class ProposedTransaction:
    """Where a proposal wants to go, and whether it carries data that must not go elsewhere."""

    channel_id: str
    chaincode: str
    has_transient: bool
    spec: chaincode_pb2.ChaincodeInvocationSpec


def parse_proposed(signed: proposal_pb2.SignedProposal) -> ProposedTransaction:
    """Parse a signed proposal's way to its chaincode; raises InvalidInputError with Go's text."""
    proposal = _parse(proposal_pb2.Proposal, signed.proposal_bytes)
    header = _parse(common_pb2.Header, proposal.header)
    channel_header = _parse(common_pb2.ChannelHeader, header.channel_header)
    payload = _parse(proposal_pb2.ChaincodeProposalPayload, proposal.payload)
    spec = _parse(chaincode_pb2.ChaincodeInvocationSpec, payload.input)
    return ProposedTransaction(
        channel_id=channel_header.channel_id,
        chaincode=spec.chaincode_spec.chaincode_id.name,
        has_transient=bool(payload.TransientMap),
        spec=spec,
    )


def _parse(kind: type[Message], data: bytes) -> Any:
    """Parse a message (generated classes carry no types); raises InvalidInputError with Go's text."""
    try:
        return kind.FromString(data)
    except DecodeError:
        raise InvalidInputError(f"error unmarshalling {kind.DESCRIPTOR.name}: {INVALID_MESSAGE}") from None
