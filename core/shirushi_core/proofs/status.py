"""A certificate's or batch's status, the changes allowed, and the record of a change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shirushi_core.errors import ShirushiError
from shirushi_core.proofs import fields
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


_ALLOWED = {
    Status.VALID: (Status.SUSPENDED, Status.REVOKED, Status.SUPERSEDED),
    Status.SUSPENDED: (Status.VALID, Status.REVOKED, Status.SUPERSEDED),
    Status.REVOKED: (),
    Status.SUPERSEDED: (),
}
_GRAVITY = (Status.VALID, Status.SUSPENDED, Status.SUPERSEDED, Status.REVOKED)
_RECORD_FIELDS = frozenset(
    {
        "batch_id",
        "change_id",
        "changed_at",
        "commitment",
        "effective_at",
        "reason",
        "status",
        "successor",
        "tx_id",
    }
)
_SUCCESSOR_FIELDS = frozenset({"batch_id", "commitment"})


@dataclass(frozen=True, slots=True)
class Successor:
    """The certificate that takes a superseded one's place. JSON: {"batch_id": hex, "commitment": hex}."""

    batch_id: bytes
    commitment: bytes

    def __post_init__(self) -> None:
        fields.check_hash(self.batch_id, "successor: batch_id")
        fields.check_hash(self.commitment, "successor: commitment")

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        return {"batch_id": self.batch_id.hex(), "commitment": self.commitment.hex()}

    @classmethod
    def from_json(cls, value: Json) -> Successor:
        """Parse strictly; raises InvalidInputError."""
        members = fields.an_object(value, "successor", _SUCCESSOR_FIELDS)
        return cls(
            batch_id=fields.hash_bytes(members["batch_id"], "successor: batch_id"),
            commitment=fields.hash_bytes(members["commitment"], "successor: commitment"),
        )


@dataclass(frozen=True, slots=True)
class StatusRecord:
    """One status as the ledger holds it: of a certificate (`commitment` set) or a whole batch (`commitment` None).

    JSON: {"batch_id": hex, "change_id": str, "changed_at": unix s, "commitment": hex|null, "effective_at": unix s,
    "reason": str, "status": str, "successor": {...}|null, "tx_id": hex}. A superseded one, and no other, names its successor.
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

    def __post_init__(self) -> None:
        fields.check_time(self.effective_at, "status record: effective_at")
        fields.check_time(self.changed_at, "status record: changed_at")
        fields.check_change_id(self.change_id, "status record: change_id")
        fields.check_tx_id(self.tx_id, "status record: tx_id")
        fields.check_hash(self.batch_id, "status record: batch_id")
        if self.commitment is not None:
            fields.check_hash(self.commitment, "status record: commitment")
        if (self.status is Status.SUPERSEDED) != (self.successor is not None):
            wanted = "one" if self.successor is None else "null"
            raise fields.unexpected(
                "status record: successor",
                f"{wanted} for {self.status}",
                self.successor and self.successor.to_json(),
            )

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        return {
            "batch_id": self.batch_id.hex(),
            "change_id": self.change_id,
            "changed_at": self.changed_at,
            "commitment": None if self.commitment is None else self.commitment.hex(),
            "effective_at": self.effective_at,
            "reason": self.reason.value,
            "status": self.status.value,
            "successor": None if self.successor is None else self.successor.to_json(),
            "tx_id": self.tx_id,
        }

    @classmethod
    def from_json(cls, value: Json) -> StatusRecord:
        """Parse strictly; raises InvalidInputError."""
        what = "status record"
        members = fields.an_object(value, what, _RECORD_FIELDS)
        commitment, successor = members["commitment"], members["successor"]
        return cls(
            status=fields.a_member(members["status"], f"{what}: status", Status),
            reason=fields.a_member(members["reason"], f"{what}: reason", Reason),
            effective_at=fields.an_integer(members["effective_at"], f"{what}: effective_at"),
            changed_at=fields.an_integer(members["changed_at"], f"{what}: changed_at"),
            change_id=fields.a_text(members["change_id"], f"{what}: change_id"),
            tx_id=fields.a_text(members["tx_id"], f"{what}: tx_id"),
            batch_id=fields.hash_bytes(members["batch_id"], f"{what}: batch_id"),
            commitment=None if commitment is None else fields.hash_bytes(commitment, f"{what}: commitment"),
            successor=None if successor is None else Successor.from_json(successor),
        )


def check_change(present: Status, wanted: Status) -> None:
    """Raise StatusChangeError unless `present` may become `wanted`.

    valid → suspended | revoked | superseded; suspended → valid | revoked | superseded; revoked and superseded are final.
    """
    if wanted not in _ALLOWED[present]:
        allowed = " or ".join(_ALLOWED[present]) or "nothing: it is final"
        raise StatusChangeError(f"a status that is {present} cannot become {wanted}; it can become {allowed}")


def effective_status(batch: StatusRecord | None, certificate: StatusRecord | None) -> StatusRecord | None:
    """Return the record that decides: the graver of the two (revoked > superseded > suspended > valid), None if valid.

    Of two that are equally grave, the certificate's own record decides.
    """
    records = [record for record in (certificate, batch) if record is not None]
    gravest = max(records, key=lambda record: _GRAVITY.index(record.status), default=None)
    return None if gravest is None or gravest.status is Status.VALID else gravest
