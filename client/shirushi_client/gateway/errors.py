"""What can go wrong between a client and a Fabric Gateway.

ShirushiError
 ├─ GatewayError           a call failed: gRPC status, per-peer details; evaluate and events raise it as it is
 │   ├─ EndorseError       a proposal got too few endorsements; nothing was sent to the orderers
 │   ├─ SubmitError        the orderers did not accept the transaction
 │   ├─ CommitStatusError  the outcome could not be learned; the transaction may still commit
 │   └─ StreamEndedError   the peer ended a stream of events that has no end of its own
 ├─ CommitError            the transaction is in a block, with a validation code that is not VALID
 ├─ SigningError           the signer gave no signature
 │   └─ NoSignerError      nothing can sign: neither a signer nor a signature made elsewhere
 ├─ CheckpointError        a checkpoint file cannot be read, understood or written
 └─ GatewayClosedError     the gateway was closed by its owner
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from shirushi_core.errors import ShirushiError


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """What one peer or orderer said (gateway.ErrorDetail)."""

    address: str
    msp_id: str
    message: str

    def __str__(self) -> str:
        return f"{self.msp_id} {self.address}: {self.message}"


class GatewayError(ShirushiError):
    """A call to the gateway that failed.

    code: the gRPC status; message: the peer's own words, unchanged; details: one entry for each peer or orderer that
    refused; transaction_id: None where the call is about no single transaction.
    """

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode,
        details: Sequence[ErrorDetail] = (),
        transaction_id: str | None = None,
    ) -> None:
        reasons = f" ({'; '.join(map(str, details))})" if details else ""
        super().__init__(f"{code.name}: {message}{reasons}")
        self.message = message
        self.code = code
        self.details = tuple(details)
        self.transaction_id = transaction_id


class EndorseError(GatewayError):
    """A proposal that was not endorsed; nothing was sent to the orderers."""

    transaction_id: str


class SubmitError(GatewayError):
    """A transaction that the orderers did not accept."""

    transaction_id: str


class CommitStatusError(GatewayError):
    """A transaction whose outcome could not be learned; it may still commit, so ask again."""

    transaction_id: str


class StreamEndedError(GatewayError):
    """The peer ended a stream of events that has no end of its own; resume from a checkpoint."""


class CommitError(ShirushiError):
    """A transaction that was ordered but not committed: its validation code is not VALID."""

    def __init__(self, message: str, *, code: int, transaction_id: str, block_number: int) -> None:
        super().__init__(message)
        self.code = code
        self.transaction_id = transaction_id
        self.block_number = block_number


class SigningError(ShirushiError):
    """A signer that returned no signature."""


class NoSignerError(SigningError):
    """Nothing to sign with: the gateway has no signer and the object carries no signature."""


class CheckpointError(ShirushiError):
    """A checkpoint file that cannot be read, understood or written."""


class GatewayClosedError(ShirushiError):
    """A gateway that its owner has closed."""
