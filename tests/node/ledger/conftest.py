from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.support.basic_chaincode import BasicChaincode
from tests.support.consortium import Consortium
from tests.support.throwaway_ca import NOW

from shirushi_node.ledger.definitions import ChaincodeDefinition
from shirushi_node.ledger.ledger import Channel
from shirushi_node.ledger.store import LedgerStore


@pytest.fixture(scope="session")
def consortium() -> Consortium:
    return Consortium()


@pytest.fixture
def store(tmp_path: Path, consortium: Consortium) -> Iterator[LedgerStore]:
    opened = LedgerStore.open(tmp_path / "ledger", consortium.genesis)
    yield opened
    opened.close()


@pytest.fixture
def definitions() -> list[ChaincodeDefinition]:
    return [
        ChaincodeDefinition("basic", BasicChaincode()),
        ChaincodeDefinition("other", BasicChaincode()),
    ]


@pytest.fixture
async def channel(
    tmp_path: Path, consortium: Consortium, definitions: list[ChaincodeDefinition]
) -> AsyncIterator[Channel]:
    running = Channel(
        tmp_path / "ledger", consortium.genesis, consortium.orderers, definitions, clock=lambda: NOW
    )
    await running.start()
    yield running
    await running.stop()
