"""Signed notes: text with signature lines, as C2SP signed-note has them.

    <text, every line ended by a newline>
    <an empty line>
    — <key name> <base64(4-byte key id ‖ signature)>

A key is known by its name and its key id, SHA-256(name ‖ 0x0A ‖ signature type ‖ public key)[:4]; as text it is a verifier key
(vkey), name+hex(key id)+base64(signature type ‖ public key). Source: C2SP signed-note.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs import ed25519

ED25519 = 0x01
COSIGNATURE_V1 = 0x04
UNASSIGNED = 0xFF

MAX_NOTE_BYTES = 64 * 1024
MAX_SIGNATURES = 100
MAX_NAME_BYTES = 255
MAX_SIGNATURE_BYTES = 8192
KEY_ID_BYTES = 4

_DASH = "— "
_SEPARATOR = "\n\n"
_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f]")
_NAME = re.compile(r"[^\s+]+")
_VKEY = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)")


class NoteError(ShirushiError):
    """A note without a good signature, or with a bad one, of a key that is known; the text names the key."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with its name and signature type."""

    name: str
    kind: int
    public_key: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if not 0 <= self.kind <= 0xFF:
            raise InvalidInputError(f"verifier key {self.name}: no signature type {self.kind}")

    @property
    def key_id(self) -> bytes:
        """The four bytes that signatures of this key begin with."""
        return key_id(self.name, self.kind, self.public_key)

    def __str__(self) -> str:
        encoded = base64.b64encode(bytes([self.kind]) + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    @classmethod
    def from_text(cls, text: str) -> VerifierKey:
        """Parse a vkey whose key id is the one its key gives; raises InvalidInputError."""
        found = _VKEY.fullmatch(text) if len(text) <= MAX_SIGNATURE_BYTES else None
        if found is None:
            raise InvalidInputError(f"verifier key: expected name+key id+base64, found {text[:80]!r}")
        material = decode_base64(found[3], "verifier key")
        if not material:
            raise InvalidInputError(f"verifier key {found[1]}: it holds no key")
        key = cls(found[1], material[0], material[1:])
        if key.kind in (ED25519, COSIGNATURE_V1):
            ed25519.check_public_key(key.public_key, f"verifier key {key.name}")
        if key.key_id.hex() != found[2]:
            raise InvalidInputError(
                f"verifier key {key.name}: expected the key id {key.key_id.hex()} by its key, found {found[2]}"
            )
        return key


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line."""

    name: str
    key_id: bytes
    signature: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.key_id) != KEY_ID_BYTES or not 0 < len(self.signature) <= MAX_SIGNATURE_BYTES:
            raise InvalidInputError(f"note: the signature of {self.name} has a length that none has")

    def is_by(self, key: VerifierKey) -> bool:
        """Say whether name and key id are those of a key; whether it verifies is another question."""
        return self.name == key.name and self.key_id == key.key_id


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A text and its signatures, in the order of their lines. The text ends with a newline."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def __post_init__(self) -> None:
        if not self.text.endswith("\n") or _CONTROLS.search(self.text):
            raise InvalidInputError(
                "note: expected text that ends with a newline and has no control characters"
            )
        if not 1 <= len(self.signatures) <= MAX_SIGNATURES:
            raise InvalidInputError(
                f"note: expected 1 to {MAX_SIGNATURES} signatures, found {len(self.signatures)}"
            )

    def to_text(self) -> str:
        """Return the note as it is written."""
        lines = (
            f"{_DASH}{each.name} {base64.b64encode(each.key_id + each.signature).decode()}\n"
            for each in self.signatures
        )
        return f"{self.text}\n{''.join(lines)}"

    @classmethod
    def from_bytes(cls, data: bytes) -> SignedNote:
        """Parse a note of at most MAX_NOTE_BYTES in its canonical form; raises InvalidInputError."""
        if len(data) > MAX_NOTE_BYTES:
            raise InvalidInputError(f"note: expected at most {MAX_NOTE_BYTES} bytes, found {len(data)}")
        try:
            content = data.decode()
        except UnicodeDecodeError:
            raise InvalidInputError("note: not UTF-8") from None
        text, separator, lines = content.rpartition(_SEPARATOR)
        if not separator or not lines.endswith("\n"):
            raise InvalidInputError("note: expected text, an empty line and signature lines")
        if lines.count("\n") > MAX_SIGNATURES:
            raise InvalidInputError(f"note: expected at most {MAX_SIGNATURES} signatures")
        note = cls(text + "\n", tuple(_signature(line) for line in lines[:-1].split("\n")))
        if note.to_text() != content:
            raise InvalidInputError("note: not in its canonical form")
        return note

    def of(self, key: VerifierKey) -> tuple[NoteSignature, ...]:
        """Return the signatures that a key is named for."""
        return tuple(each for each in self.signatures if each.is_by(key))

    def with_signatures(self, more: Iterable[NoteSignature]) -> SignedNote:
        """Return the note with further signatures, each once."""
        return SignedNote(self.text, tuple(dict.fromkeys((*self.signatures, *more))))


def key_id(name: str, kind: int, public_key: bytes) -> bytes:
    """Return SHA-256(name ‖ 0x0A ‖ signature type ‖ public key)[:4]."""
    return sha256(name.encode() + b"\n" + bytes([kind]) + public_key).digest()[:KEY_ID_BYTES]


def check_name(name: str) -> str:
    """Return a key name; raises InvalidInputError for an empty one, or one with spaces, plus or control characters."""
    if not _NAME.fullmatch(name) or not name.isprintable() or len(name.encode()) > MAX_NAME_BYTES:
        raise InvalidInputError(f"key name: expected text without spaces and plus signs, found {name[:80]!r}")
    return name


def decode_base64(text: str, what: str) -> bytes:
    """Decode standard base64 in its one canonical form; raises InvalidInputError."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInputError(f"{what}: not base64") from None
    if base64.b64encode(data).decode() != text:
        raise InvalidInputError(f"{what}: not canonical base64")
    return data


def _signature(line: str) -> NoteSignature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise InvalidInputError(f"note: expected a signature line, found {line[:80]!r}")
    data = decode_base64(encoded, "note: signature")
    return NoteSignature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])
