"""What a document costs its issuer as the issuer's own journal grows: one journal, one process, up to a million documents.

At each mark the same work is done, a few batches of a full size, so that nothing but the journal differs. Documents are made
before the clock runs and deleted after it has stopped; opening connections and journal is not counted either.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from shirushi_benchmarks.document_types import GROWTH
from shirushi_benchmarks.issuing import open_issuer
from shirushi_benchmarks.measurement import Measurement
from shirushi_benchmarks.profiles.bulk import make_documents
from shirushi_benchmarks.profiles.growth_memory import Watch
from shirushi_benchmarks.settings import Documents
from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.issuer import BOOK_COUNT, Issuer
from shirushi_client.issuer.sources import certificates_in, files_to_issue

NAME = "growth of the journal"

BATCH = 4096
BOOK_BATCH = BOOK_COUNT
RUNS = 5
"""Batches issued at each mark: the median is what counts."""

PART = 100_000
"""Documents on the disk at once, between marks."""

DOCUMENT_BYTES = 2048

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Issued:
    """One folder's documents: how many have receipts, and what that took in the issuer's process."""

    documents: int
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class _Part:
    """What one process is to issue, into its journal: so many folders of so many documents."""

    data: Path
    journal: Path
    folder: Path
    folders: int
    documents: int
    batch: int


def measure_journal(
    data: Path, folder: Path, marks: Sequence[int], progress: Progress, *, batch: int = BOOK_BATCH
) -> Iterator[Measurement]:
    """Issue into receipt books up to the last of some marks, and yield at each what RUNS batches more cost with a journal of that size.

    `data` is that of a consortium that is up; `folder` is an empty one for documents and journal, a few hundred MB.
    """
    folder.mkdir(parents=True, exist_ok=True)
    issued = 0

    def part(folders: int, documents: int) -> _Part:
        return _Part(data, folder / "journal.db", folder / "documents", folders, documents, batch)

    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        for mark in marks:
            while issued < mark:
                progress(f"issued {issued} of {mark} documents")
                (done,), _ = pool.submit(_issue_part, part(1, min(PART, mark - issued))).result()
                issued += done.documents
            runs, memory = pool.submit(_issue_part, part(RUNS, batch)).result()
            issued += sum(each.documents for each in runs)
            size = sum(file.stat().st_size for file in folder.glob("journal.db*"))
            stages = {**memory, "journal_bytes_per_document": round(size / issued, 1)}
            yield issuing(NAME, runs, RUNS * batch, {"documents": mark, "batch": batch}, stages)


def issuing(
    name: str,
    runs: Sequence[Issued],
    expected: int,
    parameters: Mapping[str, int | float | str],
    stages: Mapping[str, float],
) -> Measurement:
    """Return what some runs of issuing come to: totals, and the median run's CPU time for one document."""
    documents = sum(each.documents for each in runs)
    return Measurement(
        name=name,
        count=documents,
        seconds=sum(each.seconds for each in runs),
        unit="documents",
        failures=expected - documents,
        engine="embedded",
        parameters=parameters,
        stages={
            "issuer_cpu_us_per_document": round(median(cost(each) for each in runs), 1),
            "us_per_document": round(median(1e6 * each.seconds / each.documents for each in runs), 1),
            **stages,
        },
    )


def cost(issued: Issued) -> float:
    """Return the CPU microseconds of the issuer's process for one document."""
    return 1e6 * issued.cpu_seconds / issued.documents


async def issue_folder(issuer: Issuer, folder: Path) -> Issued:
    """Issue every document of a folder, receipts beside them."""
    documents = 0
    started, cpu = time.perf_counter(), time.process_time()
    async with aclosing(issuer.issue_files(files_to_issue([folder]), Order(GROWTH))) as parts:
        async for part in parts:
            documents += len(part)
    return Issued(documents, time.perf_counter() - started, time.process_time() - cpu)


async def issue_into_books(issuer: Issuer, folder: Path) -> Issued:
    """Issue every document of a folder into receipt books beside it."""
    documents = 0
    books = folder.with_name(f"{folder.name}-books")
    books.mkdir()
    started, cpu = time.perf_counter(), time.process_time()
    issuing = issuer.issue_books(certificates_in([folder]), Order(GROWTH), str(books))
    async with aclosing(issuing) as parts:
        async for part in parts:
            documents += sum(len(book.certificates) for book in part)
    return Issued(documents, time.perf_counter() - started, time.process_time() - cpu)


def _issue_part(part: _Part) -> tuple[list[Issued], dict[str, float]]:
    """Issue documents that are made for it and deleted again; returns each folder's cost, and memory while issuing."""
    folders = [part.folder / str(number) for number in range(part.folders)]
    for each in folders:
        make_documents(each, Documents(part.documents, DOCUMENT_BYTES))
    try:
        with Watch(os.getpid()) as memory:
            done = asyncio.run(_issue_folders(part, folders))
        return done, memory.stages("issuer")
    finally:
        shutil.rmtree(part.folder)


async def _issue_folders(part: _Part, folders: Sequence[Path]) -> list[Issued]:
    async with open_issuer(part.data, part.journal, batch=part.batch) as issuer:
        return [await issue_into_books(issuer, each) for each in folders]
