"""What a member change makes of a channel's configuration and of topology.toml, and what people do after it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fabric_protos.common import configtx_pb2

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.channel_config import BatchParameters, ChannelConfig
from shirushi_core.fabric.config_checks import read_consenters
from shirushi_core.fabric.config_edits import add_member, add_orderer
from shirushi_core.fabric.member_bundle import MemberBundle
from shirushi_core.fabric.signing import load_certificate
from shirushi_network.errors import ConsortiumError
from shirushi_network.member_bundle import PublicBundle
from shirushi_network.topology import MAJORITY, Member, Topology

_RESTART = "`shirushi consortium stop {id} --node orderer`, then `start {id} --node orderer`"


def without_orderer(bundle: MemberBundle) -> MemberBundle:
    """Return a bundle as if the member ran no orderer."""
    return replace(
        bundle, orderer_certificate=None, orderer_tls_certificate=None, orderer_host=None, orderer_port=None
    )


def joined(config: ChannelConfig, bundle: MemberBundle, ids_used_up_to: int) -> configtx_pb2.ConfigGroup:
    """Return the configuration with a member, or the orderer of one that had none; the same if all is there.

    Raises InvalidInputError as config_edits.add_member does.
    """
    group = config.config.channel_group
    if bundle.msp_id not in config.application_orgs:
        return add_member(group, bundle, ids_used_up_to=ids_used_up_to)
    if bundle.orderer is not None and bundle.msp_id not in config.orderer_orgs:
        return add_orderer(group, bundle, ids_used_up_to=ids_used_up_to)
    return group


def topology_of_channel(
    topology: Topology, config: ChannelConfig, bundles: Iterable[PublicBundle] = ()
) -> Topology:
    """Return the topology as a channel's configuration makes it: its members, their entries out of bundles, its batches.

    Members keep their order; new ones come last. Members of the channel of whom nothing is known stay out. The quorum is
    kept as long as it is more than half. Raises ConsortiumError if the first issuer's member has left, InvalidInputError.
    """
    given = {bundle.member.msp_id: bundle.member for bundle in bundles}
    known = {member.msp_id: member for member in topology.members} | given
    members = tuple(
        member
        for msp_id, member in known.items()
        if msp_id in {*config.application_orgs, *config.orderer_orgs}
    )
    if topology.issuer.member not in {member.id for member in members}:
        raise ConsortiumError(
            f"{topology.issuer.member} is the member of the issuer {topology.issuer.id} in topology.toml: name another "
            "issuer there before that member leaves"
        )
    majority = len(members) // 2 + 1
    quorum = min(max(topology.quorum, majority), len(members))
    return replace(topology, members=members, quorum=quorum, blocks=_blocks(config))


def topology_words(before: Topology, after: Topology) -> list[str]:
    """Say what changes in topology.toml, and what verifiers have to be told."""
    said = []
    old, new = ({member.id: member for member in each.members} for each in (before, after))
    said += [f"topology.toml: {each} is added" for each in new if each not in old]
    said += [f"topology.toml: {each} is taken out" for each in old if each not in new]
    said += [
        f"topology.toml: the entry of {each} changes"
        for each in new
        if each in old and new[each] != old[each]
    ]
    if before.blocks != after.blocks:
        said.append("topology.toml: [blocks] changes")
    if before.quorum != after.quorum:
        said.append(
            f"topology.toml: the quorum has to change from {before.quorum} to {after.quorum} of {len(after.members)} members: "
            "give verifiers the new connection file"
        )
    elif len(old) != len(new):
        said.append(
            f"topology.toml: the quorum stays {after.quorum} of {len(after.members)} members; give verifiers the new "
            "connection file, for it names the members"
        )
    if old.keys() != new.keys() and any(member.witness for member in after.members):
        said.append(
            "the trust policy has to name the members: `shirushi channel policy` makes its next version; witnesses look at a new "
            "member's log once they are restarted"
        )
    if after.anchors.endorsement != MAJORITY:
        gone = [old[each].msp_id for each in old if each not in new]
        said += [
            f"the endorsement policy of the anchors chaincode names {msp_id}: `shirushi chaincode upgrade --endorsement` "
            "takes it out"
            for msp_id in gone
            if f"'{msp_id}." in after.anchors.endorsement
        ]
    return said


def next_steps(before: ChannelConfig, after: ChannelConfig, members: Mapping[str, Member]) -> list[str]:
    """Say what has to follow a committed update, by whom; `members` are those from before and after, by MSP id."""
    said: list[str] = []
    for msp_id in after.application_orgs:
        if msp_id not in before.application_orgs:
            name = _name(members, msp_id)
            said.append(
                f"{name} now runs `shirushi channel fetch`, compares the fingerprint by phone, and then runs `shirushi "
                "consortium up`, on its own machine"
            )
    for msp_id in before.application_orgs:
        if msp_id not in after.application_orgs:
            said.append(
                f"{_name(members, msp_id)} now stops its nodes (`shirushi consortium down` on its machine): its orderer "
                "takes part in nothing any more, and its peer gets no blocks"
            )
    said += _orderer_steps(before, after, members)
    said += _authority_steps(before, after, members)
    return said


def _orderer_steps(before: ChannelConfig, after: ChannelConfig, members: Mapping[str, Member]) -> list[str]:
    was, becomes = (
        {each.id: each for each in read_consenters(config.config.channel_group)} for config in (before, after)
    )
    said = []
    for number in becomes.keys() - was.keys():
        msp_id = becomes[number].msp_id
        if msp_id in before.application_orgs:
            said.append(
                f"the orderer of {_name(members, msp_id)} joins now: `shirushi channel fetch`, then `shirushi consortium up`, "
                "on its machine"
            )
        said.append(
            f"add no other orderer until that of {_name(members, msp_id)} is at the height of the others (`shirushi "
            "consortium status`)"
        )
    for number in sorted(was.keys() & becomes.keys()):
        old, new = was[number], becomes[number]
        name, restart = _name(members, new.msp_id), _restart(members, new.msp_id)
        if (old.host, old.port) != (new.host, new.port):
            said.append(
                f"the orderer of {name} has to be restarted at {new.host}:{new.port}: {restart}; then all other members "
                "restart theirs, one after the other, for they go on dialling the old address"
            )
        elif public_key(old.identity) != public_key(new.identity):
            said.append(
                f"the orderer of {name} takes part no more until it is restarted with its new certificates: {restart}; leave "
                "the others as they are until it has the next block as they have (`shirushi consortium status`)"
            )
        elif old != new:
            said.append(
                f"the orderer of {name} has to be restarted with its new certificates: {restart}; until then it goes on with "
                "the old ones"
            )
    return said


def _authority_steps(before: ChannelConfig, after: ChannelConfig, members: Mapping[str, Member]) -> list[str]:
    said = []
    for msp_id in sorted(before.msps.msps.keys() & after.msps.msps.keys()):
        old, new = before.msps.msps[msp_id], after.msps.msps[msp_id]
        name = _name(members, msp_id)
        if {*new.tls_root_certificates} - {*old.tls_root_certificates}:
            said.append(
                f"{name} has a new TLS CA: all other members restart their orderers, one after the other, before the "
                f"orderer of {name} shows a certificate of it; running orderers go on trusting the old TLS CA only"
            )
    return said


def _restart(members: Mapping[str, Member], msp_id: str) -> str:
    member = members.get(msp_id)
    return _RESTART.format(id=member.id if member else msp_id)


def _name(members: Mapping[str, Member], msp_id: str) -> str:
    return members[msp_id].name_en if msp_id in members else msp_id


def public_key(certificate: bytes) -> bytes:
    """Return the key of a PEM certificate, by which orderers know each other; raises InvalidInputError."""
    key = load_certificate(certificate).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def check_addable(topology: Topology, bundle: PublicBundle) -> None:
    """Check that a new member's ids and addresses are nobody else's; raises InvalidInputError."""
    others = tuple(member for member in topology.members if member.id != bundle.member.id)
    size = len(others) + 1
    replace(topology, members=(*others, bundle.member), quorum=max(topology.quorum, size // 2 + 1))


def check_same_bundle(config: ChannelConfig, bundle: MemberBundle) -> None:
    """Check that a member of the channel is there with a bundle's CAs; raises InvalidInputError."""
    if bundle.msp_id in config.msps.unreadable:
        raise InvalidInputError(config.msps.unreadable[bundle.msp_id])
    msp = config.msps.msps[bundle.msp_id]
    roots = {*msp.root_certificates, *msp.tls_root_certificates}
    if not {*bundle.ca_certificates, *bundle.tls_ca_certificates} <= roots:
        raise InvalidInputError(
            f"{bundle.msp_id} is a member already, with other certificates than this bundle's: `shirushi channel rotate` "
            "changes a member's certificates"
        )


def _blocks(config: ChannelConfig) -> BatchParameters:
    """Return how blocks are cut, to the millisecond, which is how exactly a configuration is written."""
    return replace(config.batch, timeout_seconds=round(config.batch.timeout_seconds, 3))
