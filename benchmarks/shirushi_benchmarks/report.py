"""What one run of the benchmarks found, on what, and what could not be measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from shirushi_benchmarks.machine import Machine
from shirushi_benchmarks.measurement import Measurement
from shirushi_benchmarks.settings import Settings

FORMAT = "shirushi/benchmarks/v1"


@dataclass(frozen=True, slots=True)
class Problem:
    """A profile that could not be measured to its end on a network ("" is none), and why."""

    profile: str
    engine: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Report:
    """One run: `at` is when it began (ISO 8601, UTC), `command` what repeats it, `files` the file system it wrote to."""

    at: str
    command: str
    machine: Machine
    files: str
    settings: Settings
    measurements: Sequence[Measurement]
    problems: Sequence[Problem] = ()
    left_out: Mapping[str, str] | None = None
    """Networks that this machine cannot run, and what they lack."""

    @property
    def failed(self) -> bool:
        """Whether something could not be done. A rate that was offered and not held is a finding, not a failure."""
        return bool(self.problems) or any(each.failures for each in self.measurements)

    @property
    def made_on(self) -> str:
        """The machine in a few words."""
        machine = self.machine
        return f"{machine.processor}, {machine.cores} cores, Python {machine.python}, revision {machine.revision}"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "format": FORMAT,
            "at": self.at,
            "command": self.command,
            "machine": asdict(self.machine),
            "files": self.files,
            "settings": asdict(self.settings),
            "measurements": [each.to_json() for each in self.measurements],
            "problems": [asdict(each) for each in self.problems],
            "left_out": dict(self.left_out or {}),
        }
