"""A made-up consortium: members with real MSPs, peers, orderers and clients, and its genesis block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from fabric_protos.common import common_pb2
from tests.support.throwaway_ca import ThrowawayCa, pem

from shirushi_core.fabric.channel_config import BatchParameters, ChannelConfig, from_config_block
from shirushi_core.fabric.genesis import MemberBundle, genesis_block
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_node.ledger.ledger import OrdererIdentity

CHANNEL = "proofs"
BATCH = BatchParameters(
    max_message_count=100, absolute_max_bytes=1_000_000, preferred_max_bytes=500_000, timeout_seconds=0.2
)


@dataclass(frozen=True)
class Member:
    """One member's CA and the identities a test needs of it."""

    ca: ThrowawayCa
    peer: SigningIdentity
    orderer: SigningIdentity
    client: SigningIdentity

    @classmethod
    def named(cls, number: int) -> Member:
        """Make the member with this number: Org1MSP, Org2MSP, ..."""
        ca = ThrowawayCa.root(f"ca.org{number}", f"Org{number}MSP")
        return cls(
            ca,
            ca.issue("peer", name=f"peer{number}"),
            ca.issue("orderer", name=f"orderer{number}"),
            ca.issue("client", name=f"client{number}"),
        )

    def bundle(self, number: int) -> MemberBundle:
        """Return the public bundle that goes into the genesis block."""
        authority = (pem(self.ca.certificate),)
        orderer = self.orderer.identity.certificate_pem
        return MemberBundle(
            member_id=f"org{number}",
            msp_id=self.ca.msp_id,
            ca_certificates=authority,
            tls_ca_certificates=authority,
            orderer_certificate=orderer,
            orderer_tls_certificate=orderer,
            orderer_host="127.0.0.1",
            orderer_port=7050 + number,
            peer_host="127.0.0.1",
            peer_port=7150 + number,
        )


class Consortium:
    """Five members and their channel."""

    def __init__(self, batch: BatchParameters = BATCH, members: Sequence[Member] | None = None) -> None:
        self.members = members or [Member.named(number) for number in range(1, 6)]
        self.genesis: common_pb2.Block = genesis_block(
            CHANNEL, [member.bundle(number) for number, member in enumerate(self.members, start=1)], batch
        )

    @cached_property
    def config(self) -> ChannelConfig:
        """The channel configuration of the genesis block."""
        return from_config_block(self.genesis)

    @property
    def client(self) -> SigningIdentity:
        """A client of the first member."""
        return self.members[0].client

    @property
    def orderers(self) -> list[OrdererIdentity]:
        """The members' orderers by consenter id."""
        return [
            OrdererIdentity(number, member.orderer) for number, member in enumerate(self.members, start=1)
        ]

    def peers(self, *numbers: int) -> list[SigningIdentity]:
        """Return the peers of the members with these numbers; by default a majority."""
        return [self.members[number - 1].peer for number in numbers or (1, 2, 3)]
