"""How the members of a consortium on real Fabric are: asked of their own nodes, each in bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.canonical import encode
from shirushi_network.errors import ConsortiumError, StartError
from shirushi_network.fabric.orderer_client import open_orderer
from shirushi_network.fabric.peer_admin import PeerError, open_peer
from shirushi_network.layout import Layout
from shirushi_network.member_access import asking_identity, identity_of, tls_roots
from shirushi_network.member_keys import ANCHORS
from shirushi_network.topology import Member, Topology
from shirushi_network.witness_status import ask_witness, witness_problems

CONNECTED, DISCONNECTED, UNKNOWN = "connected", "not connected", "unknown"

LEVEL_SECONDS = 120.0
"""How long the peer of a member that came later may take for the blocks that there are."""

POLL_SECONDS = 0.2

_PROBE = [b"list_issuers", encode({"bookmark": "", "page_size": 1})]
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """One member's nodes: heights are numbers of blocks, None where nobody answered; `problems` say why.

    `witness` is as witness_status.shown has it; None if the member runs none, or it does not answer.
    """

    member: Member
    peer_height: int | None
    orderer_height: int | None
    chaincode: str
    problems: tuple[str, ...]
    witness: Mapping[str, Any] | None = None

    @property
    def works(self) -> bool:
        """Whether everything the member runs answered."""
        has_orderer = self.member.orderer is None or self.orderer_height is not None
        has_witness = self.member.witness is None or self.witness is not None
        return self.peer_height is not None and has_orderer and has_witness and self.chaincode == CONNECTED


async def ask_members(layout: Layout, topology: Topology) -> list[MemberStatus]:
    """Ask all members' nodes at once; raises ConsortiumError only if there is no identity to ask as."""
    for member in topology.members:
        asking_identity(layout, topology, member)
    return list(await asyncio.gather(*(_ask(layout, topology, member) for member in topology.members)))


async def wait_until_level(layout: Layout, topology: Topology, members: Sequence[Member]) -> None:
    """Wait until members' peers have every block that any member's orderer has now; raises StartError."""
    height = 0
    for member in topology.members:
        try:
            height = max(height, await _ask_orderer(layout, topology, member) or 0)
        except ConsortiumError:
            continue
    await asyncio.gather(*(_wait_for_height(layout, topology, member, height) for member in members))


async def _wait_for_height(layout: Layout, topology: Topology, member: Member, height: int) -> None:
    problem = "it answers, and has fewer"
    try:
        async with (
            asyncio.timeout(LEVEL_SECONDS),
            open_peer(member, identity_of(layout, member, "admin"), tls_roots(layout, member)) as peer,
        ):
            while True:
                try:
                    if await peer.height(topology.channel) >= height:
                        return
                except (
                    PeerError
                ) as error:  # until it has the block that makes its own member one of the channel's
                    problem = str(error)
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise StartError(
            f"the peer of {member.name_en} has not got the channel's {height} blocks within {LEVEL_SECONDS:.0f} s: {problem}"
        ) from None


async def _ask(layout: Layout, topology: Topology, member: Member) -> MemberStatus:
    problems: list[str] = []
    peer, orderer, witness = await asyncio.gather(
        _or_problem(_ask_peer(layout, topology, member), problems),
        _or_problem(_ask_orderer(layout, topology, member), problems),
        _or_problem(_ask_witness(layout, member), problems),
    )
    height, chaincode, problem = peer or (None, UNKNOWN, None)
    if problem is not None:
        problems.append(problem)
    if witness is not None:
        problems += witness_problems(witness)
    return MemberStatus(member, height, orderer, chaincode, tuple(problems), witness)


async def _or_problem(question: Awaitable[_Answer], problems: list[str]) -> _Answer | None:
    try:
        return await question
    except ShirushiError as error:
        problems.append(str(error))
        return None


async def _ask_peer(layout: Layout, topology: Topology, member: Member) -> tuple[int, str, str | None]:
    identity = asking_identity(layout, topology, member)
    async with open_peer(member, identity, tls_roots(layout, member)) as peer:
        height = await peer.height(topology.channel)
        try:
            await peer.call(topology.channel, ANCHORS, _PROBE)
        except PeerError as error:
            return height, DISCONNECTED, str(error)
        return height, CONNECTED, None


async def _ask_witness(layout: Layout, member: Member) -> Mapping[str, Any] | None:
    if member.witness is None:
        return None
    return await ask_witness(member, member.witness, tls_roots(layout, member))


async def _ask_orderer(layout: Layout, topology: Topology, member: Member) -> int | None:
    if member.orderer is None:
        return None
    identity = asking_identity(layout, topology, member)
    async with open_orderer(member, identity, tls_roots(layout, member)) as orderer:
        return int((await orderer.newest_block(topology.channel)).header.number) + 1
