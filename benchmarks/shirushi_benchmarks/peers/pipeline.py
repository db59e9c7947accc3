"""Our pipeline without the ledger: from files in a folder to checked receipts on disk.

Included: finding the files, reading and digesting them, salts, commitments, the tree and its paths, the seal, every receipt
made, checked as a recipient would, and written (to a temporary name, then renamed), and a sync after each batch. Not included: the
journal, the ledger, and what members confirm, which makes receipts longer.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from shirushi_benchmarks.measurement import Measurement
from shirushi_benchmarks.peers.documents import SIZE, write_certificates
from shirushi_client.hashing import digest_files
from shirushi_client.issuer.batch import checked_receipts, seal_batch
from shirushi_client.issuer.issuer import FileToIssue
from shirushi_client.issuer.receipt_files import SUFFIX, write_receipts
from shirushi_client.issuer.sources import files_to_issue
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.commitment import SALT_SIZE
from shirushi_core.proofs.receipt import BatchEvidence

NAME = "pipeline without ledger"

LEDGER, ISSUER, DOCUMENT_TYPE = "shirushi-test", "iizuka-city", "income"


async def measure_pipeline(
    *,
    count: int,
    batch: int,
    size: int = SIZE,
    folder: Path | None = None,
    advance: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Measurement:
    """Make receipts of `count` documents, in a folder below `folder` (None: the system's temporary one)."""
    return await asyncio.to_thread(_measured, count, batch, size, folder, advance)


def _measured(
    count: int, batch: int, size: int, where: Path | None, advance: Callable[[str, int, int], None]
) -> Measurement:
    with tempfile.TemporaryDirectory(prefix="shirushi-bench-", dir=where) as name:
        folder = Path(name) / "documents"
        write_certificates(folder, count=count, size=size)
        os.sync()
        key = ec.generate_private_key(ec.SECP256R1())
        done = 0
        cpu, started = time.thread_time(), time.perf_counter()
        files = files_to_issue([folder])
        while part := list(islice(files, batch)):
            issue_without_ledger(part, key)
            done += len(part)
            advance(NAME, done, count)
        seconds, cpu = time.perf_counter() - started, time.thread_time() - cpu
        written = sum(file.name.endswith(SUFFIX) for file in folder.iterdir())
    return Measurement(
        name=NAME,
        count=written,
        seconds=seconds,
        unit="documents",
        failures=count - written,
        parameters={"bytes": size, "batch": batch},
        stages={"cpu_seconds_per_thousand": round(1000 * cpu / max(1, written), 4)},
    )


def issue_without_ledger(files: Sequence[FileToIssue], key: ec.EllipticCurvePrivateKey) -> None:
    """Make one batch of files and write their receipts; the anchor is what the ledger would have made of it."""
    now = int(time.time())
    sealed = seal_batch(
        digest_files([file.path for file in files]),
        os.urandom(SALT_SIZE * len(files)),
        ledger=LEDGER,
        issuer=ISSUER,
        document_type=DOCUMENT_TYPE,
        valid_from=now,
        valid_until=None,
        key=key,
    )
    anchor = IssuanceAnchor(sealed.statement, sealed.seal, now, os.urandom(32).hex(), 1)
    receipts = checked_receipts(sealed, anchor, BatchEvidence(), range(len(files)))
    write_receipts(zip((file.receipt_path for file in files), receipts, strict=True))
    os.sync()
