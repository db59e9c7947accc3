"""Documents a second: from files in folders to checked receipts on disk, through the issuer and the ledger."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import TypeVar

from shirushi_benchmarks.document_types import BENCHMARK
from shirushi_benchmarks.issuing import open_issuer
from shirushi_benchmarks.ledger_size import bytes_of_blocks, ledger_height
from shirushi_benchmarks.measurement import Measurement, quantiles_ms
from shirushi_benchmarks.networks import RunningNetwork
from shirushi_benchmarks.processes import watching
from shirushi_benchmarks.settings import MAX_DOCUMENTS, Advance, Documents, Settings
from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.batcher import MAX_COUNT
from shirushi_client.issuer.issued import Issued, IssuedBook
from shirushi_client.issuer.readers import open_readers
from shirushi_client.issuer.sources import certificates_in, files_to_issue
from shirushi_core.errors import ShirushiError

NAME = "bulk"
ENOUGH = 100_000
"""Documents by which it can be seen what a member that is down changes."""

BOOKS, FILES = "books", "files"
"""What receipts are written into: a book for each batch, or a file each."""

FILES_PER_FOLDER = 1000

RECEIPT_BYTES = 2048
"""About the size of a receipt in a batch of thousands."""

PLAIN_FILES = 4096
"""Files at most that are written to see what the file system takes."""

PEAK_MEMORY = "peak_memory_mb_"
"""What the figures of memory begin with; then comes which process."""


Item = TypeVar("Item")


async def measure_bulk(
    network: RunningNetwork, folder: Path, settings: Settings, advance: Advance
) -> list[Measurement]:
    """Issue folders of documents into books, of each of the sizes in turn, and some of the first with a receipt file each.

    What was made for one is removed before the next. With a member down there are at most ENOUGH of each size.
    """
    first = settings.documents[0]
    few = Documents(min(first.count, settings.receipts), first.size)
    most = ENOUGH if network.down else MAX_DOCUMENTS
    plans = [
        (Documents(min(each.count, most), each.size), BOOKS, settings.batch) for each in settings.documents
    ]
    plans.append((few, FILES, min(settings.batch, MAX_COUNT)))
    measurements = []
    for number, (documents, receipts, batch) in enumerate(plans):
        scratch = folder / str(number)
        try:
            measurements.append(await _measure(network, scratch, documents, receipts, batch, advance))
        finally:
            await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)
    return measurements


async def _measure(
    network: RunningNetwork,
    folder: Path,
    documents: Documents,
    receipts: str,
    batch: int,
    advance: Advance,
) -> Measurement:
    making, issuing = (f"{what} documents of {documents.size} bytes" for what in ("making", "issuing"))
    await asyncio.to_thread(
        make_documents, folder / "documents", documents, lambda done: advance(making, done, documents.count)
    )
    plain = await asyncio.to_thread(
        _plain_files_per_second, folder / "plain", min(documents.count, PLAIN_FILES)
    )
    first = await ledger_height(network.layout)
    issued, durations, failed_with = 0, list[float](), dict[str, int]()
    with watching(network.layout.root) as watch:
        started = time.perf_counter()
        try:
            async with aclosing(_issue(network.layout.root, folder, receipts, batch)) as parts:
                async for count, duration in parts:
                    issued += count
                    durations.append(duration)
                    advance(issuing, issued, documents.count)
        except ShirushiError as error:
            failed_with[type(error).__name__] = documents.count - issued
        seconds = time.perf_counter() - started
    usage = watch.usage()
    end = await ledger_height(network.layout)
    on_ledger = await bytes_of_blocks(network.layout.root, first, end)
    thousands = max(issued, 1) / 1000
    return Measurement(
        name=NAME,
        count=issued,
        seconds=seconds,
        unit="documents",
        failures=documents.count - issued,
        engine=network.kind.value,
        parameters={
            "bytes": documents.size,
            "batch": batch,
            "receipts": receipts,
            "member_down": network.down,
        },
        quantiles_ms=quantiles_ms(durations),
        stages={
            "issuer_cpu_seconds_per_thousand": round(usage.issuer_cpu_seconds / thousands, 4),
            "network_cpu_seconds_per_thousand": round(usage.network_cpu_seconds / thousands, 4),
            "ledger_bytes_per_thousand": round(on_ledger / thousands),
            **{f"{PEAK_MEMORY}{name}": peak for name, peak in usage.peaks_mb.items()},
            "plain_files_per_second": plain,
        },
        failed_with=failed_with,
    )


async def _issue(
    data: Path, folder: Path, receipts: str, batch: int
) -> AsyncGenerator[tuple[int, float], None]:
    """Issue every document, and give batch by batch how many have their receipts on disk, and after how long.

    That is counted from when the batch's first document was taken up, for all of its documents: at most one waited as long. Processes
    that read are started before, as those of a service that runs are.
    """
    taken: list[float] = []
    documents, books = folder / "documents", folder / "books"
    books.mkdir()
    with open_readers(os.cpu_count() or 1) as readers:
        if readers is not None:
            await readers.digests([next(certificates_in([documents]))])
        async with open_issuer(data, folder / "journal.db", batch=batch, readers=readers) as issuer:
            order = Order(BENCHMARK)
            parts: AsyncGenerator[list[Issued] | list[IssuedBook], None]
            if receipts == BOOKS:
                parts = issuer.issue_books(
                    _noting(certificates_in([documents]), batch, taken), order, str(books)
                )
            else:
                parts = issuer.issue_files(_noting(files_to_issue([documents]), batch, taken), order)
            async with aclosing(parts):
                number = 0
                async for part in parts:
                    yield sum(map(_certificates, part)), time.perf_counter() - taken[number]
                    number += 1


def _certificates(issued: Issued | IssuedBook) -> int:
    return len(issued.certificates) if isinstance(issued, IssuedBook) else 1


def _noting(items: Iterable[Item], batch: int, taken: list[float]) -> Iterator[Item]:
    """Yield items, and note when the first of each batch is taken."""
    for number, item in enumerate(items):
        if number % batch == 0:
            taken.append(time.perf_counter())
        yield item


def make_documents(folder: Path, documents: Documents, tell: Callable[[int], None] = lambda _: None) -> None:
    """Write files of random bytes, in sub-folders of FILES_PER_FOLDER; `tell` is told how many there are."""
    for start in range(0, documents.count, FILES_PER_FOLDER):
        end = min(start + FILES_PER_FOLDER, documents.count)
        part = folder / f"{start:07d}"
        part.mkdir(parents=True)
        for number in range(start, end):
            (part / f"{number:07d}.pdf").write_bytes(os.urandom(documents.size))
        tell(end)
    os.sync()  # what is still to be written would be written while the issuer is measured


def _plain_files_per_second(folder: Path, count: int) -> float:
    """Return how many files of a receipt's size the file system takes a second: what no issuer with such files goes beyond."""
    content = os.urandom(RECEIPT_BYTES)
    folder.mkdir()
    started = time.perf_counter()
    for number in range(count):
        (folder / f"{number:07d}").write_bytes(content)
    os.sync()
    return round(count / (time.perf_counter() - started))
