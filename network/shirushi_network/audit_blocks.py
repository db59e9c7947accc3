"""The log as the blocks of one's own peer give it: checked and derived as a witness does it, into a folder that an audit reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, closing
from dataclasses import dataclass
from pathlib import Path

from fabric_protos.common import common_pb2

from shirushi_client.audit.audit import Watch
from shirushi_client.audit.findings import Code, Finding, SourceKind, SourceName
from shirushi_client.audit.sources import FolderSource
from shirushi_core.errors import ShirushiError
from shirushi_network.config_blocks import parse_config_block
from shirushi_network.layout import Layout
from shirushi_network.member_access import identity_of, tls_roots
from shirushi_network.topology import Member, Topology
from shirushi_node.ledger.clock import system_clock
from shirushi_node.witness.deliver import Deliverer, PeerAccess
from shirushi_node.witness.errors import DeliverError
from shirushi_node.witness.follower import prepare
from shirushi_node.witness.store import LogStore

TOGETHER = 256
"""Blocks that are written at a time."""

BLOCK_SECONDS = 30.0
"""How long the peer has for its next block."""


@dataclass(frozen=True, slots=True)
class DerivedLog:
    """What blocks give: the log as far as they hold, and what is wrong with the one after."""

    source: FolderSource
    findings: tuple[Finding, ...]


def peer_access(layout: Layout, topology: Topology, member: Member) -> PeerAccess:
    """Return how a member that is here reads its own peer's blocks; raises MemberKeysError, BundleError."""
    return PeerAccess(
        ledger=topology.channel,
        identity=identity_of(layout, member, "client"),
        peer=member.peer.address,
        peer_tls_roots=tls_roots(layout, member),
    )


async def derive_from_blocks(
    member: Member, access: PeerAccess, genesis: bytes, folder: Path, watch: Watch
) -> DerivedLog:
    """Read a peer's blocks up to its newest, check them, and derive the log into an empty folder.

    Raises ConfigBlockError for a genesis block that is none; what is wrong with the peer or its blocks is in the findings.
    """
    name = SourceName(
        SourceKind.BLOCKS, member.id, f"{member.name_ja}のピア", f"the peer of {member.name_en}"
    )
    first = parse_config_block(genesis, access.ledger).block
    with closing(LogStore.open(folder, first)) as store:
        deliverer = Deliverer(access, system_clock)
        findings: tuple[Finding, ...] = ()
        try:
            height = await deliverer.newest() + 1
            blocks = _blocks(deliverer, store.chain.next_number, height)
            with watch(height) as bar:
                async with aclosing(blocks):
                    async for part in blocks:
                        await asyncio.to_thread(_take_in, store, part)
                        bar.advance(len(part))
        except DeliverError as error:
            findings = (Finding(Code.BLOCKS_UNREADABLE, name, found=str(error)),)
        except ShirushiError as error:
            findings = (Finding(Code.BLOCK_REFUSED, name, found=str(error)),)
        finally:
            await deliverer.close()
    return DerivedLog(FolderSource(folder, name), findings)


def _take_in(store: LogStore, blocks: list[common_pb2.Block]) -> None:
    """Check, derive and write blocks; those before one that does not hold are written, then it is raised."""
    ready, error = prepare(store.chain, blocks, lambda: False)
    if ready:
        store.commit(ready)
    if error is not None:
        raise error


async def _blocks(deliverer: Deliverer, start: int, end: int) -> AsyncGenerator[list[common_pb2.Block]]:
    """Yield the blocks from `start` to before `end`, some at a time; raises DeliverError."""
    waiting: list[common_pb2.Block] = []
    async with aclosing(deliverer.blocks(start)) as blocks:
        for number in range(start, end):
            try:
                async with asyncio.timeout(BLOCK_SECONDS):
                    waiting.append(await anext(blocks))
            except TimeoutError:
                raise DeliverError(
                    f"the peer did not deliver block {number} within {BLOCK_SECONDS:.0f} s"
                ) from None
            if len(waiting) == TOGETHER or number == end - 1:
                yield waiting
                waiting = []
