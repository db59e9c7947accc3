"""Fabric's orderers and peers take our genesis block, and our members' keys, for their own."""

from __future__ import annotations

import base64
import json
import subprocess

import pytest
from tests.fabric.native_network import NativeNetwork, NativeNetworkError
from tests.support.fabric_binaries import fabric_binary

from shirushi_core.fabric.block import header_hash
from shirushi_network.member_keys import USERS


def test_five_orderers_are_a_cluster_with_one_leader(network: NativeNetwork) -> None:
    for member in network.members:
        answer = network.participation(member)
        assert (answer["consensusRelation"], answer["status"]) == ("consenter", "active")
    leaders = network.leaders()
    assert len(leaders) == 5
    assert len(set(leaders)) == 1
    assert leaders[0] in range(1, 6)


def test_five_peers_hold_the_genesis_block_and_nothing_else(network: NativeNetwork) -> None:
    for member in network.members:
        information = network.channel_info(member)
        assert information["height"] == 1
        assert base64.b64decode(information["currentBlockHash"]) == header_hash(network.genesis.header)


@pytest.mark.parametrize("user", USERS)
def test_a_member_s_users_may_ask_its_peer(network: NativeNetwork, user: str) -> None:
    assert network.channel_info(network.members[0], user=user)["height"] == 1


def test_another_member_s_admin_may_not_administer_a_peer(network: NativeNetwork) -> None:
    here, other = network.members[:2]
    with pytest.raises(NativeNetworkError, match="access denied"):
        network.peer(here, "lifecycle", "chaincode", "queryinstalled", user_of=other)


def test_orderers_deliver_the_genesis_block_as_it_was_built(network: NativeNetwork) -> None:
    for member in network.members:
        assert network.ordered_block(member, 0) == network.genesis


def test_configtxlator_reads_the_genesis_block(network: NativeNetwork) -> None:
    command = [fabric_binary("configtxlator"), "proto_decode", "--type", "common.Block"]
    with network.genesis_file.open("rb") as file:
        decoded = json.loads(subprocess.check_output(command, stdin=file, timeout=30))
    payload = decoded["data"]["data"][0]["payload"]
    assert payload["header"]["channel_header"]["channel_id"] == network.topology.channel
    orderer = payload["data"]["config"]["channel_group"]["groups"]["Orderer"]
    consenters = orderer["values"]["Orderers"]["value"]["consenter_mapping"]
    assert [each["port"] for each in consenters] == [member.orderer.port for member in network.members]
