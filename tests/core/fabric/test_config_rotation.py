"""A member's part of the configuration brought up to its bundle in one step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from fabric_protos.common import configtx_pb2, configuration_pb2
from fabric_protos.msp import msp_config_pb2
from fabric_protos.peer import configuration_pb2 as peer_pb2
from tests.support.channel_members import ChannelMember, channel_of, config_of
from tests.support.throwaway_ca import END, START, ThrowawayCa, pem

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.config_checks import has_quorum_policy, read_consenters
from shirushi_core.fabric.config_edits import renew_member, set_revocation_lists
from shirushi_core.fabric.member_bundle import MemberBundle

Group = configtx_pb2.ConfigGroup


@pytest.fixture(scope="module")
def members() -> list[ChannelMember]:
    return [ChannelMember.named(number) for number in (1, 2, 3, 4)]


@pytest.fixture
def group(members: list[ChannelMember]) -> Group:
    return channel_of(members).config.channel_group


@pytest.fixture
def haw(members: list[ChannelMember]) -> ChannelMember:
    return members[1]


def msp_of(group: Group, msp_id: str, level: str = "Application") -> msp_config_pb2.FabricMSPConfig:
    outer = msp_config_pb2.MSPConfig.FromString(group.groups[level].groups[msp_id].values["MSP"].value)
    return msp_config_pb2.FabricMSPConfig.FromString(outer.config)


def numbered_list(ca: ThrowawayCa, number: int) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.certificate.subject)
        .last_update(START)
        .next_update(END)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False
        )
    )
    return builder.sign(ca.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_the_same_bundle_changes_nothing(group: Group, members: list[ChannelMember]) -> None:
    for member in members:
        assert renew_member(group, member.bundle) == group
        assert renew_member(group, member.bundle, keep_old=False) == group


def test_orderer_certificates_change_and_the_id_stays(group: Group, haw: ChannelMember) -> None:
    identity = haw.ca.issue("orderer", name="new").identity.certificate_pem
    tls = haw.tls_ca.issue(name="newtls").identity.certificate_pem
    edited = renew_member(
        group, replace(haw.bundle, orderer_certificate=identity, orderer_tls_certificate=tls)
    )
    changed = read_consenters(edited)[1]
    assert (changed.id, changed.identity, changed.server_tls_cert) == (2, identity, tls)
    assert [each.id for each in read_consenters(edited)] == [1, 2, 3, 4]
    assert has_quorum_policy(edited)


def test_all_of_a_member_can_change_at_once_and_the_old_cas_stay_until_they_are_dropped(
    group: Group, haw: ChannelMember
) -> None:
    ca, tls_ca = (ThrowawayCa.root(name, haw.msp_id) for name in ("ca.new", "tlsca.new"))
    bundle = replace(
        haw.bundle,
        ca_certificates=(pem(ca.certificate),),
        tls_ca_certificates=(pem(tls_ca.certificate),),
        orderer_certificate=ca.issue("orderer").identity.certificate_pem,
        orderer_tls_certificate=tls_ca.issue().identity.certificate_pem,
    )
    edited = renew_member(group, bundle)
    for level in ("Application", "Orderer"):
        config = msp_of(edited, haw.msp_id, level)
        assert list(config.root_certs) == [pem(ca.certificate), pem(haw.ca.certificate)]
        assert list(config.tls_root_certs) == [pem(tls_ca.certificate), pem(haw.tls_ca.certificate)]
    assert renew_member(edited, bundle) == edited
    dropped = renew_member(edited, bundle, keep_old=False)
    assert list(msp_of(dropped, haw.msp_id).root_certs) == [pem(ca.certificate)]
    assert renew_member(group, bundle, keep_old=False) == dropped


def test_a_ca_cannot_be_dropped_while_the_orderer_s_certificate_is_of_it(
    group: Group, haw: ChannelMember
) -> None:
    ca = ThrowawayCa.root("ca.new", haw.msp_id)
    bundle = replace(haw.bundle, ca_certificates=(pem(ca.certificate),))
    with pytest.raises(InvalidInputError, match="would not accept its identity certificate"):
        renew_member(group, bundle, keep_old=False)


def test_addresses_move(group: Group, haw: ChannelMember) -> None:
    bundle = replace(
        haw.bundle, peer_host="new.example", peer_port=1, orderer_host="o.example", orderer_port=2
    )
    edited = renew_member(group, bundle)
    (anchor,) = peer_pb2.AnchorPeers.FromString(
        edited.groups["Application"].groups[haw.msp_id].values["AnchorPeers"].value
    ).anchor_peers
    assert (anchor.host, anchor.port) == ("new.example", 1)
    endpoints = edited.groups["Orderer"].groups[haw.msp_id].values["Endpoints"].value
    assert configuration_pb2.OrdererAddresses.FromString(endpoints).addresses == ["o.example:2"]
    assert (read_consenters(edited)[1].host, read_consenters(edited)[1].port) == ("o.example", 2)


class TestRevocationLists:
    def test_a_new_one_comes_in_and_an_older_one_never_takes_its_place(
        self, group: Group, haw: ChannelMember
    ) -> None:
        first, second = (numbered_list(haw.ca, number) for number in (1, 2))
        edited = renew_member(group, replace(haw.bundle, revocation_lists=(second,)))
        assert list(msp_of(edited, haw.msp_id).revocation_list) == [second]
        with pytest.raises(InvalidInputError, match="has the number 1, the channel has number 2 already"):
            renew_member(edited, replace(haw.bundle, revocation_lists=(first,)))

    def test_one_that_the_bundle_lacks_is_kept_for_as_long_as_its_ca_is_there(
        self, group: Group, haw: ChannelMember
    ) -> None:
        listed = set_revocation_lists(group, haw.msp_id, [numbered_list(haw.ca, 1)])
        assert renew_member(listed, haw.bundle) == listed
        ca = ThrowawayCa.root("ca.new", haw.msp_id)
        bundle = replace(
            haw.bundle,
            ca_certificates=(pem(ca.certificate),),
            orderer_certificate=ca.issue("orderer").identity.certificate_pem,
            revocation_lists=(numbered_list(ca, 1),),
        )
        assert len(msp_of(renew_member(listed, bundle), haw.msp_id).revocation_list) == 2
        dropped = renew_member(listed, bundle, keep_old=False)
        assert list(msp_of(dropped, haw.msp_id).revocation_list) == list(bundle.revocation_lists)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda bundle: replace(bundle, msp_id="OtherMSP"), "OtherMSP is no member"),
        (lambda bundle: replace(bundle, ca_certificates=()), "no CA certificate"),
    ],
)
def test_what_cannot_be(
    group: Group, haw: ChannelMember, change: Callable[[MemberBundle], MemberBundle], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        renew_member(group, change(haw.bundle))


def test_a_member_without_an_orderer_keeps_none(members: list[ChannelMember]) -> None:
    config = channel_of([*members[:3], replace(members[3], bundle=members[3].without_orderer)])
    edited = renew_member(config.config.channel_group, members[3].bundle)
    assert edited == config.config.channel_group
    assert config_of(edited).orderer_orgs == config.orderer_orgs
