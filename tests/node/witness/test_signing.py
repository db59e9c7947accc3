"""When a head may be signed, decided without any store or clock."""

from __future__ import annotations

import base64
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tests.support.witnesses import ORIGIN, cosigner_of, keys_of

from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_node.witness.records import Head
from shirushi_node.witness.signed_heads import SignedHead
from shirushi_node.witness.signing import heads_to_sign, judge, log_note, sign_head

MINUTE = 60
NOON = 1_790_000_040 // MINUTE * MINUTE


def root(size: int) -> bytes:
    return sha256(b"%d" % size).digest()


def head(size: int) -> Head:
    return Head(size, root(size), size, bytes(32))


def signed(size: int, time: int = NOON) -> SignedHead:
    return sign_head(Checkpoint(ORIGIN, size, root(size)), keys_of("org1"), f"{ORIGIN}/org1", time)


@pytest.mark.parametrize(
    ("newest", "before", "time", "due"),
    [
        (None, 0, NOON, [5, 8, 11]),
        (signed(5), 0, NOON, [8, 11]),
        (signed(8), 0, NOON + 59, [11]),
        (signed(8), 0, NOON + 60, [8, 11]),
        (signed(11), 0, NOON + 59, []),
        (signed(11), 0, NOON + 60, [11]),
        (signed(11), 0, NOON - 60, []),
        (signed(20), 0, NOON + 600, []),
        (None, 8, NOON, [8, 11]),
        (signed(5), 9, NOON, [11]),
        (signed(5), 12, NOON, []),
    ],
)
def test_newer_heads_and_the_newest_in_a_later_minute_are_due(
    newest: SignedHead | None, before: int, time: int, due: list[int]
) -> None:
    heads = [head(5), head(8), head(11)]
    assert [each.size for each in heads_to_sign(heads, newest, before, time)] == due


def test_a_log_that_extends_what_was_signed_may_be_signed() -> None:
    assert judge(Checkpoint(ORIGIN, 8, root(8)), 8, root) is None
    assert judge(Checkpoint(ORIGIN, 8, root(8)), 80, root) is None


def test_a_log_that_is_shorter_than_what_was_signed_waits() -> None:
    refusal = judge(Checkpoint(ORIGIN, 8, root(8)), 7, root)
    assert refusal is not None
    assert not refusal.for_good


def test_a_log_that_differs_from_what_was_signed_is_refused_for_good() -> None:
    refusal = judge(Checkpoint(ORIGIN, 8, root(9)), 80, root)
    assert refusal is not None
    assert refusal.for_good
    assert root(9).hex() in refusal.sentence
    assert root(8).hex() in refusal.sentence


def test_the_lines_are_c2sps_checked_without_our_own_code() -> None:
    keys, head_text = keys_of("org1"), f"{ORIGIN}\n8\n{base64.b64encode(root(8)).decode()}\n"
    text = signed(8).note.to_text()
    body, _, lines = text.partition("\n\n")
    assert body + "\n" == head_text
    log_line, cosignature, share = lines.splitlines()
    origin_key = keys.log.public_key().public_bytes_raw()
    member_key = keys.cosigner.public_key().public_bytes_raw()
    for line, name, kind, key in (
        (log_line, ORIGIN, b"\x01", origin_key),
        (cosignature, f"{ORIGIN}/org1", b"\x04", member_key),
    ):
        dash, found_name, encoded = line.split(" ")
        data = base64.b64decode(encoded)
        assert (dash, found_name) == ("—", name)
        assert data[:4] == sha256(name.encode() + b"\n" + kind + key).digest()[:4]
        signature, message = data[4:], head_text
        if kind == b"\x04":
            time = int.from_bytes(signature[:8], "big")
            assert time == NOON
            message = f"cosignature/v1\ntime {time}\n{head_text}"
            signature = signature[8:]
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message.encode())
    assert share.startswith(f"— {ORIGIN}/org1 ")
    assert len(base64.b64decode(share.split(" ")[2])) == 4 + 8 + 96


def test_a_head_that_was_passed_over_has_no_cosignature() -> None:
    note = log_note(Checkpoint(ORIGIN, 8, root(8)), keys_of("org1"))
    assert len(note.signatures) == 1
    assert not note.of(cosigner_of("org1"))
