"""What was measured, written into the page on performance between two markers; the rest of the page is people's."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from shirushi_benchmarks.bars import Judged, judge_all
from shirushi_benchmarks.load import knee
from shirushi_benchmarks.measurement import Measurement
from shirushi_benchmarks.report import Report
from shirushi_core.errors import ShirushiError

BEGIN = "<!-- measured -->"
END = "<!-- /measured -->"
REPORT = "report.json"


class PageError(ShirushiError):
    """A page that cannot be written, or has no place for what was measured."""


def write_report(report: Report, judged: Sequence[Judged], folder: Path) -> Path:
    """Write the raw report into a folder, and return its file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / REPORT
    value = {**report.to_json(), "bars": [each.to_json() for each in judged]}
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path


def write_page(page: Path, report: Report, plots: Sequence[Path], raw: Path) -> None:
    """Put what was measured into a page, in place of what was there; raises PageError."""
    try:
        text = page.read_text(encoding="utf-8")
        page.write_text(
            with_measured(text, render(report, plots, raw, page.parent), str(page)), encoding="utf-8"
        )
    except OSError as error:
        raise PageError(f"the page {page} cannot be written: {error.strerror}") from error


def with_measured(text: str, measured: str, name: str) -> str:
    """Return a page's text with `measured` between its markers; raises PageError unless it has each once, in order."""
    before, begun, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not begun or not ended or BEGIN in rest or END in after:
        raise PageError(f"{name}: expected one line {BEGIN} and after it one {END}, found something else")
    return f"{before}{BEGIN}\n\n{measured.strip()}\n\n{END}{after}"


def render(report: Report, plots: Sequence[Path], raw: Path, folder: Path) -> str:
    """Return what was measured as Markdown; links are relative to `folder`."""
    machine = report.machine
    versions = ", ".join(f"{name} {version}" for name, version in sorted(machine.packages.items()))
    lines = [
        "## Measured",
        "",
        f"{report.at}, revision {machine.revision}. {machine.processor}, {machine.cores} cores, {machine.memory_gb} GB,",
        f"{machine.kernel}, files on {report.files}; Python {machine.python}, {versions}.",
        "Networks and load run on the same cores. To repeat it:",
        "",
        f"    {report.command}",
        "",
        f"All figures, with the settings: [{REPORT}]({_link(raw, folder)}). Rows marked *overloaded* were asked for more than could be",
        "done and are not to be quoted.",
        "",
        *_bars(judge_all(report.measurements)),
        *_failures(report),
    ]
    drawn = {path.stem: path for path in plots}
    for name, group in groupby(
        sorted(report.measurements, key=lambda each: _section(each.name)),
        key=lambda each: _section(each.name),
    ):
        rows = list(group)
        table = _costs(rows) if name.endswith("processor time") else _table(rows)
        lines += ["", f"### {name[:1].upper()}{name[1:]}", "", *table]
        for stem in [each for each in drawn if each.startswith(name.replace(" ", "-"))]:
            lines += ["", f"![{name}]({_link(drawn.pop(stem), folder)})"]
    for stem, path in drawn.items():
        lines += ["", f"![{stem}]({_link(path, folder)})"]
    return "\n".join(lines)


def _section(name: str) -> str:
    return "growth" if name.startswith("growth") else name


def _bars(judged: Sequence[Judged]) -> Iterable[str]:
    yield "| bar | wanted | found | |"
    yield "|---|---|---|---|"
    for each in judged:
        yield f"| {each.bar.what} | {each.bar.wanted} | {each.said} | {each.outcome} |"


def _failures(report: Report) -> Iterable[str]:
    failed = [each for each in report.measurements if each.failures]
    yield ""
    if not failed and not report.problems:
        yield "Nothing failed."
    for each in failed:
        kinds = ", ".join(f"{number} {kind}" for kind, number in each.failed_with.items())
        yield f"- {each.name}, {each.engine}, {_named(each.parameters)}: {each.failures} failed{f' ({kinds})' if kinds else ''}"
    for problem in report.problems:
        yield f"- {problem.profile}, {problem.engine or 'no network'}: not measured: {problem.sentence}"
    for kind, lacks in (report.left_out or {}).items():
        yield f"- {kind} was left out: {lacks}"


def _costs(measurements: Sequence[Measurement]) -> Iterable[str]:
    """Give what one thing costs, step by step: a table for each process."""
    for each in measurements:
        process = each.parameters.get("process")
        total = sum(each.stages.values())
        yield f"| {f'in the {process}' if process else 'step'} | µs | share |"
        yield "|---|---|---|"
        for name, used in each.stages.items():
            yield f"| {name.removeprefix('thread ').replace('_', ' ')} | {used:,.1f} | {used / total:.0%} |"
        rate = f"{each.count:,} {each.unit}, {each.rate:,.0f} a second"
        yield f"| together | {total:,.0f} | {rate} |"
        yield ""


def _table(measurements: Sequence[Measurement]) -> Iterable[str]:
    yield "| on | what | done | a second | p50 / p95 / p99 ms | further | |"
    yield "|---|---|---|---|---|---|---|"
    best = {id(each) for each in _best(measurements)}
    for each in measurements:
        times = " / ".join(
            f"{value:,.0f}" if value >= 10 else f"{value}" for value in each.quantiles_ms.values()
        )
        marks = [
            "*overloaded*" if each.overloaded else "",
            f"{each.failures} failed" if each.failures else "",
            "**best**" if id(each) in best else "",
        ]
        what = _named({key: value for key, value in each.parameters.items() if value != ""})
        title = (
            what
            if _section(each.name) == each.name
            else f"{each.name.removeprefix('growth').lstrip(': ')}: {what}"
        )
        rate = f"{each.rate:,.0f}" if each.rate >= 10 else f"{each.rate:.2f}"
        yield (
            f"| {each.engine or '—'} | {title} | {each.count:,} {each.unit} | {rate} | {times} "
            f"| {_named(each.stages)} | {' '.join(filter(None, marks))} |"
        )


def _best(measurements: Sequence[Measurement]) -> Iterable[Measurement]:
    """Give the highest rate that was held, or the fastest of several steps, of each engine with all members up."""
    up = [each for each in measurements if not each.parameters.get("member_down") and each.counts]
    for engine in dict.fromkeys(each.engine for each in up):
        steps = [each for each in up if each.engine == engine]
        if all("offered" in each.parameters for each in steps):
            held = knee(steps)
            yield from [held] if held else []
        elif len({each.parameters.get("in_flight") for each in steps}) > 1:
            yield max(steps, key=lambda each: each.rate)


def _named(values: Mapping[str, int | float | str]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in values.items())


def _number(value: int | float | str) -> str:
    return f"{value:,}" if isinstance(value, (int, float)) else str(value)


def _link(path: Path, folder: Path) -> str:
    return os.path.relpath(path, folder)
