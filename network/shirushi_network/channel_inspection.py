"""What a member looks at before it joins a channel, or signs a change of it: the configuration in words, and warnings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from fabric_protos.common import configtx_pb2

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.channel_config import ChannelConfig
from shirushi_core.fabric.config_checks import check_group, member_problems, read_consenters
from shirushi_core.fabric.config_description import Section, describe_config
from shirushi_core.fabric.config_difference import describe_difference
from shirushi_core.fabric.config_edits import renew_member
from shirushi_core.fabric.config_groups import set_batch_values, set_bft_values
from shirushi_core.fabric.member_bundle import MemberBundle
from shirushi_core.fabric.signing import load_certificate
from shirushi_network.topology import Member, Topology

SOON_DAYS = 30
"""From so many days before a certificate expires there is a warning."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """A channel's configuration in words, and what a member should know before it relies on it."""

    sections: tuple[Section, ...]
    warnings: tuple[str, ...]


def inspect_channel(
    config: ChannelConfig, topology: Topology | None, bundles: Mapping[str, MemberBundle], now: datetime
) -> Inspection:
    """Describe a configuration beside what this machine knows: its topology, and bundles by MSP id. Raises InvalidInputError."""
    members = {} if topology is None else {member.msp_id: member for member in topology.members}
    sections = tuple(_named(section, members) for section in describe_config(config))
    warnings = [*_unfit(config), *_certificate_warnings(config, now)]
    if topology is not None:
        warnings += _topology_warnings(config, topology, bundles)
    return Inspection(sections, tuple(warnings))


def name_of(msp_id: str, topology: Topology | None) -> str:
    """Return an MSP id with its member's name, where the topology knows it: "HawMSP (Haw International)"."""
    names = {} if topology is None else {member.msp_id: member.name_en for member in topology.members}
    return f"{msp_id} ({names[msp_id]})" if msp_id in names else msp_id


def _named(section: Section, members: Mapping[str, Member]) -> Section:
    kind, _, msp_id = section.title.partition(" ")
    if kind != "member" or msp_id not in members:
        return section
    member = members[msp_id]
    return Section(f"{section.title}: {member.id}, {member.name_ja} / {member.name_en}", section.lines)


def _unfit(config: ChannelConfig) -> Iterator[str]:
    try:
        for place, problem in member_problems(config.config.channel_group).items():
            yield f"{place}, which hinders that member alone: {problem}"
        check_group(config.config.channel_group, config.config.channel_group)
    except InvalidInputError as error:
        yield f"orderers could not run with this configuration: {error}"


def _certificate_warnings(config: ChannelConfig, now: datetime) -> Iterator[str]:
    for msp_id, msp in sorted(config.msps.msps.items()):
        for what, pems in (
            ("CA", msp.root_certificates),
            ("TLS CA", msp.tls_root_certificates),
            ("intermediate TLS CA", msp.tls_intermediate_certificates),
        ):
            for pem in pems:
                yield from _period_warnings(f"the {what} certificate of {msp_id}", pem, now)
    for each in read_consenters(config.config.channel_group):
        name = f"consenter {each.id} ({each.msp_id})"
        yield from _period_warnings(f"the identity certificate of {name}", each.identity, now)
        for pem in dict.fromkeys((each.server_tls_cert, each.client_tls_cert)):
            yield from _period_warnings(f"the TLS certificate of {name}", pem, now)


def _period_warnings(what: str, pem: bytes, now: datetime) -> Iterator[str]:
    try:
        certificate: x509.Certificate = load_certificate(pem)
    except InvalidInputError:
        yield f"{what} cannot be read"
        return
    left = (certificate.not_valid_after_utc - now).days
    end = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
    if certificate.not_valid_after_utc <= now:
        yield f"{what} expired on {end}"
    elif left < SOON_DAYS:
        yield f"{what} expires on {end}, in {left} days"
    if certificate.not_valid_before_utc > now:
        yield f"{what} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}"


def _topology_warnings(
    config: ChannelConfig, topology: Topology, bundles: Mapping[str, MemberBundle]
) -> Iterator[str]:
    here = {*config.application_orgs, *config.orderer_orgs}
    known = {member.msp_id for member in topology.members}
    yield from (
        f"{msp_id} is in the channel, and topology.toml does not list it" for msp_id in sorted(here - known)
    )
    for member in topology.members:
        if member.msp_id not in here:
            yield f"topology.toml lists {member.id} ({member.msp_id}), which is not in the channel"
        elif member.msp_id in bundles:
            yield from _bundle_warnings(config, member, bundles[member.msp_id])
        else:
            yield f"nothing is known of {member.id} here to compare its certificates with: no bundle"
        if member.msp_id in here and (member.orderer is not None) != (member.msp_id in config.orderer_orgs):
            which = (
                ("topology.toml", "the channel")
                if member.orderer is not None
                else ("the channel", "topology.toml")
            )
            yield f"{member.id} has an orderer in {which[0]}, and none in {which[1]}"
    wanted = configtx_pb2.ConfigGroup()
    wanted.CopyFrom(config.config.channel_group)
    set_batch_values(wanted.groups["Orderer"], topology.blocks)
    set_bft_values(wanted.groups["Orderer"], topology.bft)
    for sentence in describe_difference(config.config.channel_group, wanted):
        yield f"topology.toml differs (channel → topology): {sentence}"


def _bundle_warnings(config: ChannelConfig, member: Member, bundle: MemberBundle) -> Iterator[str]:
    """Say what the member's own files or its bundle would change, in its certificates and addresses."""
    group = config.config.channel_group
    try:
        wanted = renew_member(group, bundle)
    except InvalidInputError as error:
        yield f"what is known of {member.id} here does not fit the channel: {error}"
        return
    for sentence in describe_difference(group, wanted):
        yield f"what is known of {member.id} here differs (channel → here): {sentence}"
