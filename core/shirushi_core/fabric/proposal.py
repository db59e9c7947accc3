"""Proposals, proposal responses and the transactions made of them.

Source: protoutil/proputils.go, protoutil/txutils.go, core/endorser/msgvalidation.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fabric_protos.common import common_pb2
from fabric_protos.peer import proposal_pb2, proposal_response_pb2

from shirushi_core.errors import ShirushiError


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


def transaction_id(nonce: bytes, creator: bytes) -> str:
    """Return hex SHA-256(nonce ‖ creator)."""
    raise NotImplementedError


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
    raise NotImplementedError


def parse_signed_proposal(signed: proposal_pb2.SignedProposal) -> Proposal:
    """Parse and check a signed proposal's form (not its signature): headers, type, transaction id, chaincode.

    Raises ProposalError with the text of core/endorser/msgvalidation.go.
    """
    raise NotImplementedError


def response_payload(
    proposal: Proposal,
    *,
    response: proposal_response_pb2.Response,
    results: bytes,
    event: bytes,
    chaincode_version: str,
) -> bytes:
    """Return serialized ProposalResponsePayload bytes: what endorsers sign (with their identity appended)."""
    raise NotImplementedError


def proposal_hash(channel_header: bytes, signature_header: bytes, payload: bytes) -> bytes:
    """Return the proposal hash over headers and the payload stripped of transient data (GetProposalHash1/2)."""
    raise NotImplementedError


def build_transaction(
    proposal: Proposal, payload: bytes, endorsements: Sequence[proposal_response_pb2.Endorsement]
) -> common_pb2.Envelope:
    """Build the unsigned transaction envelope out of a proposal and its endorsements (transient data removed)."""
    raise NotImplementedError
