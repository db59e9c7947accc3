"""The consortium as data: its channel, its members and where their nodes listen.

topology.json: {"channel", "issuer", "quorum", "members": [{"id", "msp_id", "name_ja", "name_en", "host", "peer_port",
"orderer_port"}]}. Strict both ways: unknown, missing or repeated fields are refused.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from shirushi_core.errors import InvalidInputError

DEFAULT_CHANNEL = "shirushi-test"
DEFAULT_ISSUER = "iizuka-city"
DEFAULT_PORT = 17050

MAX_FILE_BYTES = 256 * 1024
MAX_MEMBERS = 64

_ID = re.compile(r"[a-z][a-z0-9-]{0,31}")
_MSP_ID = re.compile(r"[A-Za-z][A-Za-z0-9.-]{0,63}")
_CHANNEL = re.compile(r"[a-z][a-z0-9.-]{0,248}")
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.(?!-)[A-Za-z0-9-]{1,63})*")
_MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class Member:
    """One member: its names, its MSP, and where its peer and its orderer listen."""

    id: str
    msp_id: str
    name_ja: str
    name_en: str
    host: str
    peer_port: int
    orderer_port: int

    def __post_init__(self) -> None:
        _check_text(self.id, _ID, "member id", "a lower-case letter, then letters, digits and dashes")
        _check_text(self.msp_id, _MSP_ID, f"MSP id of {self.id}", "letters, digits, dots and dashes")
        for name in (self.name_ja, self.name_en):
            if not isinstance(name, str) or not 1 <= len(name) <= _MAX_NAME or not name.isprintable():
                raise InvalidInputError(
                    f"name of {self.id}: expected 1 to {_MAX_NAME} printable characters, found {name!r}"
                )
        if not _is_host(self.host):
            raise InvalidInputError(
                f"host of {self.id}: expected a host name or an IPv4 address, found {self.host!r}"
            )
        for port in (self.peer_port, self.orderer_port):
            if type(port) is not int or not 1 <= port <= 65535:
                raise InvalidInputError(f"port of {self.id}: expected 1 to 65535, found {port!r}")


@dataclass(frozen=True, slots=True)
class Topology:
    """A consortium: its channel, its members in order, how many of them must agree, and the first issuer's id."""

    channel: str
    members: tuple[Member, ...]
    quorum: int
    issuer: str = DEFAULT_ISSUER

    def __post_init__(self) -> None:
        _check_text(
            self.channel, _CHANNEL, "channel", "a lower-case letter, then letters, digits, dots and dashes"
        )
        _check_text(self.issuer, _ID, "issuer", "a lower-case letter, then letters, digits and dashes")
        if not 1 <= len(self.members) <= MAX_MEMBERS:
            raise InvalidInputError(f"members: expected 1 to {MAX_MEMBERS}, found {len(self.members)}")
        if type(self.quorum) is not int or not 1 <= self.quorum <= len(self.members):
            raise InvalidInputError(f"quorum: expected 1 to {len(self.members)}, found {self.quorum!r}")
        _check_distinct("id", [member.id for member in self.members])
        _check_distinct("MSP id", [member.msp_id for member in self.members])
        _check_distinct(
            "address",
            [f"{m.host}:{port}" for m in self.members for port in (m.peer_port, m.orderer_port)],
        )

    @classmethod
    def read(cls, path: Path) -> Topology:
        """Read a topology file; raises InvalidInputError naming the file."""
        try:
            with path.open("rb") as file:
                return cls.from_bytes(file.read(MAX_FILE_BYTES + 1))
        except OSError as error:
            raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from error
        except InvalidInputError as error:
            raise InvalidInputError(f"{path}: {error}") from None

    @classmethod
    def from_bytes(cls, data: bytes) -> Topology:
        """Parse strictly; raises InvalidInputError."""
        if len(data) > MAX_FILE_BYTES:
            raise InvalidInputError(f"a topology has at most {MAX_FILE_BYTES} bytes")
        try:
            value = json.loads(data.decode(), object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            raise InvalidInputError(f"not JSON: {error}") from None
        _check_fields(value, [field.name for field in fields(cls)], "topology")
        if not isinstance(value["members"], list):
            raise InvalidInputError("members: expected an array")
        for member in value["members"]:
            _check_fields(member, [field.name for field in fields(Member)], "member")
        members = tuple(Member(**member) for member in value["members"])
        return cls(**{**value, "members": members})

    def to_bytes(self) -> bytes:
        """Return the JSON form, indented, for people to read."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2).encode() + b"\n"


def default_topology() -> Topology:
    """Return the five members of the test network on this machine, any three of whom are a quorum."""
    names = [
        ("iizuka", "IizukaMSP", "飯塚市", "Iizuka City"),
        ("chaintope", "ChaintopeMSP", "chaintope", "chaintope"),
        ("haw", "HawMSP", "株式会社ハウインターナショナル", "Haw International"),
        ("kaguya", "KaguyaMSP", "Kaguya", "Kaguya"),
        ("gcom", "GcomMSP", "Gcomホールディングス", "Gcom Holdings"),
    ]
    members = tuple(
        Member(*each, "127.0.0.1", DEFAULT_PORT + 10 * number, DEFAULT_PORT + 10 * number + 1)
        for number, each in enumerate(names)
    )
    return Topology(DEFAULT_CHANNEL, members, quorum=3)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field is given twice")
    return found


def _check_fields(value: object, names: list[str], what: str) -> None:
    if not isinstance(value, dict) or sorted(value) != sorted(names):
        found = ", ".join(sorted(value)) if isinstance(value, dict) else type(value).__name__
        raise InvalidInputError(f"{what}: expected an object of {', '.join(sorted(names))}; found {found}")


def _check_text(value: object, pattern: re.Pattern[str], what: str, expected: str) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise InvalidInputError(f"{what}: expected {expected}, found {value!r}")


def _check_distinct(what: str, values: list[str]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise InvalidInputError(f"two members have the same {what} {value}")


def _is_host(host: object) -> bool:
    """Fabric joins host and port with a colon, so IPv6 addresses need a name."""
    return isinstance(host, str) and len(host) <= 253 and _HOST_NAME.fullmatch(host) is not None
