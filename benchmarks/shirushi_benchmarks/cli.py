"""`shirushi bench`: measure the anchoring path on this machine, beside what else there is."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from shirushi_benchmarks import history as histories
from shirushi_benchmarks.bars import Judged, Outcome, goal_is_reached, judge_all
from shirushi_benchmarks.machine import this_machine
from shirushi_benchmarks.networks import NetworkKind, missing
from shirushi_benchmarks.page import write_page, write_report
from shirushi_benchmarks.processes import file_system
from shirushi_benchmarks.progress import Bars
from shirushi_benchmarks.registry import ALL, PROFILES, chosen, stages
from shirushi_benchmarks.report import Report
from shirushi_benchmarks.runner import Run
from shirushi_benchmarks.settings import SHORT, Documents, Settings
from shirushi_client.cli import options
from shirushi_client.cli.output import console, note, print_json, table
from shirushi_core.errors import InvalidInputError

_ON_REQUEST = ", ".join(each.name for each in PROFILES if not each.by_default)
_NAMES = (
    f"{', '.join(each.name for each in PROFILES)}, or {ALL}. "
    f"Default: {ALL}{f' but {_ON_REQUEST}' if _ON_REQUEST else ''}."
)

app = typer.Typer(add_completion=False)


@app.command()
def bench(
    context: typer.Context,
    profiles: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PROFILE]...",
            help=_NAMES,
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        list[NetworkKind] | None,
        typer.Option("--engine", help="Default: embedded, and Fabric's where found.", show_default=False),
    ] = None,
    short: Annotated[bool, typer.Option("--short", help="A little of each, in under a minute.")] = False,
    member_down: Annotated[
        bool, typer.Option("--member-down", help="Measure again with a member's nodes stopped.")
    ] = False,
    goal: Annotated[bool, typer.Option("--goal", help="Fail where a bar is missed.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write report.json and plots to DIR.", show_default=False),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            "--page",
            metavar="FILE",
            help="Write what was measured into a page, between its markers.",
            show_default=False,
        ),
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(
            "--history",
            metavar="FILE",
            help="Compare with earlier runs in FILE, and add this one.",
            show_default=False,
        ),
    ] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option(
            "--compare", metavar="FILE", help="Compare with the runs in FILE too.", show_default=False
        ),
    ] = None,
    offered: Annotated[
        list[float] | None,
        typer.Option("--offered", min=0.01, max=10_000, help="Requests a second.", show_default=False),
    ] = None,
    step_seconds: Annotated[
        float | None,
        typer.Option("--step-seconds", min=0.1, max=3600, help="How long a step takes.", show_default=False),
    ] = None,
    in_flight: Annotated[
        list[int] | None,
        typer.Option("--in-flight", min=1, max=450, help="Transactions under way.", show_default=False),
    ] = None,
    transactions: Annotated[
        int | None,
        typer.Option(
            "--transactions", min=1, max=1_000_000, help="Transactions in a step at most.", show_default=False
        ),
    ] = None,
    documents: Annotated[
        list[str] | None,
        typer.Option("--documents", metavar="COUNTxBYTES", help="Documents to issue.", show_default=False),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option("--batch", min=1, max=1 << 17, help="Documents in a batch.", show_default=False),
    ] = None,
    receipts: Annotated[
        int | None,
        typer.Option(
            "--receipts",
            min=1,
            max=1_000_000,
            help="Documents of those with a receipt file each.",
            show_default=False,
        ),
    ] = None,
    pipeline: Annotated[
        int | None,
        typer.Option(
            "--pipeline", min=1, max=1_000_000, help="Documents without a ledger.", show_default=False
        ),
    ] = None,
    anchors: Annotated[
        int | None,
        typer.Option(
            "--anchors", min=1000, max=1_000_000, help="Anchors that a ledger grows to.", show_default=False
        ),
    ] = None,
    journal: Annotated[
        int | None,
        typer.Option(
            "--journal",
            min=1000,
            max=10_000_000,
            help="Documents that a journal grows to.",
            show_default=False,
        ),
    ] = None,
    cold: Annotated[
        int | None,
        typer.Option("--cold", min=1, max=100_000, help="Receipts with a head each.", show_default=False),
    ] = None,
    cached: Annotated[
        int | None,
        typer.Option("--cached", min=1, max=1 << 17, help="Receipts of one batch.", show_default=False),
    ] = None,
    online: Annotated[
        int | None,
        typer.Option("--online", min=1, max=100_000, help="Receipts to ask about.", show_default=False),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Measure the anchoring path: networks, and beside them what else there is, on this machine.

    Brings each network up in the temporary folder (TMPDIR), on free ports,
    and takes it down at the end. An option with several values is given
    several times. Exits with 1 if anything failed.

    Examples:
      shirushi bench
      shirushi bench --short --engine embedded
      shirushi bench bulk --documents 1000000x2048 --documents 100000x102400
      shirushi bench one-at-a-time --engine fabric-bft --offered 20 --offered 50 --member-down
      shirushi bench all --goal --page docs/performance.md
    """
    settings = _settings(
        SHORT if short else Settings(),
        offered=offered and tuple(offered),
        step_seconds=step_seconds,
        in_flight=in_flight and tuple(in_flight),
        transactions=transactions,
        documents=documents and tuple(_documents(documents)),
        batch=batch,
        receipts=receipts,
        pipeline=pipeline,
        anchors=anchors,
        journal=journal,
        cold=cold,
        cached=cached,
        online=online,
    )
    try:
        wanted = chosen(profiles or [], short=short)
    except InvalidInputError as error:
        raise typer.BadParameter(str(error), param_hint="PROFILE") from None
    earlier = [
        entry
        for path in [*(compare or []), *([history] if history else [])]
        for entry in histories.read(path)
    ]
    kinds, left_out = _kinds(engine)
    for kind, lacks in left_out.items():
        note(f"{kind} is left out: {lacks}")
    began = datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory(prefix="shirushi-bench-") as scratch, Bars() as bars:
        files = file_system(Path(scratch))
        run = Run(Path(scratch), settings, bars.line, bars.advance)
        run.measure(stages(wanted, kinds), member_down=member_down)
    report = Report(
        began, _command(context), this_machine(), files, settings, run.measurements, run.problems, left_out
    )
    judged = judge_all(report.measurements)
    _write(report, judged, out, page)
    if as_json:
        print_json({**report.to_json(), "bars": [each.to_json() for each in judged]})
    else:
        _show(report, judged, all_bars=goal)
    _remember(report, earlier, history)
    if report.failed or (goal and not goal_is_reached(judged)):
        raise typer.Exit(1)


def _settings(of_form: Settings, **chosen: Any) -> Settings:
    return replace(of_form, **{name: value for name, value in chosen.items() if value})


def _documents(texts: Sequence[str]) -> list[Documents]:
    try:
        return [Documents.parse(text) for text in texts]
    except InvalidInputError as error:
        raise typer.BadParameter(str(error), param_hint="--documents") from None


def _kinds(engines: Sequence[NetworkKind] | None) -> tuple[list[NetworkKind], dict[str, str]]:
    """Return the networks to measure on, and why others are left out; a network that was named is tried all the same."""
    if engines:
        return list(dict.fromkeys(engines)), {}
    lacking = {kind: lacks for kind in NetworkKind if (lacks := missing(kind)) is not None}
    return [kind for kind in NetworkKind if kind not in lacking], {
        kind.value: lacks for kind, lacks in lacking.items()
    }


def _command(context: typer.Context) -> str:
    """Return the command that repeats this run, without where its results went."""
    words = ["shirushi", "bench", *(context.params["profiles"] or [])]
    for parameter in context.command.params:
        name, value = parameter.name or "", context.params.get(parameter.name or "")
        if name in ("profiles", "out", "page", "history", "compare", "as_json") or not value:
            continue
        flag = parameter.opts[0]
        each = value if isinstance(value, (list, tuple)) else [value]
        words += [flag] if value is True else [word for one in each for word in (flag, str(one))]
    return " ".join(words)


def _write(report: Report, judged: Sequence[Judged], out: Path | None, page: Path | None) -> None:
    folder = out or (page and page.with_suffix(""))
    if folder is None:
        return
    from shirushi_benchmarks.plots import draw_all  # only now: loading it takes memory and a second

    raw = write_report(report, judged, folder)
    plots = draw_all(report, folder)
    if page is not None:
        write_page(page, report, plots, raw)


def _remember(report: Report, earlier: Sequence[histories.Entry], history: Path | None) -> None:
    entry = histories.Entry.of(report)
    for slowdown in histories.slowdowns(entry, earlier):
        note(f"warning: {slowdown}")
    if history is not None and not report.failed:
        histories.append(history, entry)


def _show(report: Report, judged: Sequence[Judged], *, all_bars: bool) -> None:
    out = console()
    out.print(report.made_on)
    rows = table("", "on", "a second", "p50/p95/p99 ms", "failed", "parameters", "")
    for each in report.measurements:
        rows.add_row(
            f"{each.name}: {each.count:,} {each.unit}",
            each.engine,
            f"{each.rate:,.1f}",
            "/".join(f"{value:.0f}" for value in each.quantiles_ms.values()),
            str(each.failures),
            _named(each.parameters),
            "overloaded" if each.overloaded else _named(each.stages),
        )
    out.print(rows)
    for problem in report.problems:
        out.print(f"not measured: {problem.profile} {problem.engine}: {problem.sentence}", markup=False)
    shown = [each for each in judged if all_bars or each.outcome is not Outcome.NOT_MEASURED]
    if shown:
        bars = table("bar", "wanted", "found", "")
        for one in shown:
            bars.add_row(one.bar.what, one.bar.wanted, one.said, one.outcome)
        out.print()
        out.print(bars)


def _named(values: Mapping[str, int | float | str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value != "")
