"""Checkpoints and cosignatures, against C2SP's rules and an implementation of its own here."""

from __future__ import annotations

import base64
import struct
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.checkpoint import (
    Checkpoint,
    cosign,
    cosigner_key,
    log_key,
    origin_of,
    sign_as_log,
    verify_cosignature,
    verify_log_signature,
)
from shirushi_core.proofs.note import NoteError, NoteSignature, SignedNote

EXAMPLE = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
CHECKPOINT = Checkpoint.from_text(EXAMPLE)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
NAME = "iizuka.example/witness"
TIME = 1679315147


def test_a_checkpoint_is_written_as_the_specification_s_example() -> None:
    assert (CHECKPOINT.origin, CHECKPOINT.size) == ("example.com/behind-the-sofa", 20852163)
    assert CHECKPOINT.to_text() == EXAMPLE


def test_a_cosignature_is_made_as_the_specification_says() -> None:
    """Independently of our code: key id, time and message put together by hand."""
    line = cosign(CHECKPOINT, NAME, KEY, TIME)
    message = b"cosignature/v1\ntime 1679315147\n" + EXAMPLE.encode()
    assert line.key_id == sha256(NAME.encode() + b"\n\x04" + PUBLIC).digest()[:4]
    assert line.signature == struct.pack(">Q", TIME) + KEY.sign(message)
    note = SignedNote(EXAMPLE, (line,)).to_text()
    assert note == f"{EXAMPLE}\n— {NAME} {base64.b64encode(line.key_id + line.signature).decode()}\n"


def test_a_cosignature_says_who_and_when() -> None:
    found = verify_cosignature(CHECKPOINT, cosign(CHECKPOINT, NAME, KEY, TIME), cosigner_key(NAME, PUBLIC))
    assert (found.key.name, found.time) == (NAME, TIME)


def test_the_log_s_own_signature_is_an_ed25519_note_signature() -> None:
    line = sign_as_log(CHECKPOINT, KEY)
    assert line.signature == KEY.sign(EXAMPLE.encode())
    key = log_key(CHECKPOINT.origin, PUBLIC)
    assert verify_log_signature(CHECKPOINT, line, key) == CHECKPOINT


def test_a_signature_of_one_kind_never_passes_for_the_other() -> None:
    with pytest.raises(NoteError, match="expected a signature of"):
        verify_cosignature(CHECKPOINT, sign_as_log(CHECKPOINT, KEY), cosigner_key(CHECKPOINT.origin, PUBLIC))
    with pytest.raises(NoteError, match="expected a signature of"):
        verify_log_signature(
            CHECKPOINT, cosign(CHECKPOINT, CHECKPOINT.origin, KEY, TIME), log_key(CHECKPOINT.origin, PUBLIC)
        )


def test_another_head_another_time_or_another_key_does_not_hold() -> None:
    line, key = cosign(CHECKPOINT, NAME, KEY, TIME), cosigner_key(NAME, PUBLIC)
    other = Checkpoint(CHECKPOINT.origin, CHECKPOINT.size + 1, CHECKPOINT.root)
    with pytest.raises(NoteError, match="does not hold"):
        verify_cosignature(other, line, key)
    later = NoteSignature(NAME, line.key_id, struct.pack(">Q", TIME + 1) + line.signature[8:])
    with pytest.raises(NoteError, match="does not hold"):
        verify_cosignature(CHECKPOINT, later, key)
    stranger = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    with pytest.raises(NoteError, match="expected a signature of"):
        verify_cosignature(CHECKPOINT, line, cosigner_key(NAME, stranger))


def test_a_time_beyond_the_calendar_and_a_wrong_length_are_refused() -> None:
    line, key = cosign(CHECKPOINT, NAME, KEY, TIME), cosigner_key(NAME, PUBLIC)
    for signature, says in (
        (b"\xff" * 8 + line.signature[8:], "beyond the calendar"),
        (line.signature[:-1], "expected 72 bytes"),
    ):
        with pytest.raises(NoteError, match=says):
            verify_cosignature(CHECKPOINT, NoteSignature(NAME, line.key_id, signature), key)


def test_the_origin_names_the_ledger() -> None:
    assert origin_of("shirushi-test") == "shirushi/shirushi-test"
    with pytest.raises(InvalidInputError):
        origin_of("no ledger")


@pytest.mark.parametrize(
    "text",
    [
        "",
        EXAMPLE[:-1],
        EXAMPLE + "extension\n",
        EXAMPLE.replace("20852163", "020852163"),
        EXAMPLE.replace("20852163", "-1"),
        EXAMPLE.replace("20852163", "1" * 17),
        EXAMPLE.replace("q2I=", "q2J="),
        EXAMPLE.replace("CsUY", ""),
        EXAMPLE.replace("example.com/behind-the-sofa", ""),
        EXAMPLE.replace("/behind", " behind"),
    ],
)
def test_what_is_no_canonical_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        Checkpoint.from_text(text)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**53 - 1))
def test_every_head_is_read_back(root: bytes, size: int) -> None:
    checkpoint = Checkpoint("shirushi/x", size, root)
    assert Checkpoint.from_text(checkpoint.to_text()) == checkpoint


@given(st.text(max_size=120))
def test_noise_gives_a_typed_error(text: str) -> None:
    with pytest.raises(InvalidInputError):
        Checkpoint.from_text(text)
