"""Blocks that five real BFT orderers made, and real peers committed, through our eyes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from fabric_protos.common import common_pb2
from fabric_protos.peer import transaction_pb2
from tests.fabric.native_network import NativeNetwork

from shirushi_core.fabric.block import (
    BlockError,
    bft_quorum,
    block_commit_hash,
    commit_hash,
    data_hash,
    header_hash,
    last_config_index,
    validation_codes,
    verify_block_signatures,
)
from shirushi_core.fabric.channel_config import ChannelConfig, from_config_block
from shirushi_core.fabric.envelope import EndorserTransaction, parse_endorser_transaction, signed_data
from shirushi_core.fabric.policy import PolicyError, SignedData, evaluate_signed_data
from shirushi_core.fabric.rwset import Version
from shirushi_core.fabric.state_updates import update_bytes

DEFINITION = ("--name", "anchors", "--version", "1.0", "--sequence", "1")
PACKAGE = "anchors_1.0:" + "0" * 64
APPROVALS = 3


@pytest.fixture(scope="module")
def blocks(network: NativeNetwork) -> list[common_pb2.Block]:
    """The channel after a chaincode's lifecycle: genesis, the approvals of three members of five, the commit."""
    chaincode = ("lifecycle", "chaincode")
    first, majority = network.members[0], network.members[:APPROVALS]
    options = ["--channelID", network.topology.channel, *DEFINITION, *network.orderer_arguments(first)]
    for member in majority:
        network.peer(member, *chaincode, "approveformyorg", "--package-id", PACKAGE, *options)
    network.peer(first, *chaincode, "commit", *options, *network.peer_arguments(majority))
    return [network.committed_block(first, number) for number in range(APPROVALS + 2)]


@pytest.fixture(scope="module")
def config(blocks: Sequence[common_pb2.Block]) -> ChannelConfig:
    return from_config_block(blocks[0])


@pytest.fixture(scope="module")
def commit(blocks: Sequence[common_pb2.Block]) -> EndorserTransaction:
    return parse_endorser_transaction(envelope(blocks[-1]))


def envelope(block: common_pb2.Block) -> common_pb2.Envelope:
    (data,) = block.data.data
    return common_pb2.Envelope.FromString(data)


def test_a_quorum_of_the_consenters_signed_every_block(
    blocks: Sequence[common_pb2.Block], config: ChannelConfig
) -> None:
    quorum = bft_quorum(len(config.consenters))
    for block in blocks[1:]:
        assert len(verify_block_signatures(block, config.consenters, quorum)) >= quorum == 4
        assert last_config_index(block) == 0


def test_the_signatures_hold_for_no_other_header(
    blocks: Sequence[common_pb2.Block], config: ChannelConfig
) -> None:
    block = common_pb2.Block.FromString(blocks[1].SerializeToString())
    block.header.data_hash = bytes(32)
    with pytest.raises(BlockError, match="signed by 0 of 5 consenters"):
        verify_block_signatures(block, config.consenters, 1)


def test_blocks_are_chained_by_our_header_hash_and_bound_to_their_data(
    blocks: Sequence[common_pb2.Block],
) -> None:
    for before, block in pairwise(blocks):
        assert block.header.previous_hash == header_hash(before.header)
    for block in blocks:
        assert block.header.data_hash == data_hash(block.data.data)


def test_a_peer_commits_what_every_orderer_delivers(
    network: NativeNetwork, blocks: Sequence[common_pb2.Block], config: ChannelConfig
) -> None:
    last = blocks[-1]
    for member in network.members:
        ordered = network.ordered_block(member, last.header.number)
        assert (ordered.header, ordered.data) == (last.header, last.data)
        assert len(verify_block_signatures(ordered, config.consenters, 4)) >= 4


def test_all_transactions_are_valid(blocks: Sequence[common_pb2.Block]) -> None:
    assert [validation_codes(block) for block in blocks] == [[transaction_pb2.VALID]] * len(blocks)


def test_the_commit_hash_is_the_hash_of_the_public_writes(
    blocks: Sequence[common_pb2.Block], commit: EndorserTransaction
) -> None:
    before, block = blocks[-2:]
    version = Version(block.header.number, 0)
    updates = {
        each.namespace: {write.key: (write.value, version) for write in each.writes}
        for each in commit.rw_sets
        if each.writes
    }
    assert "namespaces/fields/anchors/Sequence" in updates["_lifecycle"]
    expected = commit_hash(block_commit_hash(before), bytes([transaction_pb2.VALID]), update_bytes(updates))
    assert block_commit_hash(block) == expected


def test_approvals_are_read_although_their_content_is_private(
    network: NativeNetwork, blocks: Sequence[common_pb2.Block]
) -> None:
    for member, block in zip(network.members[:APPROVALS], blocks[1:-1], strict=True):
        approval = parse_endorser_transaction(envelope(block))
        assert (approval.chaincode_name, approval.response_status) == ("_lifecycle", 200)
        assert approval.args[0] == b"ApproveChaincodeDefinitionForMyOrg"
        (lifecycle,) = (each for each in approval.rw_sets if each.namespace == "_lifecycle")
        assert lifecycle.collections == (f"_implicit_org_{member.msp_id}",)
        assert not lifecycle.writes


def test_the_client_s_signature_satisfies_the_channel_s_writers(
    blocks: Sequence[common_pb2.Block], config: ChannelConfig
) -> None:
    writers = config.policies.get("/Channel/Application/Writers")
    for block in blocks[1:]:
        evaluate_signed_data(writers, [signed_data(envelope(block))], config.msps, datetime.now(UTC))


def test_the_peers_endorsements_satisfy_the_channel_s_policy_and_one_less_does_not(
    config: ChannelConfig, commit: EndorserTransaction
) -> None:
    policy = config.policies.get("/Channel/Application/LifecycleEndorsement")
    signed = [
        SignedData(commit.response_payload + each.endorser, each.endorser, each.signature)
        for each in commit.endorsements
    ]
    evaluate_signed_data(policy, signed, config.msps, datetime.now(UTC))
    with pytest.raises(PolicyError):
        evaluate_signed_data(policy, signed[1:], config.msps, datetime.now(UTC))
