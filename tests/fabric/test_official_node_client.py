"""The official Node Gateway client, unmodified, against a real peer: the same cases as against the embedded node.

The basic chaincode runs in our chaincode service, and all peers call one.
"""

from __future__ import annotations

import pytest
from tests.fabric.native_network import NativeNetwork
from tests.support.official_client import CASES, client_configuration, run_cases


@pytest.fixture(scope="module")
def results(
    live_consortium: NativeNetwork, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, object]]:
    configuration = client_configuration(live_consortium.layout, live_consortium.topology)
    return run_cases(tmp_path_factory.mktemp("client"), configuration)


@pytest.mark.parametrize("case", CASES)
def test_official_client(results: dict[str, dict[str, object]], case: str) -> None:
    assert results[case]["ok"], results[case].get("error")
