"""Verifying a file with its receipt: reads them, asks the members, and reports.

Only a report carries a verdict; `verify_or_raise` is for programs that want the receipt or an exception.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from shirushi_client.consortium import Consortium
from shirushi_client.hashing import FileDigest, digest_file
from shirushi_client.member_contract import MemberContract
from shirushi_client.verifier.agreement import Agreed
from shirushi_client.verifier.checks import Evidence, Trust, knows_ledger, run_checks
from shirushi_client.verifier.evidence import ask_members
from shirushi_client.verifier.report import MemberView, Report, answers_of, member_agrees
from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs.receipt import MAX_RECEIPT_BYTES, Receipt
from shirushi_core.proofs.report import Result, Verdict


class ReceiptFileError(ShirushiError):
    """A receipt file that is missing, cannot be read, or is no receipt."""


class VerificationError(ShirushiError):
    """A certificate that was not found valid; `report` says why."""

    def __init__(self, report: Report) -> None:
        reasons = [check.en for check in report.checks if check.result in (Result.FAIL, Result.UNKNOWN)]
        super().__init__(f"{report.file}: {report.verdict}: {' '.join(reasons)}")
        self.report = report


class NotValidError(VerificationError):
    """A check failed."""


class CannotConfirmError(VerificationError):
    """No check failed, but not all could be made."""


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

    async def verify(self, file: Path, receipt_file: Path) -> Report:
        """Verify a file with its receipt file; raises CertificateFileError, ReceiptFileError."""
        receipt = await asyncio.to_thread(read_receipt, receipt_file)
        digest = await asyncio.to_thread(digest_file, str(file), follow_links=True)
        return await self.verify_digest(digest, receipt, name=file.name)

    async def verify_digest(self, digest: FileDigest, receipt: Receipt, *, name: str = "") -> Report:
        """Verify a certificate whose digest is known; `name` is what the report calls it."""
        statement = receipt.anchor.statement
        asked = self._members if knows_ledger(receipt, self._trust) else ()
        answers = await ask_members(
            asked, batch_id=statement.batch_id, commitment=receipt.commitment, issuer=statement.issuer
        )
        evidence, now = Evidence.of(answers, self._trust), int(self._clock())
        views = []
        for member in self._consortium.members:
            said = answers_of(member.id, answers)
            agrees = member_agrees(said, evidence)
            views.append(MemberView(member.id, member.name_ja, member.name_en, said, agrees))
        return Report(
            file=name,
            receipt=receipt,
            checked_at=now,
            checks=tuple(run_checks(receipt, digest, evidence, self._trust, now)),
            status=evidence.status,
            issuer=evidence.issuer.answer if isinstance(evidence.issuer, Agreed) else None,
            quorum=self._trust.quorum,
            members=tuple(views),
        )

    async def verify_or_raise(self, file: Path, receipt_file: Path) -> Receipt:
        """Return the receipt of a valid certificate; raises NotValidError, CannotConfirmError, or as `verify` does."""
        report = await self.verify(file, receipt_file)
        match report.verdict:
            case Verdict.VALID:
                return report.receipt
            case Verdict.NOT_VALID:
                raise NotValidError(report)
            case Verdict.CANNOT_CONFIRM:
                raise CannotConfirmError(report)


def read_receipt(path: Path) -> Receipt:
    """Read a receipt file; raises ReceiptFileError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_RECEIPT_BYTES + 1)
    except OSError as error:
        raise ReceiptFileError(
            f"the receipt {path} cannot be read: {(error.strerror or 'error').lower()}"
        ) from error
    try:
        return Receipt.from_bytes(data)
    except InvalidInputError as error:
        raise ReceiptFileError(f"{path} is no receipt: {error}") from error
