"""`shirushi demo`: the pilot replayed on one machine, with its verdicts as a table."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from shirushi_client.cli import options
from shirushi_client.cli.output import command_name, console, note, print_json, table
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.report import Verdict
from shirushi_network import bring_up
from shirushi_network.demo.pilot import DOCUMENT, RESIDENTS, Folders, Outcome, replay
from shirushi_network.engine import EngineChoice, EngineName
from shirushi_network.errors import ConsortiumError
from shirushi_network.layout import Layout
from shirushi_network.ports import with_ports
from shirushi_network.topology import default_topology

_MARKER = ".shirushi-demo"
_STYLES = {Verdict.VALID: "green", Verdict.NOT_VALID: "red", Verdict.CANNOT_CONFIRM: "yellow"}
_NAMES_JA = {Verdict.VALID: "有効", Verdict.NOT_VALID: "無効", Verdict.CANNOT_CONFIRM: "確認不能"}

app = typer.Typer(add_completion=False)


@app.command()
def demo(
    documents: Annotated[
        Path | None,
        typer.Option(
            "--documents",
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="A folder of your own documents to issue and verify as well.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where certificates, receipts and ledger go.")
    ] = Path("demo-output"),
    engine: Annotated[
        EngineName,
        typer.Option("--engine", help="What runs the members, as for `shirushi consortium up`."),
    ] = EngineName.EMBEDDED,
    as_json: options.Json = False,
) -> None:
    """Replay the pilot: certificates issued, submitted, verified, revoked; what came of it as a table.

    Brings up a consortium of five members on free ports, issues 118 income certificates of made-up residents one
    request at a time, verifies the 61 that were submitted, and shows what becomes of one that is changed, revoked,
    superseded or suspended. The consortium is stopped at the end; everything is left in the folder.

    Examples:
      shirushi demo
      shirushi demo --documents ~/Documents/letters
      shirushi demo --engine native
    """
    started = time.perf_counter()
    folders = Folders(out.absolute())
    _make_room(folders)
    layout = Layout(folders.consortium)
    topology = with_ports(default_topology().issuing(DOCUMENT), 0)
    bring_up.up(layout, base_port=0, progress=note, engine=EngineChoice(engine), topology=topology)
    try:
        with _Bars() as advance:
            outcome = asyncio.run(replay(folders, documents and documents.absolute(), advance))
    finally:
        bring_up.down(layout)
    if as_json:
        print_json(_to_json(outcome, folders))
    else:
        _show(outcome, folders, out, time.perf_counter() - started)
    if not outcome.as_expected:
        raise typer.Exit(1)


def _make_room(folders: Folders) -> None:
    """Take the folder of an earlier demo away; a folder that is no demo's is left alone."""
    if folders.root.exists():
        if not (folders.root / _MARKER).exists():
            raise ConsortiumError(f"{folders.root} exists and is no demo's folder: name another with --out")
        bring_up.down(Layout(folders.consortium))
        shutil.rmtree(folders.root)
    folders.root.mkdir(parents=True)
    (folders.root / _MARKER).touch()


class _Bars:
    """A bar for each stage of the story, where a person is watching."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        self._bars = Progress(*columns, console=Console(stderr=True), transient=True)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> _Bars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total)
        self._bars.update(self._tasks[what], completed=done)


def _to_json(outcome: Outcome, folders: Folders) -> Json:
    return {
        "as_expected": outcome.as_expected,
        "documents": [verdict.value for verdict in outcome.documents],
        "folder": str(folders.root),
        "issuing_ms": [round(1000 * seconds) for seconds in outcome.issuing],
        "steps": [
            {
                "decided_by": step.decided_by,
                "expected": step.expected.value,
                "ms": round(1000 * step.seconds),
                "step": {"en": step.en, "ja": step.ja},
                "verdict": step.verdict.value,
            }
            for step in outcome.steps
        ],
        "verdicts": [verdict.value for verdict in outcome.verdicts],
        "verifying_ms": [round(1000 * seconds) for seconds in outcome.verifying],
    }


def _show(outcome: Outcome, folders: Folders, shown_as: Path, seconds: float) -> None:
    out = console()
    out.print()
    out.print(f"{RESIDENTS} certificates issued one at a time, to receipt on disk: {_times(outcome.issuing)}")
    valid = sum(verdict is Verdict.VALID for verdict in outcome.verdicts)
    out.print(
        f"{len(outcome.verdicts)} submitted and verified against five members, {valid} valid: "
        f"{_times(outcome.verifying)}"
    )
    if outcome.documents:
        valid = sum(verdict is Verdict.VALID for verdict in outcome.documents)
        out.print(f"{len(outcome.documents)} documents of yours issued and verified, {valid} valid")
    out.print()
    steps = table("証明書の状態", "what happened", "判定 verdict", "decided by", "ms")
    for step in outcome.steps:
        style = _STYLES[step.verdict]
        verdict = f"[{style}]{_NAMES_JA[step.verdict]} {step.verdict}[/]"
        surprise = "" if step.as_expected else f" [bold](expected {step.expected})[/]"
        steps.add_row(step.ja, step.en, verdict + surprise, step.decided_by, f"{1000 * step.seconds:.0f}")
    out.print(steps)
    out.print(f"\nThis was a test ledger: its certificates never read as real ones. {seconds:.0f} s in all.")
    out.print(f"certificates and receipts: {shown_as}/certificates, {shown_as}/submitted\n")
    data = f"{shown_as}/consortium"
    shirushi = command_name()
    out.print("next:")
    out.print(f"  {shirushi} consortium up --data {data}")
    out.print(f"  {shirushi} verify {shown_as}/submitted/income-certificate-003.pdf --data {data}")
    out.print(f"  {shirushi} history {shown_as}/submitted/income-certificate-005.pdf --data {data}")
    out.print(f"  {shirushi} consortium down --data {data}")


def _times(seconds: Sequence[float]) -> str:
    """Say the median and the 95th percentile in milliseconds."""
    p95 = statistics.quantiles(seconds, n=20)[-1] if len(seconds) > 1 else seconds[0]
    return f"median {1000 * statistics.median(seconds):.0f} ms, p95 {1000 * p95:.0f} ms"
