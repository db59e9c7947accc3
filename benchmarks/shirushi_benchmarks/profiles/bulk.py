"""Documents a second: from files in a folder to checked receipts on disk, through the issuer and the ledger."""

from __future__ import annotations

import os
import resource
import time
from contextlib import aclosing
from pathlib import Path

from shirushi_benchmarks.measurement import Measurement
from shirushi_client.evidence_session import open_gatherer
from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.issuer import Issuer
from shirushi_client.issuer.journal import Journal
from shirushi_client.issuer.sources import files_to_issue
from shirushi_client.session import ISSUER, open_session

FILES_PER_FOLDER = 1000

RECEIPT_BYTES = 2048
"""About the size of a receipt in a batch of thousands."""

PLAIN_FILES = 4096


def make_documents(folder: Path, *, count: int, size: int) -> None:
    """Write `count` files of `size` random bytes, in sub-folders of FILES_PER_FOLDER."""
    for start in range(0, count, FILES_PER_FOLDER):
        part = folder / f"{start:07d}"
        part.mkdir(parents=True)
        for number in range(start, min(start + FILES_PER_FOLDER, count)):
            (part / f"{number:07d}.pdf").write_bytes(os.urandom(size))


def _plain_files_per_second(folder: Path) -> float:
    """Return how many files of a receipt's size the file system takes a second: what no issuer here can go beyond."""
    content = os.urandom(RECEIPT_BYTES)
    folder.mkdir()
    started = time.perf_counter()
    for number in range(PLAIN_FILES):
        (folder / f"{number:07d}").write_bytes(content)
    os.sync()
    return round(PLAIN_FILES / (time.perf_counter() - started))


async def measure_documents(data: Path, folder: Path, *, count: int, size: int, batch: int) -> Measurement:
    """Issue every document of a folder, receipts beside them; the journal is a fresh one beside the folder."""
    issued = 0
    async with open_session(data, ISSUER) as session, open_gatherer(data) as evidence:
        with Journal(folder.parent / "journal.db") as journal:
            async with Issuer(
                name=session.profile.issuer_id(),
                seal_key=session.profile.load_seal_key(),
                ledger=session.ledger,
                journal=journal,
                evidence=evidence,
                max_count=batch,
            ) as issuer:
                started, cpu = time.perf_counter(), time.process_time()
                async with aclosing(
                    issuer.issue_files(files_to_issue([folder]), Order("benchmark"))
                ) as parts:
                    async for part in parts:
                        issued += len(part)
                seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return Measurement(
        name="documents",
        count=issued,
        seconds=seconds,
        unit="documents",
        failures=count - issued,
        parameters={"bytes": size, "batch": batch},
        stages={
            "issuer_cpu_seconds_per_thousand": round(1000 * cpu / max(issued, 1), 4),
            "issuer_peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            "plain_files_per_second": _plain_files_per_second(folder.parent / "plain"),
        },
    )
