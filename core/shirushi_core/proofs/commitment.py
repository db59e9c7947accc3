"""Salted commitments: what stands for a certificate on the ledger."""

from __future__ import annotations

from hashlib import sha256

from shirushi_core.errors import InvalidInputError

SALT_SIZE = 32
DIGEST_SIZE = 32
_DOMAIN = b"shirushi/commitment/v1\0"


def commitment(salt: bytes, certificate_digest: bytes) -> bytes:
    r"""Return SHA-256("shirushi/commitment/v1\0" ‖ salt ‖ certificate digest): 32 bytes.

    `certificate_digest` is the SHA-256 of the certificate's exact bytes. Raises InvalidInputError on wrong sizes.
    """
    if len(salt) != SALT_SIZE:
        raise InvalidInputError(f"salt: expected {SALT_SIZE} bytes, found {len(salt)}")
    if len(certificate_digest) != DIGEST_SIZE:
        raise InvalidInputError(
            f"certificate digest: expected {DIGEST_SIZE} bytes, found {len(certificate_digest)}"
        )
    return sha256(_DOMAIN + salt + certificate_digest).digest()
