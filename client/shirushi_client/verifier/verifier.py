"""Verifying a file with its receipt by asking members' peers: reads them, asks, and reports.

Only a report carries a verdict; `verify_or_raise` is for programs that want the receipt or an exception.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from shirushi_client.consortium import Consortium, Member
from shirushi_client.hashing import FileDigest, digest_file
from shirushi_client.member_contract import MemberContract
from shirushi_client.verifier.agreement import Agreed
from shirushi_client.verifier.checks import Evidence, Trust, knows_ledger, run_checks
from shirushi_client.verifier.demand import NOTHING_ASKED, Demand
from shirushi_client.verifier.evidence import MemberAnswers, Silence, ask_members
from shirushi_client.verifier.reading import (
    CannotConfirmError,
    NotValidError,
    ReceiptFileError,
    VerificationError,
    read_receipt,
    receipt_if_valid,
)
from shirushi_client.verifier.report import EvidenceView, MemberView, Mode, Report
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.issuer import IssuerRecord
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.status import effective_status

__all__ = [
    "CannotConfirmError",
    "NotValidError",
    "ReceiptFileError",
    "VerificationError",
    "Verifier",
    "read_receipt",
]


class Verifier:
    """Verifies certificates against the members of one consortium."""

    def __init__(
        self,
        consortium: Consortium,
        members: Sequence[MemberContract],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`members` are the contracts to ask, of whichever members can be asked; who is believed is in `consortium`."""
        self._consortium = consortium
        self._trust = Trust(
            consortium.channel, tuple(member.id for member in consortium.members), consortium.quorum
        )
        self._members = members
        self._clock = clock

    async def verify(self, file: Path, receipt_file: Path, demand: Demand = NOTHING_ASKED) -> Report:
        """Verify a file with its receipt file; raises CertificateFileError, ReceiptFileError."""
        receipt = await asyncio.to_thread(read_receipt, receipt_file)
        digest = await asyncio.to_thread(digest_file, str(file), follow_links=True)
        return await self.verify_digest(digest, receipt, demand, name=file.name)

    async def verify_digest(
        self, digest: FileDigest, receipt: Receipt, demand: Demand = NOTHING_ASKED, *, name: str = ""
    ) -> Report:
        """Verify a certificate whose digest is known; `name` is what the report calls it."""
        statement = receipt.anchor.statement
        asked = self._members if knows_ledger(receipt, self._trust) else ()
        answers = await ask_members(
            asked,
            batch_id=statement.batch_id,
            commitment=receipt.commitment,
            issuer=statement.issuer,
            at=demand.at,
        )
        now = int(self._clock())
        evidence = Evidence.of(answers, self._trust, now)
        said = {answer.member: answer for answer in answers}
        return Report(
            file=name,
            receipt=receipt,
            checked_at=now,
            checks=tuple(run_checks(receipt, digest, evidence, self._trust, now, demand)),
            status=evidence.status,
            issuer=evidence.issuer.answer if isinstance(evidence.issuer, Agreed) else None,
            quorum=self._trust.quorum,
            members=tuple(
                _view(member, said.get(member.id), evidence) for member in self._consortium.members
            ),
            evidence=EvidenceView(Mode.LEDGER),
            judged_at=now if demand.at is None else demand.at,
            good_as_of=evidence.as_of,
        )

    async def verify_or_raise(
        self, file: Path, receipt_file: Path, demand: Demand = NOTHING_ASKED
    ) -> Receipt:
        """Return the receipt of a valid certificate; raises NotValidError, CannotConfirmError, or as `verify` does."""
        return receipt_if_valid(await self.verify(file, receipt_file, demand))


def _view(member: Member, said: MemberAnswers | None, evidence: Evidence) -> MemberView:
    return MemberView(
        member.id,
        member.name_ja,
        member.name_en,
        agrees=_agrees(said, evidence),
        anchor=_said_anchor(said),
        status=_said_status(said),
        issuer_sequence=said.issuer.sequence if said and isinstance(said.issuer, IssuerRecord) else None,
        problem="not asked" if said is None else said.problem,
    )


def _agrees(said: MemberAnswers | None, evidence: Evidence) -> bool | None:
    """Say whether a member is with the quorum on every question; None if it left one open, or if there is no quorum."""
    if said is None or said.problem is not None or not evidence.is_complete:
        return None
    return said.member in evidence.confirming


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
