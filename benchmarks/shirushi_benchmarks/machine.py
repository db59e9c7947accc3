"""What a measurement was made on: machine, versions, revision of the sources."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("shirushi", "grpcio", "cryptography", "protobuf", "lmdb", "orjson", "uvloop")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a measurement ran."""

    processor: str
    cores: int
    memory_gb: int
    kernel: str
    python: str
    revision: str
    packages: Mapping[str, str]


def this_machine() -> Machine:
    """Describe this machine, the versions in use and the revision of the sources."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)),
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        revision=_revision(),
        packages={name: version(name) for name in _PACKAGES},
    )


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
