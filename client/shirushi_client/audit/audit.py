"""The audit as a whole: heads are collected, every log is read and replayed, and all are held against each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from shirushi_client.audit.comparison import compare, last_agreement, longest, signed_at
from shirushi_client.audit.findings import Code, Evidence, Finding, SourceKind
from shirushi_client.audit.log_reading import Head, ReadLog, read_log
from shirushi_client.audit.reconciliation import ListedBatch, reconcile
from shirushi_client.audit.report import AuditReport, LogView, in_order
from shirushi_client.audit.signatures import cosigned_at, read_signatures
from shirushi_client.audit.sources import FolderSource, LogSource
from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_core.proofs.confirmation import CLOCK_TOLERANCE
from shirushi_core.proofs.merkle import ProofError, verify_consistency
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.replay import Replay
from shirushi_core.proofs.trust_policy import TrustPolicy

STALE_SECONDS = 180
"""How long after its last signature a member is said to be silent; witnesses sign anew each minute."""


class Bar(Protocol):
    """Something that is told how many entries were read."""

    def advance(self, by: int = 1) -> None: ...


Watch = Callable[[int], AbstractContextManager[Bar]]
"""Given how many entries there are to read, shows how far reading has come."""


@dataclass(frozen=True, slots=True)
class ListToReconcile:
    """An issuer's list: where it is from, and its batches by id."""

    name: str
    batches: dict[bytes, ListedBatch]


@dataclass(frozen=True, slots=True)
class _Opened:
    source: LogSource
    size: int
    head: Head | None


class Auditor:
    """Audits logs of one ledger under a trust policy. `clock` is unix seconds, `watch` shows progress."""

    def __init__(self, policy: TrustPolicy, clock: Callable[[], float], watch: Watch) -> None:
        self._policy = policy
        self._clock = clock
        self._watch = watch
        self._findings: list[Finding] = []
        self._sealed: set[bytes] = set()

    async def audit(
        self,
        sources: Sequence[LogSource],
        *,
        found_before: Sequence[Finding] = (),
        listed: ListToReconcile | None = None,
        issuer: str | None = None,
    ) -> AuditReport:
        """Audit logs, with what was found before they could be opened; never raises for what a log says."""
        self._findings = list(found_before)
        opened = [each for each in await asyncio.gather(*map(self._open, sources)) if each is not None]
        logs: list[ReadLog] = []
        with self._watch(sum(each.size for each in opened)) as bar:
            for each in opened:
                replay = Replay(self._policy.ledger, sealed=self._sealed)
                log = await read_log(each.source, each.size, each.head, replay, bar.advance)
                _share_replay(log, logs)
                logs.append(log)
        groups, differences = await compare(logs, self._policy)
        for log in logs:
            self._findings += await self._with_others(log, logs)
        self._findings += differences
        for log in logs:
            await self._check_proof(log)
        await self._check_what_others_saw(sources, logs, groups[0] if groups else [])
        return self._report(logs, groups, listed, issuer)

    async def _open(self, source: LogSource) -> _Opened | None:
        """Ask for a log's head and look at who signed it; None if the log is not worth reading."""
        if isinstance(source, FolderSource) and not source.has_checkpoint:
            if source.name.kind is SourceKind.TILES:
                self._find(Code.CHECKPOINT_MISSING, source)
            return _Opened(source, source.size(), None)
        try:
            note = await source.note()
            signatures = read_signatures(note, self._policy)
        except ShirushiError as error:
            code = (
                Code.MEMBER_UNREACHABLE
                if source.name.kind is SourceKind.WITNESS
                else Code.CHECKPOINT_NOT_SIGNED
            )
            self._find(code, source, found=str(error))
            return None
        head = Head(note, Checkpoint.from_text(note.text), signatures)
        evidence = (Evidence(source.name, note, signatures),)
        if head.checkpoint.origin != self._policy.origin:
            self._find(
                Code.CHECKPOINT_OTHER_LOG,
                source,
                expected=self._policy.origin,
                found=head.checkpoint.origin,
                evidence=evidence,
            )
            return None
        broken = next((each for each in signatures if not each.holds), None)
        if broken is not None:
            self._find(
                Code.CHECKPOINT_BAD_SIGNATURE,
                source,
                found=f"{broken.member_id}: {broken.problem}",
                evidence=evidence,
            )
        self._check_signers(source, head, evidence)
        return _Opened(source, head.checkpoint.size, head)

    def _check_signers(self, source: LogSource, head: Head, evidence: tuple[Evidence, ...]) -> None:
        """Say if a member's own cosignature is missing, old or from the future; or of a folder's head, if no quorum signed it."""
        member, now = source.name.member_id, int(self._clock())
        if member is None:
            signers = {each.member_id for each in head.signatures if each.time is not None and each.counts}
            quorum = self._policy.quorum_at(now)
            if quorum is None or len(signers) < quorum:
                found = f"{len(signers)} members signed it, {quorum or 'nobody knows how many'} are needed"
                self._find(Code.CHECKPOINT_NOT_SIGNED, source, found=found, evidence=evidence)
            return
        at = cosigned_at(head.signatures, member)
        if at is None:
            found = next(
                (each.problem for each in head.signatures if each.member_id == member and each.problem),
                f"no cosignature of {member}",
            )
            self._find(Code.CHECKPOINT_NOT_SIGNED, source, found=found, evidence=evidence)
        elif at > now + CLOCK_TOLERANCE:
            self._find(Code.CHECKPOINT_AHEAD, source, found=str(at - now), evidence=evidence)
        elif now > at + STALE_SECONDS:
            self._find(Code.CHECKPOINT_STALE, source, found=str(now - at), evidence=evidence)

    async def _with_others(self, log: ReadLog, logs: Sequence[ReadLog]) -> list[Finding]:
        """Return a log's own findings; where it signed another root than its entries have, with who signed the one they have."""
        found = []
        for finding in log.findings:
            other = next((each for each in logs if each is not log and log.size in each.roots), None)
            if finding.code is Code.ROOT_DIFFERS and other is not None:
                evidence = await signed_at(other, log.size, self._policy)
                finding = replace(finding, other=other.name, evidence=(*finding.evidence, evidence))
            found.append(finding)
        return found

    async def _check_proof(self, log: ReadLog) -> None:
        """Hold a consistency proof, as it is given to whoever asks, against the heads that were derived."""
        first = min(log.roots, default=log.size)
        if not log.is_whole or first == log.size:
            return
        try:
            path = await log.source.consistency_path(first, log.size)
        except ShirushiError as error:
            self._find(Code.LOG_UNREADABLE, log.source, index=first, found=str(error))
            return
        if path is None:
            return
        try:
            verify_consistency(first, log.size, log.roots[first], log.root, path)
        except ProofError as error:
            self._find(
                Code.PROOF_FORGED, log.source, index=first, found=str(error), evidence=(log.evidence(),)
            )

    async def _check_what_others_saw(
        self, sources: Sequence[LogSource], logs: Sequence[ReadLog], reference: Sequence[ReadLog]
    ) -> None:
        """Hold what each witness has seen of every other against that one's log: a member may show two parties two heads."""
        read = {log.name.member_id: log for log in logs if log.name.kind is SourceKind.WITNESS}
        known = longest(reference) if reference else None
        for witness in read.values():
            for source in sources:
                member = source.name.member_id
                if source.name.kind is not SourceKind.WITNESS or member is None or source is witness.source:
                    continue
                try:
                    note = await witness.source.cosigned(member)
                except ShirushiError:
                    continue  # what it does not tell proves nothing; that it cannot be asked is said elsewhere
                if note is not None:
                    self._check_seen(note, source, witness, read.get(member), known)

    def _check_seen(
        self,
        note: SignedNote,
        source: LogSource,
        witness: ReadLog,
        own: ReadLog | None,
        known: ReadLog | None,
    ) -> None:
        """Hold a note of a member that another has seen against the member's own log; without one, against the others'."""
        member = source.name.member_id or ""
        try:
            seen = Head(note, Checkpoint.from_text(note.text), read_signatures(note, self._policy))
        except InvalidInputError:
            return
        at, log = cosigned_at(seen.signatures, member), own or known
        if at is None or log is None or seen.checkpoint.origin != self._policy.origin:
            return  # whoever shows it may have made it up
        size = seen.checkpoint.size
        evidence = (Evidence(source.name, note, seen.signatures), log.evidence())
        if size <= log.read:
            root = log.root_at(size)
            if root != seen.checkpoint.root:
                self._find(
                    Code.SIGNED_ANOTHER_HEAD,
                    source,
                    expected="no head of this size" if root is None else root.hex(),
                    found=seen.checkpoint.root.hex(),
                    other=witness,
                    evidence=evidence,
                )
        elif own is not None and own.head is not None and own.size < size:
            shown = cosigned_at(own.head.signatures, member)
            if shown is not None and shown > at:
                self._find(
                    Code.SIGNED_BACKWARDS,
                    source,
                    expected=f"a head of at least {size} entries",
                    found=f"one of {own.size}",
                    other=witness,
                    evidence=evidence,
                )

    def _find(
        self,
        code: Code,
        source: LogSource,
        *,
        index: int | None = None,
        expected: str = "",
        found: str = "",
        other: ReadLog | None = None,
        evidence: tuple[Evidence, ...] = (),
    ) -> None:
        whose = None if other is None else other.name
        self._findings.append(Finding(code, source.name, index, expected, found, whose, evidence))

    def _report(
        self,
        logs: Sequence[ReadLog],
        groups: Sequence[Sequence[ReadLog]],
        listed: ListToReconcile | None,
        issuer: str | None,
    ) -> AuditReport:
        reference = groups[0] if groups else ()
        replay = longest(reference).replay if reference else Replay(self._policy.ledger)
        batches = replay.batches
        reconciled = None if listed is None else reconcile(listed.name, listed.batches, batches, issuer)
        if reconciled is not None:
            self._findings += reconciled.findings()
        of_issuer = {key: batch for key, batch in batches.items() if batch.issuer == issuer}
        return AuditReport(
            ledger=self._policy.ledger,
            policy_version=self._policy.version,
            policy_fingerprint=self._policy.fingerprint,
            checked_at=int(self._clock()),
            logs=tuple(_view(log, agrees=log in reference if log.roots else None) for log in logs),
            findings=in_order(self._findings),
            counts=dict(replay.counts),
            batches=None if issuer is None else of_issuer,
            reconciliation=reconciled,
        )


def _share_replay(log: ReadLog, before: Sequence[ReadLog]) -> None:
    """Let logs of one history have one replay, that of the longest: each holds all batches in memory."""
    for other in before:
        if last_agreement(log, other)[1] is None:
            log.replay = other.replay = max(log.replay, other.replay, key=lambda replay: replay.size)


def _view(log: ReadLog, *, agrees: bool | None) -> LogView:
    head = log.head
    member = log.name.member_id
    return LogView(
        name=log.name,
        size=log.size,
        read=log.read,
        root=log.root,
        status_root=log.status_root,
        cosigned_at=None if head is None or member is None else cosigned_at(head.signatures, member),
        agrees=agrees,
    )
