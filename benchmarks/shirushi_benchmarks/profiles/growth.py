"""How the anchoring path grows: what an anchor, a document, a proof and a witness cost on a ledger of so many anchors.

A ledger is filled (growth_ledger.py) to one mark after the other, and at each mark measured through the public path: a witness
catches up with it, the embedded consortium starts on it, batches are anchored, documents issued, receipts verified. Each batch
says that it holds 100 certificates, so that 10^6 anchors stand for about 10^8. The data folder may hold a ledger from an
earlier run; it grows on. It takes 25 GB and about half an hour at 10^6 anchors:

    python -m shirushi_benchmarks.profiles.growth FOLDER --anchors 1000000 --documents 1000000 --scratch /dev/shm
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shirushi_benchmarks.machine import this_machine
from shirushi_benchmarks.measurement import Measurement, quantiles_ms
from shirushi_benchmarks.profiles.bulk import make_documents
from shirushi_benchmarks.profiles.growth_issuing import (
    BATCH,
    DOCUMENT_BYTES,
    RUNS,
    issue_folder,
    issuing,
    measure_journal,
    open_issuer,
)
from shirushi_benchmarks.profiles.growth_ledger import Filled, Progress, allocated_bytes, count, fill, opened
from shirushi_benchmarks.profiles.growth_processes import Watch, cpu_seconds
from shirushi_benchmarks.profiles.growth_transactions import CERTIFICATES, GrowthError
from shirushi_benchmarks.profiles.growth_witness import CaughtUp, catch_up, give_to_all, signing_seconds
from shirushi_client.hashing import digest_bytes
from shirushi_client.session import ISSUER, open_session
from shirushi_client.trust_policy_file import FILE_NAME, read_policy
from shirushi_client.verifier.offline_verifier import OfflineVerifier
from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.canonical import encode
from shirushi_core.proofs.compact import to_compact
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.report import Verdict
from shirushi_core.proofs.seal import make_seal
from shirushi_network import bring_up
from shirushi_network.layout import Layout

MARKS = (1_000, 10_000, 100_000, 1_000_000)
"""Anchors, and documents in one journal, at which is measured."""

PASSED = 0.9
"""Of the anchors that are there: what is measured at a smaller mark would be measured with too many."""

ANCHORED_BATCHES = 50
ENGINE = "embedded"
PATIENCE = 120.0
POLL_SECONDS = 0.05


def marks_up_to(most: int) -> tuple[int, ...]:
    """Return the marks up to a number, and the number itself."""
    return (*(mark for mark in MARKS if mark < most), most)


def measure_ledger(
    root: Path, scratch: Path, marks: Sequence[int], progress: Progress, *, batch: int = BATCH
) -> Iterator[Measurement]:
    """Fill a consortium's ledger to one mark after the other, and yield what is measured at each; raises ShirushiError.

    `root` is an empty folder, or one of an earlier run whose consortium is down; it is down at the end. Marks that its
    ledger has left behind are passed over. Documents are issued in `scratch`: on tmpfs, or it is the file system that is
    measured.
    """
    layout = _consortium(root, progress)
    with opened(layout) as store:
        there = count(store).anchors
    for mark in marks:
        if mark < PASSED * there:
            progress(f"passing over {mark} anchors: the ledger has {there}")
            continue
        yield from _at_mark(layout, root / "witness-alone", scratch / "work", mark, progress, batch)


def measure_documents(
    root: Path, scratch: Path, marks: Sequence[int], progress: Progress, *, batch: int = BATCH
) -> Iterator[Measurement]:
    """Issue documents with one journal to one mark after the other, on the consortium of `root`; raises ShirushiError.

    Documents, receipts and journal are in `scratch`, at most 2 GB: on tmpfs, or it is the file system that is measured.
    """
    layout = _consortium(root, progress)
    folder = scratch / "issuing"
    shutil.rmtree(folder, ignore_errors=True)
    _up(layout, progress)
    try:
        yield from measure_journal(layout.root, folder, marks, progress, batch=batch)
    finally:
        bring_up.down(layout)
        shutil.rmtree(folder, ignore_errors=True)


def _consortium(root: Path, progress: Progress) -> Layout:
    """Return the folder of a consortium that is down, with its city registered."""
    layout = Layout((root / "consortium").absolute())
    if not layout.connection.exists():
        bring_up.up(layout, base_port=0, progress=progress)
        bring_up.down(layout)
    return layout


def _at_mark(
    layout: Layout, derived: Path, work: Path, mark: int, progress: Progress, batch: int
) -> Iterator[Measurement]:
    for folder in (derived, work):
        shutil.rmtree(folder, ignore_errors=True)
    work.mkdir(parents=True)
    parameters: dict[str, int | float | str] = {"anchors": mark}
    fill(layout, mark // 2, progress)
    progress("a witness catches up from nothing")
    first = catch_up(layout, derived)
    started = time.perf_counter()
    filled = fill(layout, mark, progress)
    progress(f"filled in {time.perf_counter() - started:.0f} s; the witness catches up from half")
    second = catch_up(layout, derived)
    yield from _witness(filled, first, second, parameters)
    yield _signing(layout, second, parameters)
    give_to_all(layout, derived)
    shutil.rmtree(derived)
    progress(f"measuring with {filled.anchors} anchors")
    yield from _with_consortium(layout, work, filled, parameters, progress, batch)
    shutil.rmtree(work)


def _witness(
    filled: Filled, first: CaughtUp, second: CaughtUp, parameters: dict[str, int | float | str]
) -> Iterator[Measurement]:
    both = (first, second)
    entries = second.entries - first.entries_before
    yield Measurement(
        name="growth: a witness catches up from nothing",
        count=filled.anchors,
        seconds=sum(each.seconds for each in both),
        unit="anchors",
        engine=ENGINE,
        parameters=parameters,
        stages={
            "witness_cpu_us_per_anchor": round(
                1e6 * sum(each.cpu_seconds for each in both) / filled.anchors, 1
            ),
            "log_entries": entries,
            **{name: max(each.memory[name] for each in both) for name in second.memory},
        },
    )
    if second.entries > second.entries_before:
        yield Measurement(
            name="growth: a witness catches up from half",
            count=second.entries - second.entries_before,
            seconds=second.seconds,
            unit="entries",
            engine=ENGINE,
            parameters=parameters,
            stages={"entries_before": second.entries_before},
        )
    yield Measurement(
        name="growth: a witness restarts",
        count=1,
        seconds=second.restart_seconds,
        unit="starts",
        engine=ENGINE,
        parameters=parameters,
        stages=_disk("witness", second.folder_bytes, filled),
    )


def _signing(layout: Layout, witness: CaughtUp, parameters: dict[str, int | float | str]) -> Measurement:
    durations = signing_seconds(layout, witness.entries)
    return Measurement(
        name="growth: a witness signs a head",
        count=len(durations),
        seconds=sum(durations),
        unit="heads",
        engine=ENGINE,
        parameters=parameters,
        quantiles_ms=quantiles_ms(durations),
    )


def _with_consortium(
    layout: Layout,
    work: Path,
    filled: Filled,
    parameters: dict[str, int | float | str],
    progress: Progress,
    batch: int,
) -> Iterator[Measurement]:
    """Measure what needs the consortium up on its ledger."""
    ledger_bytes = allocated_bytes(layout.ledger)
    started = time.perf_counter()
    pid = _up(layout, progress)
    seconds = time.perf_counter() - started
    try:
        with Watch(pid) as memory:
            anchoring = asyncio.run(_anchor(layout, pid, parameters))
            issued = asyncio.run(_issue(layout, work, pid, parameters, batch))
            receipts = asyncio.run(_receipts(layout, work, parameters, batch))
    finally:
        bring_up.down(layout)
    yield Measurement(
        name="growth: the embedded consortium starts",
        count=1,
        seconds=seconds,
        unit="starts",
        engine=ENGINE,
        parameters=parameters,
        stages={
            **_disk("ledger", ledger_bytes, filled),
            "certificates_million": round(filled.certificates / 1e6, 2),
            **memory.stages("node"),
        },
    )
    yield anchoring
    yield issued
    yield receipts


def _disk(what: str, size: int, filled: Filled) -> dict[str, float]:
    return {
        f"{what}_mb": round(size / 1e6, 1),
        f"{what}_bytes_per_anchor": round(size / filled.anchors),
        f"{what}_bytes_per_certificate": round(size / filled.certificates, 1),
    }


async def _anchor(layout: Layout, pid: int, parameters: dict[str, int | float | str]) -> Measurement:
    """Anchor batches one after the other, each awaited until it is committed."""
    durations = []
    async with open_session(layout.root, ISSUER) as session:
        key, ledger, cpu = session.profile.load_seal_key(), session.ledger, cpu_seconds(pid)
        for _ in range(ANCHORED_BATCHES):
            statement = BatchStatement(
                session.consortium.channel,
                session.profile.issuer_id(),
                "growth-anchor",
                os.urandom(32),
                CERTIFICATES,
                int(time.time()),
            )
            started = time.perf_counter()
            await ledger.submit_issue(statement, make_seal(statement, key))
            durations.append(time.perf_counter() - started)
        cpu = cpu_seconds(pid) - cpu
    return Measurement(
        name="growth: one batch more is anchored",
        count=ANCHORED_BATCHES,
        seconds=sum(durations),
        unit="batches",
        engine=ENGINE,
        parameters=parameters,
        quantiles_ms=quantiles_ms(durations),
        stages={"node_cpu_ms_per_batch": round(1000 * cpu / ANCHORED_BATCHES, 1)},
    )


async def _issue(
    layout: Layout, work: Path, pid: int, parameters: dict[str, int | float | str], batch: int
) -> Measurement:
    """Issue full batches one after the other, from files to receipts on disk."""
    folders = [work / "documents" / str(number) for number in range(RUNS)]
    for each in folders:
        make_documents(each, count=batch, size=DOCUMENT_BYTES)
    async with open_issuer(layout.root, work / "journal.db", batch=batch) as issuer:
        cpu = cpu_seconds(pid)
        runs = [await issue_folder(issuer, each) for each in folders]
        cpu = cpu_seconds(pid) - cpu
    return issuing(
        "growth: documents are issued",
        runs,
        RUNS * batch,
        {**parameters, "batch": batch},
        {"node_cpu_us_per_document": round(1e6 * cpu / (RUNS * batch), 1)},
    )


async def _receipts(
    layout: Layout, work: Path, parameters: dict[str, int | float | str], batch: int
) -> Measurement:
    """Issue a batch whose receipts have a compact form too, and verify them offline; lengths are those of its first one."""
    folder = work / "certified"
    make_documents(folder, count=batch, size=DOCUMENT_BYTES)
    async with open_issuer(layout.root, work / "certified.db", batch=batch, certified=True) as issuer:
        await issue_folder(issuer, folder)
    files = sorted(folder.rglob("*.pdf"))
    verifier = OfflineVerifier(read_policy(layout.root / FILE_NAME))
    digests = [digest_bytes(file.read_bytes()) for file in files]
    written = [Path(f"{file}.receipt.json").read_bytes() for file in files]
    plain = next((work / "documents" / "0").rglob("*.receipt.json")).stat().st_size
    started = time.perf_counter()
    receipts = [Receipt.from_bytes(each) for each in written]
    valid = sum(
        verifier.verify_digest(digest, receipt).verdict is Verdict.VALID
        for digest, receipt in zip(digests, receipts, strict=True)
    )
    seconds = time.perf_counter() - started
    log, status = receipts[0].log, receipts[0].status
    if log is None or status is None:
        raise GrowthError(f"expected evidence in {files[0]}'s receipt, found none: see {layout.log}")
    return Measurement(
        name="growth: receipts are verified",
        count=len(receipts),
        seconds=seconds,
        unit="receipts",
        failures=len(receipts) - valid,
        engine=ENGINE,
        parameters={**parameters, "batch": batch},
        stages={
            "log_path_hashes": len(log.inclusion.path),
            "log_path_hashes_longest": (log.head.checkpoint.size - 1).bit_length(),
            "batch_path_hashes": len(receipts[0].path),
            "receipt_bytes": plain,
            "receipt_bytes_with_quorum_certificate": len(written[0]),
            "compact_bytes": len(to_compact(receipts[0])),
            "status_evidence_bytes": len(encode(status.to_json())),
            "status_tree_proof_bytes": len(status.statuses.proof),
        },
    )


def _up(layout: Layout, progress: Progress) -> int:
    """Bring the consortium up, and return its process's id once every witness signs; raises GrowthError."""
    status = bring_up.up(layout, base_port=None, progress=progress)
    deadline = time.monotonic() + PATIENCE
    while waiting := _not_signing(status):
        if time.monotonic() > deadline:
            raise GrowthError(f"waited {PATIENCE:.0f} s in vain for the witnesses to sign: {waiting[0]}")
        time.sleep(POLL_SECONDS)
        status = bring_up.status(layout)
    return int(status["pid"])


def _not_signing(status: dict[str, Any]) -> list[str]:
    return [
        f"{member['id']}: {member['witness']['refusing']}"
        for member in status["members"]
        if member["witness"]["refusing"] is not None
    ]


def main() -> None:
    """Measure from the command line, and print one JSON document."""
    parser = argparse.ArgumentParser(description="Measure how the anchoring path grows.")
    parser.add_argument("folder", type=Path, help="An empty folder, or that of an earlier run.")
    parser.add_argument("--anchors", type=int, default=100_000, help="Anchors to fill up to; 0: none.")
    parser.add_argument("--documents", type=int, default=100_000, help="Documents to issue; 0: none.")
    parser.add_argument(
        "--scratch", type=Path, help="Where documents are issued; the folder itself if left out."
    )
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that what was started is ended too
    found: list[Measurement] = []

    def tell(what: str) -> None:
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {what}\n")

    def note(measured: Measurement) -> None:
        found.append(measured)
        tell(json.dumps(measured.to_json()))

    scratch = given.scratch or given.folder
    if given.anchors:
        for measured in measure_ledger(given.folder, scratch, marks_up_to(given.anchors), tell):
            note(measured)
    if given.documents:
        for measured in measure_documents(given.folder, scratch, marks_up_to(given.documents), tell):
            note(measured)
    document = {"machine": asdict(this_machine()), "measurements": [each.to_json() for each in found]}
    sys.stdout.write(f"{json.dumps(document, indent=1)}\n")


if __name__ == "__main__":
    main()
