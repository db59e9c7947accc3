"""The issuer: reads certificates, anchors them in batches, checks their receipts and hands them out.

    read + digest → prepare (journal) → submit → committed (journal) → gather what members confirm (journal)
        → check and write receipts → delivered (journal)

Each arrow is bounded: a few batches are in work at a time, whatever comes in waits. The journal's module says what a
crash at each step loses. Blocking work runs in the issuer's own threads: one that works, and some that wait, for more files
to come or for the disk. More that work would be slower: Python runs one at a time, and would change from one to the other
at each of the many small system calls.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Self, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec

from shirushi_client.hashing import FileDigest, digest_bytes, digest_files
from shirushi_client.issuer.batch import Batch, Order, checked_receipts, seal_batch
from shirushi_client.issuer.batcher import MAX_COUNT, MAX_WAIT, Batcher
from shirushi_client.issuer.confirmed import NOT_CONFIRMED, ConfirmedEvidence, EvidenceSource
from shirushi_client.issuer.journal import Delivery, Entry, Journal, Place, State
from shirushi_client.issuer.receipt_files import ReceiptWriteError, missing_receipts, write_receipts
from shirushi_client.ledger_client import IssuingLedger
from shirushi_client.ledger_errors import ContractError, LedgerAnswerError
from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.commitment import SALT_SIZE

BATCHES_IN_WORK = 4
"""Batches of one `issue_files` in work at a time: enough to overlap reading, the ledger and writing."""

BATCHES_KEPT = 16
"""Batches kept in memory once they are done, for the receipts of certificates that were issued before."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class FileToIssue:
    """A certificate file and where its receipt goes."""

    path: str
    receipt_path: str


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate whose receipt is on disk; `issued_before` if it is the receipt of an earlier issuance.

    `confirmed_by` are the members whose signatures are in the receipt, `confirmed` whether they are a quorum (None: nobody was
    asked); with fewer the receipt is completed later (`shirushi refresh`).
    """

    path: str
    receipt_path: str
    batch_id: bytes
    tx_id: str
    issued_before: bool
    confirmed_by: tuple[str, ...] = ()
    confirmed: bool | None = None


@dataclass(frozen=True, slots=True)
class Resumed:
    """What was left over from an earlier run: receipts written now, and why others could not be."""

    receipt_paths: tuple[str, ...]
    problems: tuple[ShirushiError, ...]


@dataclass(frozen=True, slots=True)
class _Anchored:
    batch: Batch
    anchor: IssuanceAnchor
    evidence: ConfirmedEvidence
    receipt_paths: tuple[str, ...]


class Issuer:
    """Issues certificates under one issuer's name; an async context manager. The journal stays its caller's.

    `evidence` is where it gathers what members confirm; without it receipts can be verified by asking members only.
    """

    def __init__(
        self,
        *,
        name: str,
        seal_key: ec.EllipticCurvePrivateKey,
        ledger: IssuingLedger,
        journal: Journal,
        evidence: EvidenceSource | None = None,
        max_count: int = MAX_COUNT,
        max_wait: float = MAX_WAIT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._name = name
        self._seal_key = seal_key
        self._ledger = ledger
        self._journal = journal
        self._evidence = evidence
        self._max_count = max_count
        self._clock = clock
        self._worker = ThreadPoolExecutor(1, "shirushi-issuer")
        self._waiting = ThreadPoolExecutor(thread_name_prefix="shirushi-waiting")
        self._anchored: OrderedDict[int, asyncio.Task[_Anchored]] = OrderedDict()
        self._batcher = Batcher(self._issue_requests, max_count=max_count, max_wait=max_wait)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, asyncio.CancelledError):
            self._batcher.abandon()
            for task in self._anchored.values():
                task.cancel()
        await self.close()

    async def close(self) -> None:
        """Finish what is in work and end the issuer's threads.

        When the surrounding task is cancelled, what is in work is left to `resume` instead: the journal has it.
        """
        try:
            await self._batcher.close()
            await asyncio.gather(*self._anchored.values(), return_exceptions=True)
        finally:
            self._worker.shutdown()
            self._waiting.shutdown()

    async def resume(self) -> Resumed:
        """Finish the batches that an earlier run left prepared or committed, and write the receipts it owed.

        Raises LedgerUnreachableError if a batch still cannot be sent. A batch that the contract refuses, and receipts
        whose folder is gone, are reported: issuing those files again starts afresh or gives the same receipts.
        """
        written: list[str] = []
        problems: list[ShirushiError] = []
        for row in await self._in(self._worker, self._journal.unfinished):
            try:
                written += (await asyncio.shield(self._begin(row))).receipt_paths
            except ContractError as error:
                problems.append(error)
            except ReceiptWriteError as error:
                problems.append(error)
                await self._in(self._worker, self._journal.deliver, row)
        return Resumed(tuple(written), tuple(problems))

    async def issue(self, certificate: bytes, order: Order) -> bytes:
        """Issue one certificate together with whatever else comes within a moment, and return its receipt file."""
        digest = await self._in(self._worker, digest_bytes, certificate)
        answer = await self._batcher.add((digest, order))
        if isinstance(answer, ShirushiError):
            raise answer
        return answer

    async def issue_files(
        self, files: Iterable[FileToIssue], order: Order
    ) -> AsyncGenerator[list[Issued], None]:
        """Issue files in order, and yield them batch by batch when their receipts are on disk.

        `files` may be endless: it is drawn from as batches finish, in a thread. The first error ends the issuing; what
        was yielded stays, what was prepared is finished by `resume`. Use `contextlib.aclosing` if you may stop early.
        """
        iterator = iter(files)
        tasks: deque[asyncio.Task[list[Issued]]] = deque()
        more = True
        try:
            while more or tasks:
                while more and len(tasks) < BATCHES_IN_WORK:
                    part = await self._in(self._waiting, _take, iterator, self._max_count)
                    more = bool(part)
                    if part:
                        tasks.append(asyncio.create_task(self._issue_part(part, order)))
                if tasks:
                    yield await tasks.popleft()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _issue_part(self, files: Sequence[FileToIssue], order: Order) -> list[Issued]:
        digests = await self._in(self._worker, digest_files, [file.path for file in files])
        places, new = await self._place(digests, order, [file.receipt_path for file in files])
        anchored = await self._anchor_all(places, new)
        for row, of in anchored.items():
            if new is None or row != new.row:
                owed = [
                    (place.index, file.receipt_path)
                    for place, file in zip(places, files, strict=True)
                    if place.row == row
                ]
                await self._hand_out(of.batch, of.anchor, of.evidence, owed)
        return [
            Issued(
                file.path,
                file.receipt_path,
                anchored[place.row].batch.statement.batch_id,
                anchored[place.row].anchor.tx_id,
                new is None or place.row != new.row,
                anchored[place.row].evidence.members,
                None if self._evidence is None else anchored[place.row].evidence.is_complete,
            )
            for file, place in zip(files, places, strict=True)
        ]

    async def _issue_requests(
        self, requests: Sequence[tuple[FileDigest, Order]]
    ) -> list[bytes | ShirushiError]:
        answers: dict[tuple[FileDigest, Order], bytes | ShirushiError] = {}
        for order in dict.fromkeys(order for _, order in requests):
            digests = list(dict.fromkeys(digest for digest, of in requests if of == order))
            try:
                places, new = await self._place(digests, order, None)
                anchored = await self._anchor_all(places, new)
                for digest, place in zip(digests, places, strict=True):
                    of = anchored[place.row]
                    (answers[digest, order],) = checked_receipts(
                        of.batch, of.anchor, of.evidence.text, [place.index]
                    )
            except ShirushiError as error:
                answers |= {(digest, order): error for digest in digests if (digest, order) not in answers}
        return [answers[request] for request in requests]

    async def _place(
        self, digests: Sequence[FileDigest], order: Order, receipt_paths: Sequence[str] | None
    ) -> tuple[list[Place], Entry | None]:
        return await self._in(self._worker, self._place_now, digests, order, receipt_paths)

    def _place_now(
        self, digests: Sequence[FileDigest], order: Order, receipt_paths: Sequence[str] | None
    ) -> tuple[list[Place], Entry | None]:
        """Find each certificate in the journal, and prepare a batch of those that are new; returns its entry, if any.

        One call in the journal's one thread: no two batches can take up the same bytes.
        """
        found = {}
        if not order.reissue:
            found = self._journal.find(order.document_type, [digest.sha256 for digest in digests])
        fresh = {digest.sha256: digest for digest in digests if digest.sha256 not in found}
        new = None
        if fresh:
            batch = seal_batch(
                tuple(fresh.values()),
                os.urandom(SALT_SIZE * len(fresh)),
                ledger=self._ledger.name,
                issuer=self._name,
                document_type=order.document_type,
                valid_from=int(self._clock()) if order.valid_from is None else order.valid_from,
                valid_until=order.valid_until,
                key=self._seal_key,
            )
            indexes = {sha256: index for index, sha256 in enumerate(fresh)}
            deliveries = [
                Delivery(indexes[digest.sha256], path)
                for digest, path in zip(digests, receipt_paths or (), strict=receipt_paths is not None)
                if digest.sha256 in indexes
            ]
            row = self._journal.prepare(batch, deliveries, reissued=order.reissue)
            found |= {sha256: Place(row, index) for sha256, index in indexes.items()}
            new = Entry(row, State.PREPARED, batch, None, tuple(deliveries))
        return [found[digest.sha256] for digest in digests], new

    async def _anchor_all(self, places: Iterable[Place], new: Entry | None) -> dict[int, _Anchored]:
        """Bring all batches of these places to their end; the new one need not be read from the journal."""
        # All are begun before any is waited for: until then nobody else can have changed the new one's state.
        tasks = {row: self._begin(row, new) for row in dict.fromkeys(place.row for place in places)}
        return {row: await asyncio.shield(task) for row, task in tasks.items()}

    def _begin(self, row: int, prepared: Entry | None = None) -> asyncio.Task[_Anchored]:
        """Return the task that brings a batch to its end, whatever its state.

        All who ask for a batch at the same time share it: it is to be waited for with `asyncio.shield`.
        """
        task = self._anchored.get(row)
        if task is None:
            entry = prepared if prepared is not None and prepared.row == row else None
            task = self._anchored[row] = asyncio.create_task(self._anchor(row, entry))
            task.add_done_callback(lambda done: self._settled(row, done))
        self._anchored.move_to_end(row)
        return task

    def _settled(self, row: int, task: asyncio.Task[_Anchored]) -> None:
        """Keep a batch that is done for a while; one that failed is begun anew when it is asked for again."""
        if task.cancelled() or task.exception() is not None:
            self._anchored.pop(row, None)
        done = [each for each, kept in self._anchored.items() if kept.done()]
        for oldest in done[: max(0, len(done) - BATCHES_KEPT)]:
            del self._anchored[oldest]

    async def _hand_out(
        self,
        batch: Batch,
        anchor: IssuanceAnchor,
        evidence: ConfirmedEvidence,
        owed: Sequence[tuple[int, str]],
        *,
        anew: bool = False,
    ) -> None:
        """Check and write receipts, and return when they are on disk for good; `anew`: they cannot be there yet."""
        try:
            await self._in(self._worker, _write, batch, anchor, evidence, owed, anew)
        finally:  # when some could not be written, the others are to stay too
            # One sync for all: an fsync of each of thousands of small files takes seconds.
            await self._in(self._waiting, os.sync)

    async def _anchor(self, row: int, entry: Entry | None) -> _Anchored:
        anew = entry is not None
        if entry is None:
            entry = await self._in(self._worker, self._journal.load, row)
        batch, anchor = entry.batch, entry.anchor
        if anchor is None:
            anchor = await self._submit(row, batch)
            await self._in(self._worker, self._journal.commit, row, anchor)
        evidence = await self._confirmed(row, anchor, entry.evidence)
        if entry.state in (State.PREPARED, State.COMMITTED):
            owed = [(delivery.index, delivery.receipt_path) for delivery in entry.deliveries]
            await self._hand_out(batch, anchor, evidence, owed, anew=anew)
            await self._in(self._worker, self._journal.deliver, row)
        return _Anchored(
            batch, anchor, evidence, tuple(delivery.receipt_path for delivery in entry.deliveries)
        )

    async def _confirmed(
        self, row: int, anchor: IssuanceAnchor, known: ConfirmedEvidence | None
    ) -> ConfirmedEvidence:
        """Return what members confirm of a batch: what is known if that is enough, else what they say now."""
        known = known or NOT_CONFIRMED
        if self._evidence is None or known.is_complete:
            return known
        found = ConfirmedEvidence.of(await self._evidence.of_batch(anchor))
        if len(found.members) <= len(known.members):
            return known
        await self._in(self._worker, self._journal.confirm, row, found)
        return found

    async def _submit(self, row: int, batch: Batch) -> IssuanceAnchor:
        try:
            anchor = await self._ledger.submit_issue(batch.statement, batch.seal)
        except ContractError:
            await self._in(self._worker, self._journal.refuse, row)
            raise
        if (anchor.statement, anchor.seal) != (batch.statement, batch.seal):
            raise LedgerAnswerError(
                f"batch {batch.statement.batch_id.hex()}: the ledger answered with the anchor of something else;"
                " no receipt was made"
            )
        return anchor

    async def _in(self, executor: Executor, function: Callable[..., Result], *arguments: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(executor, function, *arguments)


def _take(files: Iterator[FileToIssue], count: int) -> list[FileToIssue]:
    return list(islice(files, count))


def _write(
    batch: Batch,
    anchor: IssuanceAnchor,
    evidence: ConfirmedEvidence,
    owed: Sequence[tuple[int, str]],
    anew: bool,
) -> None:
    """Check receipts, and write those that are not there; ReceiptCheckError comes before any is written."""
    # All are made before any is written: Python is slower when it calls the system in between.
    checked = list(checked_receipts(batch, anchor, evidence.text, [index for index, _ in owed]))
    receipts = zip((path for _, path in owed), checked, strict=True)
    write_receipts(receipts if anew else missing_receipts(receipts))
