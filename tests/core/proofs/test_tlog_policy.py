"""The C2SP form of a trust policy, read by a reader of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations

import pytest
from tests.support.paper_log import BEGIN, MEMBERS, MemberKeys, trust_policy

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.note import VerifierKey
from shirushi_core.proofs.tlog_policy import to_tlog_policy
from shirushi_core.proofs.trust_policy import (
    KeyUse,
    PolicyKey,
    TrustPolicy,
    sorted_keys,
)
from shirushi_core.proofs.window import Window

POLICY = trust_policy()
NOW = BEGIN + 100


def read(text: str) -> tuple[list[list[str]], dict[str, VerifierKey], Callable[[set[str]], bool]]:
    """Read a tlog-policy as its specification says: logs, witnesses by name, and whether some witnesses are a quorum."""
    logs, witnesses = [], {}
    rules: dict[str, Callable[[set[str]], bool]] = {}
    quorum = ""
    for line in text.splitlines():
        match line.split():
            case [] | ["#", *_]:
                continue
            case ["log", vkey, *url]:
                logs.append([vkey, *url])
            case ["witness", name, vkey, *_]:
                assert name not in rules
                witnesses[name] = VerifierKey.from_text(vkey)
                rules[name] = lambda signed, name=name: name in signed  # type: ignore[misc]
            case ["group", name, k, *members]:
                assert name not in rules
                assert len(set(members)) == len(members)
                assert all(member in rules for member in members)
                needed = {"any": 1, "all": len(members)}.get(k) or int(k)
                assert 1 <= needed <= len(members)
                rules[name] = _threshold(needed, {member: rules[member] for member in members})
            case ["quorum", name]:
                assert not quorum
                quorum = name
            case _:
                raise AssertionError(line)
    keys = [key.public_key for key in witnesses.values()]
    assert len(set(keys)) == len(keys)
    return logs, witnesses, rules[quorum]


def _threshold(needed: int, members: Mapping[str, Callable[[set[str]], bool]]) -> Callable[[set[str]], bool]:
    return lambda signed: sum(rule(signed) for rule in members.values()) >= needed


def test_any_three_of_five_members_are_a_quorum_and_no_two() -> None:
    _, witnesses, is_quorum = read(to_tlog_policy(POLICY, NOW))
    assert len(witnesses) == 5
    assert all(is_quorum(set(three)) for three in combinations(witnesses, 3))
    assert not any(is_quorum(set(two)) for two in combinations(witnesses, 2))


def test_each_member_is_a_log_of_one_origin_and_a_witness_under_its_cosigners_name() -> None:
    logs, witnesses, _ = read(to_tlog_policy(POLICY, NOW))
    assert {VerifierKey.from_text(vkey).name for vkey, *_ in logs} == {POLICY.origin}
    assert len(logs) == len(MEMBERS)
    assert {name: key.name for name, key in witnesses.items()} == {
        member: f"{POLICY.origin}/{member}" for member in MEMBERS
    }


def with_second_key(policy: TrustPolicy, member_id: str) -> TrustPolicy:
    """A policy in which a member has another cosigner key too, as while it changes keys."""
    key = MemberKeys(f"{member_id}-new").cosigner.public_key().public_bytes_raw()
    extra = PolicyKey(KeyUse.COSIGNER, key, Window(BEGIN - 1000))
    members = tuple(
        replace(member, keys=sorted_keys([*member.keys, extra])) if member.id == member_id else member
        for member in policy.members
    )
    return replace(policy, members=members)


def test_a_member_with_two_keys_counts_once() -> None:
    _, witnesses, is_quorum = read(to_tlog_policy(with_second_key(POLICY, "haw"), NOW))
    of_haw = {name for name in witnesses if name.startswith("haw.")}
    assert len(of_haw) == 2
    others = [name for name in witnesses if name not in of_haw]
    assert not is_quorum(of_haw | {others[0]})
    assert all(is_quorum({each, *others[:2]}) for each in of_haw)


def test_only_who_is_a_member_then_and_only_keys_in_their_windows_are_in_it() -> None:
    ended = Window(BEGIN - 1000, BEGIN)
    members = tuple(
        replace(member, window=ended) if member.id == "gcom" else member for member in POLICY.members
    )
    policy = replace(POLICY, members=members)
    assert len(read(to_tlog_policy(policy, NOW))[1]) == 4
    assert len(read(to_tlog_policy(policy, BEGIN))[1]) == 5


def test_without_enough_members_then_there_is_none() -> None:
    with pytest.raises(InvalidInputError, match="3 are needed"):
        to_tlog_policy(replace(POLICY, members=tuple(_ended(POLICY))), NOW)
    with pytest.raises(InvalidInputError, match="no quorum"):
        to_tlog_policy(POLICY, BEGIN - 2000)


def _ended(policy: TrustPolicy) -> list[object]:
    ended = Window(BEGIN - 1000, BEGIN)
    return [
        replace(member, keys=tuple(replace(key, window=ended) for key in member.keys))
        for member in policy.members
    ]
