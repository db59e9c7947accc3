"""What a measurement was made on, and how it is written down."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("shirushi", "grpcio", "cryptography", "protobuf", "lmdb", "orjson")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a measurement ran."""

    processor: str
    cores: int
    python: str
    revision: str
    packages: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One figure: how much, in how long, with what parameters, and what failed."""

    name: str
    count: int
    seconds: float
    unit: str
    failures: int
    parameters: Mapping[str, int | str]
    quantiles_ms: Mapping[str, float] = field(default_factory=dict)
    stages: Mapping[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """How many a second."""
        return self.count / self.seconds


def quantiles_ms(seconds: list[float]) -> dict[str, float]:
    """Return p50, p95 and p99 of durations, in milliseconds."""
    ordered = sorted(seconds)
    return {
        f"p{percent}": round(1000 * ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 1)
        for percent in (50, 95, 99)
    }


def this_machine() -> Machine:
    """Describe this machine, the versions in use and the revision of the sources."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        python=platform.python_version(),
        revision=_revision(),
        packages={name: version(name) for name in _PACKAGES},
    )


def to_json(machine: Machine, measurements: list[Measurement]) -> str:
    """Return the report as indented JSON."""
    rows = [{**asdict(m), "per_second": round(m.rate, 1)} for m in measurements]
    return json.dumps({"machine": asdict(machine), "measurements": rows}, ensure_ascii=False, indent=2)


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _revision() -> str:
    """Return the git revision, marked when the work tree differs from it; "unknown" outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return "unknown"
