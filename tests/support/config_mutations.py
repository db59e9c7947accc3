"""Random changes of a channel's configuration, one place at a time, for property tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fabric_protos.common import configtx_pb2
from hypothesis import strategies as st

from shirushi_core.fabric.config_elements import Key, Kind, elements

Mutation = Callable[[configtx_pb2.ConfigGroup], None]


def find(root: configtx_pb2.ConfigGroup, key: Key) -> Any:
    """Return a part of a configuration for changing it."""
    return elements(root)[key]


def parent_members(root: configtx_pb2.ConfigGroup, key: Key) -> Any:
    """Return the map that a part stands in."""
    parent = elements(root)[Key(Kind.GROUP, key.path.rpartition("/")[0])]
    return {Kind.GROUP: parent.groups, Kind.VALUE: parent.values, Kind.POLICY: parent.policies}[key.kind]


def mutated(root: configtx_pb2.ConfigGroup, key: Key, how: str, data: bytes) -> configtx_pb2.ConfigGroup:
    """Return a copy with one part changed: its content, mod_policy, version or unknown fields, or without it."""
    made = configtx_pb2.ConfigGroup()
    made.CopyFrom(root)
    if how == "removal":
        del parent_members(made, key)[key.name]
        return made
    element = find(made, key)
    if how == "content" and key.kind is Kind.VALUE:
        element.value = _flipped(element.value, data)
    elif how == "content" and key.kind is Kind.POLICY:
        element.policy.value = _flipped(element.policy.value, data)
    elif how == "content":
        element.values["New"].value = data
        element.values["New"].mod_policy = "Admins"
    elif how == "type" and key.kind is Kind.POLICY:
        element.policy.type += 1
    elif how == "unknown":
        element.MergeFromString(b"\xf2\x07" + bytes([len(data)]) + data)  # field 126
    elif how == "version":
        element.version += 1 + data[0]
    else:
        element.mod_policy += "x"
    return made


def _flipped(content: bytes, data: bytes) -> bytes:
    """Return content with one byte changed, or one added."""
    position = int.from_bytes(data, "big") % (len(content) + 1)
    if position == len(content):
        return content + data[:1]
    return content[:position] + bytes([content[position] ^ (data[0] or 1)]) + content[position + 1 :]


def mutations(root: configtx_pb2.ConfigGroup) -> st.SearchStrategy[tuple[Key, str, bytes]]:
    """Draw a part, a way to change it, and bytes to change it with."""
    parts = sorted(elements(root), key=lambda key: (key.path, key.kind))
    ways = ("content", "content", "content", "mod_policy", "version", "unknown", "type", "removal")
    return st.tuples(st.sampled_from(parts), st.sampled_from(ways), st.binary(min_size=4, max_size=8)).filter(
        lambda drawn: drawn[1] != "removal" or drawn[0].path != "/Channel"
    )
