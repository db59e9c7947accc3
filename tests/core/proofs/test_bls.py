"""BLS signatures: published vectors, and py_ecc as the oracle."""

from __future__ import annotations

import pytest
from tests.support.bls_oracle import Oracle

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import bls

# Ethereum's consensus specification tests, bls12-381 sign: secret key, message, signature.
VECTORS = [
    (
        "263dbd792f5b1be47ed85f8938c0f29586af0d3ac7b977f21c278fe1462040e3",
        "56" * 32,
        "882730e5d03f6b42c3abc26d3372625034e1d871b65a8a6b900a56dae22da98abbe1b68f85e49fe7652a55ec3d0591c2"
        "0767677e33e5cbb1207315c41a9ac03be39c2e7668edc043d6cb1d9fd93033caa8a1c5b0e84bedaeb6c64972503a43eb",
    ),
    (
        "263dbd792f5b1be47ed85f8938c0f29586af0d3ac7b977f21c278fe1462040e3",
        "00" * 32,
        "b6ed936746e01f8ecf281f020953fbf1f01debd5657c4a383940b020b26507f6076334f91e2366c96e9ab279fb515809"
        "0352ea1c5b0c9274504f4f0e7053af24802e51e4568d164fe986834f41e55c8e850ce1f98458c0cfc9ab380b55285a55",
    ),
]

SECRETS = [bls.key_from_seed(bytes([number]) * 32) for number in range(1, 6)]
KEYS = [bls.public_key(secret) for secret in SECRETS]
SHARES = [bls.sign(secret, b"message") for secret in SECRETS]
IDENTITY_KEY, IDENTITY_SIGNATURE = b"\xc0" + bytes(47), b"\xc0" + bytes(95)
NOT_IN_GROUP = b"\x80" + bytes(46) + b"\x04"
"""A point of the curve that is in no subgroup of the right order: x = 4."""


@pytest.mark.parametrize(("secret", "message", "signature"), VECTORS)
def test_published_vectors(secret: str, message: str, signature: str) -> None:
    assert bls.sign(int(secret, 16), bytes.fromhex(message)).hex() == signature


def test_keys_signatures_and_proofs_are_the_oracle_s() -> None:
    secret = Oracle.KeyGen(b"\1" * 32)
    assert bls.key_from_seed(b"\1" * 32) == secret
    assert bls.public_key(secret) == Oracle.SkToPk(secret)
    assert bls.sign(secret, b"message") == Oracle.Sign(secret, b"message")
    assert bls.prove_possession(secret) == Oracle.PopProve(secret)


def test_an_aggregate_is_the_oracle_s_and_holds_for_just_its_keys_and_message() -> None:
    signature = bls.aggregate(SHARES)
    assert signature == Oracle.Aggregate(SHARES)
    assert bls.verify_aggregate(KEYS, b"message", signature) == tuple(KEYS)
    for keys, message in ((KEYS[:4], b"message"), (KEYS, b"another")):
        with pytest.raises(bls.BlsError, match="does not hold"):
            bls.verify_aggregate(keys, message, signature)


def test_a_key_counts_once_in_an_aggregate() -> None:
    with pytest.raises(bls.BlsError, match="differ from each other"):
        bls.verify_aggregate([KEYS[0], KEYS[0]], b"message", bls.aggregate([SHARES[0], SHARES[0]]))
    with pytest.raises(bls.BlsError, match="differ from each other"):
        bls.verify_aggregate([], b"message", SHARES[0])


def test_a_proof_of_possession_is_no_signature_and_the_other_way_round() -> None:
    proof = bls.prove_possession(SECRETS[0])
    assert bls.verify_possession(KEYS[0], proof) == KEYS[0]
    with pytest.raises(bls.BlsError):
        bls.verify(KEYS[0], KEYS[0], proof)
    with pytest.raises(bls.BlsError):
        bls.verify_possession(KEYS[0], bls.sign(SECRETS[0], KEYS[0]))


def test_a_key_made_from_another_has_no_proof_of_possession() -> None:
    """The rogue key: whoever names key = own - other can forge an aggregate of the two, but not prove possession."""
    with pytest.raises(bls.BlsError):
        bls.verify_possession(KEYS[1], bls.prove_possession(SECRETS[0]))


@pytest.mark.parametrize("key", [IDENTITY_KEY, NOT_IN_GROUP, bytes(48), b"\xff" * 48, KEYS[0][:-1], b""])
def test_a_key_that_is_none_is_refused_before_it_is_used(key: bytes) -> None:
    with pytest.raises(bls.BlsError):
        bls.verify(key, b"message", SHARES[0])
    with pytest.raises(bls.BlsError):
        bls.verify_aggregate([KEYS[1], key], b"message", SHARES[0])


@pytest.mark.parametrize("signature", [IDENTITY_SIGNATURE, bytes(96), b"\xff" * 96, SHARES[0][:-1], b""])
def test_a_signature_that_is_none_is_refused(signature: bytes) -> None:
    with pytest.raises(bls.BlsError, match="does not hold"):
        bls.verify(KEYS[0], b"message", signature)


def test_signatures_that_are_none_are_not_aggregated() -> None:
    with pytest.raises(bls.BlsError):
        bls.aggregate([SHARES[0], bytes(96)])
    with pytest.raises(bls.BlsError, match="found none"):
        bls.aggregate([])


@pytest.mark.parametrize("secret", [0, bls.ORDER, -1])
def test_a_secret_key_outside_the_group_s_order_is_refused(secret: int) -> None:
    with pytest.raises(InvalidInputError):
        bls.sign(secret, b"message")


def test_a_short_seed_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="at least 32 bytes"):
        bls.key_from_seed(bytes(31))
