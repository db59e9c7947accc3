"""Signers: functions that turn a digest into a signature.

A signer may answer at once or be awaited, so that it can ask a service or a device.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric import signing

Signer: TypeAlias = Callable[[bytes], bytes | Awaitable[bytes]]


def from_private_key(key: signing.PrivateKey) -> Signer:
    """Return a signer that uses a private key.

    P-256 and P-384 keys sign a digest and give low-S DER signatures; an Ed25519 key signs the whole message, so
    combine it with `hashes.none`. Raises InvalidInputError for any other key.
    """
    if isinstance(key, ec.EllipticCurvePrivateKey):
        if not isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
            raise InvalidInputError(f"expected a P-256, P-384 or Ed25519 private key, found {key.curve.name}")
    elif not isinstance(key, ed25519.Ed25519PrivateKey):
        raise InvalidInputError(f"expected a P-256, P-384 or Ed25519 private key, found {type(key).__name__}")
    return lambda digest: signing.sign_digest(key, digest)
