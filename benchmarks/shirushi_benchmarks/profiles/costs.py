"""Where the time of one transaction and of one document goes: what to look at before anything is made faster."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from shirushi_benchmarks.measurement import Measurement
from shirushi_benchmarks.networks import NetworkKind, RunningNetwork, running
from shirushi_benchmarks.peers.errors import MeasuringError
from shirushi_benchmarks.profiles.bulk import make_documents
from shirushi_benchmarks.profiles.transactions import load_of
from shirushi_benchmarks.sampling import Sampler, per_thing_us
from shirushi_benchmarks.settings import Advance, Documents, Settings
from shirushi_client.hashing import digest_files
from shirushi_client.issuer.batch import checked_book, seal_batch
from shirushi_client.issuer.book_files import book_path, write_book
from shirushi_client.issuer.journal import Journal, Owed
from shirushi_client.issuer.sources import certificates_in
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.commitment import SALT_SIZE
from shirushi_network.engines import open_engine

TRANSACTION, DOCUMENT = "a transaction's processor time", "a document's processor time"
IN_FLIGHT = 50
BATCHES = 5
DOCUMENT_BYTES = 2048
START_SECONDS = 60.0


def measure_costs(folder: Path, settings: Settings, advance: Advance) -> Iterator[Measurement]:
    """Yield what a document costs, step by step, in µs; then a transaction of one certificate, in the node and in the client."""
    yield _document(folder / "documents", settings.batch, advance)
    with running(NetworkKind.EMBEDDED, folder / "consortium", lambda _: None, witnesses=False) as network:
        yield from _transaction(network, settings, advance)


def _transaction(network: RunningNetwork, settings: Settings, advance: Advance) -> Iterator[Measurement]:
    samples = network.layout.root / "samples.json"
    with _sampled(network, samples) as node:
        sampler = Sampler()

        def begin() -> None:
            os.kill(node.pid, signal.SIGUSR1)
            sampler.start()

        client: dict[str, float] = {}

        def end() -> None:
            client.update(sampler.stop())
            os.kill(node.pid, signal.SIGUSR1)

        durations, failed, seconds = asyncio.run(
            load_of(network, settings.transactions, IN_FLIGHT, settings.step_seconds, advance, begin, end)
        )
    used = _read(samples)
    count = len(durations)
    for process, cost in (("node", used), ("client", client)):
        yield Measurement(
            name=TRANSACTION,
            count=count,
            seconds=seconds,
            unit="transactions",
            failures=failed.total(),
            engine=network.kind.value,
            parameters={"process": process, "in_flight": IN_FLIGHT, "endorsements": 3},
            stages=per_thing_us(cost, max(1, count)),
            failed_with=dict(failed),
        )


@contextmanager
def _sampled(network: RunningNetwork, out: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Have the consortium's process run with a sampler; raises MeasuringError if it does not start."""
    layout = network.layout
    open_engine(layout).stop()
    told, tell = os.pipe()
    with layout.log.open("ab") as log, os.fdopen(told, "rb") as answer:
        try:
            process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [
                    sys.executable,
                    "-m",
                    "shirushi_benchmarks.sampled_node",
                    str(layout.root),
                    str(tell),
                    str(out),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(tell,),
            )
        finally:
            os.close(tell)
        ready, _, _ = select.select([answer], [], [], START_SECONDS)
        line = answer.readline().decode(errors="replace").strip() if ready else "it was silent"
    try:
        if line != "ready":
            raise MeasuringError(f"the node that was to be sampled did not start: {line}")
        yield process
    finally:
        process.terminate()
        process.wait()


def _read(samples: Path) -> dict[str, float]:
    """Read what the node wrote as it ended; raises MeasuringError."""
    try:
        return {str(name): float(seconds) for name, seconds in json.loads(samples.read_bytes()).items()}
    except (OSError, ValueError) as error:
        raise MeasuringError(f"the node that was sampled left no samples: {error}") from error


def _document(folder: Path, batch: int, advance: Advance) -> Measurement:
    """Issue batches into books step by step, in one thread and without a ledger, and time each step."""
    make_documents(folder, Documents(batch, DOCUMENT_BYTES))
    key = ec.generate_private_key(ec.SECP256R1())
    watch = _StopWatch()
    started = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(dir=folder.parent) as books,
        Journal(folder.parent / "journal.db") as journal,
    ):
        for number in range(BATCHES):
            _issue_batch(folder, Path(books), journal, key, f"type-{number}", watch)
            advance(DOCUMENT, number + 1, BATCHES)
    return Measurement(
        name=DOCUMENT,
        count=BATCHES * batch,
        seconds=time.perf_counter() - started,
        unit="documents",
        parameters={"bytes": DOCUMENT_BYTES, "batch": batch, "receipts": "books"},
        stages=per_thing_us(watch.spent, BATCHES * batch),
    )


class _StopWatch:
    """Processor time of this thread by step."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.thread_time()
        yield
        self.spent[name] = self.spent.get(name, 0.0) + time.thread_time() - started


def _issue_batch(
    folder: Path,
    books: Path,
    journal: Journal,
    key: ec.EllipticCurvePrivateKey,
    document_type: str,
    watch: _StopWatch,
) -> None:
    """Do what the issuer does with one batch; each is of another type, else the same bytes would be issued already."""
    with watch.step("finding files"):
        paths = list(certificates_in([folder]))
    with watch.step("reading and hashing"):
        digests = digest_files(paths)
    with watch.step("looking up in the journal"):
        journal.find(document_type, [each.sha256 for each in digests])
    with watch.step("salts, commitments, tree, seal"):
        sealed = seal_batch(
            digests,
            os.urandom(SALT_SIZE * len(digests)),
            ledger="shirushi-test",
            issuer="iizuka-city",
            document_type=document_type,
            valid_from=1,
            valid_until=None,
            key=key,
        )
    anchor = IssuanceAnchor(sealed.statement, sealed.seal, 1, os.urandom(32).hex(), 1)
    with watch.step("writing down in the journal"):
        row = journal.prepare(sealed, Owed(book_folder=str(books)))
        journal.commit(row, anchor)
        journal.deliver(row)
    with watch.step("making and checking the book"):
        data = checked_book(sealed, anchor, None, None)
    with watch.step("writing the book"):
        write_book(book_path(str(books), sealed.statement.batch_id), data, anew=True)
