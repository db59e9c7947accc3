"""Fabric's own orderer and peer run on certificates that were made elsewhere, below intermediate CAs."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.fabric.native_network import NativeNetwork
from tests.support.foreign_pki import ForeignPki

from shirushi_core.fabric.block import header_hash
from shirushi_network.import_keys import import_member
from shirushi_network.ports import with_ports
from shirushi_network.topology import FirstIssuer, Member, Topology, default_topology


@pytest.fixture(scope="module")
def imported(fabric: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeNetwork]:
    """One member's orderer and peer."""
    (member,) = with_ports(default_topology(), 0).members[:1]
    topology = Topology("imported-test", (member,), quorum=1, issuer=FirstIssuer(member=member.id))
    foreign = tmp_path_factory.mktemp("foreign")

    def import_now(root: Path, member: Member) -> None:
        folder = ForeignPki.make().write(foreign / member.id, member, layout="fabric-ca")
        import_member(root, member, folder, now=datetime.now(UTC))

    network = NativeNetwork.joined(tmp_path_factory.mktemp("imported") / "consortium", topology, import_now)
    yield network
    network.down()


def test_the_orderer_leads_its_channel(imported: NativeNetwork) -> None:
    (member,) = imported.members
    answer = imported.participation(member)
    assert (answer["consensusRelation"], answer["status"]) == ("consenter", "active")


@pytest.mark.parametrize("user", ["admin", "issuer", "client"])
def test_the_peer_has_joined_and_answers_the_imported_users(imported: NativeNetwork, user: str) -> None:
    information = imported.channel_info(imported.members[0], user=user)
    assert information["height"] == 1
    assert base64.b64decode(information["currentBlockHash"]) == header_hash(imported.genesis.header)


def test_the_orderer_delivers_the_genesis_block_over_tls(imported: NativeNetwork) -> None:
    assert imported.ordered_block(imported.members[0], 0) == imported.genesis
