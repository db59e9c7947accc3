"""The quorum at every moment of a policy, not only where something begins."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.paper_log import BEGIN, signed_policy, trust_policy

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.policy_update import PolicyError, SignedPolicy, verify_update
from shirushi_core.proofs.trust_policy import QuorumRule, TrustPolicy
from shirushi_core.proofs.window import Window

POLICY = trust_policy()
FIRST = BEGIN - 1000
NOW = BEGIN + 5000


def with_rules(*rules: tuple[int, int, int | None]) -> TrustPolicy:
    """The five members' policy, with rules (quorum, from, to)."""
    quorums = tuple(QuorumRule(quorum, Window(begin, end)) for quorum, begin, end in rules)
    return dataclasses.replace(POLICY, quorums=quorums)


def leaving(*ends: int, rules: tuple[QuorumRule, ...] = POLICY.quorums) -> TrustPolicy:
    """The policy when its first members leave, one at each of these times."""
    members = list(POLICY.members)
    for number, end in enumerate(ends):
        members[number] = dataclasses.replace(members[number], window=Window(FIRST, end))
    return dataclasses.replace(POLICY, members=tuple(members), quorums=rules)


def test_a_rule_that_ends_into_a_laxer_one_is_refused() -> None:
    """Both begin when the policy does, and then the stricter one counts: looking at beginnings alone shows nothing."""
    with pytest.raises(
        InvalidInputError, match=rf"more than half of the 5 members there are at {NOW + 1}.*found.*1"
    ):
        with_rules((3, FIRST, NOW), (1, FIRST, None))


def test_a_moment_without_a_rule_between_rules_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=f"found none for {NOW + 1}"):
        with_rules((3, FIRST, NOW), (3, NOW + 2, None))
    with_rules((3, FIRST, NOW), (3, NOW + 1, None))


def test_a_last_rule_may_be_open_or_end() -> None:
    assert with_rules((3, FIRST, None)).quorum_at(1 << 40) == 3
    assert with_rules((3, FIRST, NOW)).quorum_at(NOW + 1) is None


def test_members_that_leave_must_leave_a_quorum_that_can_be_had() -> None:
    assert leaving(NOW).quorum_at(NOW + 1) == 3
    assert len(leaving(NOW, NOW).members_at(NOW + 1)) == 3
    with pytest.raises(InvalidInputError, match=f"2 members there are at {NOW + 9}"):
        leaving(NOW, NOW, NOW + 8)


def test_a_rule_that_fits_comes_with_members_that_leave() -> None:
    rules = (QuorumRule(3, Window(FIRST, NOW)), QuorumRule(2, Window(NOW + 1)))
    assert leaving(NOW, NOW, NOW, rules=rules).quorum_at(NOW + 1) == 2


def test_what_is_refused_as_a_policy_is_no_update_either() -> None:
    text = signed_policy(dataclasses.replace(POLICY, version=2, issued_at=NOW)).to_bytes()
    laxer = b'{"not_after":null,"not_before":%d,"quorum":1}' % FIRST
    old = b'"quorums":[{"not_after":null,"not_before":%d,"quorum":3}]' % FIRST
    assert old in text
    new = b'"quorums":[{"not_after":%d,"not_before":%d,"quorum":3},%s]' % (NOW, FIRST, laxer)
    with pytest.raises(InvalidInputError, match="more than half"):
        SignedPolicy.from_bytes(text.replace(old, new))


def test_an_update_may_not_open_a_gap_in_the_past() -> None:
    update = dataclasses.replace(
        POLICY,
        version=2,
        issued_at=NOW,
        quorums=(QuorumRule(3, Window(FIRST, NOW)), QuorumRule(4, Window(NOW + 1))),
    )
    assert verify_update(POLICY, signed_policy(update), NOW) == update
    moved = dataclasses.replace(update, quorums=(QuorumRule(4, Window(NOW + 1)),), issued_at=NOW + 1)
    with pytest.raises(PolicyError, match="takes back a quorum"):
        verify_update(POLICY, signed_policy(moved), NOW)


@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.integers(0, 30), st.none() | st.integers(0, 30)),
        min_size=1,
        max_size=4,
    ),
    st.lists(st.none() | st.integers(0, 30), min_size=5, max_size=5),
)
def test_a_policy_that_is_taken_has_a_majority_for_a_quorum_at_every_second(
    rules: list[tuple[int, int, int | None]], ends: list[int | None]
) -> None:
    at = POLICY.issued_at
    try:
        members = tuple(
            dataclasses.replace(member, window=Window(FIRST, None if end is None else at + end))
            for member, end in zip(POLICY.members, ends, strict=True)
        )
        quorums = tuple(
            QuorumRule(quorum, Window(at - 5 + begin, None if end is None else at - 5 + begin + end))
            for quorum, begin, end in rules
        )
        policy = dataclasses.replace(POLICY, members=members, quorums=quorums)
    except InvalidInputError:
        return
    first = min(rule.window.not_before for rule in policy.quorums)
    last = max(rule.window.not_after or at + 200 for rule in policy.quorums)
    for moment in range(first, min(last, at + 200) + 1):
        quorum, count = policy.quorum_at(moment), len(policy.members_at(moment))
        assert quorum is not None
        assert count // 2 < quorum <= count
