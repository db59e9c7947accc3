"""The smallest real network that ours is compared with: one organisation, Raft ordering, Fabric's own programs."""

from __future__ import annotations

import asyncio
import urllib.request
from pathlib import Path

import pytest
from fabric_protos.common import common_pb2
from fabric_protos.orderer import configuration_pb2 as orderer_pb2
from fabric_protos.orderer.etcdraft import configuration_pb2 as etcdraft_pb2
from tests.support.fabric_binaries import fabric_binary

from shirushi_benchmarks.peers.raft_genesis import with_raft
from shirushi_benchmarks.peers.raft_network import one_member, raft_network
from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.issuer import Issuer
from shirushi_client.issuer.journal import Journal
from shirushi_client.session import ISSUER, open_session
from shirushi_core.fabric.block import data_hash
from shirushi_core.fabric.channel_config import BatchParameters, from_config_block
from shirushi_core.fabric.config_elements import elements
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.receipt import Receipt
from shirushi_network import bring_up
from shirushi_network.layout import Layout
from shirushi_network.lock import lock_holder
from shirushi_network.topology_file import read_topology

BLOCKS = BatchParameters(
    max_message_count=7, absolute_max_bytes=1 << 20, preferred_max_bytes=1 << 19, timeout_seconds=0.3
)

BY_RAFT = {
    "value /Channel/Orderer/ConsensusType",
    "value /Channel/Orderer/Orderers",
    "policy /Channel/Orderer/BlockValidation",
}


@pytest.fixture(scope="module")
def bft_block(tmp_path_factory: pytest.TempPathFactory) -> common_pb2.Block:
    """The genesis block that the network floor builds of the one member."""
    layout = Layout(tmp_path_factory.mktemp("genesis"))
    bring_up.prepare(layout, one_member(BLOCKS), progress=lambda _: None)
    return common_pb2.Block.FromString(layout.genesis.read_bytes())


def test_of_the_genesis_block_only_what_says_how_blocks_are_ordered_and_validated_changes(
    bft_block: common_pb2.Block,
) -> None:
    block = with_raft(bft_block)
    before, after = (
        {
            str(key): each.SerializeToString(deterministic=True)
            for key, each in parts.items()
            if key.kind != "group"
        }
        for parts in (elements(from_config_block(each).config.channel_group) for each in (bft_block, block))
    )
    changed = {key for key in before | after if before.get(key) != after.get(key)}
    assert changed == BY_RAFT
    assert block.header.data_hash == data_hash(block.data.data) != bft_block.header.data_hash


def test_the_orderers_of_the_members_are_rafts_consenters(bft_block: common_pb2.Block) -> None:
    (bft,) = from_config_block(bft_block).consenters
    config = from_config_block(with_raft(bft_block))
    assert (config.consensus_type, config.batch) == ("etcdraft", BLOCKS)
    value = config.config.channel_group.groups["Orderer"].values["ConsensusType"].value
    metadata = etcdraft_pb2.ConfigMetadata.FromString(orderer_pb2.ConsensusType.FromString(value).metadata)
    assert [(each.host, each.port) for each in metadata.consenters] == [(bft.host, bft.port)]
    assert metadata.consenters[0].client_tls_cert == metadata.consenters[0].server_tls_cert != b""


def test_a_certificate_is_issued_and_its_anchor_found_and_nothing_is_left_running(tmp_path: Path) -> None:
    for program in ("orderer", "peer"):
        fabric_binary(program)
    data = tmp_path / "raft"
    with raft_network(data, lambda _: None) as layout:
        assert "consensus_etcdraft_is_leader" in _orderer_metrics(layout)
        receipt, found = asyncio.run(_issued_and_found(layout, tmp_path / "journal.db"))
        assert found == receipt.anchor.to_json()
        assert receipt.log is None
    locks = list(data.rglob("lock"))
    assert len(locks) == 3
    assert all(lock_holder(lock) is None for lock in locks)


async def _issued_and_found(layout: Layout, journal_file: Path) -> tuple[Receipt, Json]:
    """Issue one certificate; returns its receipt, and its batch's anchor as the peer tells it."""
    async with open_session(layout.root, ISSUER) as session:
        with Journal(journal_file) as journal:
            async with Issuer(
                name=session.profile.issuer_id(),
                seal_key=session.profile.load_seal_key(),
                ledger=session.ledger,
                journal=journal,
            ) as issuer:
                receipt = Receipt.from_bytes(await issuer.issue(b"certificate", Order("income-certificate")))
        (member,) = session.members
        batch_id = receipt.anchor.statement.batch_id.hex()
        return receipt, await member.evaluate("get_batch", {"batch_id": batch_id})


def _orderer_metrics(layout: Layout) -> str:
    (member,) = read_topology(layout.topology).members
    assert member.orderer is not None
    url = f"http://127.0.0.1:{member.orderer.operations_port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode())
