"""The verifier's report: one verdict, the checks behind it, what it rests on, and what each member said.

JSON "shirushi/report/v1" (docs/formats/report.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from shirushi_core.proofs.batch import is_test_ledger
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.issuer import IssuerRecord
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.report import Check, Verdict, decide, to_json
from shirushi_core.proofs.status import StatusRecord
from shirushi_core.proofs.trust_policy import PolicyIssuer, TrustPolicy

FORMAT = "shirushi/report/v1"


class Mode(StrEnum):
    """What a report rests on."""

    OFFLINE = "offline"
    """The receipt's own evidence."""

    REFRESHED = "refreshed"
    """Evidence that members' witnesses gave now."""

    LEDGER = "ledger"
    """What members' peers answered now."""


@dataclass(frozen=True, slots=True)
class HeadView:
    """A head of the log in a report: its size, as of when a quorum confirmed it (None: it did not), and who did.

    `time`: the newest time that stands in the log up to there, None if that is not proved, or not looked at.
    """

    size: int
    as_of: int | None
    members: tuple[str, ...]
    time: int | None = None

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        return {
            "as_of": self.as_of,
            "members": list(self.members),
            "size": self.size,
            "time": self.time,
        }


@dataclass(frozen=True, slots=True)
class PolicyView:
    """The trust policy in a report: whose it is, which, and where it came from; `source` None: from the program that verifies."""

    ledger: str
    version: int
    expires_at: int | None
    fingerprint: bytes
    source: str | None = None

    @classmethod
    def of(cls, policy: TrustPolicy, source: str | None = None) -> PolicyView:
        """Return the view of a policy."""
        return cls(policy.ledger, policy.version, policy.expires_at, policy.fingerprint, source)

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        return {
            "expires_at": self.expires_at,
            "fingerprint": self.fingerprint.hex(),
            "ledger": self.ledger,
            "source": self.source,
            "version": self.version,
        }


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """What a report rests on: heads of the log that the record and the status were proved under, and the trust policy."""

    mode: Mode
    log: HeadView | None = None
    status: HeadView | None = None
    policy: PolicyView | None = None

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        return {
            "log": None if self.log is None else self.log.to_json(),
            "mode": self.mode.value,
            "policy": None if self.policy is None else self.policy.to_json(),
            "status": None if self.status is None else self.status.to_json(),
        }


@dataclass(frozen=True, slots=True)
class MemberView:
    """One member in a report.

    `agrees`: it is with the quorum on every question; None if there is no telling. `anchor`, `status`: what it says of them, None if
    it did not. `log_at`, `status_at`: when it signed the head that they are proved under, None if it did not. `contradicts`: what it
    signed now that does not fit what a quorum signed.
    """

    id: str
    name_ja: str
    name_en: str
    agrees: bool | None
    anchor: str | None = None
    status: str | None = None
    issuer_sequence: int | None = None
    log_at: int | None = None
    status_at: int | None = None
    problem: str | None = None
    contradicts: str | None = None

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        return {
            "agrees": self.agrees,
            "anchor": self.anchor,
            "contradicts": self.contradicts,
            "confirms": {"log": self.log_at, "status": self.status_at},
            "id": self.id,
            "issuer_sequence": self.issuer_sequence,
            "name": {"en": self.name_en, "ja": self.name_ja},
            "problem": self.problem,
            "status": self.status,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What a verifier found about one file and its receipt.

    `status` is the deciding status record, None if valid; `judged_at` the time it is about: the verifier's clock, or a past date.
    `good_as_of`: as of when the status is known (unix s), None if it is not.
    """

    file: str
    receipt: Receipt
    checked_at: int
    checks: tuple[Check, ...]
    status: StatusRecord | None
    issuer: IssuerRecord | PolicyIssuer | None
    quorum: int
    members: tuple[MemberView, ...]
    evidence: EvidenceView
    judged_at: int
    good_as_of: int | None

    @property
    def verdict(self) -> Verdict:
        """The one answer."""
        return decide(self.checks)

    def naming(self, contradictions: Mapping[str, str]) -> Report:
        """Return the report with what members contradict the others in (member id → sentence); it changes no verdict."""
        members = tuple(replace(member, contradicts=contradictions.get(member.id)) for member in self.members)
        return replace(self, members=members)

    @property
    def test(self) -> bool:
        """Whether the certificate is of a test ledger, and so no real one whatever the verdict."""
        return is_test_ledger(self.receipt.anchor.statement.ledger)

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        anchor = self.receipt.anchor
        statement = anchor.statement
        name: Json = None
        if self.issuer is not None:
            name = {"en": self.issuer.name_en, "ja": self.issuer.name_ja}
        return {
            "anchored_at": anchor.anchored_at,
            "batch_id": statement.batch_id.hex(),
            "checked_at": self.checked_at,
            "checks": [to_json(check) for check in self.checks],
            "document_type": statement.document_type,
            "evidence": self.evidence.to_json(),
            "file": self.file,
            "format": FORMAT,
            "good_as_of": self.good_as_of,
            "issuer": {"id": statement.issuer, "name": name},
            "judged_at": self.judged_at,
            "ledger": statement.ledger,
            "members": [member.to_json() for member in self.members],
            "quorum": self.quorum,
            "status": None if self.status is None else self.status.to_json(),
            "test": self.test,
            "tx_id": anchor.tx_id,
            "valid_from": statement.valid_from,
            "valid_until": statement.valid_until,
            "verdict": self.verdict.value,
        }
