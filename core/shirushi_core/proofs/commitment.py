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


def commitments(salts: bytes, certificate_digests: bytes) -> list[bytes]:
    """Return the commitments of many certificates, whose salts and digests stand one after the other.

    Raises InvalidInputError unless there are as many of one as of the other.
    """
    if len(salts) != len(certificate_digests) or len(salts) % SALT_SIZE:
        raise InvalidInputError(
            f"commitments: expected a salt and a digest of {SALT_SIZE} bytes for each certificate, found"
            f" {len(salts)} and {len(certificate_digests)} bytes"
        )
    return [
        sha256(
            _DOMAIN + salts[start : start + SALT_SIZE] + certificate_digests[start : start + DIGEST_SIZE]
        ).digest()
        for start in range(0, len(salts), SALT_SIZE)
    ]
