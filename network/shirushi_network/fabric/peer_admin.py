"""A member's own peer, as its admin speaks to it: joining, installing, asking; proposals straight to the Endorser.

Source: peer/peer.proto (protos.Endorser), core/scc/cscc, core/scc/qscc, core/chaincode/lifecycle/scc.go.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
from fabric_protos.common import ledger_pb2
from fabric_protos.peer import peer_pb2_grpc, proposal_pb2, query_pb2
from google.protobuf.message import DecodeError, Message

from shirushi_core.fabric import lifecycle
from shirushi_core.fabric.chaincode import OK
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.lifecycle import LIFECYCLE, CommittedDefinition
from shirushi_core.fabric.proposal import build_proposal
from shirushi_network.errors import ConsortiumError
from shirushi_network.topology import Member

QUERY_SECONDS = 10.0
INSTALL_SECONDS = 60.0

CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", 100 << 20),
    ("grpc.max_send_message_length", 100 << 20),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 2000),
)


class PeerError(ConsortiumError):
    """A peer that does not answer, or refuses; the text is its own."""


class ApprovalLostError(PeerError):
    """A peer that has lost what its own organisation approved.

    Fabric keeps that in a private collection of the member's own peers, and only its hash on the ledger. A peer that has
    joined again with an empty disk still endorses, for it compares hashes; it just cannot say what was approved.
    """


class PeerAdmin:
    """One peer, spoken to as one identity."""

    def __init__(self, member: Member, identity: SigningIdentity, channel: grpc.aio.Channel) -> None:
        self.member = member
        self._identity = identity
        self._stub = peer_pb2_grpc.EndorserStub(channel)

    async def channels(self) -> list[str]:
        """Return the names of the channels the peer has joined; raises PeerError."""
        payload = await self.call("", "cscc", [b"GetChannels"])
        return [each.channel_id for each in _parsed(query_pb2.ChannelQueryResponse, payload).channels]

    async def join(self, genesis: bytes) -> None:
        """Have the peer join the channel of a genesis block; raises PeerError."""
        await self.call("", "cscc", [b"JoinChain", genesis], timeout=INSTALL_SECONDS)

    async def height(self, channel: str) -> int:
        """Return how many blocks the peer has committed; raises PeerError."""
        payload = await self.call(channel, "qscc", [b"GetChainInfo", channel.encode()])
        return int(_parsed(ledger_pb2.BlockchainInfo, payload).height)

    async def config_block(self, channel: str) -> bytes:
        """Return the channel's newest config block as the peer has it; raises PeerError."""
        return await self.call(channel, "cscc", [b"GetConfigBlock", channel.encode()])

    async def installed(self) -> dict[str, str]:
        """Return package id → label of what is installed; raises PeerError."""
        return lifecycle.read_package_ids(await self.call("", LIFECYCLE, lifecycle.installed_args()))

    async def install(self, package: bytes) -> None:
        """Install a chaincode package; raises PeerError."""
        await self.call("", LIFECYCLE, lifecycle.install_args(package), timeout=INSTALL_SECONDS)

    async def approved(self, channel: str, name: str, sequence: int) -> CommittedDefinition | None:
        """Return what the peer's own organisation approved for a sequence; None if nothing.

        Raises ApprovalLostError, PeerError.
        """
        try:
            payload = await self.call(channel, LIFECYCLE, lifecycle.approved_args(name, sequence))
        except PeerError as error:
            # The peer has no code for it: `could not fetch approved chaincode definition (name: ..., sequence: ...)`.
            if "could not fetch approved chaincode definition" in str(error):
                return None
            if "private data matching public hash version is not available" in str(error):
                raise ApprovalLostError(str(error)) from None
            raise
        return lifecycle.read_approved(name, payload)

    async def committed(self, channel: str, name: str) -> CommittedDefinition | None:
        """Return a chaincode's committed definition; None if the channel has no such chaincode. Raises PeerError."""
        try:
            payload = await self.call(channel, LIFECYCLE, lifecycle.committed_args(name))
        except PeerError as error:
            if "is not defined" in str(error):
                return None
            raise
        return lifecycle.read_committed(name, payload)

    async def readiness(self, channel: str, wanted: lifecycle.Definition) -> dict[str, bool]:
        """Return MSP id → whether it approved just this definition; raises PeerError."""
        return lifecycle.read_readiness(await self.call(channel, LIFECYCLE, lifecycle.readiness_args(wanted)))

    async def call(
        self, channel: str, chaincode: str, args: Sequence[bytes], *, timeout: float = QUERY_SECONDS
    ) -> bytes:
        """Have this peer simulate one call, and return the response's payload; nothing is ordered. Raises PeerError."""
        seconds, nanos = divmod(time.time_ns(), 1_000_000_000)
        proposal = build_proposal(
            channel_id=channel,
            chaincode_name=chaincode,
            args=args,
            creator=self._identity.identity.serialized,
            nonce=os.urandom(24),
            seconds=seconds,
            nanos=nanos,
        ).SerializeToString()
        signed = proposal_pb2.SignedProposal(proposal_bytes=proposal, signature=self._identity.sign(proposal))
        whose = f"the peer of {self.member.name_en} ({self.member.peer.address})"
        try:
            answer = await self._stub.ProcessProposal(signed, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            raise PeerError(f"{whose} does not answer: {error.details()}") from error
        if answer.response.status != OK:
            raise PeerError(f"{whose} refuses {chaincode}: {answer.response.message}")
        return bytes(answer.response.payload)


@asynccontextmanager
async def open_peer(member: Member, identity: SigningIdentity, tls_roots: bytes) -> AsyncIterator[PeerAdmin]:
    """Open a peer as an identity; TLS roots are PEM."""
    credentials = grpc.ssl_channel_credentials(tls_roots)
    async with grpc.aio.secure_channel(member.peer.address, credentials, options=CHANNEL_OPTIONS) as channel:
        yield PeerAdmin(member, identity, channel)


def _parsed(kind: type[Message], payload: bytes) -> Any:
    """Parse a message (generated classes carry no types); raises PeerError."""
    try:
        return kind.FromString(payload)
    except DecodeError:
        raise PeerError(f"a peer's answer is no {kind.DESCRIPTOR.name}") from None
