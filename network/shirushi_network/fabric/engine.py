"""The engines on real Fabric: a data folder's members started, joined to their channel, and told what to run.

Only the members whose keys are in the data folder are started here; the others run on machines of their own. The same
steps make a trial of all members on one machine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from shirushi_network.chaincode_servers import read_servers
from shirushi_network.engine import EngineName, Progress
from shirushi_network.errors import ConsortiumError, StartError
from shirushi_network.fabric.deployment import Deployment, WaitingError, deploy, deployments
from shirushi_network.fabric.lifetimes import certificate_days, check_lifetimes
from shirushi_network.fabric.native import ended
from shirushi_network.fabric.nodes import Node, NodeKind, NodePaths, NodeRunner, node_folder, nodes_of
from shirushi_network.fabric.participation import OrdererAdmin
from shirushi_network.fabric.peer_admin import open_peer
from shirushi_network.fabric.readiness import is_ready
from shirushi_network.fabric.rendering import serve_package, served_package, write_nodes
from shirushi_network.fabric.status import MemberStatus, ask_members, wait_until_level
from shirushi_network.layout import Layout
from shirushi_network.member_access import identity_of, members_here, tls_roots
from shirushi_network.topology import Member, Topology
from shirushi_network.topology_file import read_topology

START_SECONDS = 60.0
POLL_SECONDS = 0.1
LAST_WORDS = 20


class FabricEngine:
    """Fabric's own nodes, run by a NodeRunner; `paths` are where nodes see the data folder."""

    def __init__(self, layout: Layout, name: EngineName, runner: NodeRunner, paths: NodePaths) -> None:
        self._layout = layout
        self._name = name
        self._runner = runner
        self._paths = paths

    def check(self) -> None:
        self._runner.check()

    def is_running(self) -> bool:
        return any(self._runner.state(node).running for node in nodes_of(self._here()))

    def has_ledger(self) -> bool:
        return self._layout.connection.exists() or any(
            (node_folder(self._layout.root, node) / "data").exists() for node in nodes_of(self._here())
        )

    def listeners(self) -> tuple[str, ...] | None:
        return None

    def start(self, topology: Topology, progress: Progress) -> bool:
        with self._joined(topology, progress, frozenset(NodeKind)) as members:
            return self._deploy_all(topology, members, progress)

    def join(self, topology: Topology, progress: Progress) -> None:
        """Start the orderers and peers that do not run and have them join; no chaincode. Raises as `start` does."""
        with self._joined(topology, progress, frozenset({NodeKind.ORDERER, NodeKind.PEER})):
            pass

    def stop(self) -> bool:
        return self._stop(nodes_of(self._here()))

    def status(self) -> dict[str, Any]:
        topology = read_topology(self._layout.topology)
        found = asyncio.run(ask_members(self._layout, topology))
        here = members_here(self._layout, topology.members)
        heights = [each.peer_height for each in found if each.peer_height is not None]
        now = datetime.now(UTC)
        return {
            "channel": topology.channel,
            "engine": self._name.value,
            "height": max(heights, default=0),
            "members": [self._shown(each, each.member in here, now) for each in found],
        }

    def stop_member(self, member_id: str, kind: str | None = None) -> None:
        self._stop(self._chosen(member_id, kind))

    def start_member(self, member_id: str, kind: str | None = None) -> None:
        nodes = self._chosen(member_id, kind)
        write_nodes(self._layout, read_topology(self._layout.topology), [nodes[0].member], self._paths)
        self._start_nodes(nodes, [], lambda _: None)

    def log(self, member_id: str | None, kind: str | None, lines: int) -> dict[str, list[str]]:
        members = [member.id for member in self._here()] if member_id is None else [member_id]
        nodes = [node for each in members for node in self._chosen(each, kind)]
        return {node.id: self._runner.log(node, lines) for node in nodes}

    def _here(self) -> list[Member]:
        if not self._layout.topology.exists():
            return []
        return members_here(self._layout, read_topology(self._layout.topology).members)

    def _chosen(self, member_id: str, kind: str | None) -> list[Node]:
        """Return a member's nodes, or the one of a kind; raises ConsortiumError naming what there is."""
        member = read_topology(self._layout.topology).member(member_id)
        here = self._here()
        if member not in here:
            known = ", ".join(each.id for each in here) or "none"
            raise ConsortiumError(f"{member_id} does not run on this machine; members here: {known}")
        nodes = nodes_of([member])
        chosen = [node for node in nodes if kind in (None, node.kind.value)]
        if not chosen:
            kinds = ", ".join(node.kind for node in nodes)
            raise ConsortiumError(f"{member_id} has no {kind}; it has {kinds}")
        return chosen

    @contextmanager
    def _joined(
        self, topology: Topology, progress: Progress, kinds: Collection[NodeKind]
    ) -> Iterator[Sequence[Member]]:
        """Start this machine's members, and give them once they have joined; on an error what was started is stopped."""
        members = self._here()
        for member in members:
            check_lifetimes(self._layout.members / member.id, member, datetime.now(UTC))
        write_nodes(self._layout, topology, members, self._paths)
        started: list[Node] = []
        try:
            nodes = [node for node in nodes_of(members) if node.kind in kinds]
            witnesses = [node for node in nodes if node.kind is NodeKind.WITNESS]
            self._start_nodes([node for node in nodes if node not in witnesses], started, progress)
            self._join(topology, members, progress)
            self._start_nodes(witnesses, started, progress)  # they read their peers' blocks
            yield members
        except BaseException:
            with suppress(ConsortiumError):  # why it did not start counts for more than who would not stop
                self._stop(started)
            raise

    def _stop(self, nodes: Sequence[Node]) -> bool:
        """Stop nodes, the last first, and return whether any ran; raises ConsortiumError for those that would not."""
        stopped, refused = False, []
        for node in reversed(nodes):
            try:
                stopped |= self._runner.stop(node)
            except ConsortiumError as error:
                refused.append(f"{node.name}: {error}")
        if refused:
            raise ConsortiumError(f"{'; '.join(refused)}; all others have stopped")
        return stopped

    def _start_nodes(self, nodes: Sequence[Node], started: list[Node], progress: Progress) -> None:
        for node in nodes:
            if not self._runner.state(node).running:
                progress(f"starting {node.name}")
                self._runner.start(node)
                started.append(node)
        deadline = time.monotonic() + START_SECONDS
        for node in nodes:  # also those that ran: whoever started them may have been killed a moment ago
            self._wait_until_ready(node, deadline)

    def _wait_until_ready(self, node: Node, deadline: float) -> None:
        roots = tls_roots(self._layout, node.member)
        while not is_ready(node, roots):
            if not self._runner.state(node).running:
                raise ended(node, self._layout.root, self._runner.log(node, LAST_WORDS))
            if time.monotonic() > deadline:
                raise StartError(
                    f"{node.name} was not ready within {START_SECONDS:.0f} s: see `shirushi consortium logs "
                    f"{node.member.id}`"
                )
            time.sleep(POLL_SECONDS)

    def _join(self, topology: Topology, members: Sequence[Member], progress: Progress) -> None:
        """Join orderers with join.block if that is here, else with the genesis block; peers always with that one."""
        genesis, join = self._layout.genesis, self._layout.join_block
        first = (join if join.exists() else genesis).read_bytes()
        for member in members:
            if member.orderer is None:
                continue
            orderer = OrdererAdmin(member, self._layout.members / member.id)
            if orderer.channel(topology.channel) is None:
                progress(f"the orderer of {member.name_en} joins {topology.channel}")
                orderer.join(first)
        asyncio.run(self._join_peers(topology, members, genesis.read_bytes(), progress))
        if join.exists():
            progress(f"waiting for the blocks that {topology.channel} has already")
            asyncio.run(wait_until_level(self._layout, topology, members))

    async def _join_peers(
        self, topology: Topology, members: Sequence[Member], genesis: bytes, progress: Progress
    ) -> None:
        async def join(member: Member) -> None:
            admin = identity_of(self._layout, member, "admin")
            async with open_peer(member, admin, tls_roots(self._layout, member)) as peer:
                if topology.channel not in await peer.channels():
                    progress(f"the peer of {member.name_en} joins {topology.channel}")
                    await peer.join(genesis)

        await asyncio.gather(*(join(member) for member in members))

    def _deploy_all(self, topology: Topology, members: Sequence[Member], progress: Progress) -> bool:
        anchors, *others = deployments(topology, read_servers(self._layout.chaincodes))
        try:
            ready = asyncio.run(self._deploy(topology, members, [anchors], progress))
            if ready:
                self._serve(members, anchors.package.package_id, progress)
            return asyncio.run(self._deploy(topology, members, others, progress)) and ready
        except WaitingError as error:
            if len(members) == len(topology.members):
                raise
            # The others' orderers and peers are started on their own machines, and somebody has to be first.
            progress(f"{error}; give this command again when more members run")
            return False

    async def _deploy(
        self,
        topology: Topology,
        members: Sequence[Member],
        wanted: Sequence[Deployment],
        progress: Progress,
    ) -> bool:
        ready = [await deploy(self._layout, topology, members, each, progress) for each in wanted]
        return all(ready)

    def _serve(self, members: Sequence[Member], package_id: str, progress: Progress) -> None:
        """Have the chaincode services serve the package that is committed; each is out for as long as a start takes."""
        for member in members:
            if served_package(self._layout, member) == package_id:
                continue
            node = Node(member, NodeKind.CHAINCODE)
            self._runner.stop(node)
            serve_package(self._layout, member, package_id)
            self._start_nodes([node], [], progress)

    def _shown(self, found: MemberStatus, here: bool, now: datetime) -> dict[str, Any]:
        member = found.member
        days, expired = certificate_days(self._layout, member, now)
        states = (
            {node.kind.value: self._runner.state(node).detail for node in nodes_of([member])} if here else {}
        )
        return {
            "id": member.id,
            "msp_id": member.msp_id,
            "peer": member.peer.address,
            "orderer": member.orderer.address if member.orderer else None,
            "here": here,
            "nodes": states,
            "running": found.works,
            "peer_height": found.peer_height,
            "orderer_height": found.orderer_height,
            "chaincode": found.chaincode,
            "witness": found.witness,
            "certificate_days": days,
            "problems": [*found.problems, *expired],
        }
