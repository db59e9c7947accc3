"""Witnesses of a made-up consortium, and a peer for them that delivers an anchored chain's blocks."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fabric_protos.common import common_pb2
from tests.support.anchored_chain import AnchoredChain
from tests.support.anchors_ledger import CHANNEL
from tests.support.throwaway_ca import ThrowawayCa, pem

from shirushi_core.fabric.channel_config import from_config_block
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.proofs import bls
from shirushi_core.proofs.checkpoint import Checkpoint, cosigner_key, origin_of
from shirushi_core.proofs.note import SignedNote, VerifierKey
from shirushi_node.ledger.clock import Clock, system_clock
from shirushi_node.ledger.deliver import peer_deliver_handler
from shirushi_node.ledger.endpoint import TlsKeyPair, open_endpoint
from shirushi_node.witness.service import OtherWitness, WitnessKeys, WitnessService, WitnessSettings
from shirushi_node.witness.signing import sign_head

ORIGIN = origin_of(CHANNEL)
MEMBERS = ("org1", "org2", "org3", "org4", "org5")
TLS_CA = ThrowawayCa.root("tls")
TLS_ROOT = pem(TLS_CA.certificate)
SECONDS = 20.0
"""How long anything may take in a test of witnesses."""


def tls_pair() -> TlsKeyPair:
    """Return a TLS key with a certificate for this machine."""
    names = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    issued = TLS_CA.issue(name="localhost", extensions=[(names, False)])
    key = issued.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return TlsKeyPair(issued.identity.certificate_pem, key)


TLS = tls_pair()


def free_port() -> int:
    """Return a port that nothing uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def keys_of(member: str) -> WitnessKeys:
    """Return a member's keys, the same each time."""
    seeds = [sha256(f"{member}/{use}".encode()).digest() for use in ("log", "cosigner", "bls")]
    return WitnessKeys(
        Ed25519PrivateKey.from_private_bytes(seeds[0]),
        Ed25519PrivateKey.from_private_bytes(seeds[1]),
        bls.key_from_seed(seeds[2]),
    )


def cosigner_of(member: str) -> VerifierKey:
    return cosigner_key(f"{ORIGIN}/{member}", keys_of(member).cosigner.public_key().public_bytes_raw())


def note_by(member: str, checkpoint: Checkpoint, time: int) -> SignedNote:
    """Return the note that a member's witness would serve of a checkpoint."""
    return sign_head(checkpoint, keys_of(member), f"{ORIGIN}/{member}", time).note


class _Shown:
    """A ledger store, as far as it is shown."""

    def __init__(self, chain: AnchoredChain) -> None:
        self._chain = chain
        self.limit: int | None = None
        self.spoilt: dict[int, bytes] = {}

    @property
    def height(self) -> int:
        height = self._chain.store.height
        return height if self.limit is None else min(height, self.limit)

    def block_bytes(self, number: int) -> bytes | None:
        return self.spoilt.get(number) or self._chain.store.block_bytes(number)


class ChainPeer:
    """A peer's deliver service over a chain: what Channel is to the embedded ledger's, for blocks made elsewhere."""

    name = CHANNEL

    def __init__(self, chain: AnchoredChain) -> None:
        self.store = _Shown(chain)
        self.config = from_config_block(chain.consortium.genesis)
        self.clock: Clock = system_clock
        self.address = "127.0.0.1:0"
        self._server: Any = None
        self._grown = asyncio.Event()

    async def start(self) -> None:
        handler = peer_deliver_handler(self, lambda: self.clock(), 100)  # type: ignore[arg-type]
        self._server, self.address = await open_endpoint(self.address, TLS, [handler], owner="the peer")

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    def grown(self) -> None:
        """Say that there are more blocks."""
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    async def wait_for_height(self, height: int) -> None:
        while self.store.height < height:
            await self._grown.wait()


class Witnesses:
    """Settings for the members' witnesses, each with an address of its own, on one peer."""

    def __init__(self, chain: AnchoredChain, folder: Path, peer: str) -> None:
        self.chain = chain
        self.folder = folder
        self.peer = peer
        self.ports = {member: free_port() for member in MEMBERS}

    def url(self, member: str) -> str:
        return f"https://127.0.0.1:{self.ports[member]}"

    def settings(self, member: str = "org1", **changes: Any) -> WitnessSettings:
        number = MEMBERS.index(member)
        others = tuple(
            OtherWitness(other, self.url(other), TLS_ROOT, cosigner_of(other), other.capitalize())
            for other in MEMBERS
            if other != member
        )
        settings = WitnessSettings(
            ledger=CHANNEL,
            member_id=member,
            folder=self.folder / member,
            keys=keys_of(member),
            identity=self.client(number),
            peer=self.peer,
            peer_tls_roots=TLS_ROOT,
            peer_tls_name="localhost",
            genesis=self.chain.consortium.genesis.SerializeToString(),
            others=others,
            quorum=4,
            host="127.0.0.1",
            port=self.ports[member],
            tls=TLS,
        )
        return replace(settings, **changes)

    def client(self, number: int) -> SigningIdentity:
        return self.chain.consortium.members[number].client

    @asynccontextmanager
    async def running(self, *members: str, **options: Any) -> AsyncIterator[list[WitnessService]]:
        """Run witnesses of these members."""
        services = [WitnessService(self.settings(member), **options) for member in members]
        started: list[WitnessService] = []
        try:
            for service in services:
                await service.start()
                started.append(service)
            yield services
        finally:
            await asyncio.gather(*(service.stop() for service in started))


async def until(reached: Callable[[], object], what: str = "it") -> None:
    """Return once something is so, and fail if that takes too long; looked at every few milliseconds."""
    deadline = asyncio.get_running_loop().time() + SECONDS
    while not reached():
        assert asyncio.get_running_loop().time() < deadline, f"{what} did not come about"
        await asyncio.sleep(0.01)


def signs(service: WitnessService, block: int) -> bool:
    """Say whether a witness has taken in all blocks below a number, and signed the newest head."""
    running, status = service._running, service.status()
    if running is None or status.block != block or status.refusing is not None:
        return False
    newest = running.store.signed.newest
    return (0 if newest is None else newest.checkpoint.size) == status.size


@asynccontextmanager
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Return a client that trusts the witnesses' TLS root."""
    context = ssl.create_default_context(cadata=TLS_ROOT.decode())
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        yield session


def files_below(folder: Path, part: str = "tile") -> dict[str, bytes]:
    """Return all files of a witness's log by their paths."""
    found = (folder / part).rglob("*")
    return {str(file.relative_to(folder)): file.read_bytes() for file in found if file.is_file()}


def parse_blocks(data: Sequence[bytes]) -> list[Any]:
    return [common_pb2.Block.FromString(each) for each in data]
