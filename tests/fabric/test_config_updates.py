"""Channel configuration updates, against configtxlator and in a network of Fabric's own orderers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fabric_protos.common import common_pb2, configtx_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fabric.changing_network import ChangingNetwork
from tests.support.channel_members import CHANNEL, ChannelMember, channel_of
from tests.support.config_mutations import mutated, mutations
from tests.support.fabric_binaries import fabric_binary

from shirushi_core.fabric.block import bft_quorum, verify_block_signatures
from shirushi_core.fabric.channel_config import BatchParameters, ChannelConfig, from_config_block
from shirushi_core.fabric.config_approval import judge_signatures
from shirushi_core.fabric.config_difference import describe_difference
from shirushi_core.fabric.config_edits import (
    add_member,
    add_orderer,
    remove_member,
    replace_orderer_tls,
    set_batch,
)
from shirushi_core.fabric.config_proposal import ProposedUpdate
from shirushi_core.fabric.config_update import NothingChangedError, apply_update, compute_update
from shirushi_network.topology import Member

BATCH = BatchParameters(50, 5 << 20, 1 << 20, 0.15)


def decoded(data: bytes, kind: str) -> dict[str, Any]:
    """Return configtxlator's JSON of a message."""
    command = [fabric_binary("configtxlator"), "proto_decode", "--type", kind]
    done = subprocess.run(command, input=data, capture_output=True, timeout=30, check=True)
    return dict(json.loads(done.stdout))


class TestComputedAsByConfigtxlator:
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_random_changes_give_the_same_update(
        self, small_channel: ChannelConfig, tmp_path: Path, data: st.DataObject
    ) -> None:
        current = small_channel.config
        desired = current.channel_group
        for _ in range(data.draw(st.integers(1, 4))):
            desired = mutated(desired, *data.draw(mutations(desired)))
        theirs = translated(tmp_path, current, desired)
        try:
            ours = compute_update(CHANNEL, current, desired)
        except NothingChangedError:
            assert "no differences detected" in theirs.stderr.decode()
            return
        assert theirs.returncode == 0, theirs.stderr
        assert configtx_pb2.ConfigUpdate.FromString(theirs.stdout) == ours

    @pytest.mark.parametrize("what", ["joining", "leaving", "batch"])
    def test_edits_give_the_same_update(
        self, small_channel: ChannelConfig, tmp_path: Path, what: str
    ) -> None:
        current = small_channel.config
        desired = {
            "joining": lambda: add_member(current.channel_group, ChannelMember.named(3).bundle),
            "leaving": lambda: remove_member(current.channel_group, "Org2MSP"),
            "batch": lambda: set_batch(current.channel_group, BATCH),
        }[what]()
        theirs = translated(tmp_path, current, desired)
        ours = compute_update(CHANNEL, current, desired)
        assert configtx_pb2.ConfigUpdate.FromString(theirs.stdout) == ours


@pytest.fixture(scope="module")
def small_channel() -> ChannelConfig:
    return channel_of([ChannelMember.named(number) for number in (1, 2)])


def translated(
    folder: Path, current: configtx_pb2.Config, desired: configtx_pb2.ConfigGroup
) -> subprocess.CompletedProcess[bytes]:
    (folder / "original").write_bytes(current.SerializeToString())
    (folder / "updated").write_bytes(configtx_pb2.Config(channel_group=desired).SerializeToString())
    command = [
        *(fabric_binary("configtxlator"), "compute_update", "--channel_id", CHANNEL),
        *("--original", str(folder / "original"), "--updated", str(folder / "updated")),
    ]
    return subprocess.run(command, capture_output=True, timeout=30, check=False)


@pytest.fixture(scope="module")
def network(fabric: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChangingNetwork]:
    made = ChangingNetwork.joined(tmp_path_factory.mktemp("changing") / "consortium")
    yield made
    made.down()


def check_config_block(network: ChangingNetwork, before: ChannelConfig, after: ChannelConfig) -> None:
    """Every orderer has the config block; the orderers of before signed it; it is what we had predicted."""
    blocks = [network.config_block(member) for member in network.orderers]
    for block in blocks:
        assert from_config_block(block).config == after.config
        quorum = bft_quorum(len(before.consenters))
        assert len(verify_block_signatures(block, before.consenters, quorum)) >= quorum
    envelope = decoded(blocks[0].SerializeToString(), "common.Block")["data"]["data"][0]
    read = envelope["payload"]["data"]
    assert int(read["config"]["sequence"]) == after.sequence == before.sequence + 1
    update = read["last_update"]["payload"]["data"]
    assert update["config_update"]["channel_id"] == network.topology.channel
    message = configtx_pb2.ConfigUpdate.FromString(last_update(blocks[0]))
    assert apply_update(before.config, message) == after.config
    assert describe_difference(before.config, after.config)


def last_update(block: common_pb2.Block) -> bytes:
    envelope = common_pb2.Envelope.FromString(block.data.data[0])
    content = configtx_pb2.ConfigEnvelope.FromString(common_pb2.Payload.FromString(envelope.payload).data)
    return ProposedUpdate.from_bytes(content.last_update.SerializeToString()).update_bytes


class TestAcceptedByOrderers:
    def test_a_change_of_the_batch(self, network: ChangingNetwork) -> None:
        before = network.channel_config()
        after = network.change(lambda group: set_batch(group, BATCH), network.members[:3])
        assert after.batch == BATCH
        check_config_block(network, before, after)

    def test_too_few_signatures_are_refused_and_we_had_said_so(self, network: ChangingNetwork) -> None:
        before = network.channel_config()
        other = BatchParameters(60, 5 << 20, 1 << 20, 0.15)
        proposed = network.propose(lambda group: set_batch(group, other), network.members[:2])
        approval = judge_signatures(before, proposed, datetime.now(UTC))
        assert not approval.sufficient
        assert approval.summary.startswith(
            "signed by 2 of 5 members (ChaintopeMSP, IizukaMSP); 3 are needed: 1 more"
        )
        answer = network.submit(proposed, network.members[0])
        assert answer.status == common_pb2.BAD_REQUEST
        assert "/Channel/Orderer" in answer.info
        assert network.channel_config().sequence == before.sequence

    def test_the_file_passes_through_fabrics_own_tools(
        self, network: ChangingNetwork, tmp_path: Path
    ) -> None:
        before = network.channel_config()
        first, second, third = network.members[:3]
        other = BatchParameters(70, 5 << 20, 1 << 20, 0.15)
        proposed = network.propose(lambda group: set_batch(group, other), [first])
        file = tmp_path / "update.pb"
        file.write_bytes(proposed.to_bytes())
        read = decoded(file.read_bytes(), "common.Envelope")
        assert read["payload"]["header"]["channel_header"]["channel_id"] == network.topology.channel
        assert len(read["payload"]["data"]["signatures"]) == 1
        network.peer(second, "channel", "signconfigtx", "-f", str(file))
        signed = ProposedUpdate.from_bytes(file.read_bytes())
        assert signed.update_bytes == proposed.update_bytes
        approval = judge_signatures(before, signed, datetime.now(UTC))
        assert set(approval.signed_members) == {first.msp_id, second.msp_id}
        height = network.height_of(first)
        network.peer(
            *(third, "channel", "update", "-f", str(file), "-c", network.topology.channel),
            *network.orderer_arguments(network.leader()),
        )
        network.wait_for_height(height + 1)
        after = network.channel_config()
        assert after.batch == other
        check_config_block(network, before, after)

    def test_an_orderer_gets_a_new_tls_certificate(self, network: ChangingNetwork) -> None:
        member = next(each for each in network.members if each != network.leader())
        before = network.channel_config()
        certificate = network.renew_tls(member)
        after = network.change(
            lambda group: replace_orderer_tls(group, member.msp_id, certificate), network.members[:3]
        )
        check_config_block(network, before, after)
        network.restart_orderer(member)
        network.wait_until_active(member)
        again = network.change(
            lambda group: set_batch(group, BatchParameters(80, 5 << 20, 1 << 20, 0.15)), network.members[2:]
        )
        check_config_block(network, after, again)

    def test_a_sixth_member_comes_starts_an_orderer_and_goes(self, network: ChangingNetwork) -> None:
        sixth = network.new_member()
        bundle = network.bundle(sixth)
        no_orderer = {f"orderer_{name}": None for name in ("certificate", "tls_certificate", "host", "port")}
        before = network.channel_config()
        joined = network.change(
            lambda group: add_member(group, replace(bundle, **no_orderer)),
            network.members[:3],
        )
        check_config_block(network, before, joined)
        assert sixth.msp_id in joined.application_orgs
        assert sixth.msp_id not in joined.orderer_orgs

        ordering = network.change(lambda group: add_orderer(group, bundle), network.members[:4])
        check_config_block(network, joined, ordering)
        assert [each.id for each in ordering.consenters] == [1, 2, 3, 4, 5, 6]
        network.start_orderer(sixth, network.config_block(network.members[0]))
        network.wait_until_active(sixth)
        voters: list[Member] = [sixth, *network.members[:3]]
        changed = network.change(
            lambda group: set_batch(group, BatchParameters(90, 5 << 20, 1 << 20, 0.15)), voters
        )
        check_config_block(network, ordering, changed)

        network.newcomers.remove(sixth)
        left = network.change(lambda group: remove_member(group, sixth.msp_id), network.members[:4])
        check_config_block(network, changed, left)
        assert [each.id for each in left.consenters] == [1, 2, 3, 4, 5]

    def test_a_member_comes_with_its_orderer_in_one_update(self, network: ChangingNetwork) -> None:
        """Its orderer does not run yet: the five others are more than the quorum of four."""
        newcomer = ChannelMember.named(9).bundle
        before = network.channel_config()
        after = network.change(
            lambda group: add_member(group, newcomer, ids_used_up_to=6), network.members[:3]
        )
        check_config_block(network, before, after)
        assert after.consenters[-1].id == 7
        left = network.change(lambda group: remove_member(group, newcomer.msp_id), network.members[:4])
        check_config_block(network, after, left)
