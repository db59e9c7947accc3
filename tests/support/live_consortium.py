"""A consortium as `shirushi consortium up` makes it: its own process, its own data folder, to be stopped or killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import grpc
import grpc.aio
from fabric_protos.common import common_pb2
from tests.support.document_types import DOCUMENT_TYPES

from shirushi_client.gateway import Gateway, Identity, connect, signers
from shirushi_client.session import ISSUER, open_session
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_network import bring_up
from shirushi_network.engine import EngineChoice
from shirushi_network.layout import Layout
from shirushi_network.member_keys import load_signing_identity
from shirushi_network.ports import with_ports
from shirushi_network.topology import Member, Topology, default_topology
from shirushi_network.topology_file import read_topology


@dataclass(frozen=True)
class LiveConsortium:
    """The consortium of one data folder, running in processes of its own; `engine` None is the embedded one."""

    layout: Layout
    engine: EngineChoice | None = None
    chaincodes: Mapping[str, str] | None = None

    @classmethod
    def at(cls, root: Path) -> Self:
        """Bring a consortium up on free ports."""
        live = cls(Layout(root))
        live.up()
        return live

    @property
    def root(self) -> Path:
        return self.layout.root

    @property
    def topology(self) -> Topology:
        return read_topology(self.layout.topology)

    @property
    def genesis(self) -> Any:
        return common_pb2.Block.FromString(self.layout.genesis.read_bytes())

    @property
    def height(self) -> int:
        return int(self.status()["height"])

    def status(self) -> dict[str, Any]:
        return bring_up.status(self.layout)

    def settle(self) -> int:
        """Wait until all members have the same blocks, and return how many; embedded members share one ledger."""
        return self.height

    def up(self) -> None:
        """Start it, or start it again."""
        is_new = not self.layout.topology.exists()
        bring_up.up(
            self.layout,
            base_port=0,
            progress=lambda text: None,
            engine=self.engine,
            topology=with_ports(default_topology().issuing(*DOCUMENT_TYPES), 0) if is_new else None,
            chaincodes=self.chaincodes,
        )

    def down(self) -> None:
        bring_up.down(self.layout)

    def kill(self) -> None:
        """End its process as a power cut would, and return when it has ended."""
        pid = self.status()["pid"]
        os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):  # the system may have been asked about it already
            os.waitpid(pid, 0)

    def member(self, member_id: str) -> Member:
        return next(member for member in self.topology.members if member.id == member_id)

    def seen_from(
        self, folder: Path, *, peers: Mapping[str, str] | None = None, issuer: Mapping[str, Any] | None = None
    ) -> Path:
        """Make a client's data folder for it: with peers at other addresses, or another issuer's profile.

        The folder has a journal of its own.
        """
        folder.mkdir()
        (folder / "members").symlink_to(self.layout.members)
        (folder / "users").mkdir()
        for profile in self.layout.users.iterdir():
            (folder / "users" / profile.name).write_bytes(profile.read_bytes())
        if issuer is not None:
            (folder / "users" / "issuer.json").write_text(json.dumps(issuer))
        connection = json.loads(self.layout.connection.read_bytes())
        for member in connection["members"]:
            member["peer"] = (peers or {}).get(member["id"], member["peer"])
        (folder / "consortium.json").write_text(json.dumps(connection))
        return folder

    def profile(
        self, member_id: str, user: str, *, issuer: str, seal_of: str | None = None
    ) -> dict[str, Any]:
        """Return an issuer's profile that acts as any user of any member, under any issuer's name."""
        msp = f"members/{member_id}/users/{user}/msp"
        return {
            "certificate": f"{msp}/signcerts/cert.pem",
            "issuer": issuer,
            "key": f"{msp}/keystore/priv_sk",
            "member": member_id,
            "msp_id": self.member(member_id).msp_id,
            "seal_key": f"members/{seal_of or member_id}/users/issuer/seal/key.pem",
        }

    @asynccontextmanager
    async def gateway(self, member_id: str = "iizuka", user: str = "client") -> AsyncIterator[Gateway]:
        """Connect to a member's gateway as one of that member's users."""
        member = self.member(member_id)
        home = self.layout.members / member.id
        signing = load_signing_identity(home / "users" / user / "msp", member.msp_id)
        credentials = grpc.ssl_channel_credentials((home / "tlsca" / "cert.pem").read_bytes())
        async with grpc.aio.secure_channel(f"{member.peer.address}", credentials) as channel:
            identity = Identity(member.msp_id, signing.identity.certificate_pem)
            async with connect(channel, identity, signers.from_private_key(signing.key)) as gateway:
                yield gateway

    async def blocks(self) -> list[Any]:
        """Fetch every block from the genesis block on, over a member's Deliver service."""
        height, found = await asyncio.to_thread(lambda: self.height), []
        async with (
            self.gateway() as gateway,
            gateway.get_network(self.topology.channel).get_block_events(start_block=0) as events,
        ):
            while len(found) < height:
                found.append(await anext(events))
        return found

    async def batches(self, document_type: str) -> list[IssuanceAnchor]:
        """List the city's batches of one document type, as the contract lists them."""
        found: list[IssuanceAnchor] = []
        bookmark = ""
        async with open_session(self.root, ISSUER) as session:
            while True:
                page = await session.ledger.list_batches(session.profile.issuer_id(), 100, bookmark)
                found += page.batches
                bookmark = page.bookmark
                if not bookmark:
                    return [each for each in found if each.statement.document_type == document_type]
