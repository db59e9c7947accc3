"""Counting members: distinct ones, in their windows, under keys that the policy has."""

from __future__ import annotations

import dataclasses

import pytest
from tests.support.paper_log import (
    BEGIN,
    KEYS,
    LEDGER,
    MEMBERS,
    MemberKeys,
    PaperLog,
    issuer_record,
    quorum_certificate,
    trust_policy,
)

from shirushi_core.proofs.checkpoint import cosign
from shirushi_core.proofs.confirmation import (
    BadSignatureError,
    HeadVerifier,
    OtherLogError,
    TooFewError,
    UnknownKeyError,
)
from shirushi_core.proofs.log_evidence import Head
from shirushi_core.proofs.note import NoteSignature, SignedNote
from shirushi_core.proofs.trust_policy import cosigner_name
from shirushi_core.proofs.window import Window

AT = BEGIN + 600
NOW = BEGIN + 1000


@pytest.fixture
def log() -> PaperLog:
    log = PaperLog()
    log.add_block(issuers=[issuer_record()])
    return log


@pytest.fixture
def heads() -> HeadVerifier:
    return HeadVerifier(trust_policy())


def signature(log: PaperLog, member: str, at: int) -> NoteSignature:
    return cosign(log.checkpoint(), cosigner_name(LEDGER, member), KEYS[member].cosigner, at)


def head_of(log: PaperLog, *signatures: NoteSignature) -> Head:
    return Head(SignedNote(log.checkpoint().to_text(), signatures))


def test_a_quorum_of_cosignatures_confirms_and_says_as_of_when(log: PaperLog, heads: HeadVerifier) -> None:
    times = {"iizuka": AT, "haw": AT + 50, "gcom": AT + 20}
    confirmation = heads.verify(head_of(log, *(signature(log, *each) for each in times.items())), NOW)
    assert confirmation.times == times
    assert confirmation.as_of == AT
    four = head_of(log, *(signature(log, *each) for each in (times | {"kaguya": AT + 60}).items()))
    assert heads.verify(four, NOW).as_of == AT + 20  # the third newest


def test_a_quorum_certificate_alone_confirms(log: PaperLog, heads: HeadVerifier) -> None:
    certificate = quorum_certificate(log.checkpoint(), [KEYS[each] for each in MEMBERS[1:4]], AT)
    (line,) = KEYS["haw"].signatures(log.checkpoint(), AT).signatures[:1]
    head = Head(SignedNote(log.checkpoint().to_text(), (line,)), certificate)
    confirmation = heads.verify(head, NOW)
    assert set(confirmation.members) == set(MEMBERS[1:4])
    assert confirmation.as_of == AT // 60 * 60


def test_members_of_cosignatures_and_certificate_are_counted_once(log: PaperLog, heads: HeadVerifier) -> None:
    certificate = quorum_certificate(log.checkpoint(), [KEYS["iizuka"], KEYS["haw"]], AT)
    same = dataclasses.replace(log.head(AT, ["iizuka", "haw"]), quorum=certificate)
    assert len(heads.confirm(same, NOW).times) == 2
    other = dataclasses.replace(log.head(AT, ["gcom"]), quorum=certificate)
    assert len(heads.confirm(other, NOW).times) == 3


def test_the_same_member_twice_counts_once_at_its_newest_time(log: PaperLog, heads: HeadVerifier) -> None:
    twice = head_of(log, *(signature(log, "haw", at) for at in (AT, AT + 9, AT + 5)))
    confirmation = heads.confirm(twice, NOW)
    assert confirmation.times == {"haw": AT + 9}
    with pytest.raises(TooFewError, match="expected 3 members' signatures, found 1"):
        heads.verify(twice, NOW)


def test_two_keys_of_one_member_count_once(log: PaperLog) -> None:
    policy = trust_policy()
    first = policy.members[0]
    second_keys = MemberKeys("iizuka-new")
    cosigner = [
        key for key in second_keys.policy_member(Window(BEGIN - 1000)).keys if key.use.value == "cosigner"
    ]
    both = dataclasses.replace(
        first, keys=tuple(sorted((*first.keys, *cosigner), key=lambda k: (k.use, k.key_id)))
    )
    heads = HeadVerifier(dataclasses.replace(policy, members=(both, *policy.members[1:])))
    other = cosign(log.checkpoint(), cosigner_name(LEDGER, "iizuka"), second_keys.cosigner, AT)
    assert heads.confirm(head_of(log, signature(log, "iizuka", AT), other), NOW).members == ("iizuka",)


def test_what_a_member_signed_out_of_its_window_is_not_counted_and_said(log: PaperLog) -> None:
    policy = trust_policy()
    left = dataclasses.replace(policy.members[0], window=Window(BEGIN - 1000, AT - 1))
    heads = HeadVerifier(dataclasses.replace(policy, members=(left, *policy.members[1:])))
    confirmation = heads.confirm(log.head(AT, MEMBERS[:3]), NOW)
    assert set(confirmation.members) == {"chaintope", "haw"}
    assert confirmation.not_counted == {"iizuka": "it was no member when it signed"}
    assert heads.confirm(log.head(AT - 1, MEMBERS[:3]), NOW).is_enough


def test_a_key_out_of_its_window_is_not_counted(log: PaperLog) -> None:
    policy = trust_policy()
    first = policy.members[0]
    old = tuple(dataclasses.replace(key, window=Window(BEGIN - 1000, AT - 1)) for key in first.keys)
    heads = HeadVerifier(
        dataclasses.replace(policy, members=(dataclasses.replace(first, keys=old), *policy.members[1:]))
    )
    assert heads.confirm(log.head(AT, MEMBERS[:3]), NOW).not_counted == {
        "iizuka": "its key was out of its window when it signed"
    }


def test_a_signature_from_the_future_is_not_counted(log: PaperLog, heads: HeadVerifier) -> None:
    assert heads.confirm(log.head(NOW + 300), NOW).is_enough
    assert not heads.confirm(log.head(NOW + 301), NOW).is_enough


def test_a_head_of_another_ledger_is_refused(heads: HeadVerifier) -> None:
    other = PaperLog("other-test")
    other.add_block(issuers=[issuer_record()])
    with pytest.raises(OtherLogError, match="shirushi/other-test"):
        heads.confirm(other.head(AT), NOW)


def test_a_signature_of_a_key_that_the_policy_does_not_have_is_refused(
    log: PaperLog, heads: HeadVerifier
) -> None:
    stranger = MemberKeys("stranger")
    line = cosign(log.checkpoint(), cosigner_name(LEDGER, "haw"), stranger.cosigner, AT)
    with pytest.raises(UnknownKeyError, match="get a newer policy"):
        heads.confirm(head_of(log, line), NOW)


def test_a_signature_that_does_not_hold_is_refused_whoever_else_signed(
    log: PaperLog, heads: HeadVerifier
) -> None:
    good = [signature(log, member, AT) for member in MEMBERS]
    bad = dataclasses.replace(good[0], signature=good[0].signature[:-1] + bytes([good[0].signature[-1] ^ 1]))
    with pytest.raises(BadSignatureError, match="iizuka"):
        heads.confirm(head_of(log, bad, *good[1:]), NOW)


def test_a_quorum_certificate_that_does_not_hold_is_refused_beside_good_cosignatures(
    log: PaperLog, heads: HeadVerifier
) -> None:
    certificate = quorum_certificate(log.checkpoint(), [KEYS[each] for each in MEMBERS[:3]], AT)
    for forged in (
        dataclasses.replace(certificate, minute=certificate.minute + 1),
        dataclasses.replace(certificate, signers=("chaintope", "gcom", "haw")),
        dataclasses.replace(certificate, signers=("chaintope", "haw")),
    ):
        with pytest.raises(BadSignatureError):
            heads.confirm(dataclasses.replace(log.head(AT), quorum=forged), NOW)
    stranger = dataclasses.replace(certificate, signers=("chaintope", "haw", "stranger"))
    with pytest.raises(UnknownKeyError, match="stranger"):
        heads.confirm(dataclasses.replace(log.head(AT), quorum=stranger), NOW)


def test_the_quorum_is_that_of_the_time_of_signing(log: PaperLog) -> None:
    policy = trust_policy()
    rule = policy.quorums[0]
    before = dataclasses.replace(rule, window=Window(BEGIN - 1000, AT))
    after = dataclasses.replace(rule, quorum=4, window=Window(AT + 1))
    heads = HeadVerifier(dataclasses.replace(policy, quorums=(before, after)))
    assert heads.confirm(log.head(AT), NOW).is_enough
    assert not heads.confirm(log.head(AT + 1), NOW).is_enough
