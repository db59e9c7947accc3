"""The trust policy: what it may hold, and how one version follows another."""

from __future__ import annotations

import dataclasses
import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from tests.support.paper_log import BEGIN, KEYS, MEMBERS, MemberKeys, signed_policy, trust_policy

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs.canonical import Json, encode
from shirushi_core.proofs.policy_update import (
    PolicyError,
    SignedPolicy,
    parse_trusted,
    signers,
    verify_signed,
    verify_update,
)
from shirushi_core.proofs.status_max_age import StatusMaxAge
from shirushi_core.proofs.trust_policy import (
    KeyUse,
    PolicyKey,
    PolicyMember,
    QuorumRule,
    TrustPolicy,
    WitnessAddress,
    cosigner_name,
    sorted_keys,
)
from shirushi_core.proofs.window import Window

NOW = BEGIN + 5000


def following(policy: TrustPolicy, **changes: object) -> TrustPolicy:
    values: dict[str, object] = {"version": policy.version + 1, "issued_at": NOW} | changes
    return dataclasses.replace(policy, **values)  # type: ignore[arg-type]


def with_member(policy: TrustPolicy, member: PolicyMember) -> tuple[PolicyMember, ...]:
    return tuple(member if each.id == member.id else each for each in policy.members)


def without_key(member: PolicyMember, use: KeyUse) -> PolicyMember:
    return dataclasses.replace(member, keys=tuple(key for key in member.keys if key.use is not use))


def ended(member: PolicyMember, at: int) -> PolicyMember:
    return dataclasses.replace(member, window=Window(member.window.not_before, at))


def test_a_policy_is_read_as_it_was_written() -> None:
    signed = signed_policy(trust_policy())
    assert SignedPolicy.from_bytes(signed.to_bytes()) == signed


def test_its_fingerprint_does_not_depend_on_who_signed() -> None:
    policy = trust_policy()
    assert signed_policy(policy, ["haw"]).policy.fingerprint == signed_policy(policy).policy.fingerprint


def test_cosigners_are_named_by_ledger_and_member() -> None:
    assert cosigner_name("shirushi-test", "haw") == "shirushi/shirushi-test/haw"


@pytest.mark.parametrize("quorum", [0, 1, 2, 6])
def test_a_quorum_that_is_no_majority_or_more_than_all_is_refused(quorum: int) -> None:
    with pytest.raises(InvalidInputError, match="quorum"):
        trust_policy(quorum=quorum)


def test_a_member_that_comes_must_not_make_the_quorum_a_minority() -> None:
    policy = trust_policy()
    sixth = MemberKeys("sixth").policy_member(Window(NOW))
    with pytest.raises(InvalidInputError, match="more than half of the 6 members"):
        following(policy, members=(*policy.members, sixth))
    rules = (
        QuorumRule(3, Window(policy.quorums[0].window.not_before, NOW - 1)),
        QuorumRule(4, Window(NOW)),
    )
    grown = following(policy, members=(*policy.members, sixth), quorums=rules)
    assert (grown.quorum_at(NOW - 1), grown.quorum_at(NOW)) == (3, 4)


def test_one_key_of_two_members_is_refused() -> None:
    policy = trust_policy()
    first, second = policy.members[:2]
    both = dataclasses.replace(second, keys=first.keys)
    with pytest.raises(InvalidInputError, match="each key once"):
        dataclasses.replace(policy, members=(first, both, *policy.members[2:]))


def test_a_bls_key_without_a_proof_of_possession_or_with_anothers_is_refused() -> None:
    (own,) = [key for key in KEYS["haw"].policy_member(Window(BEGIN)).keys if key.use is KeyUse.BLS]
    (other,) = [key for key in KEYS["gcom"].policy_member(Window(BEGIN)).keys if key.use is KeyUse.BLS]
    with pytest.raises(InvalidInputError, match="proof of possession"):
        dataclasses.replace(own, possession=None)
    with pytest.raises(InvalidInputError, match="possession"):
        dataclasses.replace(own, possession=other.possession)


def test_signers_are_counted_once_however_often_they_sign() -> None:
    policy = trust_policy()
    signed = signed_policy(policy, ["haw", "haw", "gcom"])
    twice = SignedPolicy(policy, (*signed.signatures, *signed.signatures))
    assert signers(twice, policy, NOW) == ("haw", "gcom")
    with pytest.raises(PolicyError, match="expected signatures of 3 members of version 1, found 2"):
        verify_signed(twice, policy, NOW)


def test_a_signature_by_a_known_key_that_does_not_hold_is_an_error_and_not_an_absence() -> None:
    policy = trust_policy()
    signed = signed_policy(policy)
    other = dataclasses.replace(policy, expires_at=NOW)
    with pytest.raises(PolicyError, match="does not hold"):
        signers(SignedPolicy(other, signed.signatures), policy, NOW)


def test_a_signature_for_another_member_counts_for_nobody() -> None:
    policy = trust_policy()
    signed = SignedPolicy(policy).signed_by("iizuka", KEYS["haw"].admin)
    assert signers(signed, policy, NOW) == ()


def test_the_next_version_signed_by_a_quorum_is_taken() -> None:
    policy = trust_policy()
    update = following(policy, expires_at=NOW + 1)
    assert verify_update(policy, signed_policy(update, MEMBERS[:3]), NOW) == update


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": 3}, "expected version 2, found 3"),
        ({"version": 1}, "expected version 2, found 1"),
        ({"ledger": "other"}, "ledger"),
        ({"issued_at": BEGIN - 500}, "before the present one"),
    ],
)
def test_another_version_or_ledger_is_not_taken(change: dict[str, object], why: str) -> None:
    policy = trust_policy()
    with pytest.raises(PolicyError, match=why):
        verify_update(policy, signed_policy(following(policy, **change)), NOW)


def test_too_few_signatures_are_not_enough_for_a_new_version() -> None:
    policy = trust_policy()
    with pytest.raises(PolicyError, match="found 2"):
        verify_update(policy, signed_policy(following(policy), MEMBERS[:2]), NOW)


def test_new_members_signatures_do_not_count_for_their_own_admission() -> None:
    policy = trust_policy(MEMBERS[:3], quorum=2)
    grown = following(trust_policy(), version=2)
    with pytest.raises(PolicyError, match="found 0"):
        verify_update(policy, signed_policy(grown, MEMBERS[3:]), NOW)


def test_a_member_that_left_cannot_sign_any_more() -> None:
    policy = trust_policy()
    policy = dataclasses.replace(policy, members=with_member(policy, ended(policy.members[0], NOW - 10)))
    signed = signed_policy(following(policy), ["iizuka", "haw", "gcom"])
    with pytest.raises(PolicyError, match="found 2"):
        verify_update(policy, signed, NOW)


def test_ending_windows_is_allowed_and_taking_back_the_past_is_not() -> None:
    policy = trust_policy()
    first = policy.members[0]
    leaves = following(policy, members=with_member(policy, ended(first, NOW - 1)))
    assert verify_update(policy, signed_policy(leaves), NOW) == leaves
    for changed in (
        policy.members[1:],
        with_member(policy, without_key(first, KeyUse.COSIGNER)),
        with_member(policy, dataclasses.replace(first, window=Window(first.window.not_before + 1))),
    ):
        with pytest.raises(PolicyError, match="takes back"):
            verify_update(policy, signed_policy(following(policy, members=changed)), NOW)
    with pytest.raises(PolicyError, match="takes back a seal"):
        verify_update(policy, signed_policy(following(policy, issuers=())), NOW)


def test_what_has_ended_stays_ended() -> None:
    policy = trust_policy()
    past = dataclasses.replace(
        policy, members=with_member(policy, ended(policy.members[0], BEGIN)), issued_at=BEGIN + 1
    )
    again = following(past, members=with_member(past, policy.members[0]))
    with pytest.raises(PolicyError, match="takes back"):
        verify_update(past, signed_policy(again, MEMBERS[1:]), NOW)


def test_keys_are_rotated_by_ending_the_old_and_adding_the_new() -> None:
    policy = trust_policy()
    first = policy.members[0]
    fresh = MemberKeys("iizuka-new").policy_member(Window(NOW)).keys
    old = tuple(dataclasses.replace(key, window=Window(key.window.not_before, NOW)) for key in first.keys)
    rotated = dataclasses.replace(first, keys=sorted_keys((*old, *fresh)))
    update = following(policy, members=with_member(policy, rotated))
    assert verify_update(policy, signed_policy(update), NOW) == update


def test_how_old_a_status_may_be_is_part_of_it_by_document_type() -> None:
    policy = dataclasses.replace(
        trust_policy(), status_max_age=StatusMaxAge.of(3600, {"tax": 60, "income": 600})
    )
    assert [policy.status_max_age_of(each) for each in ("tax", "income", "other")] == [60, 600, 3600]
    assert policy.to_json()["status_max_age"] == {"default": 3600, "types": {"income": 600, "tax": 60}}
    assert SignedPolicy.from_bytes(signed_policy(policy).to_bytes()).policy == policy


def test_a_policy_that_was_made_before_it_had_that_field_means_seven_days_and_keeps_its_bytes() -> None:
    policy = trust_policy()
    data = signed_policy(policy).to_bytes()
    assert b"status_max_age" not in data
    assert SignedPolicy.from_bytes(data).to_bytes() == data
    assert policy.status_max_age_of("tax") == 7 * 86400


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"default": 1},
        {"default": 0, "types": {}},
        {"default": True, "types": {}},
        {"default": 1, "types": []},
        {"default": 1, "types": {"TAX": 1}},
        {"default": 1, "types": {"tax": -1}},
        {"default": 1, "types": {f"type-{number}": 1 for number in range(257)}},
        {"default": 1, "types": {}, "more": 1},
    ],
)
def test_another_form_of_it_is_refused(value: Json) -> None:
    with pytest.raises(InvalidInputError, match="status_max_age"):
        TrustPolicy.from_json(trust_policy().to_json() | {"status_max_age": value})


@pytest.mark.parametrize("use", [KeyUse.LOG, KeyUse.COSIGNER])
def test_an_ed25519_key_that_anybody_could_sign_for_is_refused(use: KeyUse) -> None:
    with pytest.raises(InvalidInputError, match="small order"):
        PolicyKey(use, bytes([1]) + bytes(31), Window(BEGIN))


def test_another_encoding_of_an_admins_key_is_refused() -> None:
    key = KEYS["haw"].admin.public_key()
    point = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    head = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    with pytest.raises(InvalidInputError, match="canonical"):
        PolicyKey(KeyUse.POLICY, head + point, Window(BEGIN))


def test_addresses_that_are_not_https_and_names_that_hide_something_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="https://host"):
        WitnessAddress("http://haw.example:17057")
    policy = trust_policy()
    for field in ("name_ja", "name_en"):
        with pytest.raises(InvalidInputError, match=r"U\+202E"):
            dataclasses.replace(policy.members[0], **{field: "Haw\u202e"})
        with pytest.raises(InvalidInputError, match=r"U\+000A"):
            dataclasses.replace(policy.issuers[0], **{field: "Haw\nquorum: 1"})


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_with_a_typed_error(data: bytes) -> None:
    with pytest.raises(ShirushiError):
        parse_trusted(data, NOW)


def test_every_field_of_a_policy_that_is_left_out_or_of_another_type_is_refused() -> None:
    value = json.loads(signed_policy(trust_policy()).to_bytes())

    def places(node: object, at: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        if isinstance(node, dict):
            return [place for name in node for place in [(*at, name), *places(node[name], (*at, name))]]
        if isinstance(node, list) and node:
            return places(node[0], (*at, 0))
        return []

    for place in places(value):
        for change in ("gone", "typed"):
            copy = json.loads(json.dumps(value))
            node = copy
            for step in place[:-1]:
                node = node[step]
            if change == "gone":
                del node[place[-1]]
            else:
                node[place[-1]] = [[]]
            with pytest.raises(InvalidInputError):
                SignedPolicy.from_bytes(encode(copy))
