"""A network of Fabric's own nodes whose channel configuration is changed while it runs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from fabric_protos.common import common_pb2, configtx_pb2
from fabric_protos.orderer import ab_pb2, ab_pb2_grpc
from tests.fabric.native_network import COMMAND_SECONDS, STOP_SECONDS, NativeNetwork

from shirushi_core.fabric.channel_config import ChannelConfig, from_config_block
from shirushi_core.fabric.config_proposal import ProposedUpdate
from shirushi_core.fabric.config_update import compute_update
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.member_bundle import MemberBundle
from shirushi_core.fabric.signing import load_certificate, load_private_key
from shirushi_network import certificates
from shirushi_network.certificates import KeyPair, Period
from shirushi_network.member_keys import ORDERER, create_member, load_bundle, load_signing_identity
from shirushi_network.ports import free_ports
from shirushi_network.topology import Member

Edit = Callable[[configtx_pb2.ConfigGroup], configtx_pb2.ConfigGroup]


class ChangingNetwork(NativeNetwork):
    """Five members' nodes, to which updates are sent; orderers can be added and restarted."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.orderers: list[Member] = list(self.members)

    def bundle(self, member: Member) -> MemberBundle:
        """Return a member's bundle as its files are now."""
        return load_bundle(self._root, member)

    def admin(self, member: Member) -> SigningIdentity:
        """Return a member's admin."""
        return load_signing_identity(self._root / member.id / "users" / "admin" / "msp", member.msp_id)

    def channel_config(self, member: Member | None = None) -> ChannelConfig:
        """Return the configuration of the newest config block that a member's orderer delivers."""
        return from_config_block(self.config_block(member or self.members[0]))

    def config_block(self, member: Member) -> common_pb2.Block:
        """Return the newest config block that a member's orderer delivers."""
        file = self._root / "config.block"
        self.peer(
            *(self.members[0], "channel", "fetch", "config", str(file), "-c", self.topology.channel),
            *self.orderer_arguments(member),
        )
        return common_pb2.Block.FromString(file.read_bytes())

    def height(self, member: Member) -> int:
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
        height = self.height(self.members[0])
        answer = self.submit(proposed, signers[0])
        assert answer.status == common_pb2.SUCCESS, answer
        self.wait_for_height(height + 1)
        return self.channel_config()

    def submit(self, proposed: ProposedUpdate, submitter: Member) -> ab_pb2.BroadcastResponse:
        """Broadcast a proposed update to the orderer that leads, and return its answer."""
        envelope = proposed.envelope(
            self.admin(submitter), secrets.token_bytes(24), int(datetime.now(UTC).timestamp())
        )
        leader = self.leader()
        authority = (self._root / leader.id / "orderers" / ORDERER / "tls" / "ca.crt").read_bytes()
        credentials = grpc.ssl_channel_credentials(authority)
        with grpc.secure_channel(f"{leader.host}:{leader.orderer_port}", credentials) as channel:
            stub = ab_pb2_grpc.AtomicBroadcastStub(channel)
            answers = stub.Broadcast(iter([envelope]), timeout=COMMAND_SECONDS)
            return next(answers)

    def leader(self) -> Member:
        """Return the member whose orderer leads, once the orderers agree on one."""
        found: list[Member] = []

        def agreed() -> bool:
            ids = {self._metric(member, "consensus_BFT_leader_id") for member in self.orderers}
            consenters = {each.id: each.msp_id for each in self.channel_config().consenters}
            found[:] = [
                member for member in self.orderers if len(ids) == 1 and member.msp_id == consenters.get(*ids)
            ]
            return bool(found)

        self._wait_until(agreed, "one leader")
        return found[0]

    def wait_for_height(self, height: int) -> None:
        """Wait until every orderer has as many blocks."""
        self._wait_until(
            lambda: all(self.height(member) >= height for member in self.orderers), f"block {height - 1}"
        )

    def wait_until_active(self, member: Member) -> None:
        """Wait until a member's orderer takes part in consensus."""

        def active() -> bool:
            answer = self.participation(member)
            return (answer["consensusRelation"], answer["status"]) == ("consenter", "active")

        self._wait_until(active, f"the orderer of {member.id} to take part")

    def new_member(self) -> Member:
        """Make the keys of a sixth member, of which nothing runs yet."""
        peer_port, orderer_port, admin, operations = free_ports(4)
        member = replace(
            self.members[0],
            id="sixth",
            msp_id="SixthMSP",
            name_en="Sixth",
            name_ja="六",
            peer_port=peer_port,
            orderer_port=orderer_port,
        )
        self._admin_ports[member.id], self._operations_ports[member.id] = admin, operations
        create_member(self._root, member, now=datetime.now(UTC))
        return member

    def start_orderer(self, member: Member, block: common_pb2.Block) -> None:
        """Start a new member's orderer and let it join the channel with a config block that names it."""
        file = self._root / "join.block"
        file.write_bytes(block.SerializeToString())
        self._start_orderer(member)
        self._wait_until(self._nodes[-1].serves, f"the orderer of {member.id}")
        self._osnadmin(member, "join", "--channelID", self.topology.channel, "--config-block", str(file))
        self.orderers.append(member)

    def renew_tls(self, member: Member) -> bytes:
        """Give a member's orderer a new TLS certificate from its TLS CA, in its files; returns it."""
        home = self._root / member.id
        authority = KeyPair(
            load_certificate((home / "tlsca" / "cert.pem").read_bytes()),
            _ec_key(home / "tlsca" / "key.pem"),
        )
        pair = certificates.tls_server(
            authority,
            member.name_en,
            f"{ORDERER}.{member.id}",
            [member.host, "localhost"],
            ec.generate_private_key(ec.SECP256R1()),
            x509.random_serial_number(),
            Period.of_days(datetime.now(UTC), 30),
        )
        (home / "orderers" / ORDERER / "tls" / "server.crt").write_bytes(pair.certificate_pem)
        (home / "orderers" / ORDERER / "tls" / "server.key").write_bytes(pair.key_pem)
        return pair.certificate_pem

    def restart_orderer(self, member: Member) -> None:
        """Stop a member's orderer and start it again with the files it has now."""
        (node,) = (node for node in self._nodes if node.name == f"orderer of {member.id}")
        self._nodes.remove(node)
        node.process.terminate()
        node.process.wait(STOP_SECONDS)
        self._start_orderer(member)
        self._wait_until(self._nodes[-1].serves, f"the orderer of {member.id}")


def _ec_key(path: Path) -> Any:
    return load_private_key(path.read_bytes())
