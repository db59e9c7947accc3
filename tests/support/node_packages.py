"""Node packages for tests: installed as the benchmarks install theirs, and skipped where that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from shirushi_benchmarks.peers.errors import CannotMeasureError
from shirushi_benchmarks.peers.node_packages import node_program


def installed_project(source: Path) -> Path:
    """Copy a folder of scripts with a package.json beside its installed packages; skips where Node or npm cannot do it."""
    try:
        return node_program(source, source.name)
    except CannotMeasureError as error:
        pytest.skip(str(error))
