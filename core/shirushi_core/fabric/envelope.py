"""Envelopes: the signed payloads that are ordered into blocks.

Source: protoutil/commonutils.go, core/common/validation/msgvalidation.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fabric_protos.common import common_pb2
from fabric_protos.peer import proposal_response_pb2

from shirushi_core.errors import ShirushiError
from shirushi_core.fabric.policy import SignedData


class EnvelopeError(ShirushiError):
    """A malformed envelope; `validation_code` is the peer.TxValidationCode that Fabric would give it."""

    def __init__(self, message: str, validation_code: int) -> None:
        super().__init__(message)
        self.validation_code = validation_code


@dataclass(frozen=True, slots=True)
class EnvelopeHeader:
    """The headers of an envelope's payload."""

    type: int  # common.HeaderType
    channel_id: str
    tx_id: str
    epoch: int
    timestamp_seconds: int
    creator: bytes
    nonce: bytes


@dataclass(frozen=True, slots=True)
class EndorserTransaction:
    """An endorser transaction taken apart."""

    header: EnvelopeHeader
    chaincode_name: str
    chaincode_version: str
    args: tuple[bytes, ...]
    response_payload: bytes  # what the endorsers signed, before their identity
    endorsements: Sequence[proposal_response_pb2.Endorsement]
    results: bytes  # TxReadWriteSet
    event: bytes  # ChaincodeEvent, empty if none
    response_status: int
    response_payload_bytes: bytes  # Response.payload


def parse_header(envelope: common_pb2.Envelope) -> EnvelopeHeader:
    """Parse an envelope's headers; raises EnvelopeError."""
    raise NotImplementedError


def parse_endorser_transaction(envelope: common_pb2.Envelope) -> EndorserTransaction:
    """Parse and check an endorser transaction's form, as the committing peer's ValidateTransaction does.

    Raises EnvelopeError with the validation code Fabric gives. Signatures and policies are checked elsewhere.
    """
    raise NotImplementedError


def signed_data(envelope: common_pb2.Envelope) -> SignedData:
    """Return the envelope's payload, creator and signature (protoutil.EnvelopeAsSignedData); raises EnvelopeError."""
    raise NotImplementedError
