"""The verifier's report: one verdict, the checks behind it, and what each member said.

JSON "shirushi/report/v1" (docs/formats/report.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shirushi_client.verifier.checks import Evidence
from shirushi_client.verifier.evidence import MemberAnswers, Silence
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.batch import is_test_ledger
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.issuer import IssuerRecord
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.report import Check, Verdict, decide, to_json
from shirushi_core.proofs.status import StatusRecord, effective_status

FORMAT = "shirushi/report/v1"


@dataclass(frozen=True, slots=True)
class MemberView:
    """One member in a report. `agrees`: it is with the quorum on every question; None if there is no telling."""

    id: str
    name_ja: str
    name_en: str
    answers: MemberAnswers | None
    agrees: bool | None

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        said = self.answers
        return {
            "agrees": self.agrees,
            "anchor": _said_anchor(said),
            "id": self.id,
            "issuer_sequence": said.issuer.sequence
            if said and isinstance(said.issuer, IssuerRecord)
            else None,
            "name": {"en": self.name_en, "ja": self.name_ja},
            "problem": "not asked" if said is None else said.problem,
            "status": _said_status(said),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What a verifier found about one file and its receipt. `status` is the deciding status record, None if valid."""

    file: str
    receipt: Receipt
    checked_at: int
    checks: tuple[Check, ...]
    status: StatusRecord | None
    issuer: IssuerRecord | None
    quorum: int
    members: tuple[MemberView, ...]

    @property
    def verdict(self) -> Verdict:
        """The one answer."""
        return decide(self.checks)

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
            "file": self.file,
            "format": FORMAT,
            "issuer": {"id": statement.issuer, "name": name},
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


def member_agrees(answers: MemberAnswers | None, evidence: Evidence) -> bool | None:
    """Say whether a member is with the quorum on every question; None if it left one open, or if there is no quorum."""
    if answers is None or answers.problem is not None or not evidence.is_complete:
        return None
    return answers.member in evidence.confirming


def answers_of(member: str, answers: Sequence[MemberAnswers]) -> MemberAnswers | None:
    """Return what one member said, if it was asked."""
    return next((said for said in answers if said.member == member), None)


def _said_anchor(said: MemberAnswers | None) -> str | None:
    if said is None or isinstance(said.anchor, Silence):
        return None
    return f"tx {said.anchor.tx_id}" if isinstance(said.anchor, IssuanceAnchor) else "absent"


def _said_status(said: MemberAnswers | None) -> str | None:
    if said is None or isinstance(said.statuses, Silence):
        return None
    if said.statuses is None:
        return "absent"
    record = effective_status(said.statuses.batch, said.statuses.certificate)
    return "valid" if record is None else record.status.value
