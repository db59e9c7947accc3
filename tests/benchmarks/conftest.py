"""The networks that peers are measured on in tests, one of each for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.fabric_binaries import fabric_binary

from shirushi_benchmarks.networks import NetworkKind, running
from shirushi_network.layout import Layout


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """Five members in a process of ours, without witnesses."""
    root = tmp_path_factory.mktemp("embedded") / "data"
    with running(NetworkKind.EMBEDDED, root, lambda _: None, witnesses=False) as network:
        yield network.layout


@pytest.fixture(scope="session")
def raft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """One organisation on Fabric with Raft; skipped where Fabric's programs are not found."""
    for program in ("orderer", "peer"):
        fabric_binary(program)
    with running(NetworkKind.RAFT, tmp_path_factory.mktemp("raft") / "data", lambda _: None) as network:
        yield network.layout
