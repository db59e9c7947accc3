"""The quorum certificate: one signature of several members, each counted once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import bls
from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_core.proofs.quorum import (
    QuorumCertificate,
    combine,
    quorum_statement,
    sign_quorum_statement,
    verify_quorum_certificate,
)

CHECKPOINT = Checkpoint("shirushi/shirushi-test", 42, bytes(range(32)))
MINUTE = 29_900_000
MEMBERS = ("chaintope", "gcom", "haw", "iizuka", "kaguya")
SECRETS = {member: bls.key_from_seed(member.encode().ljust(32)) for member in MEMBERS}
KEYS = {member: bls.public_key(secret) for member, secret in SECRETS.items()}


def certificate(*members: str) -> QuorumCertificate:
    shares = {member: sign_quorum_statement(CHECKPOINT, MINUTE, SECRETS[member]) for member in members}
    return combine(CHECKPOINT, MINUTE, shares, KEYS)


def test_the_statement_names_ledger_head_and_minute_and_no_member() -> None:
    assert quorum_statement(CHECKPOINT, MINUTE) == (
        b"shirushi/quorum/v1\nshirushi/shirushi-test\n42\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n29900000\n"
    )


def test_a_certificate_names_its_signers_in_order_and_holds() -> None:
    made = certificate("kaguya", "haw", "iizuka")
    assert made.signers == ("haw", "iizuka", "kaguya")
    assert made.time == MINUTE * 60
    assert verify_quorum_certificate(made, CHECKPOINT, KEYS) == made.signers


def test_a_share_that_does_not_hold_is_left_out() -> None:
    shares = {member: sign_quorum_statement(CHECKPOINT, MINUTE, SECRETS[member]) for member in MEMBERS}
    shares["haw"] = sign_quorum_statement(CHECKPOINT, MINUTE + 1, SECRETS["haw"])
    shares["gcom"] = shares["iizuka"]
    shares["nobody"] = shares["iizuka"]
    made = combine(CHECKPOINT, MINUTE, shares, KEYS)
    assert made.signers == ("chaintope", "iizuka", "kaguya")
    assert verify_quorum_certificate(made, CHECKPOINT, KEYS) == made.signers


@pytest.mark.parametrize(
    "changes",
    [
        {"minute": MINUTE + 1},
        {"signers": ("haw", "iizuka")},
        {"signers": ("gcom", "haw", "iizuka", "kaguya")},
        {"signers": ("gcom", "haw", "iizuka")},
        {"signers": ("haw", "iizuka", "nobody")},
        {"signature": bytes(96)},
    ],
)
def test_a_certificate_that_says_something_else_does_not_hold(changes: dict[str, object]) -> None:
    with pytest.raises(bls.BlsError):
        verify_quorum_certificate(
            replace(certificate("haw", "iizuka", "kaguya"), **changes), CHECKPOINT, KEYS
        )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "other",
    [
        replace(CHECKPOINT, origin="shirushi/other"),
        replace(CHECKPOINT, size=43),
        replace(CHECKPOINT, root=bytes(32)),
    ],
)
def test_it_is_about_one_head_of_one_ledger(other: Checkpoint) -> None:
    with pytest.raises(bls.BlsError, match="does not hold"):
        verify_quorum_certificate(certificate("haw", "iizuka"), other, KEYS)


@pytest.mark.parametrize("signers", [(), ("iizuka", "haw"), ("haw", "haw")])
def test_signers_are_in_order_and_each_there_once(signers: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInputError):
        QuorumCertificate(MINUTE, signers, bytes(96))
