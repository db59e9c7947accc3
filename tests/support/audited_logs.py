"""Logs as an audit reads them: each served honestly out of a log on paper, or as a test bends it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.support.anchors_ledger import START
from tests.support.contract_log import ContractLog, lively_log
from tests.support.paper_log import BEGIN, KEYS, MEMBERS, PaperLog, trust_policy

from shirushi_client.audit.audit import Auditor, ListToReconcile
from shirushi_client.audit.findings import Finding, SourceKind, SourceName
from shirushi_client.audit.report import AuditReport
from shirushi_client.audit.sources import LogSource
from shirushi_client.witness_client import NotThereError, WitnessError
from shirushi_core.proofs import merkle
from shirushi_core.proofs.canonical import decode, encode
from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_core.proofs.growth import Growth
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.tiles import TILE_WIDTH, Tile, entries_path

NOW = BEGIN + 5000


class NoBar:
    """Counts what was read."""

    def __init__(self) -> None:
        self.total = 0
        self.read = 0

    def advance(self, by: int = 1) -> None:
        self.read += by

    @contextlib.contextmanager
    def watch(self, total: int) -> Iterator[NoBar]:
        self.total = total
        yield self


@dataclass
class ServedLog:
    """A member's witness that serves a log's files, each of which a test may replace; `down` keeps it from answering."""

    member_id: str
    log: PaperLog
    signed_at: int = NOW - 10
    files: dict[str, bytes] = field(default_factory=dict)
    checkpoint: Checkpoint | None = None  # another head than the log's
    seen: dict[str, SignedNote] = field(default_factory=dict)
    path: list[bytes] | None = None  # another consistency proof
    down: bool = False
    breaks_at: str = ""  # the path that it does not serve
    asked: list[str] = field(default_factory=list)

    @property
    def name(self) -> SourceName:
        return SourceName(SourceKind.WITNESS, self.member_id, self.member_id, self.member_id.title())

    async def note(self, size: int | None = None) -> SignedNote:
        if self.down:
            raise WitnessError(f"the witness of {self.member_id} cannot be reached")
        if size is not None and size not in self.log.roots:
            raise NotThereError("no head of this size")
        made = self.checkpoint if self.checkpoint and size is None else self.log.checkpoint(size)
        return KEYS[self.member_id].signatures(made, self.signed_at)

    async def bundle(self, index: int, width: int) -> bytes:
        return self._serve(entries_path(index, width))

    async def tile(self, tile: Tile) -> bytes:
        return self._serve(tile.path)

    async def cosigned(self, member_id: str) -> SignedNote | None:
        return self.seen.get(member_id)

    async def consistency_path(self, first: int, second: int) -> list[bytes] | None:
        honest = merkle.consistency_path(self.log.entries[:second], first)
        return honest if self.path is None else self.path

    def _serve(self, path: str) -> bytes:
        self.asked.append(path)
        if path == self.breaks_at:
            raise WitnessError(f"the witness of {self.member_id} did not answer in time")
        if not self.files.keys() & {path}:
            self.files = files_of(self.log.entries) | self.files
        return self.files[path]


def files_of(entries: Sequence[bytes]) -> dict[str, bytes]:
    """Return the tiles and bundles of a log, with the partial ones at its end."""
    growth = Growth()
    for entry in entries:
        growth.append(entry)
    return dict(growth.take_files()) | dict(growth.partial_tiles())


def served(log: PaperLog, members: Sequence[str] = MEMBERS) -> dict[str, ServedLog]:
    """Serve one log by some members, each of which has seen the others' heads."""
    made = {member: ServedLog(member, log) for member in members}
    notes = {member: KEYS[member].signatures(log.checkpoint(), NOW - 20) for member in members}
    for member, each in made.items():
        each.seen = {other: note for other, note in notes.items() if other != member}
    return made


def bundle_path(log: PaperLog, index: int) -> str:
    """Return where the bundle is served that has an entry."""
    number = index // TILE_WIDTH
    return entries_path(number, min(TILE_WIDTH, len(log.entries) - number * TILE_WIDTH))


async def audited(
    sources: Sequence[LogSource], *, listed: ListToReconcile | None = None, issuer: str | None = None
) -> AuditReport:
    """Audit sources under the trust policy of the members on paper."""
    auditor = Auditor(trust_policy(), lambda: NOW, NoBar().watch)
    return await auditor.audit(sources, listed=listed, issuer=issuer)


async def long_log() -> ContractLog:
    """A lively log that goes on for three tiles, of which one is full."""
    log = await lively_log()
    for number in range(8):
        await log.issue_batches(*[f"batch-{number}-{n}" for n in range(40)])
    await log.change("later", log.city.change(1, 4, status="revoked", effective_at=START))
    return log


def index_of(log: ContractLog, kind: str, number: int = 0) -> int:
    return [n for n, entry in enumerate(log.entries) if f'"kind":"{kind}"'.encode() in entry][number]


def everyone(servers: dict[str, ServedLog]) -> Sequence[ServedLog]:
    return list(servers.values())


def the_one(report: AuditReport) -> Finding:
    (finding,) = report.findings
    return finding


def tampered(entry: bytes) -> bytes:
    """An entry in canonical form that says something else."""
    changed = decode(entry)
    changed["anchor"]["statement"]["valid_until"] += 1  # type: ignore[call-overload,index,operator]
    return encode(changed)


def who_signed(finding: Finding) -> list[set[str]]:
    return [{each.member_id for each in evidence.signatures} for evidence in finding.evidence]
