"""The issuer: reads certificates, anchors them in batches, checks their receipts and hands them out.

    read + digest → prepare (journal) → submit → committed (journal) → gather what members confirm (journal)
        → check and write receipts → delivered (journal)

Each arrow is bounded: a few batches are in work at a time, whatever comes in waits. The journal's module says what a
crash at each step loses. Blocking work runs in the issuer's own threads; reading and hashing many files in processes of their
own, if it was given some.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from itertools import islice
from types import TracebackType
from typing import Self, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec

from shirushi_client.hashing import FileDigest, digest_bytes, digest_files
from shirushi_client.issuer.anchoring import Anchored, Anchoring
from shirushi_client.issuer.batch import Order, checked_receipts, seal_batch
from shirushi_client.issuer.batcher import MAX_COUNT, MAX_WAIT, Batcher
from shirushi_client.issuer.book_files import book_path
from shirushi_client.issuer.certificate_index import Place
from shirushi_client.issuer.confirmed import EvidenceSource
from shirushi_client.issuer.issued import FileToIssue, Issued, IssuedBook, Resumed
from shirushi_client.issuer.journal import NOTHING_OWED, Delivery, Entry, Journal, Owed, State
from shirushi_client.issuer.permission import OrderRefusedError, Permission
from shirushi_client.issuer.readers import Readers
from shirushi_client.issuer.receipt_files import ReceiptWriteError
from shirushi_client.issuer.threads import IssuerThreads
from shirushi_client.ledger_client import IssuingLedger
from shirushi_client.ledger_errors import ContractError
from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.commitment import SALT_SIZE

BATCHES_IN_WORK = 4
"""Batches of one `issue_files` in work at a time: enough to overlap reading, the ledger and writing."""

BOOK_COUNT = 4 * MAX_COUNT
"""Certificates in a batch that goes into a book: with no file for each, more of them are in memory for as short a time."""

WORTH_READERS = 1024
"""Certificates in a part from which on other processes read them: sending them there takes time too."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Issuer:
    """Issues certificates under one issuer's name; an async context manager. The journal stays its caller's.

    `evidence` is where it gathers what members confirm; without it receipts can be verified by asking members only.
    `readers` read files in processes of their own, where they are many; they stay their caller's.
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
        readers: Readers | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._name = name
        self._seal_key = seal_key
        self._ledger = ledger
        self._journal = journal
        self._asks_members = evidence is not None
        self._max_count = max_count
        self._readers = readers
        self._clock = clock
        self._permission = Permission(name, ledger, clock)
        self._threads = IssuerThreads()
        self._anchoring = Anchoring(ledger=ledger, journal=journal, evidence=evidence, threads=self._threads)
        self._batcher = Batcher(self._issue_requests, max_count=max_count, max_wait=max_wait)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, asyncio.CancelledError):
            self._batcher.abandon()
            self._anchoring.abandon()
        await self.close()

    async def close(self) -> None:
        """Finish what is in work and end the issuer's threads.

        When the surrounding task is cancelled, what is in work is left to `resume` instead: the journal has it.
        """
        try:
            await self._batcher.close()
            await self._anchoring.close()
        finally:
            self._threads.close()

    async def resume(self) -> Resumed:
        """Finish the batches that an earlier run left prepared or committed, and write the receipts it owed.

        Raises LedgerUnreachableError if a batch still cannot be sent. A batch that the contract refuses, and receipts
        whose folder is gone, are reported: issuing those files again starts afresh or gives the same receipts.
        """
        written: list[str] = []
        problems: list[ShirushiError] = []
        for row in await self._threads.work(self._journal.unfinished):
            try:
                written += (await asyncio.shield(self._anchoring.begin(row))).written
            except ContractError as error:
                problems.append(error)
            except ReceiptWriteError as error:
                problems.append(error)
                await self._threads.work(self._journal.deliver, row)
        return Resumed(tuple(written), tuple(problems))

    async def issue(self, certificate: bytes, order: Order) -> bytes:
        """Issue one certificate together with whatever else comes within a moment, and return its receipt file."""
        digest = await self._threads.work(digest_bytes, certificate)
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
        parts = self._in_parts(files, lambda part: self._issue_part(part, order))
        async with aclosing(parts):
            async for issued in parts:
                yield issued

    async def issue_books(
        self, paths: Iterable[str], order: Order, folder: str
    ) -> AsyncGenerator[list[IssuedBook], None]:
        """Issue files as `issue_files` does, with the receipts of each batch in one book in `folder`, which is there."""
        parts = self._in_parts(paths, lambda part: self._issue_book(part, order, folder))
        async with aclosing(parts):
            async for issued in parts:
                yield issued

    async def _in_parts(
        self, items: Iterable[Item], issue: Callable[[Sequence[Item]], Coroutine[None, None, Result]]
    ) -> AsyncGenerator[Result, None]:
        """Issue a batch's worth of items at a time, a few at once, and yield what came of each in order."""
        iterator = iter(items)
        tasks: deque[asyncio.Task[Result]] = deque()
        more = True
        try:
            while more or tasks:
                while more and len(tasks) < BATCHES_IN_WORK:
                    part = await self._threads.wait(_take, iterator, self._max_count)
                    more = bool(part)
                    if part:
                        tasks.append(asyncio.create_task(issue(part)))
                if tasks:
                    yield await tasks.popleft()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _issue_part(self, files: Sequence[FileToIssue], order: Order) -> list[Issued]:
        digests = await self._digests([file.path for file in files])
        places, new = await self._place(
            digests, order, lambda indexes: _receipts_owed(digests, files, indexes)
        )
        anchored = await self._anchor_all(places, new)
        for row, of in anchored.items():
            if new is None or row != new.row:
                owed = tuple(
                    Delivery(place.index, file.receipt_path)
                    for place, file in zip(places, files, strict=True)
                    if place.row == row
                )
                await self._anchoring.hand_out(of.batch, of.anchor, of.evidence, Owed(owed))
        return [
            Issued(
                file.path,
                file.receipt_path,
                anchored[place.row].batch.statement.batch_id,
                anchored[place.row].anchor.tx_id,
                new is None or place.row != new.row,
                anchored[place.row].evidence.members,
                self._is_confirmed(anchored[place.row]),
            )
            for file, place in zip(files, places, strict=True)
        ]

    async def _issue_book(self, paths: Sequence[str], order: Order, folder: str) -> list[IssuedBook]:
        digests = await self._digests(paths)
        owed = Owed(book_folder=folder)
        places, new = await self._place(digests, order, lambda _: owed)
        anchored = await self._anchor_all(places, new)
        books = []
        for row, of in anchored.items():
            if new is None or row != new.row:
                await self._anchoring.hand_out(of.batch, of.anchor, of.evidence, owed)
            certificates = tuple(
                [path for path, place in zip(paths, places, strict=True) if place.row == row]
            )
            batch_id = of.batch.statement.batch_id
            books.append(
                IssuedBook(
                    book_path(folder, batch_id),
                    certificates,
                    batch_id,
                    of.anchor.tx_id,
                    new is None or row != new.row,
                    of.evidence.members,
                    self._is_confirmed(of),
                )
            )
        return books

    def _is_confirmed(self, of: Anchored) -> bool | None:
        return of.evidence.is_complete if self._asks_members else None

    async def _digests(self, paths: Sequence[str]) -> list[FileDigest]:
        if self._readers is not None and len(paths) >= WORTH_READERS:
            return await self._readers.digests(paths)
        return await self._threads.work(digest_files, paths)

    async def _issue_requests(
        self, requests: Sequence[tuple[FileDigest, Order]]
    ) -> list[bytes | ShirushiError]:
        answers: dict[tuple[FileDigest, Order], bytes | ShirushiError] = {}
        for order in dict.fromkeys(order for _, order in requests):
            digests = list(dict.fromkeys(digest for digest, of in requests if of == order))
            try:
                places, new = await self._place(digests, order, lambda _: NOTHING_OWED)
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
        self, digests: Sequence[FileDigest], order: Order, owed: Callable[[Mapping[bytes, int]], Owed]
    ) -> tuple[list[Place], Entry | None]:
        refusal = await self._permission.refusal(order)
        return await self._threads.work(self._place_now, digests, order, owed, refusal)

    def _place_now(
        self,
        digests: Sequence[FileDigest],
        order: Order,
        owed: Callable[[Mapping[bytes, int]], Owed],
        refusal: OrderRefusedError | None,
    ) -> tuple[list[Place], Entry | None]:
        """Find each certificate in the journal, and prepare a batch of those that are new; returns its entry, if any.

        One call in the journal's one thread: no two batches can take up the same bytes. `owed` says what is to be written of the
        new batch, given where in it certificates are. `refusal` is raised if there are new ones, which the ledger would not take.
        """
        found = {}
        if not order.reissue:
            found = self._journal.find(order.document_type, [digest.sha256 for digest in digests])
        fresh = {digest.sha256: digest for digest in digests if digest.sha256 not in found}
        new = None
        if fresh:
            if refusal is not None:
                raise refusal
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
            due = owed(indexes)
            row = self._journal.prepare(batch, due, reissued=order.reissue)
            found |= {sha256: Place(row, index) for sha256, index in indexes.items()}
            new = Entry(row, State.PREPARED, batch, None, due)
        return [found[digest.sha256] for digest in digests], new

    async def _anchor_all(self, places: Iterable[Place], new: Entry | None) -> dict[int, Anchored]:
        """Bring all batches of these places to their end; the new one need not be read from the journal."""
        # All are begun before any is waited for: until then nobody else can have changed the new one's state.
        tasks = {row: self._anchoring.begin(row, new) for row in dict.fromkeys(place.row for place in places)}
        return {row: await asyncio.shield(task) for row, task in tasks.items()}


def _take(items: Iterator[Item], count: int) -> list[Item]:
    return list(islice(items, count))


def _receipts_owed(
    digests: Sequence[FileDigest], files: Sequence[FileToIssue], indexes: Mapping[bytes, int]
) -> Owed:
    return Owed(
        tuple(
            Delivery(indexes[digest.sha256], file.receipt_path)
            for digest, file in zip(digests, files, strict=True)
            if digest.sha256 in indexes
        )
    )
