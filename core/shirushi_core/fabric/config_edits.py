"""Edits of a channel's configuration: pure functions from a root group to a changed copy of it.

Every edit that touches the orderers sets the BlockValidation policy anew and keeps the other consenters' ids; every
result passes check_group, so orderers can run with it. Edits compose; config_update.compute_update makes the update.
Fabric advises one consenter for each update: with two at once, a quorum might not be reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from fabric_protos.common import configtx_pb2, configuration_pb2
from fabric_protos.msp import msp_config_pb2
from fabric_protos.peer import configuration_pb2 as peer_pb2
from google.protobuf.message import DecodeError

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.channel_config import BatchParameters, read_config
from shirushi_core.fabric.config_checks import check_group, read_consenters
from shirushi_core.fabric.config_groups import (
    application_organisation,
    consenter,
    encoded,
    orderer_organisation,
    set_batch_values,
    set_consenters,
    set_encoded,
    set_value,
)
from shirushi_core.fabric.member_bundle import MemberBundle, OrdererBundle, check_bundle
from shirushi_core.fabric.revocation import newer_lists
from shirushi_core.fabric.signing import load_certificate

Group: TypeAlias = configtx_pb2.ConfigGroup

_BOTH = ("Application", "Orderer")


def add_member(group: Group, bundle: MemberBundle, *, ids_used_up_to: int = 0) -> Group:
    """Add a member, and its orderer as a consenter if the bundle has one.

    The consenter's id is one more than the highest, and than `ids_used_up_to`: give the highest id the channel ever
    had, if a consenter with it was removed, for ids are never used again. Raises InvalidInputError if the MSP id is
    taken, or for a bundle that the channel's orderers could not run with.
    """
    edited = _copy(group)
    check_bundle(bundle)
    named = any(bundle.msp_id in edited.groups[level].groups for level in _BOTH)
    if named or any(_organisations(edited, bundle.msp_id, _BOTH)):
        raise InvalidInputError(f"{bundle.msp_id} is a member already")
    edited.groups["Application"].groups[bundle.msp_id].CopyFrom(application_organisation(bundle))
    if bundle.orderer is not None:
        _add_orderer(edited, bundle, bundle.orderer, ids_used_up_to)
    return _checked(edited, group)


def add_orderer(group: Group, bundle: MemberBundle, *, ids_used_up_to: int = 0) -> Group:
    """Add the orderer of somebody who is a member already and ran none; ids as in add_member.

    Its MSP stays as it is. Raises InvalidInputError if it is no member, or runs one already.
    """
    edited = _copy(group)
    if bundle.orderer is None:
        raise InvalidInputError(f"the bundle of {bundle.member_id} has no orderer")
    members = list(_organisations(edited, bundle.msp_id, ("Application",)))
    if not members:
        raise InvalidInputError(f"{bundle.msp_id} is no member: add it with its orderer")
    named = bundle.msp_id in edited.groups["Orderer"].groups
    if named or any(_organisations(edited, bundle.msp_id, ("Orderer",))):
        raise InvalidInputError(f"{bundle.msp_id} runs an orderer already")
    _add_orderer(edited, bundle, bundle.orderer, ids_used_up_to)
    organisation = edited.groups["Orderer"].groups[bundle.msp_id]
    organisation.values["MSP"].value = members[0].values["MSP"].value
    return _checked(edited, group)


def remove_member(group: Group, msp_id: str) -> Group:
    """Remove a member with everything of it: organisations, addresses, anchor peers, consenters.

    Raises InvalidInputError if it is no member, or the last one with an orderer.
    """
    return _removed(group, msp_id, _BOTH)


def remove_orderer(group: Group, msp_id: str) -> Group:
    """Remove a member's orderers, which stays a member; raises InvalidInputError if it runs none or the last one."""
    return _removed(group, msp_id, ("Orderer",))


def replace_certificates(group: Group, bundle: MemberBundle, *, keep_old: bool = True) -> Group:
    """Replace the CA and TLS CA certificates of a member's MSP, roots and intermediates, by the bundle's.

    With `keep_old` the present ones stay beside them, so that what they issued goes on counting; a later edit without
    it drops them. Raises InvalidInputError if its orderer's present certificates would no longer be accepted, or if an
    old CA has the name and key of a new one: Fabric then refuses all that it issued, so leave it out.
    """
    check_bundle(bundle)

    def change(config: msp_config_pb2.FabricMSPConfig) -> None:
        _set_authorities(config, bundle, keep_old)

    return _with_msp(group, bundle.msp_id, change)


def renew_member(group: Group, bundle: MemberBundle, *, keep_old: bool = True) -> Group:
    """Bring all that the configuration says of a member up to its bundle, in one step.

    That is: its CAs as in replace_certificates, its revocation lists (see revocation.newer_lists), its peer's address,
    and its orderer's certificates and address, if it runs one; the consenter id stays. What is the same is left as it
    is. Raises InvalidInputError if it is no member, runs several orderers, or for what orderers could not run with.
    """
    check_bundle(bundle)
    edited = _copy(group)
    organisations = list(_organisations(edited, bundle.msp_id, _BOTH))
    if not organisations:
        raise InvalidInputError(f"{bundle.msp_id} is no member of this channel")

    def change(config: msp_config_pb2.FabricMSPConfig) -> None:
        _set_authorities(config, bundle, keep_old)
        authorities = (*config.root_certs, *config.intermediate_certs)
        lists = newer_lists(config.revocation_list, bundle.revocation_lists, authorities)
        if set(lists) != set(config.revocation_list):
            config.revocation_list[:] = lists

    for organisation in organisations:
        _change_msp(organisation, change)
    for organisation in _organisations(edited, bundle.msp_id, ("Application",)):
        _set_anchor(organisation, bundle)
    if bundle.orderer is not None and any(_organisations(edited, bundle.msp_id, ("Orderer",))):
        _renew_orderer(edited, bundle.msp_id, bundle.orderer)
    return _checked(edited, group)


def set_revocation_lists(group: Group, msp_id: str, lists: Sequence[bytes]) -> Group:
    """Set the certificate revocation lists (PEM or DER) of a member's MSP, in place of those it has.

    Raises InvalidInputError if it is no member, for what is no list, or if a list revokes a consenter's certificate.
    """

    def change(config: msp_config_pb2.FabricMSPConfig) -> None:
        config.revocation_list[:] = lists

    return _with_msp(group, msp_id, change)


def replace_orderer_identity(group: Group, msp_id: str, certificate: bytes) -> Group:
    """Replace the identity certificate (PEM) of a member's one orderer; its consenter id stays.

    Raises InvalidInputError if the member does not run exactly one, or its MSP would not accept the certificate.
    """

    def change(entry: configuration_pb2.Consenter) -> None:
        entry.identity = certificate

    return _with_consenter(group, msp_id, change)


def replace_orderer_tls(group: Group, msp_id: str, certificate: bytes) -> Group:
    """Replace the TLS certificate (PEM, for server and client) of a member's one orderer; its consenter id stays.

    Raises InvalidInputError if the member does not run exactly one, or its TLS CA did not issue the certificate.
    """

    def change(entry: configuration_pb2.Consenter) -> None:
        entry.server_tls_cert = certificate
        entry.client_tls_cert = certificate

    return _with_consenter(group, msp_id, change)


def set_batch(group: Group, batch: BatchParameters) -> Group:
    """Set how the orderers cut blocks, SmartBFT's own options included; raises InvalidInputError.

    Orderers would halt with too small a batch: see config_checks.LEAST_BATCH_BYTES.
    """
    edited = _copy(group)
    set_batch_values(edited.groups["Orderer"], batch)
    return _checked(edited, group)


def highest_consenter_id(group: Group) -> int:
    """Return the highest consenter id in use, 0 if there is no consenter; raises InvalidInputError."""
    return max((int(each.id) for each in read_consenters(group)), default=0)


def _add_orderer(edited: Group, bundle: MemberBundle, orderer: OrdererBundle, ids_used_up_to: int) -> None:
    number = max(highest_consenter_id(edited), ids_used_up_to) + 1
    orderers = edited.groups["Orderer"]
    orderers.groups[bundle.msp_id].CopyFrom(orderer_organisation(bundle, orderer))
    added = consenter(number, bundle.msp_id, orderer)
    set_consenters(orderers, [*read_consenters(edited), added])


def _removed(group: Group, msp_id: str, levels: Sequence[str]) -> Group:
    edited = _copy(group)
    found = False
    for level in levels:
        groups = edited.groups[level].groups
        for name in [name for name in groups if _msp_id(groups[name]) == msp_id]:
            del groups[name]
            found = True
    if not found:
        what = "is no member" if "Application" in levels else "runs no orderer"
        raise InvalidInputError(f"{msp_id} {what} of this channel")
    if not edited.groups["Application"].groups:
        raise InvalidInputError(f"{msp_id} is the last member: a channel needs at least one")
    consenters = read_consenters(edited)
    kept = [each for each in consenters if each.msp_id != msp_id]
    if kept != consenters:
        set_consenters(edited.groups["Orderer"], kept)
    return _checked(edited, group)


def _with_msp(group: Group, msp_id: str, change: Callable[[msp_config_pb2.FabricMSPConfig], None]) -> Group:
    """Change a member's MSP definition, which must be the same wherever it stands."""
    edited = _copy(group)
    organisations = list(_organisations(edited, msp_id, _BOTH))
    if not organisations:
        raise InvalidInputError(f"{msp_id} is no member of this channel")
    for organisation in organisations:
        _change_msp(organisation, change)
    return _checked(edited, group)


def _change_msp(organisation: Group, change: Callable[[msp_config_pb2.FabricMSPConfig], None]) -> None:
    outer = msp_config_pb2.MSPConfig.FromString(organisation.values["MSP"].value)
    config = msp_config_pb2.FabricMSPConfig.FromString(outer.config)
    before = encoded(config)
    change(config)
    if encoded(config) != before:
        outer.config = encoded(config)
        set_encoded(organisation, "MSP", encoded(outer))


def _set_authorities(config: msp_config_pb2.FabricMSPConfig, bundle: MemberBundle, keep_old: bool) -> None:
    for field, wanted in (
        ("root_certs", bundle.ca_certificates),
        ("intermediate_certs", bundle.intermediate_certificates),
        ("tls_root_certs", bundle.tls_ca_certificates),
        ("tls_intermediate_certs", bundle.tls_intermediate_certificates),
    ):
        present = getattr(config, field)
        old = [pem for pem in present if pem not in wanted] if keep_old else []
        if set(present) != {*wanted, *old}:
            present[:] = [*wanted, *old]
        _check_names_and_keys(bundle.msp_id, present)


def _set_anchor(organisation: Group, bundle: MemberBundle) -> None:
    wanted = peer_pb2.AnchorPeer(host=bundle.peer_host, port=bundle.peer_port)
    anchors = peer_pb2.AnchorPeers()
    if "AnchorPeers" in organisation.values:
        anchors.ParseFromString(organisation.values["AnchorPeers"].value)
    if wanted not in anchors.anchor_peers:
        set_value(organisation, "AnchorPeers", peer_pb2.AnchorPeers(anchor_peers=[wanted]))


def _renew_orderer(edited: Group, msp_id: str, orderer: OrdererBundle) -> None:
    consenters = read_consenters(edited)
    own = _only_consenter(consenters, msp_id)
    wanted = consenter(own.id, msp_id, orderer)
    if wanted == own:
        return
    moved = (own.host, own.port) != (wanted.host, wanted.port)
    own.CopyFrom(wanted)
    set_consenters(edited.groups["Orderer"], consenters)
    for organisation in _organisations(edited, msp_id, ("Orderer",)) if moved else ():
        addresses = configuration_pb2.OrdererAddresses(addresses=[f"{orderer.host}:{orderer.port}"])
        set_value(organisation, "Endpoints", addresses)


def _with_consenter(
    group: Group, msp_id: str, change: Callable[[configuration_pb2.Consenter], None]
) -> Group:
    edited = _copy(group)
    consenters = read_consenters(edited)
    change(_only_consenter(consenters, msp_id))
    set_consenters(edited.groups["Orderer"], consenters)
    return _checked(edited, group)


def _only_consenter(
    consenters: Sequence[configuration_pb2.Consenter], msp_id: str
) -> configuration_pb2.Consenter:
    own = [each for each in consenters if each.msp_id == msp_id]
    if len(own) != 1:
        raise InvalidInputError(f"{msp_id} runs {len(own)} orderers on this channel; expected exactly one")
    return own[0]


def _organisations(group: Group, msp_id: str, levels: Sequence[str]) -> Iterator[Group]:
    for level in levels:
        groups = group.groups[level].groups
        for name in sorted(groups):
            if _msp_id(groups[name]) == msp_id:
                yield groups[name]


def _msp_id(organisation: Group) -> str | None:
    """Return an organisation's MSP id, None if its MSP cannot be read: it is somebody else's then."""
    try:
        outer = msp_config_pb2.MSPConfig.FromString(organisation.values["MSP"].value)
        return str(msp_config_pb2.FabricMSPConfig.FromString(outer.config).name)
    except DecodeError:
        return None


def _check_names_and_keys(msp_id: str, authorities: Sequence[bytes]) -> None:
    seen = []
    for pem in authorities:
        certificate = load_certificate(pem)
        name_and_key = (certificate.subject, certificate.public_key())
        if name_and_key in seen:
            raise InvalidInputError(
                f"two CA certificates of {msp_id} have the name {certificate.subject.rfc4514_string()} and the same key: "
                "Fabric would refuse all that they issued; replace the old one instead of keeping it"
            )
        seen.append(name_and_key)


def _copy(group: Group) -> Group:
    """Return a copy of a configuration that can be read; raises InvalidInputError."""
    copied = Group()
    copied.CopyFrom(group)
    read_config("", configtx_pb2.Config(channel_group=copied))
    return copied


def _checked(edited: Group, before: Group) -> Group:
    check_group(edited, before)
    return edited
