"""What one member has in the configuration and we cannot read costs that member, and nobody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fabric_protos.common import configtx_pb2, policies_pb2
from fabric_protos.msp import msp_config_pb2
from tests.support.channel_members import ChannelMember, channel_of, config_of
from tests.support.throwaway_ca import NOW, pem

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.channel_config import BatchParameters, ChannelConfig
from shirushi_core.fabric.config_checks import check_group
from shirushi_core.fabric.config_edits import set_batch, set_revocation_lists
from shirushi_core.fabric.msp import IdentityError
from shirushi_core.fabric.policy import PolicyError

Group = configtx_pb2.ConfigGroup
MEMBERS = tuple(ChannelMember.named(number) for number in (1, 2, 3))
ODD, GOOD = MEMBERS[0], MEMBERS[1]


def changed(change: Callable[[Group], None]) -> Group:
    """Return the root group with a change to the first member's groups at both levels."""
    group = Group()
    group.CopyFrom(channel_of(MEMBERS).config.channel_group)
    for level in ("Application", "Orderer"):
        change(group.groups[level].groups[ODD.msp_id])
    return group


def idemix(group: Group) -> None:
    outer = msp_config_pb2.MSPConfig.FromString(group.values["MSP"].value)
    outer.type = 1
    group.values["MSP"].value = outer.SerializeToString()


def no_config(group: Group) -> None:
    group.values["MSP"].value = msp_config_pb2.MSPConfig(config=b"\xff\xff").SerializeToString()


def garbled_root(group: Group) -> None:
    outer = msp_config_pb2.MSPConfig.FromString(group.values["MSP"].value)
    inner = msp_config_pb2.FabricMSPConfig.FromString(outer.config)
    inner.root_certs.append(b"no certificate")
    outer.config = inner.SerializeToString()
    group.values["MSP"].value = outer.SerializeToString()


MSPS = pytest.mark.parametrize("change", [idemix, no_config, garbled_root])


def identity(member: ChannelMember) -> bytes:
    return member.client.identity.serialized


@MSPS
def test_its_identities_are_refused_and_everybody_elses_are_not(change: Callable[[Group], None]) -> None:
    config = config_of(changed(change))
    for member in MEMBERS[1:]:
        assert config.msps.validate(identity(member), NOW).msp_id == member.msp_id
    with pytest.raises(IdentityError, match=r"cannot be read here|not defined on channel"):
        config.msps.validate(identity(ODD), NOW)
    assert list(config.unreadable) == [f"MSP {ODD.msp_id}"]


@MSPS
def test_the_others_go_on_changing_the_configuration(change: Callable[[Group], None]) -> None:
    group = changed(change)
    edited = set_batch(group, BatchParameters(100, 1 << 20, 1 << 20, 1.0))
    assert config_of(edited).batch.max_message_count == 100
    edited = set_revocation_lists(edited, GOOD.msp_id, [GOOD.ca.revoke(GOOD.client)])
    with pytest.raises(IdentityError, match="revoked"):
        config_of(edited).msps.validate(identity(GOOD), NOW)


def test_nobody_makes_a_configuration_so() -> None:
    with pytest.raises(InvalidInputError, match=f"MSP {ODD.msp_id}"):
        check_group(changed(garbled_root), channel_of(MEMBERS).config.channel_group)


def policies(config: ChannelConfig, path: str, *members: ChannelMember) -> None:
    signers = [config.msps.validate(member.admin.identity.serialized, NOW) for member in members]
    config.policies.get(path).evaluate(signers)


def test_a_policy_of_its_own_that_cannot_be_read_is_never_satisfied() -> None:
    def change(group: Group) -> None:
        group.policies["Admins"].policy.CopyFrom(policies_pb2.Policy(type=7, value=b"odd"))

    config = config_of(changed(change))
    with pytest.raises(PolicyError):
        policies(config, f"/Channel/Application/{ODD.msp_id}/Admins", ODD)
    policies(config, "/Channel/Application/Admins", *MEMBERS[1:])
    assert sorted(config.unreadable) == [
        f"policy /Channel/{level}/{ODD.msp_id}/Admins" for level in ("Application", "Orderer")
    ]


@pytest.mark.parametrize("kind", [9, 4])
def test_a_principal_that_no_msp_knows_is_matched_by_nobody(kind: int) -> None:
    def change(group: Group) -> None:
        value = policies_pb2.SignaturePolicyEnvelope.FromString(group.policies["Admins"].policy.value)
        value.identities.add(principal_classification=kind, principal=b"\xff")
        value.identities[0].principal = b"\xff"
        group.policies["Admins"].policy.value = value.SerializeToString()

    config = config_of(changed(change))
    assert not config.unreadable
    with pytest.raises(PolicyError):
        policies(config, f"/Channel/Application/{ODD.msp_id}/Admins", ODD)
    policies(config, "/Channel/Application/Admins", *MEMBERS[1:])


def test_a_root_of_its_own_that_no_library_reads_does_no_harm() -> None:
    certificate = pem(ODD.ca.certificate).replace(b"-----BEGIN", b"Subject: x\n-----BEGIN") + b"more"

    def change(group: Group) -> None:
        outer = msp_config_pb2.MSPConfig.FromString(group.values["MSP"].value)
        inner = msp_config_pb2.FabricMSPConfig.FromString(outer.config)
        inner.root_certs[0] = certificate
        outer.config = inner.SerializeToString()
        group.values["MSP"].value = outer.SerializeToString()

    config = config_of(changed(change))
    assert not config.unreadable
    assert config.msps.validate(identity(ODD), NOW).msp_id == ODD.msp_id
