"""Networks of Fabric's own orderers and peers; skipped where the programs are not found (PATH or FABRIC_BIN)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fabric.chaincode_thread import ServedChaincode, served
from tests.fabric.fuzzing.arena import Arena, FuzzedTwins
from tests.fabric.fuzzing.envelopes import ANCHORS
from tests.fabric.native_network import NativeNetwork
from tests.fabric.random_plans import OPEN, STRICT
from tests.fabric.told_chaincode import ToldChaincode
from tests.fabric.twins import Twins, twins_topology
from tests.support.basic_chaincode import BasicChaincode
from tests.support.fabric_binaries import fabric_binary
from tests.support.peer_chaincode import PeerChaincode

from shirushi_network.layout import Layout

HERE = Path(__file__).parent
PATIENCE = 300
"""Seconds a test here may take: orderers that lost their leader, or that came back, have timers of their own."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests of real nodes more time than others, unless they say what they need."""
    for item in items:
        if item.path.is_relative_to(HERE) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(PATIENCE))


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


@pytest.fixture(scope="session")
def chaincodes() -> Iterator[dict[str, ServedChaincode]]:
    """The chaincodes of the tests that `live_consortium` runs beside our own."""
    with served({"basic": BasicChaincode, "probe": PeerChaincode}) as running:
        yield running


@pytest.fixture(scope="session")
def live_consortium(
    fabric: None, chaincodes: dict[str, ServedChaincode], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NativeNetwork]:
    """A whole consortium on real Fabric, in the place of the embedded one that other tests share under this name.

    Tests that share it leave it running, with every member up.
    """
    root = tmp_path_factory.mktemp("native") / "consortium"
    addresses = {name: each.address for name, each in chaincodes.items()}
    live = NativeNetwork(Layout(root), chaincodes=addresses)
    live.up()
    yield live
    live.down()


@pytest.fixture(scope="module")
def arena(fabric: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """Real Fabric and the embedded ledger, to which odd certificates, transactions and config updates are fed."""
    root = tmp_path_factory.mktemp("arena")
    with served(dict.fromkeys((OPEN, STRICT, ANCHORS), ToldChaincode)) as chaincodes:
        network = NativeNetwork.joined(root / "real", twins_topology())
        addresses = {name: each.address for name, each in chaincodes.items()}
        both = FuzzedTwins(network, addresses, root / "embedded")
        try:
            both.start()
            yield Arena(both)
        finally:
            both.stop()
            network.down()


@pytest.fixture(scope="module")
def twins(fabric: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    """Real Fabric and the embedded ledger on one genesis block, with the same keys and chaincodes."""
    root = tmp_path_factory.mktemp("twins")
    with served({OPEN: ToldChaincode, STRICT: ToldChaincode}) as chaincodes:
        network = NativeNetwork.joined(root / "real", twins_topology())
        both = Twins(network, {name: each.address for name, each in chaincodes.items()}, root / "embedded")
        try:
            both.start()
            yield both
        finally:
            both.stop()
            network.down()
