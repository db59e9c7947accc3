"""A key that a member ground until its four-byte id was another member's."""

from __future__ import annotations

import dataclasses
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.support.paper_log import BEGIN, KEYS, PaperLog, issuer_record, trust_policy

from shirushi_client.audit.signatures import read_signatures
from shirushi_client.head_signatures import HeadSignatures
from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import policy_checks
from shirushi_core.proofs.checkpoint import sign_as_log
from shirushi_core.proofs.confirmation import BadSignatureError, HeadVerifier
from shirushi_core.proofs.log_evidence import Head
from shirushi_core.proofs.note import NoteSignature, SignedNote
from shirushi_core.proofs.trust_policy import KeyUse, PolicyKey, PolicyMember, TrustPolicy, sorted_keys

AT, NOW = BEGIN + 600, BEGIN + 1000
VICTIM, GRINDER = (
    Ed25519PrivateKey.from_private_bytes(sha256(f"grind {number}".encode()).digest())
    for number in (46246, 67424)
)
"""Two log keys of the ledger shirushi-test with the same key id: a minute's search."""


def with_log_key(member: PolicyMember, key: Ed25519PrivateKey) -> PolicyMember:
    keys = [
        dataclasses.replace(each, public_key=key.public_key().public_bytes_raw())
        if each.use is KeyUse.LOG
        else each
        for each in member.keys
    ]
    return dataclasses.replace(member, keys=sorted_keys(keys))


def members() -> tuple[PolicyMember, ...]:
    first, second, *others = trust_policy().members
    return (with_log_key(first, VICTIM), with_log_key(second, GRINDER), *others)


@pytest.fixture
def ground(monkeypatch: pytest.MonkeyPatch) -> TrustPolicy:
    """A policy as one that does not look for such keys would take it."""
    monkeypatch.setattr(policy_checks, "check_key_ids", lambda _: None)
    return dataclasses.replace(trust_policy(), members=members())


@pytest.fixture
def log() -> PaperLog:
    log = PaperLog()
    log.add_block(issuers=[issuer_record()])
    return log


def note(log: PaperLog, *lines: NoteSignature) -> SignedNote:
    return SignedNote(log.checkpoint().to_text(), lines)


def bad(line: NoteSignature) -> NoteSignature:
    return dataclasses.replace(line, signature=line.signature[:-1] + bytes([line.signature[-1] ^ 1]))


def test_two_keys_of_one_name_and_key_id_are_refused_in_a_policy() -> None:
    with pytest.raises(
        InvalidInputError, match=r"the log key of chaintope has the key id 212a426d of another key, of iizuka"
    ):
        dataclasses.replace(trust_policy(), members=members())


def test_two_keys_of_one_member_with_one_key_id_are_refused_too() -> None:
    first, *others = trust_policy().members
    key = PolicyKey(KeyUse.LOG, GRINDER.public_key().public_bytes_raw(), first.window)
    both = dataclasses.replace(
        with_log_key(first, VICTIM), keys=sorted_keys([*with_log_key(first, VICTIM).keys, key])
    )
    with pytest.raises(InvalidInputError, match="key id 212a426d"):
        dataclasses.replace(trust_policy(), members=(both, *others))


def test_a_line_counts_if_it_holds_under_any_key_of_its_id(ground: TrustPolicy, log: PaperLog) -> None:
    cosigned = log.head(AT).note.signatures
    for key in (VICTIM, GRINDER):
        head = Head(
            note(
                log,
                sign_as_log(log.checkpoint(), key),
                *(each for each in cosigned if each.name.count("/") == 2),
            )
        )
        assert HeadVerifier(ground).confirm(head, NOW).is_enough


def test_a_line_that_holds_under_none_of_them_is_bad(ground: TrustPolicy, log: PaperLog) -> None:
    line = bad(sign_as_log(log.checkpoint(), VICTIM))
    with pytest.raises(BadSignatureError, match=r"iizuka: .*; chaintope: "):
        HeadVerifier(ground).confirm(Head(note(log, line)), NOW)


def test_anothers_line_of_the_same_id_does_not_silence_a_member(ground: TrustPolicy, log: PaperLog) -> None:
    own = sign_as_log(log.checkpoint(), VICTIM)
    cosignature = KEYS["iizuka"].signatures(log.checkpoint(), AT).signatures[1]
    for more in (sign_as_log(log.checkpoint(), GRINDER), bad(own), bad(cosignature)):
        for lines in ((own, cosignature, more), (more, own, cosignature)):
            signatures = HeadSignatures(HeadVerifier(ground), lambda: NOW)
            assert signatures.add("iizuka", note(log, *lines)) == log.checkpoint()
            assert signatures.confirmation(log.checkpoint()).members == ("iizuka",)
            assert signatures.head(log.checkpoint()).note.signatures == (own, cosignature)


def test_an_audit_holds_a_line_against_nobody_whose_it_is_not(ground: TrustPolicy, log: PaperLog) -> None:
    line = sign_as_log(log.checkpoint(), GRINDER)
    assert [(each.member_id, each.holds) for each in read_signatures(note(log, line), ground)] == [
        ("chaintope", True)
    ]
    assert not any(each.holds for each in read_signatures(note(log, bad(line)), ground))
