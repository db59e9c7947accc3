"""Hash functions that turn a message into the digest a signer gets. Any function of bytes to bytes will do."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeAlias

Hash: TypeAlias = Callable[[bytes], bytes]


def none(message: bytes) -> bytes:
    """Return the message itself, for signers that want it whole (Ed25519)."""
    return message


def sha256(message: bytes) -> bytes:
    """Return the SHA-256 digest: the usual partner of a P-256 key."""
    return hashlib.sha256(message).digest()


def sha384(message: bytes) -> bytes:
    """Return the SHA-384 digest."""
    return hashlib.sha384(message).digest()


def sha3_256(message: bytes) -> bytes:
    """Return the SHA3-256 digest."""
    return hashlib.sha3_256(message).digest()


def sha3_384(message: bytes) -> bytes:
    """Return the SHA3-384 digest."""
    return hashlib.sha3_384(message).digest()
