"""`shirushi bench`: measure the anchoring path on the embedded engine."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from shirushi_benchmarks.machine import Machine, this_machine
from shirushi_benchmarks.measurement import Measurement
from shirushi_benchmarks.profiles.bulk import make_documents, measure_documents
from shirushi_benchmarks.profiles.transactions import measure_transactions
from shirushi_benchmarks.profiles.verifying import measure_verifying
from shirushi_client.cli.output import console, note, print_json, table
from shirushi_network import bring_up
from shirushi_network.layout import Layout


class Profile(StrEnum):
    """What to measure."""

    ALL = "all"
    TRANSACTIONS = "transactions"
    DOCUMENTS = "documents"
    VERIFY = "verify"


app = typer.Typer(add_completion=False)


@app.command()
def bench(
    profile: Annotated[Profile, typer.Argument(help="What to measure.")] = Profile.ALL,
    transactions: Annotated[int, typer.Option(min=1, max=1_000_000, help="Transactions to send.")] = 3000,
    in_flight: Annotated[int, typer.Option(min=1, max=450, help="Transactions under way at once.")] = 100,
    documents: Annotated[int, typer.Option(min=1, max=1_000_000, help="Documents to issue.")] = 40960,
    size: Annotated[int, typer.Option(min=1, max=10_000_000, help="Bytes in a document.")] = 2048,
    batch: Annotated[int, typer.Option(min=1, max=1 << 17, help="Documents in a batch.")] = 4096,
    cold: Annotated[
        int, typer.Option(min=1, max=100_000, help="Receipts with heads of their own to verify.")
    ] = 300,
    cached: Annotated[int, typer.Option(min=1, max=1 << 17, help="Receipts of one batch to verify.")] = 8192,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Measure the anchoring path: a consortium in a process of its own, the load in this one, on this machine.

    Examples:
      shirushi bench
      shirushi bench verify
      shirushi bench transactions --transactions 10000 --in-flight 200 --json
    """
    measurements: list[Measurement] = []
    with tempfile.TemporaryDirectory(prefix="shirushi-bench-") as folder:
        root = Path(folder)
        layout = Layout(root / "consortium")
        bring_up.up(layout, base_port=0, progress=note)
        try:
            if profile in (Profile.ALL, Profile.TRANSACTIONS):
                note(f"sending {transactions} transactions, {in_flight} in flight")
                measurements.append(
                    asyncio.run(measure_transactions(layout.root, count=transactions, in_flight=in_flight))
                )
            if profile in (Profile.ALL, Profile.DOCUMENTS):
                note(f"making {documents} documents of {size} bytes")
                make_documents(root / "documents", count=documents, size=size)
                note("issuing them")
                measurements.append(
                    asyncio.run(
                        measure_documents(
                            layout.root, root / "documents", count=documents, size=size, batch=batch
                        )
                    )
                )
            if profile in (Profile.ALL, Profile.VERIFY):
                note(
                    f"issuing {cold} certificates one by one and {cached} in a batch, and verifying them offline"
                )
                measurements += asyncio.run(
                    measure_verifying(layout.root, root / "verify", cold=cold, cached=cached)
                )
        finally:
            bring_up.down(layout)
    machine = this_machine()
    if as_json:
        print_json({"machine": asdict(machine), "measurements": [each.to_json() for each in measurements]})
    else:
        _show(machine, measurements)
    if any(measurement.failures for measurement in measurements):
        raise typer.Exit(1)


def _show(machine: Machine, measurements: list[Measurement]) -> None:
    out = console()
    out.print(
        f"{machine.processor}, {machine.cores} cores, Python {machine.python}, revision {machine.revision}"
    )
    rows = table("", "a second", "seconds", "failed", "parameters", "")
    for m in measurements:
        details = {**m.quantiles_ms, **m.stages}
        rows.add_row(
            f"{m.count} {m.unit}",
            f"{m.rate:,.0f}",
            f"{m.seconds:.1f}",
            str(m.failures),
            ", ".join(f"{name} {value}" for name, value in m.parameters.items()),
            ", ".join(f"{name} {value}" for name, value in details.items()),
        )
    out.print(rows)
