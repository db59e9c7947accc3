"""One change of one status, as it is sent to the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.status import Reason, Status, Successor


@dataclass(frozen=True, slots=True)
class StatusTarget:
    """What gets a new status: a certificate, shown to be in its batch by index and path, or the whole batch (all None)."""

    batch_id: bytes
    commitment: bytes | None = None
    index: int | None = None
    path: tuple[bytes, ...] | None = None


@dataclass(frozen=True, slots=True)
class StatusChange:
    """One new status of one target.

    JSON: {"batch_id": hex, "commitment": hex|null, "effective_at": unix s, "index": int|null, "path": [hex]|null,
    "reason": str, "status": str, "successor": {...}|null}
    """

    target: StatusTarget
    status: Status
    reason: Reason
    effective_at: int
    successor: Successor | None = None

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        target = self.target
        return {
            "batch_id": target.batch_id.hex(),
            "commitment": None if target.commitment is None else target.commitment.hex(),
            "effective_at": self.effective_at,
            "index": target.index,
            "path": None if target.path is None else [node.hex() for node in target.path],
            "reason": self.reason.value,
            "status": self.status.value,
            "successor": None if self.successor is None else self.successor.to_json(),
        }
