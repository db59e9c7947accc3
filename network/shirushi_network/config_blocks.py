"""Config blocks: read from files and from members' peers, and followed from the genesis block to the newest one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from fabric_protos.common import common_pb2
from google.protobuf.message import DecodeError

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.block import (
    BlockError,
    bft_quorum,
    data_hash,
    header_hash,
    last_config_index,
    verify_block_signatures,
)
from shirushi_core.fabric.channel_config import ChannelConfig, from_config_block
from shirushi_network.errors import ConsortiumError
from shirushi_network.fabric.peer_admin import PeerAdmin, PeerError, open_peer
from shirushi_network.layout import Layout
from shirushi_network.member_access import asking_identity, members_here, tls_roots
from shirushi_network.member_files import MemberKeysError, read_file
from shirushi_network.topology import Member, Topology

MAX_BLOCK_BYTES = 16 << 20
"""A config block of a usual channel has some fifty thousand bytes; orderers make none of more than their largest batch."""

MAX_HISTORY = 10_000
"""Config blocks that are followed back to the genesis block."""


class ConfigBlockError(ConsortiumError):
    """What should be a channel's config block and is not one, or not the one it should be."""


@dataclass(frozen=True, slots=True)
class ConfigBlock:
    """A config or genesis block, and what it says."""

    block: common_pb2.Block
    config: ChannelConfig

    @property
    def number(self) -> int:
        """The block's number: 0 for the genesis block."""
        return int(self.block.header.number)

    @property
    def fingerprint(self) -> bytes:
        """The hash of its header, which covers its data."""
        return header_hash(self.block.header)

    def to_bytes(self) -> bytes:
        """Return the file form, which `peer channel join` and channel participation take."""
        return bytes(self.block.SerializeToString(deterministic=True))


def parse_config_block(data: bytes, channel: str | None = None) -> ConfigBlock:
    """Read a config block; its data has to belong to its header. Raises ConfigBlockError in one sentence.

    `channel` is the one it has to be of, None for any.
    """
    if len(data) > MAX_BLOCK_BYTES:
        raise ConfigBlockError(f"a config block has at most {MAX_BLOCK_BYTES} bytes; found {len(data)}")
    try:
        block = common_pb2.Block.FromString(data)
    except DecodeError:
        raise ConfigBlockError(
            "no block: it does not decode; it may be cut off, or another kind of file"
        ) from None
    if not block.HasField("header") or not block.data.data:
        raise ConfigBlockError("no block: it has no header or no data")
    if block.header.data_hash != data_hash(block.data.data):
        raise ConfigBlockError(
            f"the data of block {block.header.number} do not belong to its header: it is damaged or forged"
        )
    try:
        config = from_config_block(block)
    except InvalidInputError as error:
        raise ConfigBlockError(f"no config block that can be read: {error}") from None
    if channel not in (None, config.channel_id):
        raise ConfigBlockError(f"a block of channel {config.channel_id!r}; expected one of {channel!r}")
    return ConfigBlock(block, config)


def read_config_block(path: Path, channel: str | None = None) -> ConfigBlock:
    """Read a config block's file; raises ConfigBlockError naming it."""
    try:
        return parse_config_block(read_file(path, MAX_BLOCK_BYTES), channel)
    except MemberKeysError as error:
        raise ConfigBlockError(str(error)) from None
    except ConfigBlockError as error:
        raise ConfigBlockError(f"{path}: {error}") from None


async def newest_config(layout: Layout, topology: Topology) -> ConfigBlock:
    """Return the channel's newest config block as a peer has it: one of this machine, else another member's.

    Raises ConsortiumError if none answers.
    """
    problems: list[str] = []
    for member in _nearest_first(layout, topology):
        try:
            async with _peer(layout, topology, member) as peer:
                return await _newest(peer, topology.channel)
        except ConsortiumError as error:
            problems.append(str(error))
    raise ConsortiumError(f"no peer gives the configuration of {topology.channel}: {_telling(problems)}")


async def newest_config_of(layout: Layout, topology: Topology, member: Member) -> ConfigBlock:
    """Return the newest config block as one member's peer has it; raises ConsortiumError."""
    async with _peer(layout, topology, member) as peer:
        return await _newest(peer, topology.channel)


async def config_history(layout: Layout, topology: Topology) -> list[ConfigBlock]:
    """Return all config blocks from the genesis block to the newest one, each ordered by a quorum of those before it.

    Raises ConsortiumError if no peer answers, or one gives blocks that do not follow from each other.
    """
    problems: list[str] = []
    for member in _nearest_first(layout, topology):
        try:
            async with _peer(layout, topology, member) as peer:
                history = await _history(peer, topology.channel)
            check_history(history)
            return history
        except ConsortiumError as error:
            problems.append(str(error))
    raise ConsortiumError(
        f"no peer gives the configurations that {topology.channel} has had: {_telling(problems)}"
    )


def check_history(history: Sequence[ConfigBlock]) -> None:
    """Check that each config block is signed by a quorum of the orderers of the one before; raises ConfigBlockError.

    So whoever trusts the first, by its fingerprint, can trust the last.
    """
    for before, after in pairwise(history):
        consenters = before.config.consenters
        if after.config.sequence != before.config.sequence + 1:
            raise ConfigBlockError(
                f"config block {after.number} has the configuration {after.config.sequence}, block {before.number} "
                f"before it {before.config.sequence}: one is missing"
            )
        try:
            verify_block_signatures(after.block, consenters, bft_quorum(len(consenters)))
        except BlockError as error:
            raise ConfigBlockError(f"config block {after.number} is not the orderers': {error}") from None


def highest_consenter_id(history: Iterable[ConfigBlock]) -> int:
    """Return the highest id that any orderer ever had, 0 if there was none."""
    return max((each.id for block in history for each in block.config.consenters), default=0)


def _telling(problems: Sequence[str]) -> str:
    """Return why we are refused, if we are, rather than that somebody does not answer."""
    return next((each for each in problems if "access denied" in each), problems[0])


def _nearest_first(layout: Layout, topology: Topology) -> list[Member]:
    here = members_here(layout, topology.members)
    return [*here, *(member for member in topology.members if member not in here)]


def _peer(layout: Layout, topology: Topology, member: Member) -> AbstractAsyncContextManager[PeerAdmin]:
    return open_peer(member, asking_identity(layout, topology, member), tls_roots(layout, member))


async def _newest(peer: PeerAdmin, channel: str) -> ConfigBlock:
    return parse_config_block(await peer.config_block(channel), channel)


async def _history(peer: PeerAdmin, channel: str) -> list[ConfigBlock]:
    """Follow the config blocks back: the block before each one says which was the newest then."""
    found = [await _newest(peer, channel)]
    while found[-1].number > 0:
        if len(found) > MAX_HISTORY:
            raise ConfigBlockError(f"{channel} has more than {MAX_HISTORY} config blocks")
        number = found[-1].number
        try:
            earlier = last_config_index(await _block(peer, channel, number - 1)) if number > 1 else 0
        except BlockError as error:
            raise ConfigBlockError(str(error)) from None
        if not 0 <= earlier < number:
            raise ConfigBlockError(f"block {number - 1} names block {earlier} as its newest config block")
        block = await _block(peer, channel, earlier)
        found.append(parse_config_block(block.SerializeToString(), channel))
    return found[::-1]


async def _block(peer: PeerAdmin, channel: str, number: int) -> common_pb2.Block:
    data = await peer.call(channel, "qscc", [b"GetBlockByNumber", channel.encode(), str(number).encode()])
    try:
        return common_pb2.Block.FromString(data)
    except DecodeError:
        raise PeerError(f"the answer of {peer.member.name_en}'s peer is no block") from None
