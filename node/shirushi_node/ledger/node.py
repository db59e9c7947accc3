"""The embedded ledger: every member's peer and orderer, each at its own address, over one channel.

A node holds all members' private keys, and says so: it is one machine by definition. Each member has a peer endpoint
(gateway.Gateway, protos.Endorser, protos.Deliver) and an orderer endpoint (orderer.AtomicBroadcast), with TLS
certificates of their own. A stopped member's endpoints are closed, and it endorses and orders nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
from fabric_protos.common import common_pb2
from google.protobuf.message import DecodeError

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_node.ledger.blocks import EventReader
from shirushi_node.ledger.broadcast import atomic_broadcast_handler
from shirushi_node.ledger.chaincodes import Chaincodes
from shirushi_node.ledger.clock import Clock, system_clock
from shirushi_node.ledger.definitions import ChaincodeDefinition
from shirushi_node.ledger.deliver import peer_deliver_handler
from shirushi_node.ledger.endorser import Endorser, Simulations
from shirushi_node.ledger.endorser_service import endorser_handler
from shirushi_node.ledger.endpoint import EndpointError, TlsKeyPair, open_endpoint
from shirushi_node.ledger.gateway.planning import Planner
from shirushi_node.ledger.gateway.server import Gateway
from shirushi_node.ledger.gateway.service import gateway_handler
from shirushi_node.ledger.ledger import Channel, OrdererIdentity
from shirushi_node.ledger.limits import Limits
from shirushi_node.ledger.members import Member, Members
from shirushi_node.ledger.proposals import ProposalChecker
from shirushi_node.ledger.system.cscc import ConfigurationChaincode
from shirushi_node.ledger.system.lifecycle import LifecycleChaincode
from shirushi_node.ledger.system.qscc import QueryChaincode

__all__ = [
    "EndpointError",
    "LedgerNode",
    "Limits",
    "MemberNode",
    "MemberStatus",
    "NodeError",
    "NodeStatus",
    "TlsKeyPair",
]


class NodeError(ShirushiError):
    """A node that was asked for a member it has not, or for something in the wrong state."""


@dataclass(frozen=True, slots=True)
class MemberNode:
    """What the node needs of one member; addresses are host:port, port 0 takes a free one."""

    msp_id: str
    peer_identity: SigningIdentity
    orderer_identity: OrdererIdentity
    peer_address: str
    orderer_address: str
    peer_tls: TlsKeyPair
    orderer_tls: TlsKeyPair


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """Where a member is served, and whether it is running."""

    msp_id: str
    peer_address: str
    orderer_address: str
    running: bool


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """A running node's channel, its height, and its members."""

    channel: str
    height: int
    members: tuple[MemberStatus, ...]


class LedgerNode:
    """The embedded ledger of one data folder."""

    def __init__(
        self,
        data_dir: Path,
        genesis_block: bytes,
        members: Sequence[MemberNode],
        definitions: Sequence[ChaincodeDefinition],
        *,
        clock: Clock = system_clock,
        limits: Limits | None = None,
    ) -> None:
        """Compose a node; raises InvalidInputError for a genesis block that is none. Nothing is opened yet."""
        try:
            self._genesis = common_pb2.Block.FromString(genesis_block)
        except DecodeError:
            raise InvalidInputError("the genesis block is no common.Block") from None
        self._data_dir = data_dir
        self._nodes = {member.msp_id: member for member in members}
        self._definitions = tuple(definitions)
        self._clock = clock
        self._limits = limits or Limits()
        self._changing = asyncio.Lock()
        self._running: _Running | None = None

    async def start(self) -> None:
        """Open the ledger and every member's endpoints.

        Raises InvalidInputError (members or definitions that do not fit the genesis block), StoreError or
        EndpointError; then nothing is left open.
        """
        async with self._changing:
            if self._running is not None:
                raise NodeError("the node is running already")
            channel = self._new_channel()
            try:
                await channel.start()
                running = _Running(channel, self._nodes, self._clock, self._limits)
            except BaseException:
                await channel.stop()
                raise
            try:
                for msp_id in self._nodes:
                    await running.start_member(msp_id)
            except BaseException:
                await running.stop()
                raise
            self._running = running

    async def stop(self) -> None:
        """Close every endpoint, commit what was accepted, close the ledger; bounded in time."""
        async with self._changing:
            running, self._running = self._running, None
            if running is not None:
                await running.stop()

    async def stop_member(self, msp_id: str) -> None:
        """Close one member's endpoints: it endorses and orders nothing until it is started again."""
        async with self._changing:
            await self._require().stop_member(self._known(msp_id))

    async def start_member(self, msp_id: str) -> None:
        """Open a stopped member's endpoints again, at the same addresses; raises EndpointError."""
        async with self._changing:
            await self._require().start_member(self._known(msp_id))

    def status(self) -> NodeStatus:
        """Return the node's state; raises NodeError if it is not running."""
        running = self._require()
        return NodeStatus(
            channel=running.channel.name,
            height=running.channel.store.height,
            members=tuple(
                MemberStatus(member.msp_id, member.peer_address, member.orderer_address, member.running)
                for member in running.members
            ),
        )

    def _new_channel(self) -> Channel:
        orderers = [node.orderer_identity for node in self._nodes.values()]
        return Channel(
            self._data_dir,
            self._genesis,
            orderers,
            self._definitions,
            clock=self._clock,
            queue_limit=self._limits.ordering_queue,
        )

    def _require(self) -> _Running:
        if self._running is None:
            raise NodeError("the node is not running; start it first")
        return self._running

    def _known(self, msp_id: str) -> str:
        if msp_id not in self._nodes:
            raise NodeError(f"no member {msp_id!r}; the members are {', '.join(self._nodes)}")
        return msp_id


class _Running:
    """The services of a node whose channel is open."""

    def __init__(
        self,
        channel: Channel,
        nodes: dict[str, MemberNode],
        clock: Clock,
        limits: Limits,
    ) -> None:
        self.channel = channel
        self._nodes = nodes
        self._clock = clock
        self._limits = limits
        self._checker = ProposalChecker(channel, clock, limits.proposal_time_window)
        self._chaincodes = Chaincodes(
            channel.definitions,
            [
                QueryChaincode(channel),
                ConfigurationChaincode(channel, clock),
                LifecycleChaincode(channel, clock),
            ],
            execute_timeout=limits.execute_timeout,
        )
        simulations = Simulations(channel, self._chaincodes)
        self.members = Members(
            [
                Member(
                    node.msp_id,
                    node.peer_address,
                    node.orderer_address,
                    Endorser(node.msp_id, node.peer_identity, channel, self._checker, simulations),
                )
                for node in nodes.values()
            ],
            channel.definitions,
        )
        self._planner = Planner(channel, self.members)
        self._events = EventReader(channel.store)
        self._servers: dict[str, list[grpc.aio.Server]] = {msp_id: [] for msp_id in nodes}

    async def start_member(self, msp_id: str) -> None:
        """Open a member's endpoints; does nothing if they are open."""
        member, node = self.members[msp_id], self._nodes[msp_id]
        if member.running:
            return
        try:
            member.peer_address = await self._open(
                msp_id, "peer", member.peer_address, node.peer_tls, self._peer_handlers(member)
            )
            member.orderer_address = await self._open(
                msp_id, "orderer", member.orderer_address, node.orderer_tls, [self._orderer_handler()]
            )
        except BaseException:
            await self._close(msp_id)
            raise
        member.running = True
        self.channel.set_orderer_running(node.orderer_identity.consenter_id, True)

    async def stop_member(self, msp_id: str) -> None:
        """Close a member's endpoints; calls under way have a moment to end."""
        self.members[msp_id].running = False
        self.channel.set_orderer_running(self._nodes[msp_id].orderer_identity.consenter_id, False)
        await self._close(msp_id)

    async def stop(self) -> None:
        """Close all endpoints and the connections to chaincode servers, then the channel.

        The orderers run until the end: what they accepted is still committed.
        """
        for member in self.members:
            member.running = False
        await asyncio.gather(*(self._close(msp_id) for msp_id in self._nodes))
        await self._chaincodes.close()
        await self.channel.stop()

    async def _open(
        self,
        msp_id: str,
        role: str,
        address: str,
        tls: TlsKeyPair,
        handlers: Sequence[grpc.GenericRpcHandler],
    ) -> str:
        server, actual = await open_endpoint(address, tls, handlers, owner=f"the {role} of {msp_id}")
        self._servers[msp_id].append(server)
        return actual

    async def _close(self, msp_id: str) -> None:
        servers, self._servers[msp_id] = self._servers[msp_id], []
        await asyncio.gather(*(server.stop(self._limits.stop_timeout) for server in servers))

    def _peer_handlers(self, member: Member) -> list[grpc.GenericRpcHandler]:
        gateway = Gateway(
            own=member,
            members=self.members,
            channel=self.channel,
            planner=self._planner,
            checker=self._checker,
            events=self._events,
            clock=self._clock,
            limits=self._limits,
        )
        return [
            gateway_handler(gateway),
            endorser_handler(member.endorser, self._limits.endorser_requests),
            peer_deliver_handler(self.channel, self._clock, self._limits.deliver_streams),
        ]

    def _orderer_handler(self) -> grpc.GenericRpcHandler:
        return atomic_broadcast_handler(self.channel, self._clock, self._limits)
