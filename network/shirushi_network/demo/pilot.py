"""The pilot's story, step by step, against a running consortium.

118 residents ask for an income certificate, one at a time; 61 hand theirs to a recipient, who verifies them; then what can
happen to a certificate happens to one each; at last a recipient without a network verifies receipts by themselves. Every step goes through the same calls that issuing systems and
recipients make.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from shirushi_client.change_journal import ChangeJournal
from shirushi_client.evidence_gathering import EvidenceGatherer
from shirushi_client.evidence_session import open_policy
from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.issued import FileToIssue
from shirushi_client.issuer.issuer import Issuer
from shirushi_client.issuer.journal import Journal
from shirushi_client.issuer.receipt_files import SUFFIX, write_receipt
from shirushi_client.issuer.sources import files_to_issue
from shirushi_client.profile import change_journal_path, journal_path
from shirushi_client.session import ISSUER, VERIFIER, Session, open_session
from shirushi_client.status_changes import StatusChanger, certificate_target
from shirushi_client.trust_policy_file import FILE_NAME, read_policy
from shirushi_client.verifier.offline_verifier import OfflineVerifier
from shirushi_client.verifier.reading import read_receipt
from shirushi_client.verifier.report import Report
from shirushi_client.verifier.verifier import Verifier
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.report import Result, Verdict
from shirushi_core.proofs.status import Reason
from shirushi_network.demo.certificates import made_up_certificates, render_pdf
from shirushi_network.engines import open_engine
from shirushi_network.errors import ConsortiumError
from shirushi_network.layout import Layout

RESIDENTS = 118
SUBMITTED = 61
DOCUMENT_TYPE = "income-certificate"
DOCUMENT = "document"
"""The type of the documents of one's own."""

STOPPED_MEMBER = "kaguya"
ISSUED_ON = "令和8年11月23日"
_SEED = 20261123

Advance = Callable[[str, int, int], None]
"""Progress: what is going on, how much is done, of how much."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the demo's table: what happened, the verdict, the check that decided, and how long it took."""

    ja: str
    en: str
    verdict: Verdict
    expected: Verdict
    decided_by: str
    seconds: float

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is the one the story calls for."""
        return self.verdict is self.expected


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the demo did: durations of issuing and verifying in seconds, and the table."""

    issuing: Sequence[float]
    verifying: Sequence[float]
    verdicts: Sequence[Verdict]
    documents: Sequence[Verdict]
    steps: Sequence[Step]

    @property
    def as_expected(self) -> bool:
        """Whether everything came out as the story calls for."""
        undisturbed = (*self.verdicts, *self.documents)
        return all(step.as_expected for step in self.steps) and set(undisturbed) == {Verdict.VALID}


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the demo keeps things."""

    root: Path

    @property
    def consortium(self) -> Path:
        return self.root / "consortium"

    @property
    def certificates(self) -> Path:
        return self.root / "certificates"

    @property
    def submitted(self) -> Path:
        return self.root / "submitted"

    @property
    def documents(self) -> Path:
        return self.root / "documents"


async def replay(folders: Folders, documents: Path | None, advance: Advance) -> Outcome:
    """Play the whole story; the consortium must be up in `folders.consortium`."""
    async with _desk(folders.consortium) as desk:
        certificates = _draw(folders, advance)
        issuing = await desk.issue_one_by_one(certificates, advance)
        issued_documents = await desk.issue_documents(documents, folders.documents)
        submitted = _submit(certificates[:SUBMITTED], folders.submitted)
        verifying, verdicts = [], []
        for number, file in enumerate(submitted):
            report, seconds = await desk.verify(file)
            verifying.append(seconds)
            verdicts.append(report.verdict)
            advance("the recipient verifies", number + 1, len(submitted))
        document_verdicts = [
            (await desk.verify(file, receipt))[0].verdict for file, receipt in issued_documents
        ]
        steps = [step async for step in _mishaps(desk, folders, submitted)]
    return Outcome(issuing, verifying, verdicts, document_verdicts, steps)


def _draw(folders: Folders, advance: Advance) -> list[Path]:
    folders.certificates.mkdir(parents=True)
    drawn: list[Path] = []
    for certificate in made_up_certificates(RESIDENTS, seed=_SEED, issued_on=ISSUED_ON):
        file = folders.certificates / f"income-certificate-{len(drawn) + 1:03d}.pdf"
        file.write_bytes(render_pdf(certificate))
        drawn.append(file)
        advance("the city draws up certificates", len(drawn), RESIDENTS)
    return drawn


def _submit(certificates: Sequence[Path], folder: Path) -> list[Path]:
    """Copy certificates and receipts, as residents hand them to a recipient."""
    folder.mkdir()
    for file in certificates:
        for each in (file, file.with_name(file.name + SUFFIX)):
            shutil.copyfile(each, folder / each.name)
    return [folder / file.name for file in certificates]


class _Desk:
    """The city's desk and the recipient's, side by side."""

    def __init__(self, city: Session, recipient: Session, issuer: Issuer, gatherer: EvidenceGatherer) -> None:
        self._issuer = issuer
        self.gatherer = gatherer
        self._offline = OfflineVerifier(gatherer.policy)
        self._verifier = Verifier(recipient.consortium, recipient.members)
        self.changer = StatusChanger(
            issuer=city.profile.issuer_id(),
            ledger=city.ledger,
            journal=ChangeJournal(change_journal_path(city.data)),
        )

    async def issue(self, file: Path) -> float:
        """Issue one certificate and return how long it took until its receipt was on disk."""
        started = time.perf_counter()
        to_issue = FileToIssue(str(file), str(file) + SUFFIX)
        async for _ in self._issuer.issue_files([to_issue], Order(DOCUMENT_TYPE)):
            pass
        return time.perf_counter() - started

    async def issue_one_by_one(self, files: Sequence[Path], advance: Advance) -> list[float]:
        """Issue certificates as residents ask for them: each is a request of its own."""
        durations = []
        for file in files:
            durations.append(await self.issue(file))
            advance("residents ask for certificates", len(durations), len(files))
        return durations

    async def issue_documents(self, documents: Path | None, out: Path) -> list[tuple[Path, Path]]:
        """Issue whatever documents a folder holds, in batches; gives each with its receipt."""
        if documents is None:
            return []
        out.mkdir()
        files = list(files_to_issue([documents], out))
        for file in files:
            Path(file.receipt_path).parent.mkdir(parents=True, exist_ok=True)
        return [
            (Path(issued.path), Path(issued.receipt_path))
            async for batch in self._issuer.issue_files(files, Order(DOCUMENT))
            for issued in batch
        ]

    async def verify(self, file: Path, receipt: Path | None = None) -> tuple[Report, float]:
        """Verify a file with its receipt, and say how long that took."""
        started = time.perf_counter()
        report = await self._verifier.verify(file, receipt or file.with_name(file.name + SUFFIX))
        return report, time.perf_counter() - started

    async def step(self, ja: str, en: str, file: Path, expected: Verdict) -> Step:
        """Verify a file and put the result into words."""
        return _step(ja, en, *await self.verify(file), expected)

    def unplugged_step(self, ja: str, en: str, file: Path, expected: Verdict) -> Step:
        """Verify a file by its receipt and the trust policy alone: nothing is asked of anybody."""
        started = time.perf_counter()
        report = self._offline.verify(file, file.with_name(file.name + SUFFIX))
        return _step(ja, en, report, time.perf_counter() - started, expected)

    async def refresh(self, file: Path) -> None:
        """Get the newest status into a receipt from the members' witnesses."""
        path = file.with_name(file.name + SUFFIX)
        (refreshed,) = await self.gatherer.refresh([read_receipt(path)])
        write_receipt(str(path), refreshed.to_bytes())


def _step(ja: str, en: str, report: Report, seconds: float, expected: Verdict) -> Step:
    decisive = [check for check in report.checks if check.result in (Result.FAIL, Result.UNKNOWN)]
    status = [check for check in report.checks if check.name == "status"]
    return Step(ja, en, report.verdict, expected, (decisive or status)[0].code, seconds)


@asynccontextmanager
async def _desk(data: Path) -> AsyncIterator[_Desk]:
    async with open_session(data, ISSUER) as city, open_session(data, VERIFIER) as recipient:
        with Journal(journal_path(data)) as journal:
            async with (
                open_policy(read_policy(data / FILE_NAME)) as gatherer,
                Issuer(
                    name=city.profile.issuer_id(),
                    seal_key=city.profile.load_seal_key(),
                    ledger=city.ledger,
                    journal=journal,
                    evidence=gatherer,
                ) as issuer,
            ):
                if gatherer is None:
                    raise ConsortiumError("the trust policy of the demo's consortium names no witnesses")
                yield _Desk(city, recipient, issuer, gatherer)


async def _mishaps(desk: _Desk, folders: Folders, submitted: Sequence[Path]) -> AsyncIterator[Step]:
    untouched, tampered, revoked, old, suspended, later = submitted[:6]
    yield await desk.step("そのまま", "untouched", untouched, Verdict.VALID)

    content = bytearray(tampered.read_bytes())
    content[len(content) // 2] ^= 1
    tampered.write_bytes(content)
    yield await desk.step("1ビット改ざん", "one bit changed", tampered, Verdict.NOT_VALID)

    await desk.changer.revoke([certificate_target(_receipt(revoked))], Reason.ISSUED_IN_ERROR)
    yield await desk.step("失効", "revoked", revoked, Verdict.NOT_VALID)

    corrected = folders.certificates / "income-certificate-004-corrected.pdf"
    replacement = next(made_up_certificates(1, seed=_SEED + 1, issued_on=ISSUED_ON))
    corrected.write_bytes(render_pdf(replacement))
    await desk.issue(corrected)
    await desk.changer.supersede(
        certificate_target(_receipt(old)), _receipt(corrected), Reason.DATA_CORRECTED
    )
    yield await desk.step("差し替え（旧）", "superseded: the old one", old, Verdict.NOT_VALID)
    yield await desk.step("差し替え（新）", "superseded: the new one", corrected, Verdict.VALID)

    target = certificate_target(_receipt(suspended))
    await desk.changer.suspend([target], Reason.UNDER_INVESTIGATION)
    yield await desk.step("一時停止", "suspended", suspended, Verdict.NOT_VALID)
    await desk.changer.reinstate([target], Reason.INVESTIGATION_CLOSED)
    yield await desk.step("再開", "reinstated", suspended, Verdict.VALID)

    engine = open_engine(Layout(folders.consortium.absolute()))
    engine.stop_member(STOPPED_MEMBER)
    try:
        yield await desk.step("1機関停止", "one member stopped", untouched, Verdict.VALID)
        yield await desk.step("1機関停止・失効", "one member stopped, revoked", revoked, Verdict.NOT_VALID)
    finally:
        engine.start_member(STOPPED_MEMBER)

    yield desk.unplugged_step("通信なしで検証", "no network: by the receipt alone", untouched, Verdict.VALID)
    (record,) = await desk.changer.revoke([certificate_target(_receipt(later))], Reason.HOLDER_REQUEST)
    await desk.gatherer.until_shown(record)
    yield desk.unplugged_step(
        "通信なし・失効前の受領書", "no network, revoked after the receipt was made", later, Verdict.VALID
    )
    await desk.refresh(later)
    yield desk.unplugged_step("受領書を更新", "the receipt refreshed", later, Verdict.NOT_VALID)


def _receipt(file: Path) -> Receipt:
    return read_receipt(file.with_name(file.name + SUFFIX))
