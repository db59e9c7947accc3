"""The file that members pass on, and who has signed it."""

from __future__ import annotations

import copy

import pytest
from fabric_protos.common import common_pb2, configtx_pb2
from hypothesis import given
from hypothesis import strategies as st
from tests.support.channel_members import CHANNEL, ChannelMember
from tests.support.throwaway_ca import NOW, ThrowawayCa

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.channel_config import ChannelConfig, from_config
from shirushi_core.fabric.config_approval import judge_signatures
from shirushi_core.fabric.config_edits import add_member, set_revocation_lists
from shirushi_core.fabric.config_proposal import (
    MAX_PROPOSAL_BYTES,
    MAX_PROPOSAL_SIGNATURES,
    ConfigSignature,
    ProposedUpdate,
    config_signature,
    update_envelope,
)
from shirushi_core.fabric.config_update import (
    ConfigUpdateError,
    StaleUpdateError,
    apply_update,
    compute_update,
)
from shirushi_core.fabric.envelope import open_envelope, signed_data
from shirushi_core.fabric.policy import evaluate_signed_data
from shirushi_core.fabric.signing import signing_key, verify

NONCE = bytes(range(24))


@pytest.fixture
def proposed(channel: ChannelConfig, members: list[ChannelMember]) -> ProposedUpdate:
    """The sixth member joins: a majority of all members' admins has to sign."""
    desired = add_member(channel.config.channel_group, members[5].bundle)
    return ProposedUpdate.from_update(compute_update(CHANNEL, channel.config, desired))


def anchors_of_first(channel: ChannelConfig) -> ProposedUpdate:
    """The first member changes its own anchor peers: its own admin is enough."""
    desired = copy.deepcopy(channel.config.channel_group)
    desired.groups["Application"].groups["Org1MSP"].values["AnchorPeers"].value = b""
    return ProposedUpdate.from_update(compute_update(CHANNEL, channel.config, desired))


def signed(proposed: ProposedUpdate, *members: ChannelMember) -> ProposedUpdate:
    for member in members:
        proposed = proposed.signed_by(member.admin, NONCE)
    return proposed


class TestSigning:
    def test_the_header_and_the_exact_update_are_signed(self, members: list[ChannelMember]) -> None:
        admin = members[0].admin
        signature = config_signature(b"update", admin, NONCE)
        header = common_pb2.SignatureHeader.FromString(signature.signature_header)
        assert (header.creator, header.nonce) == (admin.identity.serialized, NONCE)
        key = signing_key(admin.identity.certificate.key)
        verify(key, signature.signature, signature.signature_header + b"update")

    def test_who_signs_again_replaces_his_signature(
        self, proposed: ProposedUpdate, members: list[ChannelMember]
    ) -> None:
        twice = signed(proposed, members[0]).signed_by(members[0].admin, bytes(24))
        (signature,) = twice.signatures
        assert common_pb2.SignatureHeader.FromString(signature.signature_header).nonce == bytes(24)

    def test_copies_signed_by_different_members_are_put_together(
        self, channel: ChannelConfig, proposed: ProposedUpdate, members: list[ChannelMember]
    ) -> None:
        one, other = signed(proposed, members[0]), signed(proposed, members[0], members[1])
        assert len(one.merged(other).signatures) == 2
        with pytest.raises(ConfigUpdateError, match="different updates"):
            one.merged(anchors_of_first(channel))

    def test_the_envelope_is_the_submitters_and_the_channels_writers_allow_it(
        self, channel: ChannelConfig, proposed: ProposedUpdate, members: list[ChannelMember]
    ) -> None:
        made = signed(proposed, *members[:3])
        envelope = made.envelope(members[0].admin, NONCE, 1_790_000_000, 5)
        opened = open_envelope(envelope)
        assert opened.header.type == common_pb2.CONFIG_UPDATE
        assert opened.header.channel_id == CHANNEL
        assert (opened.header.timestamp_seconds, opened.header.timestamp_nanos) == (1_790_000_000, 5)
        writers = channel.policies.get("/Channel/Writers")
        evaluate_signed_data(writers, [signed_data(envelope)], channel.msps, NOW)
        content = configtx_pb2.ConfigUpdateEnvelope.FromString(opened.data)
        assert content.config_update == proposed.update_bytes
        assert len(content.signatures) == 3
        again = update_envelope(
            CHANNEL, made.update_bytes, made.signatures, members[0].admin, NONCE, 1_790_000_000, 5
        )
        assert again.payload == envelope.payload


class TestFile:
    def test_it_is_read_back_as_it_was_written(
        self, proposed: ProposedUpdate, members: list[ChannelMember]
    ) -> None:
        for made in (proposed, signed(proposed, *members[:2])):
            assert ProposedUpdate.from_bytes(made.to_bytes()) == made

    def test_an_envelope_that_somebody_signed_is_read_too(
        self, proposed: ProposedUpdate, members: list[ChannelMember]
    ) -> None:
        made = signed(proposed, *members[:2])
        envelope = made.envelope(members[0].admin, NONCE, 1_790_000_000)
        assert ProposedUpdate.from_bytes(envelope.SerializeToString()) == made

    @pytest.mark.parametrize(
        ("defect", "says"),
        [
            ("too_long", "at most"),
            ("another_type", "CONFIG_UPDATE"),
            ("another_channel", "for channel"),
            ("no_channel", "for channel"),
            ("no_write_set", "no write set"),
            ("isolated_data", "isolated data"),
            ("bad_name", "no name for a part"),
            ("too_many_signatures", "at most"),
            ("nobodys_signature", "names no MSP"),
            ("unreadable_signature_header", "signature header"),
            ("unreadable_update", "configuration update"),
        ],
    )
    def test_a_defect_is_refused(self, proposed: ProposedUpdate, defect: str, says: str) -> None:
        with pytest.raises(InvalidInputError, match=says):
            ProposedUpdate.from_bytes(defective(proposed, defect))

    @given(data=st.binary(max_size=200))
    def test_noise_gives_a_typed_error(self, data: bytes) -> None:
        with pytest.raises(InvalidInputError):
            ProposedUpdate.from_bytes(data)

    @given(position=st.integers(0), bit=st.integers(0, 7))
    def test_a_flipped_bit_is_read_or_refused(self, position: int, bit: int) -> None:
        update = configtx_pb2.ConfigUpdate(channel_id=CHANNEL)
        update.write_set.values["Capabilities"].version = 1
        data = bytearray(ProposedUpdate.from_update(update).to_bytes())
        data[position % len(data)] ^= 1 << bit
        try:
            read = ProposedUpdate.from_bytes(bytes(data))
        except InvalidInputError:
            return
        assert ProposedUpdate.from_bytes(read.to_bytes()) == read


def defective(proposed: ProposedUpdate, defect: str) -> bytes:
    update = proposed.update
    header = common_pb2.ChannelHeader(type=common_pb2.CONFIG_UPDATE, channel_id=CHANNEL)
    signatures = []
    if defect == "another_type":
        header.type = common_pb2.CONFIG
    if defect == "another_channel":
        header.channel_id = "other"
    if defect == "no_channel":
        header.channel_id = update.channel_id = ""
    if defect == "no_write_set":
        update.ClearField("write_set")
    if defect == "isolated_data":
        update.isolated_data["type"] = b"x"
    if defect == "bad_name":
        update.read_set.values["a/b"].version = 1
    if defect == "too_many_signatures":
        signatures = [configtx_pb2.ConfigSignature()] * (MAX_PROPOSAL_SIGNATURES + 1)
    if defect == "nobodys_signature":
        signatures = [configtx_pb2.ConfigSignature(signature=b"x")]
    if defect == "unreadable_signature_header":
        signatures = [configtx_pb2.ConfigSignature(signature_header=b"\xff")]
    content = configtx_pb2.ConfigUpdateEnvelope(
        config_update=b"\xff" if defect == "unreadable_update" else update.SerializeToString(),
        signatures=signatures,
    )
    payload = common_pb2.Payload(
        header=common_pb2.Header(channel_header=header.SerializeToString()), data=content.SerializeToString()
    )
    data = common_pb2.Envelope(payload=payload.SerializeToString()).SerializeToString()
    return data + b"\0" * MAX_PROPOSAL_BYTES if defect == "too_long" else bytes(data)


class TestApproval:
    def test_a_majority_of_the_members_admins_is_needed_and_said_in_words(
        self, channel: ChannelConfig, proposed: ProposedUpdate, members: list[ChannelMember]
    ) -> None:
        approval = judge_signatures(channel, signed(proposed, *members[:2]), NOW)
        assert not approval.sufficient
        assert approval.signed_members == ("Org1MSP", "Org2MSP")
        assert (approval.needed, approval.missing) == (3, 1)
        assert approval.candidates == ("Org3MSP", "Org4MSP", "Org5MSP")
        assert approval.summary == (
            "signed by 2 of 5 members (Org1MSP, Org2MSP); 3 are needed: 1 more of Org3MSP, Org4MSP, Org5MSP"
        )

    def test_with_the_majority_it_is_enough(
        self, channel: ChannelConfig, proposed: ProposedUpdate, members: list[ChannelMember]
    ) -> None:
        approval = judge_signatures(channel, signed(proposed, *members[:3]), NOW)
        assert approval.sufficient
        assert approval.missing == 0
        assert approval.summary.endswith("no more signatures are needed")
        assert {policy.path for policy in approval.policies} == {
            "/Channel/Application/Admins",
            "/Channel/Orderer/Admins",
        }

    def test_nobody_has_signed_yet(self, channel: ChannelConfig, proposed: ProposedUpdate) -> None:
        approval = judge_signatures(channel, proposed, NOW)
        assert (approval.needed, approval.missing) == (3, 3)
        assert approval.summary.startswith("signed by 0 of 5 members; 3 are needed: 3 more of Org1MSP,")

    def test_a_members_own_matter_needs_that_member_and_no_other(
        self, channel: ChannelConfig, members: list[ChannelMember]
    ) -> None:
        proposed = anchors_of_first(channel)
        others = judge_signatures(channel, signed(proposed, *members[1:5]), NOW)
        assert (others.sufficient, others.needed, others.missing) == (False, 1, 1)
        assert others.candidates == ("Org1MSP",)
        assert judge_signatures(channel, signed(proposed, members[0]), NOW).sufficient

    def test_signatures_that_count_for_nothing_say_why(
        self, channel: ChannelConfig, proposed: ProposedUpdate, members: list[ChannelMember]
    ) -> None:
        forged = config_signature(b"another update", members[1].admin, NONCE)
        stranger = ThrowawayCa.root("ca.org9", "Org9MSP").issue("admin")
        made = signed(proposed, members[0]).signed_by(members[2].client, NONCE).signed_by(stranger, NONCE)
        made = ProposedUpdate(made.channel_id, made.update_bytes, (*made.signatures, forged))
        approval = judge_signatures(channel, made, NOW)
        assert approval.signed_members == ("Org1MSP",)
        first, client, unknown, wrong = approval.signers
        assert (first.problem, first.is_admin) == (None, True)
        assert (client.problem, client.is_admin, client.subject) == (None, False, "CN=client,OU=client")
        assert "Org9MSP is not defined on channel" in str(unknown.problem)
        assert "signature is invalid" in str(wrong.problem)

    def test_one_admin_twice_is_one_member(
        self, channel: ChannelConfig, proposed: ProposedUpdate, members: list[ChannelMember]
    ) -> None:
        twice = tuple(
            config_signature(proposed.update_bytes, members[0].admin, bytes([number] * 24))
            for number in range(3)
        )
        made = ProposedUpdate(proposed.channel_id, proposed.update_bytes, twice)
        approval = judge_signatures(channel, made, NOW)
        assert not approval.sufficient
        assert approval.signed_members == ("Org1MSP",)

    def test_a_revoked_admin_does_not_count(
        self, channel: ChannelConfig, members: list[ChannelMember]
    ) -> None:
        revoking = set_revocation_lists(
            channel.config.channel_group, "Org1MSP", [members[0].ca.revoke(members[0].admin)]
        )
        first = compute_update(CHANNEL, channel.config, revoking)
        from_now = apply_update(channel.config, first)
        desired = add_member(from_now.channel_group, members[5].bundle)
        proposed = ProposedUpdate.from_update(compute_update(CHANNEL, from_now, desired))
        approval = judge_signatures(channel_from(from_now), signed(proposed, *members[:3]), NOW)
        assert approval.signed_members == ("Org2MSP", "Org3MSP")
        assert "revoked" in str(approval.signers[0].problem)

    def test_a_policy_that_no_admins_can_satisfy(
        self, channel: ChannelConfig, members: list[ChannelMember]
    ) -> None:
        group = copy.deepcopy(channel.config.channel_group)
        group.groups["Orderer"].values["BatchSize"].mod_policy = "Nobody"
        current = configtx_pb2.Config(channel_group=group)
        desired = copy.deepcopy(group)
        desired.groups["Orderer"].values["BatchSize"].value = b"\x08\x07\x10\x09\x18\x01"
        proposed = ProposedUpdate.from_update(compute_update(CHANNEL, current, desired))
        approval = judge_signatures(channel_from(current), signed(proposed, *members[:5]), NOW)
        assert not approval.sufficient
        assert approval.needed is None
        assert "could not make this change" in approval.summary

    def test_a_part_that_no_policy_governs(self, channel: ChannelConfig) -> None:
        group = copy.deepcopy(channel.config.channel_group)
        group.groups["Orderer"].values["BatchSize"].mod_policy = ""
        current = configtx_pb2.Config(channel_group=group)
        desired = copy.deepcopy(group)
        desired.groups["Orderer"].values["BatchSize"].mod_policy = "Admins"
        proposed = ProposedUpdate.from_update(compute_update(CHANNEL, current, desired))
        with pytest.raises(ConfigUpdateError, match="nobody can change it"):
            judge_signatures(channel_from(current), proposed, NOW)

    def test_an_update_of_another_channel_or_time_is_refused(
        self, channel: ChannelConfig, proposed: ProposedUpdate
    ) -> None:
        other = ProposedUpdate("other", proposed.update_bytes)
        with pytest.raises(ConfigUpdateError, match="for channel 'other'"):
            judge_signatures(channel, other, NOW)
        after = channel_from(apply_update(channel.config, proposed.update))
        with pytest.raises(StaleUpdateError):
            judge_signatures(after, proposed, NOW)

    def test_a_signature_whose_header_is_noise(
        self, channel: ChannelConfig, proposed: ProposedUpdate
    ) -> None:
        made = ProposedUpdate(CHANNEL, proposed.update_bytes, (ConfigSignature(b"\xff", b""),))
        with pytest.raises(InvalidInputError):
            judge_signatures(channel, made, NOW)


def channel_from(config: configtx_pb2.Config) -> ChannelConfig:
    return from_config(CHANNEL, config)
