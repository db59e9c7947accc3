"""The groups of a channel's configuration, as this consortium fills them: root, orderers, applications, organisations.

Source: internal/configtxgen/encoder, common/channelconfig/util.go, common/policies/bft.go; capabilities channel V3_0,
orderer V2_0, application V2_5.
"""

from __future__ import annotations

from collections.abc import Sequence

from fabric_protos.common import configtx_pb2, configuration_pb2, policies_pb2
from fabric_protos.msp import identities_pb2, msp_principal_pb2
from fabric_protos.orderer import configuration_pb2 as orderer_pb2
from fabric_protos.orderer.smartbft import configuration_pb2 as smartbft_pb2
from fabric_protos.peer import configuration_pb2 as peer_pb2
from google.protobuf.message import Message

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.bft_parameters import BftParameters
from shirushi_core.fabric.block import bft_quorum
from shirushi_core.fabric.channel_config import BLOCK_DATA_HASHING_WIDTH, BatchParameters
from shirushi_core.fabric.member_bundle import MemberBundle, OrdererBundle, msp_config
from shirushi_core.fabric.policy_text import parse_policy_text

CHANNEL_CAPABILITY = "V3_0"
ORDERER_CAPABILITY = "V2_0"
APPLICATION_CAPABILITY = "V2_5"

INCOMING_MESSAGES, HEARTBEATS = 200, 10
"""Messages an orderer buffers from each other one, and heartbeats a leader sends in a timeout: SmartBFT's defaults."""

ADMINS = "Admins"
"""The policy that every part of the configuration is changed under: the admins' of the group it stands in."""


def channel_group(
    members: Sequence[MemberBundle], batch: BatchParameters, bft: BftParameters
) -> configtx_pb2.ConfigGroup:
    """Return the root group of a new channel; the members that have an orderer are its consenters, from 1 on."""
    group = configtx_pb2.ConfigGroup(mod_policy=ADMINS)
    set_value(group, "HashingAlgorithm", configuration_pb2.HashingAlgorithm(name="SHA256"))
    set_value(
        group,
        "BlockDataHashingStructure",
        configuration_pb2.BlockDataHashingStructure(width=BLOCK_DATA_HASHING_WIDTH),
    )
    set_value(group, "Capabilities", _capability(CHANNEL_CAPABILITY))
    _add_usual_policies(group)
    group.groups["Orderer"].CopyFrom(_orderer_group(members, batch, bft))
    group.groups["Application"].CopyFrom(_application_group(members))
    return group


def application_organisation(member: MemberBundle) -> configtx_pb2.ConfigGroup:
    """Return a member's group among the applications: its MSP, its peer as anchor, its policies."""
    org = _organisation(member)
    anchor = peer_pb2.AnchorPeer(host=member.peer_host, port=member.peer_port)
    set_value(org, "AnchorPeers", peer_pb2.AnchorPeers(anchor_peers=[anchor]))
    _add_role_policy(org, "Readers", member.msp_id, "admin", "peer", "client")
    _add_role_policy(org, "Writers", member.msp_id, "admin", "client")
    _add_role_policy(org, ADMINS, member.msp_id, "admin")
    _add_role_policy(org, "Endorsement", member.msp_id, "peer")
    return org


def orderer_organisation(member: MemberBundle, orderer: OrdererBundle) -> configtx_pb2.ConfigGroup:
    """Return a member's group among the orderers: its MSP, its orderer's address, its policies."""
    org = _organisation(member)
    addresses = [f"{orderer.host}:{orderer.port}"]
    set_value(org, "Endpoints", configuration_pb2.OrdererAddresses(addresses=addresses))
    _add_role_policy(org, "Readers", member.msp_id, "member")
    _add_role_policy(org, "Writers", member.msp_id, "member")
    _add_role_policy(org, ADMINS, member.msp_id, "admin")
    return org


def consenter(number: int, msp_id: str, orderer: OrdererBundle) -> configuration_pb2.Consenter:
    """Return a member's orderer as the consenter with this id; its TLS certificate serves both ways."""
    return configuration_pb2.Consenter(
        id=number,
        host=orderer.host,
        port=orderer.port,
        msp_id=msp_id,
        identity=orderer.certificate,
        client_tls_cert=orderer.tls_certificate,
        server_tls_cert=orderer.tls_certificate,
    )


def set_consenters(
    group: configtx_pb2.ConfigGroup, consenters: Sequence[configuration_pb2.Consenter]
) -> None:
    """Set the consenters of an orderer group, and the BlockValidation policy that BFT orderers require with them."""
    set_value(group, "Orderers", configuration_pb2.Orderers(consenter_mapping=consenters))
    set_policy(group, "BlockValidation", policies_pb2.Policy.SIGNATURE, quorum_policy(consenters))


def quorum_policy(consenters: Sequence[configuration_pb2.Consenter]) -> policies_pb2.SignaturePolicyEnvelope:
    """Return the policy that a BFT quorum of these very certificates has signed (checkConsentersMatchPolicy)."""
    identities = [
        msp_principal_pb2.MSPPrincipal(
            principal_classification=msp_principal_pb2.MSPPrincipal.IDENTITY,
            principal=encoded(
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


def set_batch_values(group: configtx_pb2.ConfigGroup, batch: BatchParameters) -> None:
    """Set how an orderer group cuts blocks: BatchSize, BatchTimeout and SmartBFT's own options, others of which stay.

    SmartBFT waits its own RequestBatchMaxInterval, whatever BatchTimeout says; so both are set to the same.
    """
    wait = go_duration(batch.timeout_seconds)
    size = orderer_pb2.BatchSize(
        max_message_count=batch.max_message_count,
        absolute_max_bytes=batch.absolute_max_bytes,
        preferred_max_bytes=batch.preferred_max_bytes,
    )
    set_value(group, "BatchSize", size)
    set_value(group, "BatchTimeout", orderer_pb2.BatchTimeout(timeout=wait))
    options = _smartbft_options(group)
    options.request_batch_max_count = batch.max_message_count
    options.request_batch_max_bytes = batch.absolute_max_bytes
    options.request_batch_max_interval = wait
    _set_smartbft_options(group, options)


def set_bft_values(group: configtx_pb2.ConfigGroup, bft: BftParameters) -> None:
    """Set the timers and buffers of SmartBFT; what it says of batches stays."""
    options = _smartbft_options(group)
    options.incoming_message_buffer_size = INCOMING_MESSAGES
    options.leader_heartbeat_count = HEARTBEATS
    options.request_pool_size = bft.request_pool_size
    options.request_forward_timeout = go_duration(bft.request_forward)
    options.request_complain_timeout = go_duration(bft.request_complain)
    options.request_auto_remove_timeout = go_duration(bft.request_auto_remove)
    options.view_change_resend_interval = go_duration(bft.view_change_resend)
    options.view_change_timeout = go_duration(bft.view_change)
    options.leader_heartbeat_timeout = go_duration(bft.leader_heartbeat)
    options.collect_timeout = go_duration(bft.collect)
    _set_smartbft_options(group, options)


def set_value(group: configtx_pb2.ConfigGroup, key: str, value: Message) -> None:
    """Set a value of a group, to be changed by the group's admins; keeps the version and mod_policy it has."""
    set_encoded(group, key, encoded(value))


def set_encoded(group: configtx_pb2.ConfigGroup, key: str, value: bytes) -> None:
    """Set a value of a group from serialized bytes, as set_value does."""
    entry = group.values[key]
    entry.CopyFrom(
        configtx_pb2.ConfigValue(version=entry.version, value=value, mod_policy=entry.mod_policy or ADMINS)
    )


def set_policy(group: configtx_pb2.ConfigGroup, name: str, kind: int, policy: Message) -> None:
    """Set a policy of a group, to be changed by the group's admins; keeps the version and mod_policy it has."""
    message = policies_pb2.Policy(type=kind, value=encoded(policy))
    entry = group.policies[name]
    entry.CopyFrom(
        configtx_pb2.ConfigPolicy(
            version=entry.version, policy=message, mod_policy=entry.mod_policy or ADMINS
        )
    )


def encoded(message: Message) -> bytes:
    """Return a message's deterministic bytes."""
    return message.SerializeToString(deterministic=True)


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


def _application_group(members: Sequence[MemberBundle]) -> configtx_pb2.ConfigGroup:
    group = configtx_pb2.ConfigGroup(mod_policy=ADMINS)
    set_value(group, "Capabilities", _capability(APPLICATION_CAPABILITY))
    _add_usual_policies(group)
    _add_meta_policy(group, "Endorsement", policies_pb2.ImplicitMetaPolicy.MAJORITY, "Endorsement")
    _add_meta_policy(group, "LifecycleEndorsement", policies_pb2.ImplicitMetaPolicy.MAJORITY, "Endorsement")
    for member in members:
        group.groups[member.msp_id].CopyFrom(application_organisation(member))
    return group


def _smartbft_options(group: configtx_pb2.ConfigGroup) -> smartbft_pb2.Options:
    consensus = orderer_pb2.ConsensusType()
    if "ConsensusType" in group.values:
        consensus.ParseFromString(group.values["ConsensusType"].value)
    return smartbft_pb2.Options.FromString(consensus.metadata)


def _set_smartbft_options(group: configtx_pb2.ConfigGroup, options: smartbft_pb2.Options) -> None:
    consensus = orderer_pb2.ConsensusType(type="BFT")
    if "ConsensusType" in group.values:
        consensus.ParseFromString(group.values["ConsensusType"].value)
    consensus.metadata = encoded(options)
    set_value(group, "ConsensusType", consensus)


def _orderer_group(
    members: Sequence[MemberBundle], batch: BatchParameters, bft: BftParameters
) -> configtx_pb2.ConfigGroup:
    group = configtx_pb2.ConfigGroup(mod_policy=ADMINS)
    set_batch_values(group, batch)
    set_bft_values(group, bft)
    set_value(group, "ChannelRestrictions", orderer_pb2.ChannelRestrictions())
    set_value(group, "Capabilities", _capability(ORDERER_CAPABILITY))
    _add_usual_policies(group)
    consenters: list[configuration_pb2.Consenter] = []
    for member in members:
        orderer = member.orderer
        if orderer is not None:
            consenters.append(consenter(len(consenters) + 1, member.msp_id, orderer))
            group.groups[member.msp_id].CopyFrom(orderer_organisation(member, orderer))
    set_consenters(group, consenters)
    return group


def _organisation(member: MemberBundle) -> configtx_pb2.ConfigGroup:
    org = configtx_pb2.ConfigGroup(mod_policy=ADMINS)
    set_encoded(org, "MSP", msp_config(member))
    return org


def _capability(name: str) -> configuration_pb2.Capabilities:
    return configuration_pb2.Capabilities(capabilities={name: configuration_pb2.Capability()})


def _add_usual_policies(group: configtx_pb2.ConfigGroup) -> None:
    rules = policies_pb2.ImplicitMetaPolicy
    _add_meta_policy(group, "Readers", rules.ANY, "Readers")
    _add_meta_policy(group, "Writers", rules.ANY, "Writers")
    _add_meta_policy(group, ADMINS, rules.MAJORITY, ADMINS)


def _add_meta_policy(group: configtx_pb2.ConfigGroup, name: str, rule: int, below: str) -> None:
    policy = policies_pb2.ImplicitMetaPolicy(rule=rule, sub_policy=below)
    set_policy(group, name, policies_pb2.Policy.IMPLICIT_META, policy)


def _add_role_policy(group: configtx_pb2.ConfigGroup, name: str, msp_id: str, *roles: str) -> None:
    text = "OR(" + ", ".join(f"'{msp_id}.{role}'" for role in roles) + ")"
    policy = policies_pb2.SignaturePolicyEnvelope.FromString(parse_policy_text(text))
    set_policy(group, name, policies_pb2.Policy.SIGNATURE, policy)
