"""A certificate's or batch's status, the changes allowed, and the record of a change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.canonical import Json


class Status(StrEnum):
    """What a certificate is worth now. No record means valid."""

    VALID = "valid"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    SUPERSEDED = "superseded"


class Reason(StrEnum):
    """Why a status was changed."""

    ISSUED_IN_ERROR = "issued_in_error"
    DATA_CORRECTED = "data_corrected"
    HOLDER_REQUEST = "holder_request"
    REPLACED = "replaced"
    KEY_COMPROMISE = "key_compromise"
    UNDER_INVESTIGATION = "under_investigation"
    INVESTIGATION_CLOSED = "investigation_closed"
    OTHER = "other"


class StatusChangeError(ShirushiError):
    """A change that the present status does not allow."""


@dataclass(frozen=True, slots=True)
class Successor:
    """The certificate that takes a superseded one's place. JSON: {"batch_id": hex, "commitment": hex}."""

    batch_id: bytes
    commitment: bytes


@dataclass(frozen=True, slots=True)
class StatusRecord:
    """One status as the ledger holds it: of a certificate (`commitment` set) or a whole batch (`commitment` None).

    JSON: {"batch_id": hex, "change_id": str, "changed_at": unix s, "commitment": hex|null, "effective_at": unix s,
    "reason": str, "status": str, "successor": {...}|null, "tx_id": hex}
    """

    status: Status
    reason: Reason
    effective_at: int
    changed_at: int
    change_id: str
    tx_id: str
    batch_id: bytes
    commitment: bytes | None
    successor: Successor | None = None

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        raise NotImplementedError

    @classmethod
    def from_json(cls, value: Json) -> StatusRecord:
        """Parse strictly; raises InvalidInputError."""
        raise NotImplementedError


def check_change(present: Status, wanted: Status) -> None:
    """Raise StatusChangeError unless `present` may become `wanted`.

    valid → suspended | revoked | superseded; suspended → valid | revoked | superseded; revoked and superseded are final.
    """
    raise NotImplementedError


def effective_status(batch: StatusRecord | None, certificate: StatusRecord | None) -> StatusRecord | None:
    """Return the record that decides: the graver of the two (revoked > superseded > suspended > valid), None if valid."""
    raise NotImplementedError
