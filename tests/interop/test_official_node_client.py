"""The official Node Gateway client, unmodified, against the embedded node."""

from __future__ import annotations

import pytest
from tests.support.basic_chaincode import BasicChaincode
from tests.support.official_client import CASES, client_configuration, run_cases
from tests.support.running_network import RunningNetwork

from shirushi_node.ledger.definitions import ChaincodeDefinition


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """Run all cases once, in a network of five members with the basic chaincode."""
    root = tmp_path_factory.mktemp("network")
    network = RunningNetwork(root, [ChaincodeDefinition("basic", BasicChaincode())])
    network.start()
    try:
        return run_cases(root, client_configuration(network.layout, network.topology))
    finally:
        network.stop()


@pytest.mark.parametrize("case", CASES)
def test_official_client(results: dict[str, dict[str, object]], case: str) -> None:
    assert results[case]["ok"], results[case].get("error")
