"""Edits of a channel's configuration, and what is refused before orderers see it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
from fabric_protos.common import configtx_pb2
from fabric_protos.msp import msp_config_pb2
from fabric_protos.orderer import configuration_pb2 as orderer_pb2
from fabric_protos.orderer.smartbft import configuration_pb2 as smartbft_pb2
from tests.support.channel_members import BATCH, CHANNEL, ChannelMember, channel_of, config_of
from tests.support.throwaway_ca import ThrowawayCa, build, pem, subject

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.channel_config import BatchParameters, ChannelConfig
from shirushi_core.fabric.config_checks import LEAST_BATCH_BYTES, check_group, has_quorum_policy
from shirushi_core.fabric.config_edits import (
    add_member,
    add_orderer,
    highest_consenter_id,
    remove_member,
    remove_orderer,
    replace_certificates,
    replace_orderer_identity,
    replace_orderer_tls,
    set_batch,
    set_revocation_lists,
)
from shirushi_core.fabric.genesis import genesis_block

Group = configtx_pb2.ConfigGroup


@pytest.fixture
def group(channel: ChannelConfig) -> Group:
    return copy.deepcopy(channel.config.channel_group)


def fabric_msp(group: Group, level: str, msp_id: str) -> msp_config_pb2.FabricMSPConfig:
    value = group.groups[level].groups[msp_id].values["MSP"].value
    return msp_config_pb2.FabricMSPConfig.FromString(msp_config_pb2.MSPConfig.FromString(value).config)


def consenter_ids(group: Group) -> list[int]:
    return [each.id for each in config_of(group).consenters]


class TestMembers:
    def test_a_member_with_its_orderer_is_what_genesis_would_have_made(
        self, group: Group, members: list[ChannelMember]
    ) -> None:
        edited = add_member(group, members[5].bundle)
        assert edited == channel_of(members).config.channel_group

    def test_a_member_without_an_orderer_leaves_the_orderers_alone(
        self, group: Group, members: list[ChannelMember]
    ) -> None:
        edited = add_member(group, members[5].without_orderer)
        assert edited.groups["Orderer"] == group.groups["Orderer"]
        assert config_of(edited).application_orgs == tuple(f"Org{number}MSP" for number in range(1, 7))

    def test_genesis_knows_members_without_orderers_too(
        self, group: Group, members: list[ChannelMember]
    ) -> None:
        bundles = [*(member.bundle for member in members[:5]), members[5].without_orderer]
        made = genesis_block(CHANNEL, bundles, BATCH)
        assert made.header.data_hash != b""
        with pytest.raises(InvalidInputError, match="at least one member that runs an orderer"):
            genesis_block(CHANNEL, [members[0].without_orderer], BATCH)

    def test_it_can_start_an_orderer_later(self, group: Group, members: list[ChannelMember]) -> None:
        edited = add_orderer(add_member(group, members[5].without_orderer), members[5].bundle)
        assert edited == add_member(group, members[5].bundle)
        for bad in (members[0].bundle, members[5].without_orderer):
            with pytest.raises(InvalidInputError, match=r"runs an orderer already|has no orderer"):
                add_orderer(edited, bad)
        with pytest.raises(InvalidInputError, match="no member"):
            add_orderer(group, members[5].bundle)

    def test_a_member_goes_with_everything_it_has(self, group: Group) -> None:
        edited = remove_member(group, "Org2MSP")
        assert b"Org2MSP" not in edited.SerializeToString()
        assert b"org2" not in edited.SerializeToString()
        assert config_of(edited).application_orgs == ("Org1MSP", "Org3MSP", "Org4MSP", "Org5MSP")

    def test_its_orderer_can_go_alone(self, group: Group) -> None:
        edited = remove_orderer(group, "Org2MSP")
        assert "Org2MSP" in config_of(edited).application_orgs
        assert "Org2MSP" not in config_of(edited).orderer_orgs
        with pytest.raises(InvalidInputError, match="runs no orderer"):
            remove_orderer(edited, "Org2MSP")

    def test_the_quorum_follows_and_ids_stay(self, group: Group, members: list[ChannelMember]) -> None:
        edited = remove_member(group, "Org2MSP")
        assert consenter_ids(edited) == [1, 3, 4, 5]
        assert has_quorum_policy(edited)
        edited = add_member(edited, members[5].bundle)
        assert consenter_ids(edited) == [1, 3, 4, 5, 6]
        assert has_quorum_policy(edited)

    def test_an_id_is_not_used_again_if_the_highest_ever_is_given(
        self, group: Group, members: list[ChannelMember]
    ) -> None:
        edited = remove_member(group, "Org5MSP")
        assert highest_consenter_id(edited) == 4
        assert consenter_ids(add_member(edited, members[5].bundle, ids_used_up_to=5)) == [1, 2, 3, 4, 6]

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (lambda g, m: add_member(g, m[0].bundle), "Org1MSP is a member already"),
            (lambda g, m: add_member(g, replace(m[5].bundle, msp_id="a b")), "no MSP id"),
            (lambda g, m: add_member(g, replace(m[5].bundle, ca_certificates=())), "no CA certificate"),
            (
                lambda g, m: add_member(g, replace(m[5].bundle, orderer_host="orderer.org1.example")),
                "the orderers of Org1MSP and Org6MSP have the same address",
            ),
            (
                lambda g, m: add_member(
                    g, replace(m[5].bundle, orderer_certificate=m[0].bundle.orderer_certificate)
                ),
                "same public key",
            ),
            (
                lambda g, m: add_member(
                    g, replace(m[5].bundle, orderer_tls_certificate=m[0].bundle.orderer_tls_certificate)
                ),
                "TLS server certificate does not come from its member's TLS CA",
            ),
            (lambda g, m: remove_member(g, "Org6MSP"), "Org6MSP is no member"),
        ],
    )
    def test_what_orderers_could_not_run_with(
        self,
        group: Group,
        members: list[ChannelMember],
        change: Callable[[Group, list[ChannelMember]], Group],
        says: str,
    ) -> None:
        with pytest.raises(InvalidInputError, match=says):
            change(group, members)

    def test_the_last_orderer_and_the_last_member_stay(self, members: list[ChannelMember]) -> None:
        alone = channel_of(members[:1]).config.channel_group
        with pytest.raises(InvalidInputError, match="last member"):
            remove_member(alone, "Org1MSP")
        with pytest.raises(InvalidInputError, match="no consenter is left"):
            remove_orderer(alone, "Org1MSP")

    @pytest.mark.parametrize(
        "absent", ["orderer_certificate", "orderer_tls_certificate", "orderer_host", "orderer_port"]
    )
    def test_a_bundle_has_a_whole_orderer_or_none(self, members: list[ChannelMember], absent: str) -> None:
        with pytest.raises(InvalidInputError, match=f"an orderer without {absent}"):
            replace(members[0].bundle, **{absent: None})


class TestCertificates:
    def test_a_new_ca_stands_beside_the_old_one_until_that_is_dropped(
        self, group: Group, members: list[ChannelMember]
    ) -> None:
        member = members[0]
        ca, tls = (ThrowawayCa.root(f"{name}.new", member.msp_id) for name in ("ca", "tlsca"))
        bundle = replace(
            member.bundle,
            ca_certificates=(pem(ca.certificate),),
            tls_ca_certificates=(pem(tls.certificate),),
        )
        edited = replace_certificates(group, bundle)
        for level in ("Application", "Orderer"):
            config = fabric_msp(edited, level, member.msp_id)
            assert list(config.root_certs) == [pem(ca.certificate), pem(member.ca.certificate)]
            assert list(config.tls_root_certs) == [pem(tls.certificate), pem(member.tls_ca.certificate)]
        with pytest.raises(InvalidInputError, match="would not accept its identity certificate"):
            replace_certificates(edited, bundle, keep_old=False)
        edited = replace_orderer_identity(edited, member.msp_id, ca.issue("orderer").identity.certificate_pem)
        edited = replace_orderer_tls(edited, member.msp_id, tls.issue().identity.certificate_pem)
        edited = replace_certificates(edited, bundle, keep_old=False)
        assert list(fabric_msp(edited, "Orderer", member.msp_id).root_certs) == [pem(ca.certificate)]
        assert consenter_ids(edited) == [1, 2, 3, 4, 5]
        assert has_quorum_policy(edited)

    def test_an_intermediate_tls_ca_counts(self, group: Group, members: list[ChannelMember]) -> None:
        member = members[0]
        inner = member.tls_ca.intermediate()
        certificate = inner.issue().identity.certificate_pem
        with pytest.raises(InvalidInputError, match="does not come from its member's TLS CA"):
            replace_orderer_tls(group, member.msp_id, certificate)
        bundle = replace(member.bundle, tls_intermediate_certificates=(pem(inner.certificate),))
        edited = replace_orderer_tls(replace_certificates(group, bundle), member.msp_id, certificate)
        assert list(fabric_msp(edited, "Orderer", member.msp_id).tls_intermediate_certs) == [
            pem(inner.certificate)
        ]

    def test_a_renewed_ca_with_the_same_key_cannot_stand_beside_the_old_one(
        self, group: Group, members: list[ChannelMember]
    ) -> None:
        ca = members[0].ca
        name = subject(ca.name)
        renewed = build(name, name, ca.key.public_key(), ca.key, ca=True)
        bundle = replace(members[0].bundle, ca_certificates=(pem(renewed),))
        with pytest.raises(InvalidInputError, match="the same key"):
            replace_certificates(group, bundle)
        edited = replace_certificates(group, bundle, keep_old=False)
        assert list(fabric_msp(edited, "Application", "Org1MSP").root_certs) == [pem(renewed)]

    def test_an_orderer_takes_a_new_certificate_and_keeps_its_id(
        self, group: Group, members: list[ChannelMember]
    ) -> None:
        certificate = members[2].ca.issue("orderer", name="again").identity.certificate_pem
        edited = replace_orderer_identity(group, "Org3MSP", certificate)
        changed = [
            (before.id, after.identity_pem)
            for before, after in zip(config_of(group).consenters, config_of(edited).consenters, strict=True)
            if before != after
        ]
        assert changed == [(3, certificate)]
        assert has_quorum_policy(edited)
        foreign = members[0].ca.issue("orderer").identity.certificate_pem
        with pytest.raises(InvalidInputError, match=r"consenter 3 .* would not accept"):
            replace_orderer_identity(group, "Org3MSP", foreign)
        with pytest.raises(InvalidInputError, match="runs 0 orderers"):
            replace_orderer_identity(group, "Org6MSP", certificate)

    def test_revocation_lists_are_replaced_at_both_levels(
        self, group: Group, members: list[ChannelMember]
    ) -> None:
        crl = members[0].ca.revoke(members[0].client)
        edited = set_revocation_lists(group, "Org1MSP", [crl])
        for level in ("Application", "Orderer"):
            assert list(fabric_msp(edited, level, "Org1MSP").revocation_list) == [crl]
        assert set_revocation_lists(edited, "Org1MSP", []) == group
        with pytest.raises(InvalidInputError, match="RevocationList"):
            set_revocation_lists(group, "Org1MSP", [b"no list"])
        with pytest.raises(InvalidInputError, match="no member"):
            set_revocation_lists(group, "Org6MSP", [crl])

    def test_a_list_that_revokes_an_orderer_in_use_is_refused(
        self, group: Group, members: list[ChannelMember]
    ) -> None:
        certificate = members[0].ca.issue("orderer")
        edited = replace_orderer_identity(group, "Org1MSP", certificate.identity.certificate_pem)
        with pytest.raises(InvalidInputError, match="has been revoked"):
            set_revocation_lists(edited, "Org1MSP", [members[0].ca.revoke(certificate)])


class TestBatch:
    def test_every_place_that_says_how_blocks_are_cut_is_set(self, group: Group) -> None:
        batch = BatchParameters(300, 5 << 20, 1 << 20, 1.5)
        edited = set_batch(group, batch)
        assert config_of(edited).batch == batch
        before, after = (smartbft_options(each) for each in (group, edited))
        assert (after.request_batch_max_count, after.request_batch_max_bytes) == (300, 5 << 20)
        assert after.request_batch_max_interval == "1.5s"
        after.request_batch_max_count = before.request_batch_max_count
        after.request_batch_max_bytes = before.request_batch_max_bytes
        after.request_batch_max_interval = before.request_batch_max_interval
        assert after == before

    @pytest.mark.parametrize(
        "batch",
        [
            BatchParameters(0, 5 << 20, 1 << 20, 1.5),
            BatchParameters(1, 5 << 20, 6 << 20, 1.5),
            BatchParameters(1, LEAST_BATCH_BYTES - 1, 1, 1.5),
            BatchParameters(LEAST_BATCH_BYTES + 1, LEAST_BATCH_BYTES, 1, 1.5),
            BatchParameters(1, 5 << 20, 1 << 20, 0),
        ],
    )
    def test_batches_that_orderers_would_halt_with(self, group: Group, batch: BatchParameters) -> None:
        with pytest.raises(InvalidInputError):
            set_batch(group, batch)


def smartbft_options(group: Group) -> smartbft_pb2.Options:
    value = group.groups["Orderer"].values["ConsensusType"].value
    return smartbft_pb2.Options.FromString(orderer_pb2.ConsensusType.FromString(value).metadata)


class TestChecks:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("request_forward_timeout", "1h"),
            ("request_complain_timeout", "1h"),
            ("view_change_resend_interval", "1h"),
            ("collect_timeout", ""),
            ("leader_heartbeat_count", 0),
            ("request_pool_size", 0),
            ("request_max_bytes", (10 << 20) + 1),
            ("leader_rotation", smartbft_pb2.Options.ROTATION_ON),
        ],
    )
    def test_smartbft_options_that_orderers_would_halt_with(
        self, group: Group, field: str, value: object
    ) -> None:
        consensus = group.groups["Orderer"].values["ConsensusType"]
        message = orderer_pb2.ConsensusType.FromString(consensus.value)
        options = smartbft_options(group)
        setattr(options, field, value)
        message.metadata = options.SerializeToString()
        consensus.value = message.SerializeToString()
        with pytest.raises(InvalidInputError, match="SmartBFT could not run"):
            check_group(group)

    def test_a_quorum_that_is_not_the_consenters(self, group: Group) -> None:
        other = remove_member(group, "Org5MSP").groups["Orderer"].policies["BlockValidation"]
        group.groups["Orderer"].policies["BlockValidation"].CopyFrom(other)
        with pytest.raises(InvalidInputError, match="BlockValidation policy is not the quorum"):
            check_group(group)

    def test_edits_keep_versions_and_policies_that_are_there(self, group: Group) -> None:
        size = group.groups["Orderer"].values["BatchSize"]
        size.version, size.mod_policy = 7, "/Channel/Admins"
        edited = set_batch(group, BatchParameters(1, 5 << 20, 1 << 20, 1.5)).groups["Orderer"]
        assert (edited.values["BatchSize"].version, edited.values["BatchSize"].mod_policy) == (
            7,
            "/Channel/Admins",
        )

    def test_what_is_no_channel_is_refused_as_such(self, members: list[ChannelMember]) -> None:
        with pytest.raises(InvalidInputError, match="missing"):
            add_member(Group(), members[5].bundle)
