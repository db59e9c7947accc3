"""Witnesses on real Fabric: its orderers' signatures, its peers' commit hashes, its config blocks, its Deliver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fabric_protos.common import common_pb2
from tests.fabric.changing_network import ChangingNetwork
from tests.node.witness.test_real_ledger import (
    test_what_is_issued_and_revoked_is_proved_by_every_witness_under_one_head,
)
from tests.support.derived_chain import follow

from shirushi_core.fabric.channel_config import BatchParameters
from shirushi_core.fabric.config_edits import set_batch
from shirushi_node.witness.block_check import read_configuration

__all__ = ["test_what_is_issued_and_revoked_is_proved_by_every_witness_under_one_head"]


@pytest.fixture
def changing(fabric: None, tmp_path: Path) -> Iterator[ChangingNetwork]:
    made = ChangingNetwork.joined(tmp_path / "consortium")
    yield made
    made.down()


def test_config_blocks_of_real_orderers_bring_their_configuration(changing: ChangingNetwork) -> None:
    for count in (50, 60):
        batch = BatchParameters(count, 5 << 20, 1 << 20, 0.15)
        changing.change(lambda group, batch=batch: set_batch(group, batch), changing.members[:3])
    height = changing.settle()
    first = changing.members[0]
    blocks = [common_pb2.Block.FromString(changing.genesis_file.read_bytes())]
    blocks += [changing.committed_block(first, number) for number in range(1, height)]
    followed = follow(blocks)
    assert [alarm for each in followed for alarm in each.alarms] == []
    assert sum(each.derived.brings_config for each in followed) == 2
    config = read_configuration(followed[-1].committed.data).config
    assert config is not None
    assert config.sequence == 2
    assert config.batch.max_message_count == 60
    assert followed[-1].after.config_block == height - 1
