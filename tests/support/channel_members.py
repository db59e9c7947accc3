"""Members of a made-up channel with everything a configuration change needs of them, and the channel they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fabric_protos.common import configtx_pb2
from tests.support.throwaway_ca import ThrowawayCa, pem

from shirushi_core.fabric.channel_config import BatchParameters, ChannelConfig, from_config, from_config_block
from shirushi_core.fabric.genesis import genesis_block
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.member_bundle import MemberBundle

CHANNEL = "shirushi-test"
BATCH = BatchParameters(500, 10 << 20, 2 << 20, 0.2)


@dataclass(frozen=True)
class ChannelMember:
    """One member: its two CAs, its admin, its orderer's certificates."""

    number: int
    ca: ThrowawayCa
    tls_ca: ThrowawayCa
    admin: SigningIdentity
    client: SigningIdentity
    bundle: MemberBundle

    @classmethod
    def named(cls, number: int) -> ChannelMember:
        """Make the member with this number: Org1MSP, Org2MSP, ..."""
        msp_id = f"Org{number}MSP"
        ca = ThrowawayCa.root(f"ca.org{number}", msp_id)
        tls_ca = ThrowawayCa.root(f"tlsca.org{number}", msp_id)
        bundle = MemberBundle(
            member_id=f"org{number}",
            msp_id=msp_id,
            ca_certificates=(pem(ca.certificate),),
            tls_ca_certificates=(pem(tls_ca.certificate),),
            orderer_certificate=ca.issue("orderer", name=f"orderer{number}").identity.certificate_pem,
            orderer_tls_certificate=tls_ca.issue(name=f"tls{number}").identity.certificate_pem,
            orderer_host=f"orderer.org{number}.example",
            orderer_port=7050,
            peer_host=f"peer.org{number}.example",
            peer_port=7051,
        )
        return cls(
            number, ca, tls_ca, ca.issue("admin", name="admin"), ca.issue("client", name="client"), bundle
        )

    @property
    def msp_id(self) -> str:
        return self.bundle.msp_id

    @property
    def without_orderer(self) -> MemberBundle:
        """The bundle of a member that runs no orderer."""
        return replace(
            self.bundle,
            orderer_certificate=None,
            orderer_tls_certificate=None,
            orderer_host=None,
            orderer_port=None,
        )


def channel_of(members: Sequence[ChannelMember]) -> ChannelConfig:
    """Return the configuration of these members' new channel."""
    return from_config_block(genesis_block(CHANNEL, [member.bundle for member in members], BATCH))


def config_of(group: configtx_pb2.ConfigGroup) -> ChannelConfig:
    """Read an edited root group as a channel's configuration."""
    return from_config(CHANNEL, configtx_pb2.Config(channel_group=group))
