"""A channel's configuration in words, for people who look at it: who is in it, who orders, under which rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fabric_protos.common import common_pb2, configtx_pb2
from fabric_protos.orderer import configuration_pb2 as orderer_pb2

from shirushi_core.fabric.block import BlockError, bft_quorum, data_hash, header_hash
from shirushi_core.fabric.channel_config import ChannelConfig
from shirushi_core.fabric.config_checks import read_consenters
from shirushi_core.fabric.config_elements import ROOT, Key, Kind, elements
from shirushi_core.fabric.config_fields import leaves, value_words
from shirushi_core.fabric.config_members import LEVELS, fabric_msp, follows_consenters
from shirushi_core.fabric.config_words import (
    certificate_words,
    policy_words,
    revocation_list_words,
    text_words,
)

_FINGERPRINT_GROUP = 4
_SHOWN_VALUES = frozenset(
    Key(Kind.VALUE, f"{ROOT}/{path}")
    for path in (
        "Capabilities",
        "Application/Capabilities",
        "Orderer/Capabilities",
        "Orderer/BatchSize",
        "Orderer/BatchTimeout",
        "Orderer/ConsensusType",
        "Orderer/Orderers",
    )
)
_MEMBER_VALUES = ("MSP", "AnchorPeers", "Endpoints")
_DEPTH_OF_MEMBER_VALUES = f"{ROOT}/Application/member/MSP".count("/")


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a description: a title and its lines."""

    title: str
    lines: tuple[str, ...]


def describe_config(config: ChannelConfig) -> list[Section]:
    """Describe a channel's configuration: channel, consensus, batch, members, orderers, policies, and all other values.

    Certificates are given with their SHA-256 and end of validity, for comparison by people.
    """
    root = config.config.channel_group
    sections = [
        Section("channel", tuple(_channel_lines(config))),
        Section("consensus", tuple(_consensus_lines(config, root))),
        Section("batch", tuple(_batch_lines(config))),
        *(_member_section(root, name) for name in _names(root)),
        Section("orderers", tuple(_orderer_lines(root))),
        Section("policies", tuple(_policy_lines(root))),
        Section("other values", tuple(_other_lines(root))),
    ]
    return [section for section in sections if section.lines]


def config_fingerprint(block: common_pb2.Block) -> str:
    """Return a genesis block's header hash (SHA-256 of its DER) as 16 groups of 4 hex digits, to read over the phone.

    Members who read the same digits hold the same configuration: the hash covers the block's data, which is checked
    against the header here. Raises BlockError if they do not belong together.
    """
    if block.header.data_hash != data_hash(block.data.data):
        raise BlockError(
            f"the data of block {block.header.number} do not belong to its header: the file is damaged or forged"
        )
    digits = header_hash(block.header).hex()
    return " ".join(digits[at : at + _FINGERPRINT_GROUP] for at in range(0, len(digits), _FINGERPRINT_GROUP))


def _channel_lines(config: ChannelConfig) -> Iterator[str]:
    yield f"channel {text_words(config.channel_id)}, configuration sequence {config.sequence}"
    yield f"capabilities: {', '.join(text_words(each) for each in sorted(config.capabilities))}"
    members, orderers = len(config.application_orgs), len(config.orderer_orgs)
    yield f"{members} members, a majority is {members // 2 + 1}; {orderers} of the organisations run orderers"


def _consensus_lines(config: ChannelConfig, root: configtx_pb2.ConfigGroup) -> Iterator[str]:
    message = orderer_pb2.ConsensusType.FromString(root.groups["Orderer"].values["ConsensusType"].value)
    consenters = len(config.consenters)
    yield f"type {text_words(config.consensus_type)}, {consenters} consenters"
    if follows_consenters(root):
        yield f"{bft_quorum(consenters)} of the {consenters} orderers must sign a block"
    else:
        yield "warning: who must sign a block (BlockValidation) is not the quorum of the consenters"
    for leaf in leaves(message):
        if leaf.label != "type":
            yield f"{leaf.label}: {leaf.words}"


def _batch_lines(config: ChannelConfig) -> Iterator[str]:
    batch = config.batch
    yield f"at most {batch.max_message_count} messages"
    yield f"never more than {batch.absolute_max_bytes} bytes, if possible {batch.preferred_max_bytes}"
    yield f"cut after {batch.timeout_seconds:g} s at the latest (BatchTimeout)"


def _member_section(root: configtx_pb2.ConfigGroup, name: str) -> Section:
    lines: list[str] = []
    organisations = {
        level: root.groups[level].groups[name] for level in LEVELS if name in root.groups[level].groups
    }
    if "Application" not in organisations:
        lines.append("runs orderers, and is no member among the applications")
    if "Orderer" not in organisations:
        lines.append("runs no orderer")
    definitions = {bytes(each.values["MSP"].value) for each in organisations.values()}
    for level, organisation in organisations.items():
        if len(definitions) > 1:
            lines.append(f"MSP among the {level.lower()} organisations:")
        elif level != next(iter(organisations)):
            continue
        lines += _msp_lines(fabric_msp(organisation))
    for level, key, label in (
        ("Application", "AnchorPeers", "anchor peers"),
        ("Orderer", "Endpoints", "orderers"),
    ):
        if level in organisations and key in organisations[level].values:
            lines.append(f"{label}: {value_words(key, organisations[level].values[key].value)}")
    return Section(f"member {text_words(name)}", tuple(lines))


def _msp_lines(config: Any) -> Iterator[str]:
    if config is None:
        yield "an MSP that cannot be read"
        return
    yield f"MSP {text_words(config.name)}"
    for label, certificates in (
        ("CA", config.root_certs),
        ("intermediate CA", config.intermediate_certs),
        ("TLS CA", config.tls_root_certs),
        ("intermediate TLS CA", config.tls_intermediate_certs),
        ("admin", config.admins),
    ):
        yield from (f"{label} certificate: {certificate_words(pem)}" for pem in certificates)
    yield from (f"revocation list: {revocation_list_words(data)}" for data in config.revocation_list)
    shown = ("name", "certificate", "revocation list")
    others = [leaf for leaf in leaves(config) if not leaf.label.endswith(shown) and leaf.raw]
    yield "; ".join(f"{leaf.label} {leaf.words}" for leaf in others)


def _orderer_lines(root: configtx_pb2.ConfigGroup) -> Iterator[str]:
    for each in read_consenters(root):
        yield f"consenter {each.id}: {text_words(each.host)}:{each.port} of {text_words(each.msp_id)}"
        yield f"  identity certificate: {certificate_words(each.identity)}"
        yield f"  TLS certificate: {certificate_words(each.server_tls_cert)}"
        if each.client_tls_cert != each.server_tls_cert:
            yield f"  TLS client certificate: {certificate_words(each.client_tls_cert)}"


def _policy_lines(root: configtx_pb2.ConfigGroup) -> Iterator[str]:
    for key, element in elements(root).items():
        if key.kind is Kind.POLICY:
            yield f"{key.path}: {policy_words(element.policy)}"
    others = sorted({element.mod_policy for element in elements(root).values()} - {"Admins"})
    for mod_policy in others:
        keys = [str(key) for key, each in elements(root).items() if each.mod_policy == mod_policy]
        yield f"changed under {text_words(mod_policy)} instead of Admins: {', '.join(keys)}"


def _other_lines(root: configtx_pb2.ConfigGroup) -> Iterator[str]:
    for key, element in elements(root).items():
        is_member_value = key.name in _MEMBER_VALUES and key.path.count("/") == _DEPTH_OF_MEMBER_VALUES
        if key.kind is Kind.VALUE and key not in _SHOWN_VALUES and not is_member_value:
            yield f"{key.path}: {value_words(key.name, element.value)}"


def _names(root: configtx_pb2.ConfigGroup) -> list[str]:
    return sorted({name for level in LEVELS for name in root.groups[level].groups})
