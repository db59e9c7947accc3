"""How heads, positions and indexes stand in a witness's store."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from fabric_protos.common import common_pb2

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.channel_config import from_config_block
from shirushi_core.proofs import fields
from shirushi_core.proofs.canonical import decode_canonical, encode
from shirushi_node.witness.block_check import ChainState

_HEAD = struct.Struct(">32sQ32s")
_NUMBER = struct.Struct(">Q")
_POSITION_FIELDS = frozenset(
    {"commit_hash", "config_block", "header_hash", "next_block", "size", "size_before", "status_root"}
)


@dataclass(frozen=True, slots=True)
class Head:
    """The log after a block that carries anchors; `root` is the log's, `status_root` the status tree's."""

    size: int
    root: bytes
    block: int
    status_root: bytes


@dataclass(frozen=True, slots=True)
class Position:
    """Where a store stands: after which block, with how many entries, and how many there were one commit before."""

    next_block: int
    header_hash: bytes
    commit_hash: bytes
    config_block: int
    size: int
    size_before: int
    status_root: bytes

    @classmethod
    def of(cls, chain: ChainState, size: int, size_before: int, status_root: bytes) -> Position:
        """Return the position of a store after some block."""
        return cls(
            chain.next_number,
            chain.header_hash,
            chain.commit_hash,
            chain.config_number,
            size,
            size_before,
            status_root,
        )

    def chain(self, config_block: common_pb2.Block) -> ChainState:
        """Return what the next block has to follow, by the config block in force."""
        return ChainState(
            next_number=self.next_block,
            header_hash=self.header_hash,
            commit_hash=self.commit_hash,
            config_number=self.config_block,
            config=from_config_block(config_block),
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
    return _HEAD.pack(head.root, head.block, head.status_root)


def decode_head(size: int, data: bytes) -> Head:
    """Read a head's record."""
    return Head(size, *_HEAD.unpack(data))


def encode_position(position: Position) -> bytes:
    """Return a position's record."""
    return encode(
        {
            "commit_hash": position.commit_hash.hex(),
            "config_block": position.config_block,
            "header_hash": position.header_hash.hex(),
            "next_block": position.next_block,
            "size": position.size,
            "size_before": position.size_before,
            "status_root": position.status_root.hex(),
        }
    )


def decode_position(data: bytes) -> Position:
    """Read a position's record; raises InvalidInputError."""
    where = "position"
    members = fields.an_object(decode_canonical(data), where, _POSITION_FIELDS)
    number = {
        name: fields.an_integer(members[name], where)
        for name in ("config_block", "next_block", "size", "size_before")
    }
    if not 0 <= number["size_before"] <= number["size"]:
        raise InvalidInputError("position: its sizes do not fit together")
    return Position(
        next_block=number["next_block"],
        header_hash=fields.hash_bytes(members["header_hash"], where),
        commit_hash=fields.hex_bytes(members["commit_hash"], where),
        config_block=number["config_block"],
        size=number["size"],
        size_before=number["size_before"],
        status_root=fields.hash_bytes(members["status_root"], where),
    )
