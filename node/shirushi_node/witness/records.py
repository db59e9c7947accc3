"""How heads, positions and indexes stand in a witness's store."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.block import header_hash
from shirushi_core.fabric.committed import CommittedBlock
from shirushi_core.proofs import fields
from shirushi_core.proofs.canonical import Json, decode_canonical, encode
from shirushi_core.proofs.log_entry import StatusEntry
from shirushi_node.witness.derivation import Derived
from shirushi_node.witness.rules import Rules

_HEAD = struct.Struct(">32sQ32sq")
_NUMBER = struct.Struct(">Q")
_NO_TIME = -1
_POSITION_FIELDS = frozenset(
    {
        "commit_hash",
        "config_block",
        "header_hash",
        "next_block",
        "rules",
        "size",
        "size_before",
        "status_root",
        "time",
        "version",
    }
)


@dataclass(frozen=True, slots=True)
class Head:
    """The log after a block that carries anchors or ticks; `root` is the log's, `status_root` the status tree's.

    `time` is that of its status entry, None in a log by version 1 of the rules.
    """

    size: int
    root: bytes
    block: int
    status_root: bytes
    time: int | None = None

    @property
    def status_entry(self) -> StatusEntry:
        """The log's last entry under this head."""
        return StatusEntry(self.block, self.status_root, self.time)


@dataclass(frozen=True, slots=True)
class Place:
    """After which block of the ledger something stands, and the rules in force there.

    The hashes and the number of the newest config block are as the peer delivered them: they are for alarms only.
    """

    next_block: int
    header_hash: bytes
    commit_hash: bytes
    config_block: int
    rules: Rules

    @classmethod
    def after_genesis(cls, genesis: CommittedBlock) -> Place:
        """Return the place after a genesis block."""
        return cls(1, header_hash(genesis), b"", 0, Rules())

    def after(self, block: CommittedBlock, derived: Derived) -> Place:
        """Return the place after the next block."""
        return Place(
            next_block=self.next_block + 1,
            header_hash=header_hash(block),
            commit_hash=block.commit_hash if len(block.commit_hash) == fields.HASH_SIZE else b"",
            config_block=block.number if derived.brings_config else self.config_block,
            rules=derived.rules,
        )


@dataclass(frozen=True, slots=True)
class Position:
    """Where a store stands: its place, with how many entries, and how many there were one commit before.

    `time` is the log's: that of the newest tick that was taken in (0: none yet), None by version 1 of the rules.
    """

    place: Place
    size: int
    size_before: int
    status_root: bytes
    time: int | None = None

    def moved(self, place: Place, size: int, status_root: bytes, time: int | None) -> Position:
        """Return the position one commit later."""
        return replace(
            self, place=place, size=size, size_before=self.size, status_root=status_root, time=time
        )


def encode_numbers(*numbers: int) -> bytes:
    """Return numbers as bytes that sort."""
    return b"".join(map(_NUMBER.pack, numbers))


def decode_numbers(data: bytes) -> tuple[int, int]:
    """Read two numbers."""
    return _NUMBER.unpack_from(data)[0], _NUMBER.unpack_from(data, _NUMBER.size)[0]


def issuer_key(issuer: str, sequence: int) -> bytes:
    """Return the key of an issuer's record."""
    return issuer.encode() + b"\0" + encode_numbers(sequence)


def encode_head(head: Head) -> bytes:
    """Return a head's record; its size is the key."""
    return _HEAD.pack(head.root, head.block, head.status_root, _NO_TIME if head.time is None else head.time)


def decode_head(size: int, data: bytes) -> Head:
    """Read a head's record."""
    root, block, status_root, time = _HEAD.unpack(data)
    return Head(size, root, block, status_root, None if time == _NO_TIME else time)


def encode_position(position: Position) -> bytes:
    """Return a position's record."""
    place = position.place
    record: dict[str, Json] = {
        "commit_hash": place.commit_hash.hex(),
        "config_block": place.config_block,
        "header_hash": place.header_hash.hex(),
        "next_block": place.next_block,
        "rules": place.rules.number,
        "size": position.size,
        "size_before": position.size_before,
        "status_root": position.status_root.hex(),
        "time": position.time,
        "version": place.rules.version,
    }
    return encode(record)


def decode_position(data: bytes) -> Position:
    """Read a position's record; raises InvalidInputError."""
    where = "position"
    members = fields.an_object(decode_canonical(data), where, _POSITION_FIELDS)
    number = {
        name: fields.an_integer(members[name], where)
        for name in ("config_block", "next_block", "rules", "size", "size_before")
    }
    if not 0 <= number["size_before"] <= number["size"]:
        raise InvalidInputError("position: its sizes do not fit together")
    version = members["version"]
    if not isinstance(version, str):
        raise fields.unexpected(f"{where}: version", "text", version)
    place = Place(
        next_block=number["next_block"],
        header_hash=fields.hash_bytes(members["header_hash"], where),
        commit_hash=fields.hex_bytes(members["commit_hash"], where),
        config_block=number["config_block"],
        rules=Rules(number["rules"], version),
    )
    return Position(
        place,
        number["size"],
        number["size_before"],
        fields.hash_bytes(members["status_root"], where),
        fields.an_optional_integer(members["time"], where),
    )
