"""A network of Fabric's own orderers and peers; skipped where the programs are not found (PATH or FABRIC_BIN)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.fabric.native_network import NativeNetwork


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeNetwork]:
    """Five orderers and five peers that joined one channel; one network for each test file."""
    native = NativeNetwork(tmp_path_factory.mktemp("fabric"))
    try:
        native.start()
        yield native
    finally:
        native.stop()
