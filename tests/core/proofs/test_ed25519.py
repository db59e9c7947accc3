"""Ed25519 public keys that are taken, and those that anybody could sign for."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.ed25519 import check_public_key
from shirushi_core.proofs.note import COSIGNATURE_V1, ED25519, VerifierKey

P = 2**255 - 19

SMALL = [
    "0100000000000000000000000000000000000000000000000000000000000000",  # order 1
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # order 2
    "0000000000000000000000000000000000000000000000000000000000000000",  # order 4
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",  # order 8
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]
OTHER_ENCODINGS = [
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    *((P + y).to_bytes(32, "little").hex() for y in range(19)),
    *((P + y | 1 << 255).to_bytes(32, "little").hex() for y in range(19)),
]


@pytest.mark.parametrize("key", SMALL)
def test_each_of_the_eight_points_of_small_order_is_refused(key: str) -> None:
    with pytest.raises(InvalidInputError, match="a point of small order"):
        check_public_key(bytes.fromhex(key), "key")


@pytest.mark.parametrize("key", OTHER_ENCODINGS)
def test_another_encoding_than_the_canonical_one_is_refused(key: str) -> None:
    with pytest.raises(InvalidInputError, match="canonical"):
        check_public_key(bytes.fromhex(key), "key")


def test_the_library_alone_lets_a_signature_of_nobody_hold_under_the_neutral_point() -> None:
    """Why all this is: R is the neutral point, S is nought, the message anything."""
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(SMALL[0])).verify(
        bytes.fromhex(SMALL[0]) + bytes(32), b"x"
    )


@given(st.binary(min_size=32, max_size=32))
def test_every_key_that_somebody_has_the_private_part_of_is_taken(seed: bytes) -> None:
    public_key = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    assert check_public_key(public_key, "key") == public_key


def test_what_is_no_point_of_the_curve_or_not_32_bytes_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="no point of the curve"):
        check_public_key((2).to_bytes(32, "little"), "key")
    for size in (0, 31, 33):
        with pytest.raises(InvalidInputError, match="expected 32 bytes"):
            check_public_key(bytes(size), "key")


@pytest.mark.parametrize("kind", [ED25519, COSIGNATURE_V1])
def test_a_verifier_key_from_elsewhere_is_checked(kind: int) -> None:
    text = str(VerifierKey("example.org/log", kind, bytes.fromhex(SMALL[4])))
    with pytest.raises(InvalidInputError, match="a point of small order"):
        VerifierKey.from_text(text)
