"""What an audit looked at, and what came of it. JSON: "shirushi/audit/v1" (docs/formats/audit.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from shirushi_client.audit.findings import Finding, Kind, SourceName
from shirushi_client.audit.reconciliation import Reconciliation
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.replay import AnchoredBatch, IssuerCounts

FORMAT = "shirushi/audit/v1"


class Outcome(StrEnum):
    """The one answer of an audit."""

    CLEAN = "clean"
    DIFFERENCE = "difference"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class LogView:
    """One log in a report. `read` is how far nothing contradicts it; `root` its head there; `cosigned_at` unix seconds.

    `agrees`: it is of the history that was gone by; None if too little of it could be read to tell.
    """

    name: SourceName
    size: int
    read: int
    root: bytes
    status_root: bytes | None
    cosigned_at: int | None
    agrees: bool | None

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        return {
            **self.name.to_json(),
            "agrees": self.agrees,
            "cosigned_at": self.cosigned_at,
            "read": self.read,
            "root": self.root.hex(),
            "size": self.size,
            "status_root": None if self.status_root is None else self.status_root.hex(),
        }


@dataclass(frozen=True, slots=True)
class AuditReport:
    """An audit's findings, the first difference first; what the log that was gone by has of every issuer.

    `batches` are the anchors asked for, by batch id, None if no issuer was asked for.
    """

    ledger: str
    policy_version: int
    policy_fingerprint: bytes
    checked_at: int
    logs: tuple[LogView, ...]
    findings: tuple[Finding, ...]
    counts: Mapping[str, IssuerCounts]
    batches: Mapping[bytes, AnchoredBatch] | None = None
    reconciliation: Reconciliation | None = None

    @property
    def outcome(self) -> Outcome:
        """The one answer: a difference outweighs what could not be looked at."""
        kinds = {finding.kind for finding in self.findings}
        if Kind.DIFFERENCE in kinds:
            return Outcome.DIFFERENCE
        return Outcome.INCOMPLETE if kinds else Outcome.CLEAN

    @property
    def first_difference(self) -> Finding | None:
        """The difference that comes first in the log."""
        return next((each for each in self.findings if each.kind is Kind.DIFFERENCE), None)

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        first = self.first_difference
        listed = self.reconciliation
        return {
            "anchors": None
            if self.batches is None
            else [_anchor(batch_id, batch) for batch_id, batch in self.batches.items()],
            "checked_at": self.checked_at,
            "findings": [finding.to_json() for finding in self.findings],
            "first_difference": None if first is None else first.to_json(),
            "format": FORMAT,
            "issuers": [_counts(issuer, counts) for issuer, counts in sorted(self.counts.items())],
            "ledger": self.ledger,
            "logs": [log.to_json() for log in self.logs],
            "outcome": self.outcome.value,
            "policy": {"fingerprint": self.policy_fingerprint.hex(), "version": self.policy_version},
            "reconciliation": None if listed is None else listed.to_json(),
        }


def in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Sort findings: differences first, by where they are in the log; those that are nowhere in it after those that are."""
    return tuple(
        sorted(
            findings,
            key=lambda each: (
                each.kind is not Kind.DIFFERENCE,
                each.index is None,
                each.index or 0,
            ),
        )
    )


def _anchor(batch_id: bytes, batch: AnchoredBatch) -> Json:
    return {
        "anchored_at": batch.anchored_at,
        "batch_id": batch_id.hex(),
        "document_type": batch.document_type,
        "index": batch.index,
        "issuer": batch.issuer,
        "size": batch.size,
        "tx_id": batch.tx_id,
    }


def _counts(issuer: str, counts: IssuerCounts) -> Json:
    return {
        "batches": counts.batches,
        "certificates": counts.certificates,
        "id": issuer,
        "status_changes": counts.changes,
    }
