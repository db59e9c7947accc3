"""Channel configuration updates: what to send to change a configuration, and what it turns the configuration into.

Source: internal/configtxlator/update/update.go, common/configtx/{update,validator,configmap}.go (messages
common.ConfigUpdate, common.Config).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fabric_protos.common import configtx_pb2

from shirushi_core.errors import ShirushiError
from shirushi_core.fabric.config_elements import (
    ROOT,
    Key,
    Kind,
    check_modification_policy,
    elements,
)

_UPGRADED_MOD_POLICY = "Admins"


class ConfigUpdateError(ShirushiError):
    """A configuration update that cannot be made, or that orderers would refuse."""


class NothingChangedError(ConfigUpdateError):
    """The desired configuration is the current one."""


class StaleUpdateError(ConfigUpdateError):
    """An update made for another version of the configuration than the current one."""


@dataclass(frozen=True, slots=True)
class ChangedElement:
    """A part of the configuration that an update sets: as it is now (None if it is new), and as it will be."""

    key: Key
    before: Any  # ConfigGroup, ConfigValue or ConfigPolicy
    after: Any


def compute_update(
    channel_id: str, current: configtx_pb2.Config, desired: configtx_pb2.ConfigGroup
) -> configtx_pb2.ConfigUpdate:
    """Return the update that turns a channel's configuration into the desired one, as configtxlator computes it.

    The read set holds the versions that must still be current when the update is ordered; versions in `desired` do not
    matter. Raises NothingChangedError if there is nothing to do.
    """
    read_set, write_set, changed = _compare_groups(current.channel_group, desired)
    if not changed:
        raise NothingChangedError(f"the desired configuration of channel {channel_id!r} is the current one")
    return configtx_pb2.ConfigUpdate(channel_id=channel_id, read_set=read_set, write_set=write_set)


def changed_elements(
    current: configtx_pb2.Config, update: configtx_pb2.ConfigUpdate
) -> tuple[ChangedElement, ...]:
    """Return what an update sets in the current configuration, by path.

    Checks what an orderer checks before it looks at signatures: raises StaleUpdateError if a version that the update
    read or counts on is not the current one, ConfigUpdateError if it sets nothing, InvalidInputError for names and
    policy names that Fabric refuses.
    """
    now, read, written = elements(current.channel_group), _set(update, "read_set"), _set(update, "write_set")
    for key, element in read.items():
        if key not in now:
            raise StaleUpdateError(
                f"the update read the {key}, which the current configuration does not have"
            )
        _check_version(key, element.version, now[key].version)
    delta = {
        key: element
        for key, element in written.items()
        if key not in read or read[key].version != element.version
    }
    if not delta:
        raise ConfigUpdateError("the update changes nothing: it sets no part to a new version")
    for key, element in delta.items():
        check_modification_policy(key, element)
        if key in now:
            _check_version(key, element.version - 1, now[key].version)
        elif element.version:
            raise StaleUpdateError(
                f"the update sets the {key} to version {element.version}, but there is no such part"
            )
    return tuple(
        ChangedElement(key, now.get(key), delta[key])
        for key in sorted(delta, key=lambda key: (key.path, key.kind))
    )


def apply_update(current: configtx_pb2.Config, update: configtx_pb2.ConfigUpdate) -> configtx_pb2.Config:
    """Return the configuration that orderers make of an update, signatures and their other checks apart.

    Raises as changed_elements does.
    """
    result = elements(current.channel_group)
    result.update((each.key, each.after) for each in changed_elements(current, update))
    upgrade = Key(Kind.VALUE, f"{ROOT}/Orderer/Capabilities") in result
    group = _rebuilt(ROOT, result, upgrade=upgrade)
    return configtx_pb2.Config(sequence=current.sequence + 1, channel_group=group)


def _compare_groups(
    original: configtx_pb2.ConfigGroup, updated: configtx_pb2.ConfigGroup
) -> tuple[configtx_pb2.ConfigGroup, configtx_pb2.ConfigGroup, bool]:
    """Return a group's read set, write set, and whether anything in it changed."""
    read_set = configtx_pb2.ConfigGroup(version=original.version)
    write_set = configtx_pb2.ConfigGroup(version=original.version)
    own = original.mod_policy != updated.mod_policy
    changed = False
    same: list[tuple[str, str, Any]] = []
    for field in ("groups", "values", "policies"):
        before, after = getattr(original, field), getattr(updated, field)
        own = own or set(before) != set(after)
        for name in before:
            if name not in after:
                continue
            if field == "groups":
                read, write, is_changed = _compare_groups(before[name], after[name])
            else:
                read = type(before[name])(version=before[name].version)
                write = _at_version(after[name], before[name].version + 1)
                is_changed = not _same(before[name], after[name])
            if not is_changed:
                same.append((field, name, read))
                continue
            changed = True
            getattr(write_set, field)[name].CopyFrom(write)
            if field == "groups":
                read_set.groups[name].CopyFrom(read)
        for name in after:
            if name not in before:
                _as_new(field, getattr(write_set, field)[name], after[name])
    if own:
        for field, name, unchanged in same:
            getattr(read_set, field)[name].CopyFrom(unchanged)
            getattr(write_set, field)[name].CopyFrom(unchanged)
        write_set.version = original.version + 1
        write_set.mod_policy = updated.mod_policy
    return read_set, write_set, own or changed


def _same(before: Any, after: Any) -> bool:
    """Say whether two values or policies are the same, their versions apart."""
    if before.mod_policy != after.mod_policy:
        return False
    if isinstance(before, configtx_pb2.ConfigValue):
        return bool(before.value == after.value)
    return bool(before.HasField("policy") == after.HasField("policy") and before.policy == after.policy)


def _at_version(element: Any, version: int) -> Any:
    """Return what an update writes of a value or policy: the fields that Fabric knows, at a version."""
    if isinstance(element, configtx_pb2.ConfigValue):
        return configtx_pb2.ConfigValue(version=version, value=element.value, mod_policy=element.mod_policy)
    policy = element.policy if element.HasField("policy") else None
    return configtx_pb2.ConfigPolicy(version=version, policy=policy, mod_policy=element.mod_policy)


def _as_new(field: str, target: Any, wanted: Any) -> None:
    if field != "groups":
        target.CopyFrom(_at_version(wanted, 0))
        return
    _, write_set, _ = _compare_groups(configtx_pb2.ConfigGroup(), wanted)
    target.CopyFrom(write_set)
    target.version = 0
    target.mod_policy = wanted.mod_policy


def _set(update: configtx_pb2.ConfigUpdate, field: str) -> dict[Key, Any]:
    return elements(getattr(update, field)) if update.HasField(field) else {}


def _check_version(key: Key, expected: int, found: int) -> None:
    if expected != found:
        raise StaleUpdateError(
            f"the update was made for version {expected} of the {key}, which is now at version {found}; make it again "
            "from the current configuration"
        )


def _rebuilt(path: str, parts: Mapping[Key, Any], *, upgrade: bool) -> configtx_pb2.ConfigGroup:
    """Put a group together again from the parts that its own message names (recurseConfigMap)."""
    group = configtx_pb2.ConfigGroup()
    group.CopyFrom(parts[Key(Kind.GROUP, path)])
    members: list[Any] = [group]
    for name in list(group.groups):
        group.groups[name].CopyFrom(_rebuilt(f"{path}/{name}", parts, upgrade=upgrade))
    for kind, present in ((Kind.VALUE, group.values), (Kind.POLICY, group.policies)):
        for name in list(present):
            present[name].CopyFrom(parts[Key(kind, f"{path}/{name}")])
            members.append(present[name])
    for each in members if upgrade else ():
        each.mod_policy = each.mod_policy or _UPGRADED_MOD_POLICY
    return group
