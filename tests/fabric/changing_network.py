"""A network of Fabric's own nodes whose channel configuration is changed while it runs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from fabric_protos.common import common_pb2, configtx_pb2
from fabric_protos.orderer import ab_pb2, ab_pb2_grpc
from tests.fabric.native_network import COMMAND_SECONDS, NativeNetwork

from shirushi_core.fabric.channel_config import ChannelConfig, from_config_block
from shirushi_core.fabric.config_proposal import ProposedUpdate
from shirushi_core.fabric.config_update import compute_update
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.member_bundle import MemberBundle
from shirushi_core.fabric.signing import load_certificate, load_private_key
from shirushi_network import certificates
from shirushi_network.certificates import KeyPair, Period
from shirushi_network.fabric.participation import OrdererAdmin
from shirushi_network.member_keys import ORDERER, create_member, load_bundle, load_signing_identity
from shirushi_network.ports import free_ports
from shirushi_network.topology import PORTS_USED, Member, member_on
from shirushi_network.topology_file import write_topology

Edit = Callable[[configtx_pb2.ConfigGroup], configtx_pb2.ConfigGroup]


@dataclass(frozen=True)
class ChangingNetwork(NativeNetwork):
    """Five members' nodes, to which updates are sent; orderers can be added and restarted."""

    newcomers: list[Member] = field(default_factory=list)

    @property
    def members(self) -> tuple[Member, ...]:
        """The five members that began the channel."""
        return self.topology.members[:5]

    @property
    def orderers(self) -> list[Member]:
        """The members whose orderers take part."""
        return [*self.members, *self.newcomers]

    def bundle(self, member: Member) -> MemberBundle:
        """Return a member's bundle as its files are now."""
        return load_bundle(self.layout.members, member)

    def admin(self, member: Member) -> SigningIdentity:
        """Return a member's admin."""
        return load_signing_identity(self.home(member) / "users" / "admin" / "msp", member.msp_id)

    def channel_config(self, member: Member | None = None) -> ChannelConfig:
        """Return the configuration of the newest config block that a member's orderer delivers."""
        return from_config_block(self.config_block(member or self.members[0]))

    def config_block(self, member: Member) -> common_pb2.Block:
        """Return the newest config block that a member's orderer delivers."""
        file = self.root / "config.block"
        self.peer(
            *(self.members[0], "channel", "fetch", "config", str(file), "-c", self.topology.channel),
            *self.orderer_arguments(member),
        )
        return common_pb2.Block.FromString(file.read_bytes())

    def height_of(self, member: Member) -> int:
        """Return how many blocks a member's orderer has."""
        return int(self.participation(member)["height"])

    def propose(self, edit: Edit, signers: Sequence[Member]) -> ProposedUpdate:
        """Propose an edit of the current configuration, signed by these members' admins."""
        config = self.channel_config()
        update = compute_update(config.channel_id, config.config, edit(config.config.channel_group))
        proposed = ProposedUpdate.from_update(update)
        for signer in signers:
            proposed = proposed.signed_by(self.admin(signer), secrets.token_bytes(24))
        return proposed

    def change(self, edit: Edit, signers: Sequence[Member]) -> ChannelConfig:
        """Let the orderers make an edit; returns the configuration once every orderer has the config block."""
        proposed = self.propose(edit, signers)
        height = self.height_of(self.members[0])
        answer = self.submit(proposed, signers[0])
        assert answer.status == common_pb2.SUCCESS, answer
        self.wait_for_height(height + 1)
        return self.channel_config()

    def submit(self, proposed: ProposedUpdate, submitter: Member) -> ab_pb2.BroadcastResponse:
        """Broadcast a proposed update to the orderer that leads, and return its answer."""
        envelope = proposed.envelope(
            self.admin(submitter), secrets.token_bytes(24), int(datetime.now(UTC).timestamp())
        )
        leader = self.leader(self.orderers)
        authority = (self.home(leader) / "orderers" / ORDERER / "tls" / "ca.crt").read_bytes()
        credentials = grpc.ssl_channel_credentials(authority)
        assert leader.orderer is not None
        with grpc.secure_channel(leader.orderer.address, credentials) as channel:
            stub = ab_pb2_grpc.AtomicBroadcastStub(channel)
            answers = stub.Broadcast(iter([envelope]), timeout=COMMAND_SECONDS)
            return next(answers)

    def consenters(self) -> dict[int, str]:
        """Return consenter id → MSP id, of the newest configuration."""
        return {each.id: each.msp_id for each in self.channel_config().consenters}

    def wait_for_height(self, height: int) -> None:
        """Wait until every orderer has as many blocks."""
        self.wait_until(
            lambda: all(self.height_of(member) >= height for member in self.orderers), f"block {height - 1}"
        )

    def wait_until_active(self, member: Member) -> None:
        """Wait until a member's orderer takes part in consensus."""

        def active() -> bool:
            answer = self.participation(member)
            return (answer["consensusRelation"], answer["status"]) == ("consenter", "active")

        self.wait_until(active, f"the orderer of {member.id} to take part")

    def new_member(self) -> Member:
        """Make the keys of a sixth member, of which nothing runs yet."""
        member = member_on("sixth", "SixthMSP", "六", "Sixth", "127.0.0.1", free_ports(PORTS_USED))
        create_member(self.layout.members, member, now=datetime.now(UTC))
        topology = self.topology
        write_topology(self.layout.topology, replace(topology, members=(*topology.members, member)))
        return member

    def start_orderer(self, member: Member, block: common_pb2.Block) -> None:
        """Start a new member's orderer and let it join the channel with a config block that names it."""
        self.nodes.start_member(member.id, "orderer")
        OrdererAdmin(member, self.home(member)).join(block.SerializeToString())
        self.newcomers.append(member)

    def renew_tls(self, member: Member) -> bytes:
        """Give a member's orderer a new TLS certificate from its TLS CA, in its files; returns it."""
        home = self.home(member)
        authority = KeyPair(
            load_certificate((home / "tlsca" / "cert.pem").read_bytes()),
            _ec_key(home / "tlsca" / "key.pem"),
        )
        pair = certificates.tls_server(
            authority,
            member.name_en,
            f"{ORDERER}.{member.id}",
            [member.peer.host, "localhost"],
            ec.generate_private_key(ec.SECP256R1()),
            x509.random_serial_number(),
            Period.of_days(datetime.now(UTC), 30),
        )
        (home / "orderers" / ORDERER / "tls" / "server.crt").write_bytes(pair.certificate_pem)
        (home / "orderers" / ORDERER / "tls" / "server.key").write_bytes(pair.key_pem)
        return pair.certificate_pem

    def restart_orderer(self, member: Member) -> None:
        """Stop a member's orderer and start it again with the files it has now."""
        self.nodes.stop_member(member.id, "orderer")
        self.nodes.start_member(member.id, "orderer")


def _ec_key(path: Path) -> Any:
    return load_private_key(path.read_bytes())
