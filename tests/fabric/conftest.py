"""Networks of Fabric's own orderers and peers; skipped where the programs are not found (PATH or FABRIC_BIN)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.fabric.native_network import NativeNetwork
from tests.support.fabric_binaries import fabric_binary


@pytest.fixture(scope="session")
def fabric() -> None:
    """Skip what needs Fabric's nodes where there are none."""
    for program in ("orderer", "peer"):
        fabric_binary(program)


@pytest.fixture(scope="module")
def network(fabric: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeNetwork]:
    """Five orderers and five peers that joined one channel, on which nothing happened; one for each test file."""
    native = NativeNetwork.joined(tmp_path_factory.mktemp("fabric") / "consortium")
    yield native
    native.down()
