"""BLS12-381 signatures, minimal public key size, proof-of-possession scheme (CFRG draft, section 4.2.3 and appendix).

Secret keys are integers, public keys 48 bytes (G1), signatures 96 bytes (G2), all compressed. Keys and signatures are checked
to be in their subgroups, and a public key not to be the identity, before they are used. The arithmetic is blst's (pyblst).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any

from shirushi_core.errors import InvalidInputError, ShirushiError

PUBLIC_KEY_BYTES = 48
SIGNATURE_BYTES = 96
SEED_BYTES = 32

SIGNATURE_TAG = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"
POSSESSION_TAG = b"BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"

ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
"""The order of both groups."""

_GENERATOR = bytes.fromhex(
    "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
)
_IDENTITY = b"\xc0" + bytes(PUBLIC_KEY_BYTES - 1)
_KEYGEN_SALT = b"BLS-SIG-KEYGEN-SALT-"
_OKM_BYTES = 48


class BlsError(ShirushiError):
    """A BLS signature, proof of possession or key that does not hold."""


def key_from_seed(seed: bytes) -> int:
    """Return the secret key of at least 32 secret bytes (the draft's KeyGen, section 2.3)."""
    if len(seed) < SEED_BYTES:
        raise InvalidInputError(f"BLS seed: expected at least {SEED_BYTES} bytes, found {len(seed)}")
    salt, secret = _KEYGEN_SALT, 0
    while secret == 0:
        salt = sha256(salt).digest()
        extracted = hmac.digest(salt, seed + b"\0", "sha256")
        secret = int.from_bytes(_expand(extracted, _OKM_BYTES.to_bytes(2, "big"), _OKM_BYTES), "big") % ORDER
    return secret


def public_key(secret: int) -> bytes:
    """Return the public key of a secret key."""
    return _arithmetic().public_key(_check_secret(secret))


def sign(secret: int, message: bytes) -> bytes:
    """Sign a message."""
    return _arithmetic().sign(_check_secret(secret), message, SIGNATURE_TAG)


def prove_possession(secret: int) -> bytes:
    """Return the proof that whoever names the public key has the secret one."""
    return _arithmetic().sign(_check_secret(secret), public_key(secret), POSSESSION_TAG)


def verify_possession(key: bytes, proof: bytes) -> bytes:
    """Return a public key whose possession is proved; raises BlsError."""
    _verify(key, key, proof, POSSESSION_TAG, "the proof of possession")
    return key


def verify(key: bytes, message: bytes, signature: bytes) -> bytes:
    """Return the key if it signed a message; raises BlsError."""
    _verify(key, message, signature, SIGNATURE_TAG, "the signature")
    return key


def aggregate(signatures: Sequence[bytes]) -> bytes:
    """Return one signature for several of the same message; raises BlsError if one is no point, or there is none."""
    if not signatures:
        raise BlsError("expected signatures to aggregate, found none")
    try:
        return _arithmetic().add_signatures(signatures)
    except ValueError as error:
        raise BlsError(f"a signature to aggregate is none: {error}") from None


def verify_aggregate(keys: Sequence[bytes], message: bytes, signature: bytes) -> tuple[bytes, ...]:
    """Return the keys if all of them signed one message (FastAggregateVerify); raises BlsError.

    The caller has seen a proof of possession for each of the keys, and no key stands in it twice.
    """
    if not keys or len(set(keys)) != len(keys):
        raise BlsError("expected keys that differ from each other")
    _verify(_sum_of(tuple(keys)), message, signature, SIGNATURE_TAG, "the aggregate signature")
    return tuple(keys)


@lru_cache(maxsize=256)
def _sum_of(keys: tuple[bytes, ...]) -> bytes:
    for key in keys:
        _check_key(key)
    try:
        return _arithmetic().add_keys(keys)
    except ValueError as error:
        raise BlsError(f"a public key is none: {error}") from None


def _verify(key: bytes, message: bytes, signature: bytes, tag: bytes, what: str) -> None:
    _check_key(key)
    try:
        holds = len(signature) == SIGNATURE_BYTES and _arithmetic().holds(key, message, signature, tag)
    except ValueError:
        holds = False
    if not holds:
        raise BlsError(f"{what} of the BLS key {key.hex()[:16]}… does not hold")


def _check_key(key: bytes) -> None:
    if len(key) != PUBLIC_KEY_BYTES or key == _IDENTITY:
        raise BlsError(f"expected a BLS public key of {PUBLIC_KEY_BYTES} bytes that is not the identity")


def _check_secret(secret: int) -> int:
    if not 0 < secret < ORDER:
        raise InvalidInputError("BLS secret key: expected a number between 0 and the group's order")
    return secret


def _expand(key: bytes, info: bytes, length: int) -> bytes:
    block, output, counter = b"", b"", 1
    while len(output) < length:
        block = hmac.digest(key, block + info + bytes([counter]), "sha256")
        output, counter = output + block, counter + 1
    return output[:length]


class BlstArithmetic:
    """The curve by blst, points as compressed bytes; ValueError for one that is none or in no subgroup (tests pin that down)."""

    def __init__(self) -> None:
        import pyblst

        self._g1: Any = pyblst.BlstP1Element()
        self._g2: Any = pyblst.BlstP2Element()
        self._blst: Any = pyblst
        # The same few keys verify everything, and unpacking one takes as long as a tenth of a pairing.
        self._key: Callable[[bytes], Any] = lru_cache(maxsize=256)(self._g1.uncompress)

    def public_key(self, secret: int) -> bytes:
        return bytes(self._generator().scalar_mul(secret).compress())

    def sign(self, secret: int, message: bytes, tag: bytes) -> bytes:
        return bytes(self._g2.hash_to_group(message, tag).scalar_mul(secret).compress())

    def add_keys(self, keys: Sequence[bytes]) -> bytes:
        return bytes(self._sum([self._g1.uncompress(key) for key in keys]).compress())

    def add_signatures(self, signatures: Sequence[bytes]) -> bytes:
        return bytes(self._sum([self._g2.uncompress(each) for each in signatures]).compress())

    def holds(self, key: bytes, message: bytes, signature: bytes, tag: bytes) -> bool:
        hashed = self._g2.hash_to_group(message, tag)
        left = self._blst.miller_loop(self._key(key), hashed)
        right = self._blst.miller_loop(self._generator(), self._g2.uncompress(signature))
        return bool(self._blst.final_verify(left, right))

    def _generator(self) -> Any:
        return self._key(_GENERATOR)

    @staticmethod
    def _sum(points: Sequence[Any]) -> Any:
        total = points[0]
        for point in points[1:]:
            total = total + point
        return total


@lru_cache(maxsize=1)
def _arithmetic() -> BlstArithmetic:
    return BlstArithmetic()
