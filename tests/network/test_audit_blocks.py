"""Deriving the log from a peer's blocks for an audit: as its witness does, and with what does not look right named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.anchored_chain import AnchoredChain, AnchoredConsortium
from tests.support.anchors_ledger import CHANNEL
from tests.support.audited_logs import NoBar
from tests.support.contract_log import replayed
from tests.support.witnesses import TLS_ROOT, ChainPeer, Witnesses, files_below, signs, until

from shirushi_client.audit.findings import Code
from shirushi_core.proofs.tiles import unbundle
from shirushi_network import audit_blocks
from shirushi_network.audit_blocks import DerivedLog, derive_from_blocks
from shirushi_network.config_blocks import ConfigBlockError
from shirushi_network.topology import default_topology
from shirushi_node.witness.deliver import PeerAccess

MEMBER = default_topology().members[0]


@pytest.fixture(scope="module")
def consortium() -> AnchoredConsortium:
    return AnchoredConsortium()


@pytest.fixture
async def peer(consortium: AnchoredConsortium, tmp_path: Path) -> AsyncIterator[ChainPeer]:
    """A peer with eight blocks: genesis, three votes for the city, two batches in one, and changes of status in three."""
    chain = AnchoredChain(consortium, tmp_path / "ledger")
    await chain.register()
    await chain.issue(3, 4)
    await chain.revoke(3, 0, 1, change_id="one", status="suspended")
    await chain.revoke(3, 0, change_id="two", status="valid", reason="investigation_closed")
    await chain.revoke(4, None, change_id="three")
    made = ChainPeer(chain)
    made.chain = chain  # type: ignore[attr-defined]
    await made.start()
    yield made
    await made.stop()
    chain.close()


async def derived(peer: Any, folder: Path, genesis: bytes | None = None) -> DerivedLog:
    access = PeerAccess(CHANNEL, peer.chain.consortium.members[0].client, peer.address, TLS_ROOT, "localhost")
    own = peer.chain.consortium.genesis.SerializeToString()
    folder.mkdir()
    return await derive_from_blocks(MEMBER, access, genesis or own, folder, NoBar().watch)


async def test_gives_the_same_tiles_as_a_witness_and_a_log_that_replays(peer: Any, tmp_path: Path) -> None:
    log = await derived(peer, tmp_path / "audit")
    assert log.findings == ()
    witnesses = Witnesses(peer.chain, tmp_path / "witnesses", peer.address)
    async with witnesses.running("org1", "org2", "org3", "org4") as services:
        await until(lambda: signs(services[0], peer.chain.store.height), "signing")
        assert log.source.size() == services[0].status().size
        assert files_below(tmp_path / "audit") == files_below(tmp_path / "witnesses" / "org1")
    entries = unbundle(await log.source.bundle(0, log.source.size()))
    assert replayed(entries).at_head


async def test_is_the_same_whatever_is_written_together(
    peer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await derived(peer, tmp_path / "at once")
    for together in (1, 3):
        monkeypatch.setattr(audit_blocks, "TOGETHER", together)
        await derived(peer, tmp_path / f"{together}")
        assert files_below(tmp_path / f"{together}") == files_below(tmp_path / "at once")


async def test_says_what_does_not_look_right_and_derives_the_log_all_the_same(
    peer: Any, tmp_path: Path
) -> None:
    block = peer.chain.block(5)
    block.header.previous_hash = bytes(32)
    peer.store.spoilt[5] = block.SerializeToString()
    log = await derived(peer, tmp_path / "audit")
    assert {finding.code for finding in log.findings} == {Code.BLOCK_REFUSED}
    assert {finding.source for finding in log.findings} == {log.source.name}
    assert [finding.found.split(":")[:2] for finding in log.findings] == [
        ["block 5", " hash_chain"],
        ["block 5", " orderers"],
        ["block 6", " hash_chain"],
    ]
    peer.store.spoilt.clear()
    assert files_below(tmp_path / "audit") == await files_of(peer, tmp_path / "unspoilt")


async def files_of(peer: Any, folder: Path) -> dict[str, bytes]:
    await derived(peer, folder)
    return files_below(folder)


async def test_a_transaction_that_is_not_the_contracts_is_a_finding(peer: Any, tmp_path: Path) -> None:
    state = peer.chain.contract.state
    for key in [key for key in state if key.startswith(("batch/", "issued/"))]:
        del state[key]
    await peer.chain.issue(3)
    log = await derived(peer, tmp_path / "audit")
    (finding,) = log.findings
    assert "unjudged" in finding.found
    assert "anchored a second time" in finding.found


async def test_of_a_peer_whose_genesis_block_is_another_is_said(peer: Any, tmp_path: Path) -> None:
    other = AnchoredConsortium().genesis.SerializeToString()
    log = await derived(peer, tmp_path / "audit", genesis=other)
    assert any("block 1: hash_chain" in finding.found for finding in log.findings)


async def test_needs_a_genesis_block(peer: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigBlockError):
        await derived(peer, tmp_path / "audit", genesis=b"no block")


async def test_of_a_peer_that_is_down_is_said_to_be_so(peer: Any, tmp_path: Path) -> None:
    await peer.stop()
    log = await derived(peer, tmp_path / "audit")
    (finding,) = log.findings
    assert (finding.code, finding.index) == (Code.BLOCKS_UNREADABLE, None)
    assert log.source.size() == 0
