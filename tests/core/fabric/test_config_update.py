"""Updates: computed against a configuration, applied to one."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from fabric_protos.common import configtx_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.channel_members import CHANNEL, ChannelMember, channel_of
from tests.support.config_mutations import mutated, mutations

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.channel_config import ChannelConfig
from shirushi_core.fabric.config_edits import add_member, remove_member
from shirushi_core.fabric.config_elements import MAX_DEPTH, Key, Kind, elements
from shirushi_core.fabric.config_update import (
    ConfigUpdateError,
    NothingChangedError,
    StaleUpdateError,
    apply_update,
    changed_elements,
    compute_update,
)


def edited(
    config: ChannelConfig, change: Callable[[configtx_pb2.ConfigGroup], object]
) -> configtx_pb2.ConfigGroup:
    group = copy.deepcopy(config.config.channel_group)
    change(group)
    return group


def set_batch_size(group: configtx_pb2.ConfigGroup) -> None:
    group.groups["Orderer"].values["BatchSize"].value = b"\x08\x07"


def without_versions(group: configtx_pb2.ConfigGroup) -> configtx_pb2.ConfigGroup:
    made = copy.deepcopy(group)
    for element in elements(made).values():
        element.version = 0
    return made


class TestComputing:
    def test_a_changed_value_is_the_only_thing_written(self, channel: ChannelConfig) -> None:
        update = compute_update(CHANNEL, channel.config, edited(channel, set_batch_size))
        expected = configtx_pb2.ConfigUpdate(channel_id=CHANNEL)
        expected.read_set.groups["Orderer"].SetInParent()
        value = expected.write_set.groups["Orderer"].values["BatchSize"]
        value.version, value.value, value.mod_policy = 1, b"\x08\x07", "Admins"
        assert update == expected

    def test_a_new_group_takes_its_unchanged_neighbours_along_by_version(
        self, channel: ChannelConfig, members: list[ChannelMember]
    ) -> None:
        desired = add_member(channel.config.channel_group, members[5].without_orderer)
        update = compute_update(CHANNEL, channel.config, desired)
        application = update.write_set.groups["Application"]
        assert application.version == 1
        assert application.mod_policy == "Admins"
        assert set(application.groups) == {f"Org{number}MSP" for number in range(1, 7)}
        assert application.groups["Org1MSP"] == configtx_pb2.ConfigGroup()
        assert application.groups["Org6MSP"] == desired.groups["Application"].groups["Org6MSP"]
        assert "Org6MSP" not in update.read_set.groups["Application"].groups

    def test_a_removed_group_is_missing_from_what_is_written(self, channel: ChannelConfig) -> None:
        desired = remove_member(channel.config.channel_group, "Org2MSP")
        update = compute_update(CHANNEL, channel.config, desired)
        for level in ("Application", "Orderer"):
            assert "Org2MSP" not in update.write_set.groups[level].groups
            assert "Org2MSP" not in update.read_set.groups[level].groups
            assert update.write_set.groups[level].version == 1

    def test_versions_count_on_from_the_current_ones(self, channel: ChannelConfig) -> None:
        first = compute_update(CHANNEL, channel.config, edited(channel, set_batch_size))
        now = apply_update(channel.config, first)
        desired = copy.deepcopy(now.channel_group)
        desired.groups["Orderer"].values["BatchSize"].value = b"\x08\x08"
        second = compute_update(CHANNEL, now, desired)
        assert second.write_set.groups["Orderer"].values["BatchSize"].version == 2

    def test_nothing_to_do_is_an_error_of_its_own(self, channel: ChannelConfig) -> None:
        with pytest.raises(NothingChangedError, match=CHANNEL):
            compute_update(CHANNEL, channel.config, channel.config.channel_group)


class TestApplying:
    @settings(max_examples=60, deadline=None)
    @given(data=st.data())
    def test_a_computed_update_gives_what_was_desired(self, data: st.DataObject) -> None:
        current = _channel().config
        desired = current.channel_group
        for _ in range(data.draw(st.integers(1, 3))):
            key, how, content = data.draw(mutations(desired))
            how = "content" if how in ("unknown", "version") else how
            desired = mutated(desired, key, how, content)
        try:
            update = compute_update(CHANNEL, current, desired)
        except NothingChangedError:
            assert without_versions(desired) == without_versions(current.channel_group)
            return
        result = apply_update(current, update)
        assert result.sequence == current.sequence + 1
        assert without_versions(result.channel_group) == without_versions(desired)

    def test_it_names_what_it_sets(self, channel: ChannelConfig) -> None:
        update = compute_update(CHANNEL, channel.config, edited(channel, set_batch_size))
        (change,) = changed_elements(channel.config, update)
        assert change.key == Key(Kind.VALUE, "/Channel/Orderer/BatchSize")
        assert change.before.version == 0
        assert change.after.value == b"\x08\x07"

    def test_an_update_that_was_overtaken_is_stale(self, channel: ChannelConfig) -> None:
        update = compute_update(CHANNEL, channel.config, edited(channel, set_batch_size))
        now = apply_update(channel.config, update)
        with pytest.raises(StaleUpdateError, match="BatchSize"):
            apply_update(now, update)

    def test_an_update_that_read_another_version_is_stale(
        self, channel: ChannelConfig, members: list[ChannelMember]
    ) -> None:
        joining = compute_update(
            CHANNEL, channel.config, add_member(channel.config.channel_group, members[5].bundle)
        )
        leaving = compute_update(
            CHANNEL, channel.config, remove_member(channel.config.channel_group, "Org3MSP")
        )
        with pytest.raises(StaleUpdateError, match=r"version 0 of the .*which is now at version 1"):
            apply_update(apply_update(channel.config, joining), leaving)

    def test_an_update_that_reads_what_is_not_there_is_stale(self, channel: ChannelConfig) -> None:
        update = compute_update(CHANNEL, channel.config, edited(channel, set_batch_size))
        update.read_set.groups["Nowhere"].SetInParent()
        with pytest.raises(StaleUpdateError, match="group /Channel/Nowhere"):
            apply_update(channel.config, update)

    def test_an_update_that_sets_nothing_new_is_refused(self, channel: ChannelConfig) -> None:
        update = compute_update(CHANNEL, channel.config, edited(channel, set_batch_size))
        update.write_set.CopyFrom(update.read_set)
        with pytest.raises(ConfigUpdateError, match="changes nothing"):
            apply_update(channel.config, update)

    @pytest.mark.parametrize("mod_policy", ["", "/", "a b", "Admins/..", "/Channel//Admins"])
    def test_a_policy_name_that_fabric_refuses(self, channel: ChannelConfig, mod_policy: str) -> None:
        update = compute_update(CHANNEL, channel.config, edited(channel, set_batch_size))
        update.write_set.groups["Orderer"].values["BatchSize"].mod_policy = mod_policy
        with pytest.raises(InvalidInputError, match="mod_policy"):
            apply_update(channel.config, update)

    @pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "x" * 250])
    def test_a_name_that_fabric_refuses(self, channel: ChannelConfig, name: str) -> None:
        update = compute_update(CHANNEL, channel.config, edited(channel, set_batch_size))
        update.write_set.values[name].value = b"x"
        with pytest.raises(InvalidInputError, match="no name for a part"):
            apply_update(channel.config, update)

    def test_groups_nested_without_end(self, channel: ChannelConfig) -> None:
        update = compute_update(CHANNEL, channel.config, edited(channel, set_batch_size))
        group = update.write_set
        for _ in range(MAX_DEPTH + 1):
            group = group.groups["deeper"]
        with pytest.raises(InvalidInputError, match="nested more than"):
            apply_update(channel.config, update)


_CHANNELS: list[ChannelConfig] = []


def _channel() -> ChannelConfig:
    """Two members are enough for properties, and made once."""
    if not _CHANNELS:
        _CHANNELS.append(channel_of([ChannelMember.named(number) for number in (1, 2)]))
    return _CHANNELS[0]
