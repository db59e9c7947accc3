r"""Checkpoints: the head of the log as a note's text, and members' signatures on it.

    <origin>
    <size>
    <base64 root>

The origin names the ledger, so that a checkpoint of another ledger, or of a test ledger, never passes for this one's.
Cosignature v1 signs "cosignature/v1\ntime <unix s>\n" ‖ text with Ed25519. Source: C2SP tlog-checkpoint, tlog-cosignature.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import fields
from shirushi_core.proofs.canonical import MAX_INTEGER
from shirushi_core.proofs.note import (
    COSIGNATURE_V1,
    ED25519,
    NoteError,
    NoteSignature,
    VerifierKey,
    check_name,
    decode_base64,
)

ORIGIN_PREFIX = "shirushi/"
ED25519_SIGNATURE_BYTES = 64
TIME_BYTES = 8

_SIZE = re.compile(r"0|[1-9][0-9]{0,15}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's head: whose log, how many entries, their RFC 9162 tree head."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        check_name(self.origin)
        fields.check_range(self.size, "checkpoint: size", 0, MAX_INTEGER)
        fields.check_hash(self.root, "checkpoint: root")

    def to_text(self) -> str:
        """Return the note text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def from_text(cls, text: str) -> Checkpoint:
        """Parse a note's text without extension lines; raises InvalidInputError."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[3] or not _SIZE.fullmatch(lines[1]):
            raise InvalidInputError("checkpoint: expected three lines: origin, size and root")
        return cls(lines[0], int(lines[1]), decode_base64(lines[2], "checkpoint: root"))


@dataclass(frozen=True, slots=True)
class Cosignature:
    """One member's statement that this is the largest head of the log it has seen at a time (unix seconds)."""

    key: VerifierKey
    time: int


def origin_of(ledger: str) -> str:
    """Return the origin of a ledger's log."""
    return ORIGIN_PREFIX + fields.check_ledger(ledger, "checkpoint: ledger")


def log_key(origin: str, public_key: bytes) -> VerifierKey:
    """Return the verifier key of a member that signs checkpoints as the log; its name is the origin."""
    return VerifierKey(origin, ED25519, public_key)


def cosigner_key(name: str, public_key: bytes) -> VerifierKey:
    """Return the verifier key of a member that cosigns."""
    return VerifierKey(name, COSIGNATURE_V1, public_key)


def sign_as_log(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> NoteSignature:
    """Sign a checkpoint as its log (note signature type 0x01)."""
    verifier = log_key(checkpoint.origin, key.public_key().public_bytes_raw())
    return NoteSignature(verifier.name, verifier.key_id, key.sign(checkpoint.to_text().encode()))


def cosign(checkpoint: Checkpoint, name: str, key: Ed25519PrivateKey, time: int) -> NoteSignature:
    """Cosign a checkpoint at a time in unix seconds (note signature type 0x04)."""
    fields.check_time(time, "cosignature: time")
    verifier = cosigner_key(name, key.public_key().public_bytes_raw())
    signature = time.to_bytes(TIME_BYTES, "big") + key.sign(_cosigned(checkpoint, time))
    return NoteSignature(name, verifier.key_id, signature)


def verify_log_signature(checkpoint: Checkpoint, signature: NoteSignature, key: VerifierKey) -> Checkpoint:
    """Return the checkpoint if a log key signed it; raises NoteError naming the key."""
    _check_key(signature, key, ED25519)
    if key.name != checkpoint.origin:
        raise NoteError(f"checkpoint of {checkpoint.origin}: signed by the key of another log, {key.name}")
    _verify(key, signature.signature, checkpoint.to_text().encode())
    return checkpoint


def verify_cosignature(checkpoint: Checkpoint, signature: NoteSignature, key: VerifierKey) -> Cosignature:
    """Return who cosigned a checkpoint and when; raises NoteError naming the key."""
    _check_key(signature, key, COSIGNATURE_V1)
    if len(signature.signature) != TIME_BYTES + ED25519_SIGNATURE_BYTES:
        raise NoteError(f"cosignature of {key.name}: expected 72 bytes, found {len(signature.signature)}")
    time = int.from_bytes(signature.signature[:TIME_BYTES], "big")
    if time > fields.MAX_UNIX_SECONDS:
        raise NoteError(f"cosignature of {key.name}: its time is beyond the calendar")
    _verify(key, signature.signature[TIME_BYTES:], _cosigned(checkpoint, time))
    return Cosignature(key, time)


def _cosigned(checkpoint: Checkpoint, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{checkpoint.to_text()}".encode()


def _check_key(signature: NoteSignature, key: VerifierKey, kind: int) -> None:
    if key.kind != kind or not signature.is_by(key):
        raise NoteError(f"expected a signature of {key}, found one of {signature.name}")


def _verify(key: VerifierKey, signature: bytes, message: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise NoteError(f"the signature of {key.name} does not hold") from None
