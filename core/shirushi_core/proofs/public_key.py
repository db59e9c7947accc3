"""Which bytes are a SubjectPublicKeyInfo of a P-256, P-384 or Ed25519 key: one DER form each, decided here and by no library.

Logs are derived from issuers' records, and all members must find the same of them, whatever version of a library they have. The
point of an EC key is uncompressed and on its curve. Source: RFC 5480 section 2, RFC 8410 section 4, FIPS 186-4 D.1.2.
"""

from __future__ import annotations

from enum import StrEnum


class KeyKind(StrEnum):
    """A kind of public key."""

    P256 = "P-256"
    P384 = "P-384"
    ED25519 = "Ed25519"


_P256_HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
_P384_HEAD = bytes.fromhex("3076301006072a8648ce3d020106052b8104002203620004")
_ED25519_HEAD = bytes.fromhex("302a300506032b6570032100")
_ED25519_BYTES = 32

_P256 = (1 << 256) - (1 << 224) + (1 << 192) + (1 << 96) - 1
_P256_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_P384 = (1 << 384) - (1 << 128) - (1 << 96) + (1 << 32) - 1
_P384_B = 0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF


def kind_of_key(der: bytes) -> KeyKind | None:
    """Return what kind of key a SubjectPublicKeyInfo is of, None for any other bytes."""
    if der.startswith(_P256_HEAD) and _is_on_curve(der[len(_P256_HEAD) :], _P256, _P256_B):
        return KeyKind.P256
    if der.startswith(_P384_HEAD) and _is_on_curve(der[len(_P384_HEAD) :], _P384, _P384_B):
        return KeyKind.P384
    if der.startswith(_ED25519_HEAD) and len(der) == len(_ED25519_HEAD) + _ED25519_BYTES:
        return KeyKind.ED25519
    return None


def _is_on_curve(point: bytes, prime: int, b: int) -> bool:
    size = (prime.bit_length() + 7) // 8
    if len(point) != 2 * size:
        return False
    x, y = int.from_bytes(point[:size], "big"), int.from_bytes(point[size:], "big")
    return x < prime and y < prime and (y * y - (x * x * x - 3 * x + b)) % prime == 0
