"""Real proposals, endorsements and transactions in one call each, every part replaceable."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from fabric_protos.common import common_pb2
from fabric_protos.peer import proposal_pb2, proposal_response_pb2

from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.proposal import (
    Proposal,
    build_proposal,
    build_transaction,
    parse_signed_proposal,
    response_payload,
)
from shirushi_core.fabric.rwset import NamespaceRwSet, encode


def signed_proposal(
    client: SigningIdentity,
    *,
    channel_id: str = "channel",
    chaincode: str = "basic",
    args: Sequence[bytes] = (b"put", b"key", b"value"),
    transient: dict[str, bytes] | None = None,
    nonce: bytes = b"",
    seconds: int = 1_770_000_000,
) -> proposal_pb2.SignedProposal:
    """Propose, as a client does; `seconds` is the client's clock."""
    message = build_proposal(
        channel_id=channel_id,
        chaincode_name=chaincode,
        args=args,
        creator=client.identity.serialized,
        nonce=nonce or secrets.token_bytes(24),
        seconds=seconds,
        nanos=42,
        transient=transient,
    ).SerializeToString()
    return proposal_pb2.SignedProposal(proposal_bytes=message, signature=client.sign(message))


def endorse(payload: bytes, endorser: SigningIdentity) -> proposal_response_pb2.Endorsement:
    """Endorse a proposal response payload, as a peer does."""
    identity = endorser.identity.serialized
    return proposal_response_pb2.Endorsement(endorser=identity, signature=endorser.sign(payload + identity))


def sign_envelope(envelope: common_pb2.Envelope, signer: SigningIdentity) -> common_pb2.Envelope:
    """Sign an envelope in place."""
    envelope.signature = signer.sign(envelope.payload)
    return envelope


@dataclass(frozen=True)
class Endorsed:
    """A transaction and what it was made of."""

    envelope: common_pb2.Envelope
    proposal: Proposal
    response_payload: bytes

    @property
    def data(self) -> bytes:
        return bytes(self.envelope.SerializeToString())

    @property
    def tx_id(self) -> str:
        return self.proposal.tx_id


def transaction(
    client: SigningIdentity,
    endorsers: Sequence[SigningIdentity],
    rw_sets: Sequence[NamespaceRwSet] = (),
    *,
    proposal: Proposal | None = None,
    results: bytes | None = None,
    event: bytes = b"",
    version: str = "1.0",
    channel_id: str = "channel",
    chaincode: str = "basic",
) -> Endorsed:
    """Make a signed, endorsed transaction."""
    proposal = proposal or parse_signed_proposal(
        signed_proposal(client, channel_id=channel_id, chaincode=chaincode)
    )
    payload = response_payload(
        proposal,
        response=proposal_response_pb2.Response(status=200, payload=b"result"),
        results=encode(rw_sets) if results is None else results,
        event=event,
        chaincode_version=version,
    )
    endorsements = [endorse(payload, endorser) for endorser in endorsers]
    envelope = sign_envelope(build_transaction(proposal, payload, endorsements), client)
    return Endorsed(envelope, proposal, payload)
