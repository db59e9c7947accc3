"""A member's nodes, whatever runs them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePath
from typing import Protocol

from shirushi_network.topology import Member


class NodeKind(StrEnum):
    """What a node is."""

    ORDERER = "orderer"
    CHAINCODE = "chaincode"
    PEER = "peer"
    WITNESS = "witness"


@dataclass(frozen=True, slots=True)
class Node:
    """One node of one member."""

    member: Member
    kind: NodeKind

    @property
    def id(self) -> str:
        """How commands, containers and files call it: "orderer.iizuka"."""
        return f"{self.kind}.{self.member.id}"

    @property
    def name(self) -> str:
        """How people call it: "the orderer of Iizuka City"."""
        what = "chaincode service" if self.kind is NodeKind.CHAINCODE else self.kind
        return f"the {what} of {self.member.name_en}"

    @property
    def operations_port(self) -> int:
        """The port of its health and metrics, on 127.0.0.1 of its machine; a witness has them on its only port."""
        if self.kind is NodeKind.PEER:
            return self.member.peer.operations_port
        if self.kind is NodeKind.CHAINCODE:
            return self.member.chaincode.operations_port
        if self.kind is NodeKind.WITNESS and self.member.witness is not None:
            return self.member.witness.port
        if self.kind is not NodeKind.ORDERER or self.member.orderer is None:
            raise ValueError(f"{self.member.id} has no {self.kind}")
        return self.member.orderer.operations_port


@dataclass(frozen=True, slots=True)
class NodeState:
    """Whether a node runs, and a word on it: "process 123", "container shirushi-peer.iizuka", "ended with code 1"."""

    running: bool
    detail: str


class NodeRunner(Protocol):
    """What starts and stops nodes: processes of this machine, or containers."""

    def check(self) -> None:
        """Raise ConsortiumError unless this machine has what it takes."""

    def start(self, node: Node) -> None:
        """Start a node that does not run; one that does is left as it is. Raises ConsortiumError."""

    def stop(self, node: Node) -> bool:
        """Stop a node and return when it has ended; False if it did not run. Raises ConsortiumError."""

    def state(self, node: Node) -> NodeState:
        """Say whether a node runs."""

    def log(self, node: Node, lines: int) -> list[str]:
        """Return a node's last log lines."""


def nodes_of(members: Iterable[Member]) -> list[Node]:
    """Return all nodes of members in the order in which they start."""
    listed = list(members)
    return [Node(member, kind) for kind in NodeKind for member in listed if _runs(member, kind)]


def _runs(member: Member, kind: NodeKind) -> bool:
    if kind is NodeKind.ORDERER:
        return member.orderer is not None
    return kind is not NodeKind.WITNESS or member.witness is not None


@dataclass(frozen=True, slots=True)
class NodePaths:
    """Where a node finds its files below the data folder, as the node itself sees that folder."""

    data: PurePath

    def home(self, member: Member) -> PurePath:
        """Return the folder of the member's keys and certificates."""
        return self.data / "members" / member.id

    def of(self, node: Node) -> PurePath:
        """Return the node's own folder: configuration and ledger."""
        return self.data / "nodes" / node.member.id / node.kind


def node_folder(data: Path, node: Node) -> Path:
    """Return a node's own folder on this machine."""
    return Path(NodePaths(data).of(node))
