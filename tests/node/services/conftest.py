from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.support.basic_chaincode import BasicChaincode
from tests.support.probing_chaincode import ProbingChaincode
from tests.support.raw_client import RawClient
from tests.support.running_network import prepare
from tests.support.service_network import Keys, Network, StartNetwork, member_nodes

from shirushi_node.ledger.definitions import ChaincodeDefinition
from shirushi_node.ledger.node import LedgerNode, Limits


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return prepare(tmp_path_factory.mktemp("keys"))


@pytest.fixture
async def start_network(keys: Keys, tmp_path: Path) -> AsyncIterator[StartNetwork]:
    """Start a node with the chaincodes and limits given; it is stopped with the test."""
    async with AsyncExitStack() as stack:

        async def start(
            definitions: Sequence[ChaincodeDefinition] = (), limits: Limits | None = None
        ) -> Network:
            node = LedgerNode(
                tmp_path / "ledger",
                keys[0].genesis.read_bytes(),
                member_nodes(keys),
                [
                    ChaincodeDefinition("basic", BasicChaincode()),
                    ChaincodeDefinition("probing", ProbingChaincode()),
                    *definitions,
                ],
                limits=limits,
            )
            await node.start()
            stack.push_async_callback(node.stop)
            return Network(keys, node, stack)

        yield start


@pytest.fixture
async def network(start_network: StartNetwork) -> Network:
    return await start_network()


@pytest.fixture
async def client(network: Network) -> RawClient:
    """A client of the first member."""
    return await network.client()
