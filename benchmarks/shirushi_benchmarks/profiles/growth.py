"""How the anchoring path grows: what an anchor, a document, a proof and a witness cost on a ledger of so many anchors.

A ledger is filled (growth_ledger.py) to one mark after the other, and at each mark measured through the public path: a witness
catches up with it, the embedded consortium starts on it, batches are anchored, documents issued, receipts verified. Each batch
says that it holds 100 certificates, so that 10^6 anchors stand for about 10^8. The data folder may hold a ledger from an
earlier run; it grows on. It takes 16 GB and 25 minutes at 10^6 anchors:

    python -m shirushi_benchmarks.profiles.growth FOLDER --anchors 1000000 --documents 1000000 --scratch TMPFS
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from shirushi_benchmarks import document_types
from shirushi_benchmarks.machine import this_machine
from shirushi_benchmarks.measurement import Measurement, quantiles_ms
from shirushi_benchmarks.profiles.growth_consortium import ENGINE, Parameters, disk, measure_consortium, start
from shirushi_benchmarks.profiles.growth_issuing import BATCH, BOOK_BATCH, measure_journal
from shirushi_benchmarks.profiles.growth_ledger import Filled, Progress, count, fill, opened
from shirushi_benchmarks.profiles.growth_witness import CaughtUp, catch_up, give_to_all, signing_seconds
from shirushi_network import bring_up
from shirushi_network.layout import Layout
from shirushi_network.ports import with_ports
from shirushi_network.topology import default_topology

MARKS = (1_000, 10_000, 100_000, 1_000_000)
"""Anchors, and documents in one journal, at which is measured."""

PASSED = 0.9
"""Of the anchors that are there: what is measured at a smaller mark would be measured with too many."""


def marks_up_to(most: int) -> tuple[int, ...]:
    """Return the marks up to a number, and the number itself."""
    return (*(mark for mark in MARKS if mark < most), most)


def measure_growth(
    root: Path, scratch: Path, *, anchors: int, documents: int, progress: Progress
) -> Iterator[Measurement]:
    """Measure at every mark up to so many anchors, and then up to so many documents with one journal; 0 leaves either out.

    See measure_ledger and measure_documents for the folders; raises ShirushiError.
    """
    if anchors:
        yield from measure_ledger(root, scratch, marks_up_to(anchors), progress)
    if documents:
        yield from measure_documents(root, scratch, marks_up_to(documents), progress)


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
    root: Path, scratch: Path, marks: Sequence[int], progress: Progress, *, batch: int = BOOK_BATCH
) -> Iterator[Measurement]:
    """Issue documents into receipt books with one journal to one mark after the other, on the consortium of `root`; raises ShirushiError.

    Documents, books and journal are in `scratch`, at most 2 GB: on tmpfs, or it is the file system that is measured.
    """
    layout = _consortium(root, progress)
    folder = scratch / "issuing"
    shutil.rmtree(folder, ignore_errors=True)
    start(layout, progress)
    try:
        yield from measure_journal(layout.root, folder, marks, progress, batch=batch)
    finally:
        bring_up.down(layout)
        shutil.rmtree(folder, ignore_errors=True)


def _consortium(root: Path, progress: Progress) -> Layout:
    """Return the folder of a consortium that is down, with its city registered."""
    layout = Layout((root / "consortium").absolute())
    if not layout.connection.exists():
        topology = with_ports(default_topology().issuing(*document_types.ALL), 0)
        bring_up.up(layout, base_port=0, progress=progress, topology=topology)
        bring_up.down(layout)
    return layout


def _at_mark(
    layout: Layout, derived: Path, work: Path, mark: int, progress: Progress, batch: int
) -> Iterator[Measurement]:
    for folder in (derived, work):
        shutil.rmtree(folder, ignore_errors=True)
    work.mkdir(parents=True)
    parameters: Parameters = {"anchors": mark}
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
    yield from measure_consortium(layout, work, filled, parameters, progress, batch)
    shutil.rmtree(work)


def _witness(
    filled: Filled, first: CaughtUp, second: CaughtUp, parameters: Parameters
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
        stages=disk("witness", second.folder_bytes, filled),
    )


def _signing(layout: Layout, witness: CaughtUp, parameters: Parameters) -> Measurement:
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

    for measured in measure_growth(
        given.folder,
        given.scratch or given.folder,
        anchors=given.anchors,
        documents=given.documents,
        progress=tell,
    ):
        found.append(measured)
        tell(json.dumps(measured.to_json()))
    document = {"machine": asdict(this_machine()), "measurements": [each.to_json() for each in found]}
    sys.stdout.write(f"{json.dumps(document, indent=1)}\n")


if __name__ == "__main__":
    main()
