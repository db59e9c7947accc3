"""Signed notes and verifier keys; vectors are the examples of C2SP signed-note and tlog-cosignature."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.note import (
    ED25519,
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    NoteSignature,
    SignedNote,
    VerifierKey,
)

VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
ITALIAN = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3Zek"
    "RwNtIc=\n"
)


def test_the_specification_s_key_verifies_the_specification_s_note() -> None:
    key, note = VerifierKey.from_text(VKEY), SignedNote.from_bytes(NOTE.encode())
    assert (key.name, key.kind) == ("example.com/foo", ED25519)
    (signature,) = note.of(key)
    Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature.signature, note.text.encode())


@pytest.mark.parametrize("text", [NOTE, ITALIAN])
def test_a_note_is_written_as_it_was_read(text: str) -> None:
    assert SignedNote.from_bytes(text.encode()).to_text() == text


def test_the_text_may_hold_empty_lines() -> None:
    assert SignedNote.from_bytes(ITALIAN.encode()).text.endswith("sole:\n\ned è subito sera.\n")


def test_a_key_is_written_as_it_was_read() -> None:
    assert str(VerifierKey.from_text(VKEY)) == VKEY


def test_a_key_of_another_type_has_another_id_so_signatures_are_told_apart() -> None:
    key = VerifierKey.from_text(VKEY)
    other = VerifierKey(key.name, 0x04, key.public_key)
    assert other.key_id != key.key_id
    assert SignedNote.from_bytes(NOTE.encode()).of(other) == ()


def test_unknown_keys_with_a_known_name_or_id_are_not_the_known_key() -> None:
    key = VerifierKey.from_text(VKEY)
    note = SignedNote(
        "text\n",
        (NoteSignature(key.name, b"abcd", b"x"), NoteSignature("example.com/bar", key.key_id, b"x")),
    )
    assert note.of(key) == ()


def test_signatures_are_added_once() -> None:
    note = SignedNote.from_bytes(NOTE.encode())
    more = NoteSignature("example.com/bar", b"abcd", b"x")
    assert note.with_signatures([more, more, *note.signatures]).signatures == (*note.signatures, more)


def lines(count: int) -> str:
    return "text\n\n" + "".join(f"— k{n} {base64.b64encode(b'abcdx').decode()}\n" for n in range(count))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected text, an empty line"),
        ("text\n", "expected text, an empty line"),
        ("text\n\n", "expected text, an empty line"),
        (NOTE.rstrip("\n"), "expected text, an empty line"),
        (NOTE.replace("— ", "- "), "expected a signature line"),
        (NOTE.replace("\n\n", "\n\t\n\n"), "no control characters"),
        (NOTE.replace("example.com/foo", "example.com+foo"), "key name"),
        (NOTE.replace("example.com/foo ", ""), "expected a signature line"),
        (NOTE.replace("aQM=", "aQN="), "base64"),
        (NOTE.replace("aQM=", "aQM"), "base64"),
        ("text\n\n— k YWJjZA==\n", "a length that none has"),
        ("text\n\n— k YWI=\n", "a length that none has"),
        ("text\n\n— k  YWJjZHg=\n", "base64"),
        (lines(MAX_SIGNATURES + 1), "at most"),
        ("a" * MAX_NOTE_BYTES + "\n" + NOTE, "at most"),
    ],
)
def test_what_is_no_canonical_note_is_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        SignedNote.from_bytes(text.encode())


def test_sixteen_signatures_and_more_are_read() -> None:
    assert len(SignedNote.from_bytes(lines(MAX_SIGNATURES).encode()).signatures) == MAX_SIGNATURES


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected name"),
        (VKEY.replace("530d903a", "530d903b"), "expected the key id 530d903a"),
        (VKEY.replace("example.com", "example.org"), "expected the key id"),
        (VKEY.replace("530d903a", "530D903A"), "expected name"),
        ("example.com/foo+530d903a+", "expected name"),
        ("example.com/foo+530d903a+A=", "base64"),
        ("example com+530d903a+AQ==", "expected name"),
    ],
)
def test_what_is_no_verifier_key_is_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        VerifierKey.from_text(text)


@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)))
def test_noise_gives_a_typed_error(data: bytes) -> None:
    with pytest.raises(InvalidInputError):
        SignedNote.from_bytes(data)


@given(st.integers(0, len(NOTE.encode()) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_read_as_another_note(position: int, change: int) -> None:
    data = bytearray(NOTE.encode())
    data[position] ^= change
    try:
        note = SignedNote.from_bytes(bytes(data))
    except InvalidInputError:
        return
    assert note != SignedNote.from_bytes(NOTE.encode())
    assert note.to_text().encode() == bytes(data)
