"""A five-member node on free ports in the test's own event loop, and clients of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TypeAlias

import grpc
from fabric_protos.common import common_pb2
from tests.support.raw_client import RawClient

from shirushi_core.fabric.channel_config import from_config_block
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_network.embedded import member_node
from shirushi_network.layout import Layout
from shirushi_network.member_keys import load_signing_identity
from shirushi_network.topology import Topology
from shirushi_node.ledger.node import LedgerNode, MemberNode

Keys: TypeAlias = tuple[Layout, Topology]


class Network:
    """A five-member node on free ports, and clients of it."""

    def __init__(self, keys: Keys, node: LedgerNode, stack: AsyncExitStack) -> None:
        self.layout, self.topology = keys
        self.node = node
        self.msp_ids = [member.msp_id for member in self.topology.members]
        self._stack = stack

    def user(self, member: int = 0, name: str = "client") -> SigningIdentity:
        """Return the key of one of a member's users."""
        chosen = self.topology.members[member]
        home = self.layout.members / chosen.id / "users" / name / "msp"
        return load_signing_identity(home, chosen.msp_id)

    async def client(self, member: int = 0, *, user: SigningIdentity | None = None) -> RawClient:
        """Return a client connected to a member's endpoints."""
        status = self.node.status().members[member]
        peer, orderer = [
            await self._stack.enter_async_context(self.connect(address, member))
            for address in (status.peer_address, status.orderer_address)
        ]
        return RawClient(self.topology.channel, user or self.user(member), peer, orderer)

    def connect(self, address: str, member: int = 0) -> grpc.aio.Channel:
        """Return a TLS connection that trusts a member's TLS root."""
        home = self.layout.members / self.topology.members[member].id
        credentials = grpc.ssl_channel_credentials((home / "tlsca" / "cert.pem").read_bytes())
        options = [
            ("grpc.ssl_target_name_override", "localhost"),
            ("grpc.max_receive_message_length", 100 << 20),
        ]
        return grpc.aio.secure_channel(address, credentials, options=options)


def member_nodes(keys: Keys) -> list[MemberNode]:
    """Return the members of a prepared network, each on free ports."""
    layout, topology = keys
    consenters = from_config_block(common_pb2.Block.FromString(layout.genesis.read_bytes())).consenters
    free = "127.0.0.1:0"
    return [
        replace(member_node(layout, member, consenters), peer_address=free, orderer_address=free)
        for member in topology.members
    ]


StartNetwork: TypeAlias = Callable[..., Awaitable[Network]]
