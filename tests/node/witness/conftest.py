from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.support.anchored_chain import AnchoredChain, AnchoredConsortium
from tests.support.witness_http import Client
from tests.support.witnesses import ChainPeer, Witnesses, http

from shirushi_node.witness.service import WitnessService


@pytest.fixture(scope="session")
def consortium() -> AnchoredConsortium:
    return AnchoredConsortium()


@pytest.fixture
def chain(consortium: AnchoredConsortium, tmp_path: Path) -> Iterator[AnchoredChain]:
    """A chain with nothing but its genesis block."""
    made = AnchoredChain(consortium, tmp_path / "ledger")
    yield made
    made.close()


@pytest.fixture
async def issued(chain: AnchoredChain) -> AnchoredChain:
    """A chain of seven blocks: genesis, three votes for the city, two issuances, two revocations and a reinstatement."""
    await chain.register()
    await chain.issue(3, 4)
    await chain.revoke(3, 0, 1, change_id="one", status="suspended")
    await chain.revoke(3, 0, change_id="two", status="valid", reason="investigation_closed")
    return chain


@pytest.fixture
async def client(issued: AnchoredChain, tmp_path: Path) -> AsyncIterator[Client]:
    """A client of a witness that is level with the chain and signs."""
    peer = ChainPeer(issued)
    await peer.start()
    witnesses = Witnesses(issued, tmp_path / "witness", peer.address)
    service = WitnessService(witnesses.settings(others=(), quorum=1))
    await service.start()
    try:
        async with http() as session:
            made = Client(session, service, peer)
            await made.taken_in(issued)
            yield made
    finally:
        await service.stop()
        await peer.stop()
