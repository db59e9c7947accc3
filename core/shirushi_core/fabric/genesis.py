"""Building a channel's genesis block from the members' public bundles, without configtxgen.

Source: internal/configtxgen/encoder, common/genesis, common/policies/bft.go; capabilities channel V3_0, orderer V2_0,
application V2_5.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from fabric_protos.common import common_pb2, configtx_pb2, configuration_pb2, policies_pb2
from fabric_protos.msp import identities_pb2, msp_config_pb2, msp_principal_pb2
from fabric_protos.orderer import configuration_pb2 as orderer_pb2
from fabric_protos.orderer.smartbft import configuration_pb2 as smartbft_pb2
from fabric_protos.peer import configuration_pb2 as peer_pb2
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.block import bft_quorum, new_block
from shirushi_core.fabric.channel_config import BLOCK_DATA_HASHING_WIDTH, BatchParameters
from shirushi_core.fabric.policy_text import parse_policy_text
from shirushi_core.fabric.proposal import transaction_id
from shirushi_core.fabric.signing import load_certificate

CHANNEL_CAPABILITY = "V3_0"
ORDERER_CAPABILITY = "V2_0"
APPLICATION_CAPABILITY = "V2_5"

REQUEST_POOL_SIZE = 100_000
"""Requests an orderer holds before it refuses more; configtxgen's bare default of 400 is below a gateway's 500."""

_CHANNEL_ID = re.compile(r"[a-z][a-z0-9.-]{0,248}")
_MSP_ID = re.compile(r"[A-Za-z0-9.-]{1,128}")
_ADMINS = "Admins"
_NONCE_BYTES = 24
_ROLES = ("client", "peer", "admin", "orderer")


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
    units = {
        f"{role}_ou_identifier": msp_config_pb2.FabricOUIdentifier(organizational_unit_identifier=role)
        for role in _ROLES
    }
    config = msp_config_pb2.FabricMSPConfig(
        name=bundle.msp_id,
        root_certs=bundle.ca_certificates,
        intermediate_certs=bundle.intermediate_certificates,
        revocation_list=bundle.revocation_lists,
        crypto_config=msp_config_pb2.FabricCryptoConfig(
            signature_hash_family="SHA2", identity_identifier_hash_function="SHA256"
        ),
        tls_root_certs=bundle.tls_ca_certificates,
        fabric_node_ous=msp_config_pb2.FabricNodeOUs(enable=True, **units),
    )
    return _bytes(msp_config_pb2.MSPConfig(type=0, config=_bytes(config)))


def genesis_block(
    channel_id: str, members: Sequence[MemberBundle], batch: BatchParameters
) -> common_pb2.Block:
    """Build the genesis block of a channel with BFT ordering by these members' orderers.

    Each member has an application organisation and an orderer organisation group (same MSP). Policies: implicit-meta
    MAJORITY Admins, ANY Readers/Writers, MAJORITY Endorsement and LifecycleEndorsement; BlockValidation is a quorum of
    the orderers' own identities. Consenter ids count from 1 in the order given. The orderers wait
    `batch.timeout_seconds` before they cut a block that is not full.
    Deterministic: the same bundles give the same bytes (the nonce is a hash of the configuration, the timestamp the
    latest notBefore of the members' CAs). Raises InvalidInputError for names Fabric would refuse.
    """
    _check(channel_id, members)
    config = _bytes(
        configtx_pb2.ConfigEnvelope(config=configtx_pb2.Config(channel_group=_channel_group(members, batch)))
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
            channel_header=_bytes(channel_header),
            signature_header=_bytes(common_pb2.SignatureHeader(nonce=nonce)),
        ),
        data=config,
    )
    block = new_block(0, b"", [_bytes(common_pb2.Envelope(payload=_bytes(payload)))])
    signatures = common_pb2.OrdererBlockMetadata(last_config=common_pb2.LastConfig(index=0))
    block.metadata.metadata[common_pb2.SIGNATURES] = _bytes(common_pb2.Metadata(value=_bytes(signatures)))
    return block


def go_duration(seconds: float) -> str:
    """Write seconds as Go's time.Duration does: "200ms", "1.5s", "2m0s" (to the millisecond)."""
    milliseconds = round(seconds * 1000)
    if milliseconds < 1:
        raise InvalidInputError(f"a duration of {seconds} seconds is under a millisecond")
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    shown = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    return f"{minutes}m{shown}" if minutes else shown


def _check(channel_id: str, members: Sequence[MemberBundle]) -> None:
    if not _CHANNEL_ID.fullmatch(channel_id):
        raise InvalidInputError(
            f"{channel_id!r} is no channel name: lower-case letters, digits, dots and dashes"
        )
    if not members:
        raise InvalidInputError("a channel needs at least one member")
    msp_ids = [member.msp_id for member in members]
    for msp_id in msp_ids:
        if not _MSP_ID.fullmatch(msp_id):
            raise InvalidInputError(f"{msp_id!r} is no MSP id: letters, digits, dots and dashes")
        if msp_ids.count(msp_id) > 1:
            raise InvalidInputError(f"two members have the MSP id {msp_id}")
    for member in members:
        if not member.ca_certificates:
            raise InvalidInputError(f"the bundle of {member.member_id} has no CA certificate")


def _channel_group(members: Sequence[MemberBundle], batch: BatchParameters) -> configtx_pb2.ConfigGroup:
    group = configtx_pb2.ConfigGroup(mod_policy=_ADMINS)
    _set(group, "HashingAlgorithm", configuration_pb2.HashingAlgorithm(name="SHA256"))
    _set(
        group,
        "BlockDataHashingStructure",
        configuration_pb2.BlockDataHashingStructure(width=BLOCK_DATA_HASHING_WIDTH),
    )
    _set(group, "Capabilities", _capability(CHANNEL_CAPABILITY))
    _add_usual_policies(group)
    group.groups["Orderer"].CopyFrom(_orderer_group(members, batch))
    group.groups["Application"].CopyFrom(_application_group(members))
    return group


def _application_group(members: Sequence[MemberBundle]) -> configtx_pb2.ConfigGroup:
    group = configtx_pb2.ConfigGroup(mod_policy=_ADMINS)
    _set(group, "Capabilities", _capability(APPLICATION_CAPABILITY))
    _add_usual_policies(group)
    _add_meta_policy(group, "Endorsement", policies_pb2.ImplicitMetaPolicy.MAJORITY, "Endorsement")
    _add_meta_policy(group, "LifecycleEndorsement", policies_pb2.ImplicitMetaPolicy.MAJORITY, "Endorsement")
    for member in members:
        org = group.groups[member.msp_id]
        org.mod_policy = _ADMINS
        org.values["MSP"].CopyFrom(configtx_pb2.ConfigValue(value=msp_config(member), mod_policy=_ADMINS))
        anchor = peer_pb2.AnchorPeer(host=member.peer_host, port=member.peer_port)
        _set(org, "AnchorPeers", peer_pb2.AnchorPeers(anchor_peers=[anchor]))
        _add_role_policy(org, "Readers", member.msp_id, "admin", "peer", "client")
        _add_role_policy(org, "Writers", member.msp_id, "admin", "client")
        _add_role_policy(org, _ADMINS, member.msp_id, "admin")
        _add_role_policy(org, "Endorsement", member.msp_id, "peer")
    return group


def _orderer_group(members: Sequence[MemberBundle], batch: BatchParameters) -> configtx_pb2.ConfigGroup:
    group = configtx_pb2.ConfigGroup(mod_policy=_ADMINS)
    wait = go_duration(batch.timeout_seconds)
    size = orderer_pb2.BatchSize(
        max_message_count=batch.max_message_count,
        absolute_max_bytes=batch.absolute_max_bytes,
        preferred_max_bytes=batch.preferred_max_bytes,
    )
    _set(group, "BatchSize", size)
    _set(group, "BatchTimeout", orderer_pb2.BatchTimeout(timeout=wait))
    _set(group, "ChannelRestrictions", orderer_pb2.ChannelRestrictions())
    _set(group, "Capabilities", _capability(ORDERER_CAPABILITY))
    consenters = [_consenter(number, member) for number, member in enumerate(members, start=1)]
    _set(group, "Orderers", configuration_pb2.Orderers(consenter_mapping=consenters))
    _set(
        group,
        "ConsensusType",
        orderer_pb2.ConsensusType(type="BFT", metadata=_bytes(_smartbft_options(batch, wait))),
    )
    _add_usual_policies(group)
    _add_policy(group, "BlockValidation", policies_pb2.Policy.SIGNATURE, _quorum_of(consenters))
    for member in members:
        org = group.groups[member.msp_id]
        org.mod_policy = _ADMINS
        org.values["MSP"].CopyFrom(configtx_pb2.ConfigValue(value=msp_config(member), mod_policy=_ADMINS))
        addresses = [f"{member.orderer_host}:{member.orderer_port}"]
        _set(org, "Endpoints", configuration_pb2.OrdererAddresses(addresses=addresses))
        _add_role_policy(org, "Readers", member.msp_id, "member")
        _add_role_policy(org, "Writers", member.msp_id, "member")
        _add_role_policy(org, _ADMINS, member.msp_id, "admin")
    return group


def _consenter(number: int, member: MemberBundle) -> configuration_pb2.Consenter:
    return configuration_pb2.Consenter(
        id=number,
        host=member.orderer_host,
        port=member.orderer_port,
        msp_id=member.msp_id,
        identity=member.orderer_certificate,
        client_tls_cert=member.orderer_tls_certificate,
        server_tls_cert=member.orderer_tls_certificate,
    )


def _quorum_of(consenters: Sequence[configuration_pb2.Consenter]) -> policies_pb2.SignaturePolicyEnvelope:
    """Return the policy that a BFT quorum of these very certificates has signed."""
    identities = [
        msp_principal_pb2.MSPPrincipal(
            principal_classification=msp_principal_pb2.MSPPrincipal.IDENTITY,
            principal=_bytes(
                identities_pb2.SerializedIdentity(mspid=consenter.msp_id, id_bytes=consenter.identity)
            ),
        )
        for consenter in consenters
    ]
    rules = [policies_pb2.SignaturePolicy(signed_by=index) for index in range(len(consenters))]
    quorum = policies_pb2.SignaturePolicy.NOutOf(n=bft_quorum(len(consenters)), rules=rules)
    return policies_pb2.SignaturePolicyEnvelope(
        rule=policies_pb2.SignaturePolicy(n_out_of=quorum), identities=identities
    )


def _smartbft_options(batch: BatchParameters, wait: str) -> smartbft_pb2.Options:
    """Return SmartBFT's defaults with this channel's batches.

    SmartBFT waits its own RequestBatchMaxInterval, whatever BatchTimeout says; so both are set to the same.
    """
    return smartbft_pb2.Options(
        request_batch_max_count=batch.max_message_count,
        request_batch_max_bytes=batch.absolute_max_bytes,
        request_batch_max_interval=wait,
        incoming_message_buffer_size=200,
        request_pool_size=REQUEST_POOL_SIZE,
        request_forward_timeout="2s",
        request_complain_timeout="20s",
        request_auto_remove_timeout="3m0s",
        view_change_resend_interval="5s",
        view_change_timeout="20s",
        leader_heartbeat_timeout="1m0s",
        leader_heartbeat_count=10,
        collect_timeout="1s",
    )


def _capability(name: str) -> configuration_pb2.Capabilities:
    return configuration_pb2.Capabilities(capabilities={name: configuration_pb2.Capability()})


def _add_usual_policies(group: configtx_pb2.ConfigGroup) -> None:
    rules = policies_pb2.ImplicitMetaPolicy
    _add_meta_policy(group, "Readers", rules.ANY, "Readers")
    _add_meta_policy(group, "Writers", rules.ANY, "Writers")
    _add_meta_policy(group, _ADMINS, rules.MAJORITY, _ADMINS)


def _add_meta_policy(group: configtx_pb2.ConfigGroup, name: str, rule: int, below: str) -> None:
    policy = policies_pb2.ImplicitMetaPolicy(rule=rule, sub_policy=below)
    _add_policy(group, name, policies_pb2.Policy.IMPLICIT_META, policy)


def _add_role_policy(group: configtx_pb2.ConfigGroup, name: str, msp_id: str, *roles: str) -> None:
    text = "OR(" + ", ".join(f"'{msp_id}.{role}'" for role in roles) + ")"
    policy = policies_pb2.SignaturePolicyEnvelope.FromString(parse_policy_text(text))
    _add_policy(group, name, policies_pb2.Policy.SIGNATURE, policy)


def _add_policy(group: configtx_pb2.ConfigGroup, name: str, kind: int, policy: Message) -> None:
    message = policies_pb2.Policy(type=kind, value=_bytes(policy))
    group.policies[name].CopyFrom(configtx_pb2.ConfigPolicy(policy=message, mod_policy=_ADMINS))


def _set(group: configtx_pb2.ConfigGroup, key: str, value: Message) -> None:
    group.values[key].CopyFrom(configtx_pb2.ConfigValue(value=_bytes(value), mod_policy=_ADMINS))


def _bytes(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)
