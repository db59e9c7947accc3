"""A network of Fabric's own orderers and peers; skipped where the programs are not found (PATH or FABRIC_BIN)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.fabric.native_network import NativeNetwork
from tests.fabric.twins import Twins


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeNetwork]:
    """Five orderers and five peers that joined one channel; one network for each test file."""
    native = NativeNetwork(tmp_path_factory.mktemp("fabric"))
    try:
        native.start()
        yield native
    finally:
        native.stop()


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    """Real Fabric and the embedded ledger on one genesis block, with the same chaincodes and keys."""
    both = Twins(tmp_path_factory.mktemp("twins"))
    try:
        both.start()
        yield both
    finally:
        both.stop()
