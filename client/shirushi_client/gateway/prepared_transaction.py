"""Reading the transaction that a gateway prepared out of a proposal and its endorsements.

Source: protoutil/txutils.go (CreateTx), gateway/gateway.proto.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fabric_protos.common import common_pb2
from fabric_protos.peer import proposal_pb2
from google.protobuf.message import DecodeError

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.envelope import EnvelopeError, endorsed_action, open_envelope


@dataclass(frozen=True, slots=True)
class PreparedTransaction:
    """What a client needs to know of a prepared transaction."""

    channel_id: str
    transaction_id: str
    channel_header: bytes
    signature_header: bytes
    chaincode_input: bytes  # ChaincodeProposalPayload.input: chaincode and arguments
    result: bytes


def parse_prepared_transaction(envelope: Any) -> PreparedTransaction:
    """Take a prepared common.Envelope apart; raises InvalidInputError for anything but one endorsed invocation."""
    try:
        opened = open_envelope(envelope)
        action = endorsed_action(opened)
        invocation = proposal_pb2.ChaincodeProposalPayload.FromString(action.proposal_payload)
        outcome = proposal_pb2.ChaincodeAction.FromString(action.chaincode_action)
    except (EnvelopeError, DecodeError) as error:
        raise InvalidInputError(f"not a prepared transaction: {error}") from error
    if not outcome.HasField("response"):
        raise InvalidInputError("not a prepared transaction: it holds no chaincode response")
    return PreparedTransaction(
        channel_id=opened.header.channel_id,
        transaction_id=opened.header.tx_id,
        channel_header=opened.channel_header,
        signature_header=opened.signature_header,
        chaincode_input=invocation.input,
        result=outcome.response.payload,
    )


def check_prepared_for(prepared: PreparedTransaction, proposal_bytes: bytes) -> None:
    """Check that a transaction is the one proposed, before anyone signs it; raises InvalidInputError.

    A gateway peer is asked to collect endorsements, not trusted to choose what the client signs.
    """
    proposal = proposal_pb2.Proposal.FromString(proposal_bytes)
    header = common_pb2.Header.FromString(proposal.header)
    invocation = proposal_pb2.ChaincodeProposalPayload.FromString(proposal.payload)
    for part, proposed, found in (
        ("channel header", header.channel_header, prepared.channel_header),
        ("signature header", header.signature_header, prepared.signature_header),
        ("chaincode and arguments", invocation.input, prepared.chaincode_input),
    ):
        if proposed != found:
            raise InvalidInputError(
                "the gateway prepared another transaction than the proposed one and got no signature:"
                f" not the same {part}"
            )
