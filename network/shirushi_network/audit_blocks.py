"""The log as the blocks of one's own peer give it: checked and derived as a witness does it, into a folder that an audit reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from shirushi_client.audit.audit import Watch
from shirushi_client.audit.findings import Code, Finding, SourceKind, SourceName
from shirushi_client.audit.sources import FolderSource
from shirushi_core.errors import ShirushiError
from shirushi_core.fabric.committed import CommittedBlock, read_block
from shirushi_network.config_blocks import parse_config_block
from shirushi_network.layout import Layout
from shirushi_network.member_access import identity_of, tls_roots
from shirushi_network.topology import Member, Topology
from shirushi_node.ledger.clock import system_clock
from shirushi_node.witness.alarms import Alarm, AlarmKind
from shirushi_node.witness.block_check import Configuration, check_block, read_configuration
from shirushi_node.witness.deliver import Deliverer, PeerAccess
from shirushi_node.witness.errors import DeliverError
from shirushi_node.witness.follower import prepare
from shirushi_node.witness.store import LogStore

TOGETHER = 256
"""Blocks that are written at a time."""

MAX_ALARMS = 1000
"""Findings about blocks that are told; a peer whose every block is wrong is known by then."""

BLOCK_SECONDS = 30.0
"""How long the peer has for its next block."""


@dataclass(frozen=True, slots=True)
class DerivedLog:
    """What blocks give: the log, and what is to be said about the blocks."""

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
    parse_config_block(genesis, access.ledger)
    with closing(LogStore.open(folder, read_block(genesis))) as store:
        taking = _Taking(store)
        deliverer = Deliverer(access, system_clock)
        findings: tuple[Finding, ...] = ()
        try:
            height = await deliverer.newest() + 1
            blocks = _blocks(deliverer, store.place.next_block, height)
            with watch(height) as bar:
                async with aclosing(blocks):
                    async for part in blocks:
                        await asyncio.to_thread(taking.take_in, part)
                        bar.advance(len(part))
        except DeliverError as error:
            findings = (Finding(Code.BLOCKS_UNREADABLE, name, found=str(error)),)
        except ShirushiError as error:
            findings = (Finding(Code.BLOCK_REFUSED, name, found=str(error)),)
        finally:
            await deliverer.close()
    alarmed = [Finding(Code.BLOCK_REFUSED, name, found=_said(alarm)) for alarm in taking.alarms]
    return DerivedLog(FolderSource(folder, name), (*alarmed, *findings))


class _Taking:
    """Derives and writes blocks, and checks each as a witness does for alarms."""

    def __init__(self, store: LogStore) -> None:
        self._store = store
        self._configuration: Configuration = read_configuration(store.config_block())
        self.alarms: list[Alarm] = []

    def take_in(self, blocks: list[CommittedBlock]) -> None:
        """Derive, check and write blocks; those before one by unknown rules are written, then it is raised."""
        ready, error = prepare(self._store, blocks, lambda: False)
        for block in ready:
            self._tell(check_block(block.committed, block.before, self._configuration))
            if block.derived.brings_config:
                self._configuration = read_configuration(block.committed.data)
        if ready:
            done = self._store.commit(ready)
            self._tell(
                Alarm(AlarmKind.UNJUDGED, each.block, f"transaction {each.transaction}: {each.reason}")
                for each in done.unjudged
            )
        if error is not None:
            raise error

    def _tell(self, alarms: Iterable[Alarm]) -> None:
        self.alarms += islice(alarms, MAX_ALARMS - len(self.alarms))


def _said(alarm: Alarm) -> str:
    return f"block {alarm.block}: {alarm.kind}: {alarm.sentence}"


async def _blocks(deliverer: Deliverer, start: int, end: int) -> AsyncGenerator[list[CommittedBlock]]:
    """Yield the blocks from `start` to before `end`, some at a time; raises DeliverError."""
    waiting: list[CommittedBlock] = []
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
