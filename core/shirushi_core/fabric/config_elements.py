"""The parts of a channel's configuration, each by its path: groups, values and policies.

Source: common/configtx/{configmap,compare,validator}.go, common/policies/policy.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fabric_protos.common import configtx_pb2

from shirushi_core.errors import InvalidInputError

ROOT = "/Channel"
"""The path of a channel's root group."""

MAX_NAME = 249
MAX_DEPTH = 16
"""Groups nested deeper than this are refused; Fabric's own are four deep at most."""

_NAME = re.compile(r"[a-zA-Z0-9.-]{1,249}")
_NO_NAMES = (".", "..")


class Kind(StrEnum):
    """What a part of the configuration is."""

    GROUP = "group"
    VALUE = "value"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Key:
    """Names one part of the configuration: "/Channel/Orderer/BatchSize", a value."""

    kind: Kind
    path: str

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def group(self) -> str:
        """The path of the group whose policies a relative mod_policy means: itself, if it is a group."""
        return self.path if self.kind is Kind.GROUP else self.path.rpartition("/")[0]

    def __str__(self) -> str:
        return f"{self.kind.value} {self.path}"


def elements(root: configtx_pb2.ConfigGroup) -> dict[Key, Any]:
    """Return all parts of a configuration by key: ConfigGroup, ConfigValue and ConfigPolicy messages.

    Raises InvalidInputError for names that Fabric refuses, or groups nested more than MAX_DEPTH deep.
    """
    return dict(_walk(root, ROOT, 0))


def modification_policy(key: Key, element: Any) -> str:
    """Return the absolute path of the policy under which a part may be changed, "" if it names none."""
    mod_policy = str(element.mod_policy)
    if not mod_policy or mod_policy.startswith("/"):
        return mod_policy
    return f"{key.group}/{mod_policy}"


def check_modification_policy(key: Key, element: Any) -> None:
    """Refuse a mod_policy that Fabric would not take (validateModPolicy); raises InvalidInputError."""
    mod_policy = str(element.mod_policy)
    if not mod_policy or not all(_is_name(part) for part in mod_policy.removeprefix("/").split("/")):
        raise InvalidInputError(
            f"the {key} has the mod_policy {mod_policy!r}; expected a policy's name or path"
        )


def _walk(group: configtx_pb2.ConfigGroup, path: str, depth: int) -> Iterator[tuple[Key, Any]]:
    if depth > MAX_DEPTH:
        raise InvalidInputError(f"configuration groups are nested more than {MAX_DEPTH} deep")
    yield Key(Kind.GROUP, path), group
    for kind, members in ((Kind.VALUE, group.values), (Kind.POLICY, group.policies)):
        for name in sorted(members):
            _check_name(name, path)
            yield Key(kind, f"{path}/{name}"), members[name]
    for name in sorted(group.groups):
        _check_name(name, path)
        yield from _walk(group.groups[name], f"{path}/{name}", depth + 1)


def _check_name(name: str, path: str) -> None:
    if not _is_name(name):
        raise InvalidInputError(
            f"{name[:MAX_NAME]!r} below {path} is no name for a part of a configuration: at most {MAX_NAME} letters, "
            "digits, dots and dashes"
        )


def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and name not in _NO_NAMES
