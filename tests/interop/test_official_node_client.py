"""The official Node Gateway client, unmodified, against the embedded node."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "node_client"
CASES = re.findall(r"async '([^']+)'\(\)", (HERE / "cases.mjs").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def results(node_project: Callable[[Path], Path], basic_network: Path) -> dict[str, dict[str, object]]:
    """Run all cases once; `basic_network` is the configuration file of a running network with the basic chaincode."""
    project = node_project(HERE)
    finished = subprocess.run(
        ["node", "cases.mjs", str(basic_network)], cwd=project, capture_output=True, text=True, timeout=110
    )
    assert finished.returncode == 0, finished.stderr
    return {result["name"]: result for result in map(json.loads, finished.stdout.splitlines())}


@pytest.mark.parametrize("case", CASES)
def test_official_client(results: dict[str, dict[str, object]], case: str) -> None:
    assert results[case]["ok"], results[case].get("error")
