"""What earlier runs found: a line of JSON for each, and what takes much longer than it used to.

Only like is compared with like: the same processor, cores and Python, and the same settings. A machine that others share is
slow at times, so a difference is a warning and never a failure.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shirushi_benchmarks.measurement import Measurement
from shirushi_benchmarks.report import Report
from shirushi_core.errors import ShirushiError

COMPARED = 5
"""The last so many comparable runs are compared with."""

SLOWER = 1.5
"""How many times as long something may take before it is warned of."""


class HistoryError(ShirushiError):
    """A history file that cannot be read or written, or a line of it that is not one of ours."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One run: when, on what, with what settings; milliseconds for one of each thing measured."""

    at: str
    revision: str
    on: Mapping[str, int | str]
    settings: Mapping[str, Any]
    figures: Mapping[str, float]

    def is_like(self, other: Entry) -> bool:
        """Say whether figures of both may be compared."""
        return (self.on, self.settings) == (other.on, other.settings)

    @classmethod
    def of(cls, report: Report) -> Entry:
        """Keep what of a report can be compared; what failed or was overloaded cannot."""
        machine = report.machine
        settings: dict[str, Any] = json.loads(json.dumps(asdict(report.settings)))
        return cls(
            report.at,
            machine.revision,
            {
                "processor": machine.processor,
                "cores": machine.cores,
                "python": ".".join(machine.python.split(".")[:2]),
                "files": report.files,
            },
            settings,
            {key(each): round(cost_ms(each), 4) for each in report.measurements if each.counts},
        )

    @classmethod
    def parse(cls, line: str) -> Entry:
        """Parse a line; raises ValueError."""
        value = json.loads(line)
        try:
            figures = {str(name): float(number) for name, number in value["figures"].items()}
            return cls(
                str(value["at"]), str(value["revision"]), dict(value["on"]), dict(value["settings"]), figures
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no entry of a history: {error}") from None

    def to_line(self) -> str:
        """Return the line, newline included."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True) + "\n"


@dataclass(frozen=True, slots=True)
class Slowdown:
    """Something that takes longer than it used to: milliseconds for one, now and then."""

    what: str
    now_ms: float
    before_ms: float

    def __str__(self) -> str:
        return (
            f"{self.what}: {self.now_ms:.3g} ms each, {self.before_ms:.3g} ms in earlier runs "
            f"({self.now_ms / self.before_ms:.0%} of it)"
        )


def key(measurement: Measurement) -> str:
    """Return what names a measurement in every run."""
    parameters = (f"{name} {value}" for name, value in sorted(measurement.parameters.items()) if value != "")
    return ", ".join(
        [
            f"{measurement.name} on {measurement.engine}" if measurement.engine else measurement.name,
            *parameters,
        ]
    )


def cost_ms(measurement: Measurement) -> float:
    """Return milliseconds for one: what the middle one took where load was offered at a rate, else the time divided by all."""
    if "offered" in measurement.parameters:
        return measurement.quantiles_ms["p50"]
    return 1000 * measurement.seconds / measurement.count


def slowdowns(now: Entry, before: Sequence[Entry]) -> list[Slowdown]:
    """Return what takes more than SLOWER times the median of the last COMPARED comparable runs that measured it."""
    like = sorted((each for each in before if now.is_like(each)), key=lambda each: each.at)
    found = []
    for what, took in now.figures.items():
        earlier = [each.figures[what] for each in like if what in each.figures][-COMPARED:]
        if earlier and took > SLOWER * statistics.median(earlier):
            found.append(Slowdown(what, took, statistics.median(earlier)))
    return found


def read(path: Path) -> list[Entry]:
    """Read a history, empty where there is none; raises HistoryError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise HistoryError(f"the history {path} cannot be read: {error}") from error
    entries = []
    for number, line in enumerate(lines, 1):
        try:
            entries.append(Entry.parse(line))
        except ValueError as error:
            raise HistoryError(
                f"{path}, line {number}: {error}; remove the line, or name another file with --history"
            ) from None
    return entries


def append(path: Path, entry: Entry) -> None:
    """Add a run at the end; raises HistoryError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(entry.to_line())
    except OSError as error:
        raise HistoryError(f"the history {path} cannot be written: {error.strerror}") from error
