"""Building a channel's genesis block from the members' public bundles, without configtxgen.

Source: internal/configtxgen/encoder, common/genesis.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from fabric_protos.common import common_pb2, configtx_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.bft_parameters import DEFAULT_BFT, BftParameters
from shirushi_core.fabric.block import new_block
from shirushi_core.fabric.channel_config import BatchParameters
from shirushi_core.fabric.config_groups import channel_group, encoded, go_duration
from shirushi_core.fabric.member_bundle import MemberBundle, OrdererBundle, check_bundle, msp_config
from shirushi_core.fabric.proposal import transaction_id
from shirushi_core.fabric.signing import load_certificate

__all__ = [
    "MemberBundle",
    "OrdererBundle",
    "genesis_block",
    "go_duration",
    "msp_config",
]

_CHANNEL_ID = re.compile(r"[a-z][a-z0-9.-]{0,248}")
_NONCE_BYTES = 24


def genesis_block(
    channel_id: str,
    members: Sequence[MemberBundle],
    batch: BatchParameters,
    bft: BftParameters = DEFAULT_BFT,
) -> common_pb2.Block:
    """Build the genesis block of a channel with BFT ordering by these members' orderers.

    Each member has an application organisation group, and an orderer organisation group (same MSP) if it runs an
    orderer; at least one does. Policies: implicit-meta
    MAJORITY Admins, ANY Readers/Writers, MAJORITY Endorsement and LifecycleEndorsement; BlockValidation is a quorum of
    the orderers' own identities. Consenter ids count from 1 in the order given. The orderers wait
    `batch.timeout_seconds` before they cut a block that is not full.
    Deterministic: the same bundles give the same bytes (the nonce is a hash of the configuration, the timestamp the
    latest notBefore of the members' CAs). Raises InvalidInputError for names Fabric would refuse.
    """
    _check(channel_id, members)
    config = encoded(
        configtx_pb2.ConfigEnvelope(
            config=configtx_pb2.Config(channel_group=channel_group(members, batch, bft))
        )
    )
    nonce = hashlib.sha256(channel_id.encode() + b"\0" + config).digest()[:_NONCE_BYTES]
    begin = max(
        load_certificate(pem).not_valid_before_utc for member in members for pem in member.ca_certificates
    )
    channel_header = common_pb2.ChannelHeader(
        type=common_pb2.CONFIG,
        version=1,
        timestamp=Timestamp(seconds=int(begin.timestamp())),
        channel_id=channel_id,
        tx_id=transaction_id(nonce, b""),
    )
    payload = common_pb2.Payload(
        header=common_pb2.Header(
            channel_header=encoded(channel_header),
            signature_header=encoded(common_pb2.SignatureHeader(nonce=nonce)),
        ),
        data=config,
    )
    block = new_block(0, b"", [encoded(common_pb2.Envelope(payload=encoded(payload)))])
    signatures = common_pb2.OrdererBlockMetadata(last_config=common_pb2.LastConfig(index=0))
    block.metadata.metadata[common_pb2.SIGNATURES] = encoded(common_pb2.Metadata(value=encoded(signatures)))
    return block


def _check(channel_id: str, members: Sequence[MemberBundle]) -> None:
    if not _CHANNEL_ID.fullmatch(channel_id):
        raise InvalidInputError(
            f"{channel_id!r} is no channel name: lower-case letters, digits, dots and dashes"
        )
    if not members:
        raise InvalidInputError("a channel needs at least one member")
    msp_ids = [member.msp_id for member in members]
    for member in members:
        check_bundle(member)
        if msp_ids.count(member.msp_id) > 1:
            raise InvalidInputError(f"two members have the MSP id {member.msp_id}")
    if not any(member.orderer for member in members):
        raise InvalidInputError("a channel needs at least one member that runs an orderer")
