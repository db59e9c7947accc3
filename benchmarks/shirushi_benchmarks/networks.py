"""The networks that profiles run on: brought up in a folder, from keys to a registered issuer, and taken down again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from shirushi_benchmarks import document_types
from shirushi_benchmarks.peers.raft_network import raft_network
from shirushi_network import bring_up
from shirushi_network.engine import EngineChoice, EngineName
from shirushi_network.engines import open_engine
from shirushi_network.fabric.binaries import BinariesError, find_binaries
from shirushi_network.layout import Layout
from shirushi_network.ports import with_ports
from shirushi_network.topology import Topology, default_topology

Progress = Callable[[str], None]


class NetworkKind(StrEnum):
    """What runs the ledger, by the names that reports use."""

    EMBEDDED = "embedded"
    """Five members in one process of ours."""

    BFT = "fabric-bft"
    """Five members' peers, BFT orderers, chaincode services and witnesses: Fabric's programs."""

    RAFT = "fabric-raft"
    """One organisation's peer, its Raft orderer and its chaincode service."""


@dataclass(frozen=True, slots=True)
class RunningNetwork:
    """A network that is up, but for the member `down`; `layout.root` is the data folder that clients open."""

    kind: NetworkKind
    layout: Layout
    down: str = ""

    @contextmanager
    def without(self, member_id: str) -> Iterator[RunningNetwork]:
        """Have one member's nodes stopped for a while, and give what still runs."""
        engine = open_engine(self.layout)
        engine.stop_member(member_id)
        try:
            yield replace(self, down=member_id)
        finally:
            engine.start_member(member_id)


@contextmanager
def running(
    kind: NetworkKind, root: Path, progress: Progress, *, witnesses: bool = True
) -> Iterator[RunningNetwork]:
    """Bring a network up in an empty folder, on free ports, and take it down at the end; raises ConsortiumError."""
    if kind is NetworkKind.RAFT:
        with raft_network(root, progress) as layout:
            yield RunningNetwork(kind, layout)
        return
    layout = Layout(root.absolute())
    choice = EngineChoice(EngineName.EMBEDDED if kind is NetworkKind.EMBEDDED else EngineName.NATIVE)
    bring_up.up(layout, base_port=None, progress=progress, engine=choice, topology=_five(witnesses))
    try:
        yield RunningNetwork(kind, layout)
    finally:
        bring_up.down(layout)


def missing(kind: NetworkKind) -> str | None:
    """Say what this machine lacks for a kind of network; None if nothing."""
    if kind is NetworkKind.EMBEDDED:
        return None
    try:
        find_binaries(None, os.environ)
    except BinariesError as error:
        return str(error)
    return None


def _five(witnesses: bool) -> Topology:
    topology = with_ports(default_topology().issuing(*document_types.ALL), 0)
    if witnesses:
        return topology
    return replace(topology, members=tuple(replace(each, witness=None) for each in topology.members))
