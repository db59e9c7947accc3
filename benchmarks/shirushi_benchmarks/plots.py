"""Plots of what a run found, as SVG files that are the same for the same figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from shirushi_benchmarks.bars import BARS
from shirushi_benchmarks.load import knee
from shirushi_benchmarks.measurement import PERCENTILES, Measurement
from shirushi_benchmarks.report import Report

_STYLE: Any = {
    "svg.hashsalt": "shirushi",  # else ids in the file are random
    "svg.fonttype": "path",  # the same letters on every machine
    "font.size": 10,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_WIDTH, _HEIGHT = 7.0, 4.0
_GREY = "0.65"

_PEERS = (
    ("our Gateway client", "official Node client"),
    ("echo, our chaincode service", "echo, bare protocol"),
    ("pipeline without ledger", "wrapDocuments", "pymerkle pipeline"),
)
"""What is compared with what, ours first."""


def draw_all(report: Report, folder: Path) -> list[Path]:
    """Draw what a report has figures for, and return the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    plots: dict[str, tuple[str, Callable[[Axes, Sequence[Measurement]], None], list[Measurement]]] = {
        "bulk": ("Documents issued in bulk", _bulk, _named(report, "bulk")),
        "transactions": ("Transactions of one certificate", _transactions, _named(report, "transactions")),
    }
    for engine, steps in _grouped(_named(report, "one at a time"), lambda each: each.engine):
        plots[f"one-at-a-time-{engine}"] = (f"Time to receipt, one at a time, {engine}", _latency, steps)
    if peers := _peers(report.measurements):
        plots["peers"] = ("Ours beside what else there is", _beside, peers)
    growing = [each for each in report.measurements if each.name.startswith("growth") and _size(each)]
    if growing:
        plots["growth"] = ("What one costs as the ledger grows", _growth, growing)
    for name, (title, draw, measurements) in plots.items():
        if measurements:
            path = folder / f"{name}.svg"
            _save(path, title, report.made_on, draw, measurements)
            drawn.append(path)
    return drawn


def _save(
    path: Path,
    title: str,
    made_on: str,
    draw: Callable[[Axes, Sequence[Measurement]], None],
    measurements: Sequence[Measurement],
) -> None:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
        axes = figure.add_subplot()
        draw(axes, measurements)
        axes.set_title(f"{title}\n", loc="left", fontweight="bold")
        axes.text(0, 1.02, made_on, transform=axes.transAxes, fontsize=7, color="0.4")
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": "shirushi bench"})


def _latency(axes: Axes, measurements: Sequence[Measurement]) -> None:
    """Draw the quantiles against the offered rate, with a member down dashed, and mark the knee."""
    for down, steps in _grouped(measurements, lambda each: str(each.parameters["member_down"])):
        steps = sorted((each for each in steps if each.quantiles_ms), key=_offered)
        axes.set_prop_cycle(None)
        for percent in PERCENTILES:
            axes.plot(
                [_offered(each) for each in steps],
                [each.quantiles_ms[f"p{percent}"] for each in steps],
                "o--" if down else "o-",
                label=f"p{percent}{f', {down} down' if down else ''}",
                markersize=4,
            )
        if not down and (held := knee(steps)) is not None:
            axes.axvline(_offered(held), color=_GREY, linestyle=":")
            axes.annotate(
                f" held up to {_offered(held):g}/s",
                (_offered(held), 0.96),
                xycoords=("data", "axes fraction"),
                fontsize=8,
            )
    overloaded = [each for each in measurements if each.overloaded and each.quantiles_ms]
    axes.plot(
        [_offered(each) for each in overloaded],
        [each.quantiles_ms["p50"] for each in overloaded],
        "x",
        color="red",
        label="overloaded" if overloaded else None,
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = sorted({_offered(each) for each in measurements})
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("certificates offered (1/s)")
    axes.set_ylabel("from due to receipt on disk (ms)")
    axes.legend(fontsize=8)


def _bulk(axes: Axes, measurements: Sequence[Measurement]) -> None:
    labels = [
        f"{each.engine}, {_bytes(each.parameters['bytes'])}, {each.parameters['receipts']}{_down(each)}"
        for each in measurements
    ]
    _horizontal(axes, labels, measurements)
    bars = {bar.figure.engine: bar for bar in BARS if bar.figure.name == "bulk" and bar.unit == "/s"}
    for engine, bar in bars.items():
        if any(each.engine == engine for each in measurements):
            axes.axvline(bar.limit, color="0.3", linestyle="--", linewidth=1)
            axes.annotate(
                f"{engine}: {bar.wanted}",
                (bar.limit, 0.02),
                xycoords=("data", "axes fraction"),
                fontsize=7,
                rotation=90,
            )
    axes.set_xlabel("documents with receipts on disk (1/s)")


def _transactions(axes: Axes, measurements: Sequence[Measurement]) -> None:
    groups = _grouped(measurements, lambda each: (each.engine, str(each.parameters.get("member_down", ""))))
    for (engine, down), steps in groups:
        steps = sorted(steps, key=lambda each: float(each.parameters["in_flight"]))
        numbers = [float(each.parameters["in_flight"]) for each in steps]
        label = f"{engine}{f', {down} down' if down else ''}"
        axes.plot(numbers, [each.rate for each in steps], "o--" if down else "o-", label=label, markersize=4)
    failed = [each for each in measurements if not each.counts]
    axes.plot(
        [float(each.parameters["in_flight"]) for each in failed],
        [each.rate for each in failed],
        "x",
        color="red",
        label="with failures" if failed else None,
    )
    axes.set_xlabel("transactions in flight")
    axes.set_ylabel("transactions committed (1/s)")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)


def _beside(axes: Axes, measurements: Sequence[Measurement]) -> None:
    """Draw each in proportion to the first of its group, which is ours."""
    labels, values, colours = [], [], []
    groups = _grouped(measurements, _comparison)
    for number, (_, group) in enumerate(groups):
        ours = group[0].rate
        for each in group:
            where = f" ({each.engine})" if each.engine else ""
            labels.append(f"{each.name}{where}: {each.rate:,.0f} {each.unit}/s")
            values.append(each.rate / ours)
            colours.append(f"C{number}" if each is group[0] else _GREY)
    axes.barh(labels, values, color=colours)
    axes.invert_yaxis()
    axes.axvline(1, color="0.3", linewidth=1)
    axes.set_xlabel("rate in proportion to ours")


def _growth(axes: Axes, measurements: Sequence[Measurement]) -> None:
    for name, steps in _grouped(measurements, lambda each: each.name):
        steps = sorted(steps, key=_size)
        if len(steps) > 1:
            first = steps[0].seconds / steps[0].count
            axes.plot(
                [_size(each) for each in steps],
                [each.seconds / each.count / first for each in steps],
                "o-",
                label=name.removeprefix("growth").lstrip(": "),
                markersize=4,
            )
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("anchors on the ledger, or documents in the journal")
    axes.set_ylabel("time for one ÷ that at the smallest")
    if axes.lines:
        axes.legend(fontsize=7)


def _horizontal(axes: Axes, labels: Sequence[str], measurements: Sequence[Measurement]) -> None:
    rates = [each.rate for each in measurements]
    bars = axes.barh(labels, rates, color=["C0" if each.counts else _GREY for each in measurements])
    axes.bar_label(bars, [f" {rate:,.0f}" for rate in rates], fontsize=8)
    axes.invert_yaxis()


def _peers(measurements: Sequence[Measurement]) -> list[Measurement]:
    """Return the best measurement of each thing compared, ours first in each comparison of more than one."""
    found: list[Measurement] = []
    for names in _PEERS:
        of_names = [each for each in measurements if each.name in names and each.counts]
        for engine in dict.fromkeys(each.engine for each in of_names):
            group = [
                max(same, key=lambda each: each.rate)
                for name in names
                if (same := [each for each in of_names if (each.name, each.engine) == (name, engine)])
            ]
            if len(group) > 1 and group[0].name == names[0]:
                found += group
    return found


def _comparison(measurement: Measurement) -> tuple[int, str]:
    number = next(number for number, names in enumerate(_PEERS) if measurement.name in names)
    return number, measurement.engine


def _named(report: Report, name: str) -> list[Measurement]:
    return [each for each in report.measurements if each.name == name]


def _grouped(
    measurements: Iterable[Measurement], key: Callable[[Measurement], Any]
) -> list[tuple[Any, list[Measurement]]]:
    return [(of, list(group)) for of, group in groupby(sorted(measurements, key=key), key)]


def _offered(measurement: Measurement) -> float:
    return float(measurement.parameters["offered"])


def _size(measurement: Measurement) -> float:
    return float(measurement.parameters.get("anchors", measurement.parameters.get("documents", 0)))


def _down(measurement: Measurement) -> str:
    down = measurement.parameters.get("member_down")
    return f", {down} down" if down else ""


def _bytes(size: float | str) -> str:
    return f"{int(size) // 1024} KB" if int(size) >= 1024 else f"{size} bytes"
