"""The embedded consortium: one data folder's members wired to the anchors contract in one node, and their witnesses."""

from __future__ import annotations

import time
from typing import Any

from fabric_protos.common import common_pb2

from shirushi_chaincode.shell import AnchorsChaincode
from shirushi_core.fabric.block import Consenter
from shirushi_core.fabric.channel_config import from_config_block
from shirushi_network.chaincode_servers import OUR_OWN, read_servers
from shirushi_network.embedded_definition import anchors_definition
from shirushi_network.embedded_witnesses import EmbeddedWitnesses
from shirushi_network.errors import ConsortiumError
from shirushi_network.layout import Layout
from shirushi_network.member_bundle import is_here
from shirushi_network.member_keys import load_signing_identity, load_tls
from shirushi_network.topology import Member, Topology
from shirushi_network.topology_file import read_topology
from shirushi_node.ledger.clock import system_clock
from shirushi_node.ledger.definitions import ChaincodeDefinition, ExternalServer
from shirushi_node.ledger.ledger import OrdererIdentity
from shirushi_node.ledger.node import LedgerNode, MemberNode, TlsKeyPair

CHAINCODE = OUR_OWN


def member_node(layout: Layout, member: Member, consenters: tuple[Consenter, ...]) -> MemberNode:
    """Load what the node needs of one member: identities, TLS keys, addresses."""
    if not is_here(layout, member):
        raise ConsortiumError(
            f"the keys of {member.id} are not on this machine, and the embedded engine needs every member's: use another "
            "data folder for a trial, or another engine"
        )
    home = layout.members / member.id
    consenter = next((c for c in consenters if c.msp_id == member.msp_id), None)
    if member.orderer is None:
        raise ConsortiumError(
            f"{layout.topology}: {member.id} has no orderer: in the embedded engine every member orders"
        )
    if consenter is None:
        raise ConsortiumError(f"{layout.genesis}: no consenter of {member.msp_id}: it is of another topology")
    peer, orderer = home / "peers" / "peer0", home / "orderers" / "orderer0"
    peer_certificate, peer_key, _ = load_tls(peer / "tls")
    orderer_certificate, orderer_key, _ = load_tls(orderer / "tls")
    return MemberNode(
        msp_id=member.msp_id,
        peer_identity=load_signing_identity(peer / "msp", member.msp_id),
        orderer_identity=OrdererIdentity(consenter.id, load_signing_identity(orderer / "msp", member.msp_id)),
        peer_address=f"{member.peer.address}",
        orderer_address=f"{member.orderer.address}",
        peer_tls=TlsKeyPair(peer_certificate, peer_key),
        orderer_tls=TlsKeyPair(orderer_certificate, orderer_key),
    )


class EmbeddedConsortium:
    """All members of a data folder's consortium, in this process."""

    def __init__(self, topology: Topology, node: LedgerNode, witnesses: EmbeddedWitnesses) -> None:
        self._topology = topology
        self._node = node
        self._witnesses = witnesses

    @classmethod
    def load(cls, layout: Layout) -> EmbeddedConsortium:
        """Load keys and genesis block from a data folder; raises ConsortiumError or an error naming the file."""
        topology = read_topology(layout.topology)
        anchors = topology.anchors
        genesis = layout.genesis.read_bytes()
        consenters = from_config_block(common_pb2.Block.FromString(genesis)).consenters
        members = [member_node(layout, member, consenters) for member in topology.members]
        definitions = [
            ChaincodeDefinition(
                name=CHAINCODE,
                backing=AnchorsChaincode(clock=time.time),
                version=anchors.version,
                sequence=anchors.sequence,
                endorsement_policy=anchors_definition(anchors).policy,
            ),
            *(
                ChaincodeDefinition(name=name, backing=ExternalServer(address))
                for name, address in read_servers(layout.chaincodes).items()
            ),
        ]
        node = LedgerNode(layout.ledger, genesis, members, definitions, clock=system_clock)
        return cls(topology, node, EmbeddedWitnesses.load(layout, topology))

    async def start(self) -> None:
        """Open the ledger, every member's endpoints and its witness; raises ShirushiError, and nothing stays open."""
        await self._node.start()
        try:
            await self._witnesses.start_all()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close every witness, every endpoint and the ledger."""
        try:
            await self._witnesses.stop_all()
        finally:
            await self._node.stop()

    async def stop_member(self, member_id: str, *, only_witness: bool = False) -> None:
        """Take one member's witness, endpoints and identities away."""
        member = self._member(member_id)
        await self._witnesses.stop(member, needed=only_witness)
        if not only_witness:
            await self._node.stop_member(member.msp_id)

    async def start_member(self, member_id: str, *, only_witness: bool = False) -> None:
        """Bring a stopped member back."""
        member = self._member(member_id)
        if not only_witness:
            await self._node.start_member(member.msp_id)
        await self._witnesses.start(member, needed=only_witness)

    def status(self) -> dict[str, Any]:
        """Return {"channel", "height", "members": [{"id", "msp_id", "peer", "orderer", "running", "witness"}]}."""
        status = self._node.status()
        running = {member.msp_id: member for member in status.members}
        return {
            "channel": self._topology.channel,
            "height": status.height,
            "members": [
                {
                    "id": member.id,
                    "msp_id": member.msp_id,
                    "peer": running[member.msp_id].peer_address,
                    "orderer": running[member.msp_id].orderer_address,
                    "running": running[member.msp_id].running,
                    "witness": self._witnesses.shown(member),
                }
                for member in self._topology.members
            ],
        }

    def _member(self, member_id: str) -> Member:
        for member in self._topology.members:
            if member.id == member_id:
                return member
        known = ", ".join(member.id for member in self._topology.members)
        raise ConsortiumError(f"no member {member_id!r}; the members are {known}")
