"""Our pipeline without the ledger, in one process: from documents to checked receipts.

It is measured in four forms. From *files*: finding, reading and hashing them is included; from *memory*, as wrapDocuments has its
documents, only hashing is. To *receipts*: each is made with its inclusion path and checked as a recipient would; to a *book*: one for
a batch, its bytes checked. From files they are written and on disk at the end of each batch. Always included: salts, commitments, the tree,
the seal. Not included: the journal, the ledger, and what members confirm, which makes receipts longer.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from shirushi_benchmarks.measurement import Measurement
from shirushi_benchmarks.peers.documents import SIZE, income_certificates, write_certificates
from shirushi_client.hashing import FileDigest, digest_bytes, digest_files
from shirushi_client.issuer.batch import Batch, checked_book, checked_receipts, seal_batch
from shirushi_client.issuer.book_files import book_path, write_book
from shirushi_client.issuer.issued import FileToIssue
from shirushi_client.issuer.receipt_files import write_receipts
from shirushi_client.issuer.sources import files_to_issue
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.commitment import SALT_SIZE
from shirushi_core.proofs.receipt import BatchEvidence

NAME = "pipeline without ledger"
FILES, MEMORY = "files", "memory"
RECEIPTS, BOOK = "receipts", "book"

LEDGER, ISSUER, DOCUMENT_TYPE = "shirushi-test", "iizuka-city", "income"

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Form:
    """Where documents come from and what becomes of them."""

    source: str
    result: str


FORMS = (Form(FILES, RECEIPTS), Form(FILES, BOOK), Form(MEMORY, RECEIPTS), Form(MEMORY, BOOK))


async def measure_pipeline(
    *,
    count: int,
    batch: int,
    size: int = SIZE,
    folder: Path | None = None,
    advance: Advance = lambda what, done, total: None,
) -> list[Measurement]:
    """Make receipts of `count` documents in each form, in folders below `folder` (None: the system's temporary one)."""
    return [await asyncio.to_thread(_measured, form, count, batch, size, folder, advance) for form in FORMS]


def _measured(
    form: Form, count: int, batch: int, size: int, where: Path | None, advance: Advance
) -> Measurement:
    key = ec.generate_private_key(ec.SECP256R1())
    with tempfile.TemporaryDirectory(prefix="shirushi-bench-", dir=where) as name:
        folder = Path(name) / "documents"
        contents = [] if form.source == FILES else list(income_certificates(count, size))
        if form.source == FILES:
            write_certificates(folder, count=count, size=size)
            os.sync()
        done = 0
        cpu, started = time.thread_time(), time.perf_counter()
        if form.source == FILES:
            files = files_to_issue([folder])
            while part := list(islice(files, batch)):
                done += from_files(part, key, form.result)
                advance(NAME, done, count)
        else:
            for start in range(0, count, batch):
                done += from_memory(contents[start : start + batch], key, form.result)
                advance(NAME, done, count)
        seconds, cpu = time.perf_counter() - started, time.thread_time() - cpu
    return Measurement(
        name=NAME,
        count=done,
        seconds=seconds,
        unit="documents",
        failures=count - done,
        parameters={"bytes": size, "batch": batch, "from": form.source, "to": form.result},
        stages={"cpu_seconds_per_thousand": round(1000 * cpu / max(1, done), 4)},
    )


def from_files(files: Sequence[FileToIssue], key: ec.EllipticCurvePrivateKey, result: str) -> int:
    """Make one batch of files and write its receipts beside them, or its book; returns of how many it has receipts."""
    sealed, anchor = _sealed(digest_files([file.path for file in files]), key)
    if result == BOOK:
        folder = os.path.dirname(files[0].path)  # noqa: PTH120 (as the issuer does)
        path = book_path(folder, sealed.statement.batch_id)
        write_book(path, checked_book(sealed, anchor, None, None), anew=True)
        return len(sealed.certificates)
    receipts = checked_receipts(sealed, anchor, BatchEvidence(), range(len(files)))
    write_receipts(zip((file.receipt_path for file in files), receipts, strict=True))
    os.sync()
    return len(files)


def from_memory(contents: Sequence[bytes], key: ec.EllipticCurvePrivateKey, result: str) -> int:
    """Make one batch's receipts or book of documents in memory; returns of how many it has receipts."""
    sealed, anchor = _sealed([digest_bytes(content) for content in contents], key)
    if result == BOOK:
        return len(sealed.certificates) if checked_book(sealed, anchor, None, None) else 0
    return len(list(checked_receipts(sealed, anchor, BatchEvidence(), range(len(contents)))))


def _sealed(digests: Sequence[FileDigest], key: ec.EllipticCurvePrivateKey) -> tuple[Batch, IssuanceAnchor]:
    """Seal a batch; the anchor is what the ledger would have made of it."""
    now = int(time.time())
    sealed = seal_batch(
        digests,
        os.urandom(SALT_SIZE * len(digests)),
        ledger=LEDGER,
        issuer=ISSUER,
        document_type=DOCUMENT_TYPE,
        valid_from=now,
        valid_until=None,
        key=key,
    )
    return sealed, IssuanceAnchor(sealed.statement, sealed.seal, now, os.urandom(32).hex(), 1)
