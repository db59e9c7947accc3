"""Building a channel's genesis block from the members' public bundles, without configtxgen.

Source: internal/configtxgen/encoder, protoutil; capabilities channel V3_0, orderer V2_0, application V2_5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fabric_protos.common import common_pb2

from shirushi_core.fabric.channel_config import BatchParameters


@dataclass(frozen=True, slots=True)
class MemberBundle:
    """One member's public material: everything about it that goes into a genesis block. PEM bytes throughout."""

    member_id: str  # "iizuka"
    msp_id: str
    ca_certificates: tuple[bytes, ...]
    tls_ca_certificates: tuple[bytes, ...]
    orderer_certificate: bytes
    orderer_tls_certificate: bytes
    orderer_host: str
    orderer_port: int
    peer_host: str
    peer_port: int
    intermediate_certificates: tuple[bytes, ...] = ()
    revocation_lists: tuple[bytes, ...] = ()


def msp_config(bundle: MemberBundle) -> bytes:
    """Return serialized msp.MSPConfig bytes of a member: NodeOUs on (client, peer, admin, orderer)."""
    raise NotImplementedError


def genesis_block(
    channel_id: str, members: Sequence[MemberBundle], batch: BatchParameters
) -> common_pb2.Block:
    """Build the genesis block of a channel with BFT ordering by these members' orderers.

    Each member has an application organisation and an orderer organisation group (same MSP). Policies: implicit-meta
    MAJORITY Admins, ANY Readers/Writers, MAJORITY Endorsement and LifecycleEndorsement; BlockValidation ANY Writers.
    Deterministic: the same bundles give the same bytes (nonce and timestamp are fixed by a hash of the inputs).
    """
    raise NotImplementedError
