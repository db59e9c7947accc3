"""What people are told about a configuration, and about a change of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
from fabric_protos.common import common_pb2, configtx_pb2, configuration_pb2
from fabric_protos.msp import msp_config_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.channel_members import BATCH, CHANNEL, ChannelMember, channel_of, config_of
from tests.support.config_mutations import mutated, mutations
from tests.support.throwaway_ca import pem

from shirushi_core.fabric.block import BlockError, header_hash
from shirushi_core.fabric.channel_config import BatchParameters, ChannelConfig
from shirushi_core.fabric.config_description import Section, config_fingerprint, describe_config
from shirushi_core.fabric.config_difference import describe_difference
from shirushi_core.fabric.config_edits import (
    add_member,
    add_orderer,
    remove_member,
    remove_orderer,
    replace_certificates,
    replace_orderer_identity,
    replace_orderer_tls,
    set_batch,
    set_revocation_lists,
)
from shirushi_core.fabric.config_elements import elements
from shirushi_core.fabric.config_update import apply_update, compute_update
from shirushi_core.fabric.config_words import certificate_fingerprint, certificate_words, text_words
from shirushi_core.fabric.genesis import genesis_block

Group = configtx_pb2.ConfigGroup


@pytest.fixture
def group(channel: ChannelConfig) -> Group:
    return copy.deepcopy(channel.config.channel_group)


def words(certificate: bytes | None) -> str:
    assert certificate is not None
    return certificate_words(certificate)


class TestSentences:
    def test_a_new_member_with_its_orderer(self, group: Group, members: list[ChannelMember]) -> None:
        bundle = members[5].bundle
        said = describe_difference(group, add_member(group, bundle))
        assert said == [
            f"adds the member Org6MSP (CA certificate {words(bundle.ca_certificates[0])}) with orderer "
            "orderer.org6.example:7050 as consenter 6",
            "adds consenter 6, the orderer of Org6MSP at orderer.org6.example:7050: identity certificate "
            f"{words(bundle.orderer_certificate)}, TLS certificate {words(bundle.orderer_tls_certificate)}",
            "keeps the number of orderers that must sign a block at 4, now of 6 instead of 5",
            "makes a majority of the members 4 of 6, instead of 3 of 5",
            "new member Org6MSP: adds the anchor peer peer.org6.example:7051 to /Channel/Application/Org6MSP/AnchorPeers",
            f"new member Org6MSP: adds the TLS CA certificate {words(bundle.tls_ca_certificates[0])} to the member "
            "Org6MSP",
            "new member Org6MSP: adds the orderer address orderer.org6.example:7050 to "
            "/Channel/Orderer/Org6MSP/Endpoints",
        ]

    def test_a_seventh_orderer_raises_the_quorum_and_its_leaving_lowers_it(
        self, group: Group, members: list[ChannelMember]
    ) -> None:
        six = add_member(group, members[5].bundle)
        seven = add_member(six, ChannelMember.named(7).bundle)
        raised = "raises the number of orderers that must sign a block from 4 (of 6) to 5 (of 7)"
        lowered = "lowers the number of orderers that must sign a block from 5 (of 7) to 4 (of 6)"
        assert raised in describe_difference(six, seven)
        assert lowered in describe_difference(seven, six)

    def test_a_member_leaves(self, group: Group, members: list[ChannelMember]) -> None:
        bundle = members[1].bundle
        said = describe_difference(group, remove_member(group, "Org2MSP"))
        assert said[0] == (
            f"removes the member Org2MSP (CA certificate {words(bundle.ca_certificates[0])}) with orderer "
            "orderer.org2.example:7050 as consenter 2"
        )
        assert said[1].startswith("removes consenter 2, the orderer of Org2MSP")
        assert "makes a majority of the members 3 of 4, instead of 3 of 5" in said

    def test_orderers_come_and_go_while_their_members_stay(
        self, group: Group, members: list[ChannelMember]
    ) -> None:
        fewer = remove_orderer(group, "Org5MSP")
        assert describe_difference(group, fewer)[0] == (
            "removes the orderers of Org5MSP: orderer orderer.org5.example:7050 as consenter 5"
        )
        assert describe_difference(fewer, add_orderer(fewer, members[4].bundle))[0] == (
            "lets the member Org5MSP run orderers: orderer orderer.org5.example:7050 as consenter 5"
        )

    def test_an_orderers_tls_certificate(self, group: Group, members: list[ChannelMember]) -> None:
        old, new = members[3].bundle.orderer_tls_certificate, members[3].tls_ca.issue(name="new")
        certificate = new.identity.certificate_pem
        assert describe_difference(group, replace_orderer_tls(group, "Org4MSP", certificate)) == [
            f"changes the TLS certificate of consenter 4 (the orderer of Org4MSP): {words(old)} → {words(certificate)}"
        ]
        assert f"serial {new.identity.certificate.serial_number:x}" in words(certificate)
        assert "valid until 2036-01-01 00:00:00 UTC" in words(certificate)

    def test_an_orderers_identity(self, group: Group, members: list[ChannelMember]) -> None:
        old, new = members[3].bundle.orderer_certificate, members[3].ca.issue("orderer", name="new")
        certificate = new.identity.certificate_pem
        assert describe_difference(group, replace_orderer_identity(group, "Org4MSP", certificate)) == [
            "changes the identity certificate of consenter 4 (the orderer of Org4MSP) from "
            f"{words(old)} to {words(certificate)}",
            "keeps the number of orderers that must sign a block at 4 of 5, by the changed certificates",
        ]

    def test_a_new_ca_and_a_revocation_list_are_said_once_for_both_levels(
        self, group: Group, members: list[ChannelMember]
    ) -> None:
        intermediate = pem(members[0].ca.intermediate().certificate)
        bundle = replace(members[0].bundle, intermediate_certificates=(intermediate,))
        with pytest.raises(Exception, match="leaf of the certification tree"):
            replace_certificates(group, bundle)
        new = pem(members[5].ca.certificate)
        old = members[0].bundle.ca_certificates[0]
        edited = replace_certificates(group, replace(members[0].bundle, ca_certificates=(old, new)))
        assert describe_difference(group, edited) == [
            f"adds the CA certificate {words(new)} to the member Org1MSP"
        ]
        revoked = members[0].client.identity.certificate.serial_number
        (said,) = describe_difference(
            group, set_revocation_lists(group, "Org1MSP", [members[0].ca.revoke(members[0].client)])
        )
        assert said.startswith("adds the revocation list of CN=ca.org1, revoked serials: ")
        assert f"{revoked:x}" in said

    def test_batches(self, group: Group) -> None:
        edited = set_batch(group, BatchParameters(300, 10 << 20, 2 << 20, 0.2))
        assert describe_difference(group, edited) == [
            "batch: at most 500 → 300 messages",
            "batch: SmartBFT takes at most 500 → 300 messages",
        ]

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (
                lambda g: g.policies["Admins"].policy.CopyFrom(g.policies["Readers"].policy),
                "changes the policy /Channel/Admins from a majority of the Admins policies below to any one of the Readers "
                "policies below",
            ),
            (
                lambda g: setattr(
                    g.values["Capabilities"],
                    "value",
                    configuration_pb2.Capabilities(
                        capabilities={"V4_0": configuration_pb2.Capability()}
                    ).SerializeToString(),
                ),
                "adds the capability V4_0 present to /Channel/Capabilities",
            ),
            (
                lambda g: setattr(g.groups["Application"], "mod_policy", "/Channel/Readers"),
                "changes the policy under which the group /Channel/Application may be changed from Admins to "
                "/Channel/Readers",
            ),
            (
                lambda g: g.values["Secret"].CopyFrom(
                    configtx_pb2.ConfigValue(value=b"abc", mod_policy="Admins")
                ),
                "adds the value /Channel/Secret: not understood: 3 bytes with SHA-256 "
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad (changed under Admins)",
            ),
            (
                lambda g: g.groups["Orderer"].policies.pop("BlockValidation"),
                "warning: the policy on who must sign blocks (BlockValidation) is not the quorum of the consenters; BFT "
                "orderers refuse such a configuration",
            ),
        ],
    )
    def test_changes_of_rules(self, group: Group, change: Callable[[Group], object], says: str) -> None:
        edited = copy.deepcopy(group)
        change(edited)
        assert says in describe_difference(group, edited)

    def test_what_a_new_member_has_beyond_the_usual(self, group: Group, members: list[ChannelMember]) -> None:
        edited = add_member(group, members[5].without_orderer)
        organisation = edited.groups["Application"].groups["Org6MSP"]
        usual = describe_difference(group, edited)
        organisation.policies["Admins"].policy.CopyFrom(
            group.groups["Application"].groups["Org1MSP"].policies["Admins"].policy
        )
        organisation.values["Odd"].value = b"x"
        del organisation.policies["Endorsement"]
        outer = msp_config_pb2.MSPConfig.FromString(organisation.values["MSP"].value)
        config = msp_config_pb2.FabricMSPConfig.FromString(outer.config)
        config.fabric_node_ous.admin_ou_identifier.organizational_unit_identifier = "client"
        outer.config = config.SerializeToString()
        organisation.values["MSP"].value = outer.SerializeToString()
        path = "/Channel/Application/Org6MSP"
        more = [each for each in describe_difference(group, edited) if each not in usual]
        assert more == [
            f"new member Org6MSP: changes the role units / admin_ou_identifier / organizational_unit_identifier of {path}/"
            "MSP from admin to client",
            "new member Org6MSP: adds the value /Channel/Application/Org6MSP/Odd: not understood: 1 bytes with SHA-256 "
            "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 (changed under (empty))",
            f"new member Org6MSP: changes the policy {path}/Admins from Org6MSP.admin to Org1MSP.admin",
            f"new member Org6MSP: has no policy {path}/Endorsement",
        ]


class TestNothingIsLeftOut:
    @settings(max_examples=300, deadline=None)
    @given(data=st.data())
    def test_every_single_change_is_mentioned(self, data: st.DataObject) -> None:
        before = _small().config.channel_group
        key, how, content = data.draw(mutations(before))
        after = mutated(before, key, how, content)
        assert describe_difference(before, after)
        assert describe_difference(after, before)

    @settings(max_examples=150, deadline=None)
    @given(data=st.data())
    def test_a_second_change_does_not_hide_behind_a_first(self, data: st.DataObject) -> None:
        before = _small().config.channel_group
        first, second = (mutated(before, *data.draw(mutations(before))) for _ in range(2))
        both = mutated(first, *data.draw(mutations(first)))
        assert describe_difference(first, both) or first == both
        if first != second:
            assert describe_difference(first, second)

    @settings(max_examples=50, deadline=None)
    @given(data=st.data())
    def test_a_change_is_mentioned_beside_an_edit(self, data: st.DataObject) -> None:
        before = _small().config.channel_group
        edited = set_batch(before, BatchParameters(3, 10 << 20, 2 << 20, 0.5))
        key, how, content = data.draw(mutations(edited))
        alone, together = (
            describe_difference(before, edited),
            describe_difference(before, mutated(edited, key, how, content)),
        )
        assert together != alone

    def test_the_same_gives_no_sentence(self, channel: ChannelConfig) -> None:
        assert describe_difference(channel.config, copy.deepcopy(channel.config)) == []

    def test_the_versions_that_a_change_raises_are_no_change(
        self, channel: ChannelConfig, members: list[ChannelMember]
    ) -> None:
        desired = add_member(channel.config.channel_group, members[5].bundle)
        after = apply_update(channel.config, compute_update(CHANNEL, channel.config, desired))
        assert describe_difference(channel.config, after) == describe_difference(
            channel.config.channel_group, desired
        )

    def test_sequence_and_unknown_fields_of_the_whole(self, channel: ChannelConfig) -> None:
        after = copy.deepcopy(channel.config)
        after.sequence += 1
        assert describe_difference(channel.config, after) == [
            "sets the sequence number of the configuration from 0 to 1"
        ]
        after = copy.deepcopy(channel.config)
        after.MergeFromString(b"\xf2\x07\x01x")
        (said,) = describe_difference(channel.config, after)
        assert "fields that this version does not know" in said

    def test_a_reordering_is_a_change(self, channel: ChannelConfig) -> None:
        edited = copy.deepcopy(channel.config.channel_group)
        value = edited.groups["Orderer"].values["Orderers"]
        orderers = configuration_pb2.Orderers.FromString(value.value)
        orderers = configuration_pb2.Orderers(consenter_mapping=reversed(orderers.consenter_mapping))
        value.value = orderers.SerializeToString()
        assert describe_difference(channel.config.channel_group, edited)[0] == (
            "changes the order of the consenters to 5, 4, 3, 2, 1"
        )


_SMALL: list[ChannelConfig] = []


def _small() -> ChannelConfig:
    if not _SMALL:
        _SMALL.append(channel_of([ChannelMember.named(number) for number in (1, 2)]))
    return _SMALL[0]


class TestWords:
    def test_what_is_not_printable_is_escaped_and_what_is_long_is_cut(self) -> None:
        assert text_words("a\x1b[2Jb‮") == "'a\\x1b[2Jb\\u202e'"
        assert len(text_words("x" * 1000)) < 300
        assert text_words("x" * 1000) != text_words("x" * 1001)

    def test_what_is_no_certificate_is_named_by_its_hash(self) -> None:
        assert certificate_words(b"abc").startswith("no readable certificate: 3 bytes with SHA-256 ba7816bf")


class TestDescription:
    def test_members_orderers_and_rules_are_all_there(
        self, channel: ChannelConfig, members: list[ChannelMember]
    ) -> None:
        sections = {section.title: section for section in describe_config(channel)}
        assert list(sections) == [
            *("channel", "consensus", "batch"),
            *(f"member Org{number}MSP" for number in range(1, 6)),
            *("orderers", "policies", "other values"),
        ]
        bundle = members[0].bundle
        assert f"CA certificate: {words(bundle.ca_certificates[0])}" in sections["member Org1MSP"].lines
        assert certificate_fingerprint(bundle.ca_certificates[0]) in words(bundle.ca_certificates[0])
        assert "4 of the 5 orderers must sign a block" in sections["consensus"].lines
        assert "consenter 1: orderer.org1.example:7050 of Org1MSP" in sections["orderers"].lines
        assert f"  TLS certificate: {words(bundle.orderer_tls_certificate)}" in sections["orderers"].lines
        assert (
            "/Channel/Application/Admins: a majority of the Admins policies below"
            in sections["policies"].lines
        )
        assert "at most 500 messages" in sections["batch"].lines

    def test_a_member_without_an_orderer_and_odd_rules_are_pointed_out(
        self, channel: ChannelConfig, members: list[ChannelMember]
    ) -> None:
        group = add_member(channel.config.channel_group, members[5].without_orderer)
        group.groups["Application"].mod_policy = "/Channel/Readers"
        group.values["Secret"].value = b"abc"
        lines = [line for section in describe_config(config_of(group)) for line in section.lines]
        assert "runs no orderer" in lines
        assert "changed under /Channel/Readers instead of Admins: group /Channel/Application" in lines
        assert any(line.startswith("/Channel/Secret: not understood") for line in lines)

    @settings(max_examples=60, deadline=None)
    @given(data=st.data())
    def test_no_part_is_left_out(self, data: st.DataObject) -> None:
        group = copy.deepcopy(_small().config.channel_group)
        key = data.draw(st.sampled_from([key for key in elements(group) if key.kind.value == "policy"]))
        assert any(line.startswith(f"{key.path}: ") for line in lines_of(describe_config(config_of(group))))

    def test_the_fingerprint_is_the_block_hash_in_groups_of_four(self, members: list[ChannelMember]) -> None:
        block = genesis_block(CHANNEL, [member.bundle for member in members], BATCH)
        fingerprint = config_fingerprint(block)
        assert [len(each) for each in fingerprint.split(" ")] == [4] * 16
        assert fingerprint.replace(" ", "") == header_hash(block.header).hex()

    def test_a_block_whose_data_were_exchanged_has_no_fingerprint(self, members: list[ChannelMember]) -> None:
        block = common_pb2.Block()
        block.CopyFrom(genesis_block(CHANNEL, [member.bundle for member in members], BATCH))
        block.data.data[0] += b"x"
        with pytest.raises(BlockError, match="do not belong to its header"):
            config_fingerprint(block)


def lines_of(sections: list[Section]) -> list[str]:
    return [line for section in sections for line in section.lines]
