from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st
from tests.support.throwaway_ca import ThrowawayCa, pem

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.signing import (
    SignatureError,
    load_certificate,
    load_private_key,
    sign,
    sign_digest,
    verify,
)

ORDERS = {
    "P-256": (ec.SECP256R1(), 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551),
    "P-384": (
        ec.SECP384R1(),
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    ),
}
EC_KEYS = {name: ec.generate_private_key(curve) for name, (curve, _) in ORDERS.items()}
KEYS = {**EC_KEYS, "Ed25519": ed25519.Ed25519PrivateKey.generate()}


def key_pem(key: object, encryption: serialization.KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(  # type: ignore[attr-defined,no-any-return]
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        encryption or serialization.NoEncryption(),
    )


@pytest.mark.parametrize("name", KEYS)
@given(message=st.binary(max_size=200))
def test_what_a_key_signs_verifies(name: str, message: bytes) -> None:
    verify(KEYS[name].public_key(), sign(KEYS[name], message), message)


@pytest.mark.parametrize("name", KEYS)
def test_a_signature_of_another_message_or_key_is_refused(name: str) -> None:
    signature = sign(KEYS[name], b"one")
    with pytest.raises(SignatureError):
        verify(KEYS[name].public_key(), signature, b"two")
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    with pytest.raises(SignatureError):
        verify(other, signature, b"one")


@pytest.mark.parametrize("name", ORDERS)
def test_ecdsa_signatures_are_low_s_and_high_s_is_refused(name: str) -> None:
    key, order = EC_KEYS[name], ORDERS[name][1]
    for number in range(20):
        message = number.to_bytes(1, "big")
        r, s = decode_dss_signature(sign(key, message))
        assert s <= order // 2
        high_s = encode_dss_signature(r, order - s)
        key.public_key().verify(high_s, message, ec.ECDSA(hashes.SHA256()))
        with pytest.raises(SignatureError, match="half the order"):
            verify(key.public_key(), high_s, message)


@pytest.mark.parametrize("name", ORDERS)
def test_signing_the_sha256_digest_is_signing_the_message(name: str) -> None:
    key = EC_KEYS[name]
    verify(key.public_key(), sign_digest(key, hashlib.sha256(b"message").digest()), b"message")


@pytest.mark.parametrize("algorithm", ["sha224", "sha256", "sha384", "sha512", "sha3_256"])
def test_digests_of_any_usual_size_are_signed_low_s(algorithm: str) -> None:
    key, (_, order) = EC_KEYS["P-256"], ORDERS["P-256"]
    signature = sign_digest(key, hashlib.new(algorithm, b"message").digest())
    assert decode_dss_signature(signature)[1] <= order // 2


def test_a_digest_of_no_hash_size_is_refused() -> None:
    with pytest.raises(SignatureError, match="31 bytes"):
        sign_digest(EC_KEYS["P-256"], bytes(31))


def test_ed25519_signs_the_digest_given_as_its_message() -> None:
    key = KEYS["Ed25519"]
    verify(key.public_key(), sign_digest(key, b"anything at all"), b"anything at all")


@pytest.mark.parametrize("name", KEYS)
@given(noise=st.binary(max_size=120))
def test_noise_is_no_signature(name: str, noise: bytes) -> None:
    with pytest.raises(SignatureError):
        verify(KEYS[name].public_key(), noise, b"message")


def test_keys_of_other_curves_neither_sign_nor_verify() -> None:
    key = ec.generate_private_key(ec.SECP256K1())
    with pytest.raises(SignatureError, match="secp256k1"):
        sign(key, b"message")
    signature = key.sign(b"message", ec.ECDSA(hashes.SHA256()))
    with pytest.raises(SignatureError, match="secp256k1"):
        verify(key.public_key(), signature, b"message")


@pytest.mark.parametrize("curve", [ec.SECP224R1(), ec.SECP521R1()])
def test_others_may_sign_with_curves_that_are_not_ours(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    verify(key.public_key(), sign(key, b"message"), b"message")


def test_what_stands_behind_a_signatures_numbers_is_not_looked_at() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    verify(key.public_key(), sign(key, b"message") + b"more", b"message")


@pytest.mark.parametrize("name", KEYS)
def test_supported_private_keys_load(name: str) -> None:
    verify(KEYS[name].public_key(), sign(load_private_key(key_pem(KEYS[name])), b"m"), b"m")


def test_a_sec1_private_key_loads() -> None:
    sec1 = EC_KEYS["P-256"].private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    verify(EC_KEYS["P-256"].public_key(), sign(load_private_key(sec1), b"m"), b"m")


@pytest.mark.parametrize(
    ("defect", "bad", "says"),
    [
        ("rsa", key_pem(rsa.generate_private_key(65537, 2048)), "RSA"),
        ("other_curve", key_pem(ec.generate_private_key(ec.SECP521R1())), "secp521r1"),
        (
            "encrypted",
            key_pem(EC_KEYS["P-256"], serialization.BestAvailableEncryption(b"secret")),
            "encrypted",
        ),
        ("empty", b"", "PEM"),
        ("too_long", b"-" * 100_000, "too long"),
    ],
)
def test_other_private_keys_are_refused(defect: str, bad: bytes, says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        load_private_key(bad)


@given(noise=st.binary(max_size=300))
def test_noise_is_neither_key_nor_certificate(noise: bytes) -> None:
    for pem_text in (noise, b"-----BEGIN CERTIFICATE-----\n" + noise + b"\n-----END CERTIFICATE-----\n"):
        with pytest.raises(InvalidInputError):
            load_certificate(pem_text)
        with pytest.raises(InvalidInputError):
            load_private_key(pem_text)


@given(place=st.integers(0, 10_000), byte=st.integers(1, 255))
def test_a_certificate_with_a_byte_changed_has_names_or_is_refused(
    ca: ThrowawayCa, place: int, byte: int
) -> None:
    der = bytearray(ca.certificate.public_bytes(serialization.Encoding.DER))
    der[place % len(der)] ^= byte
    body = base64.encodebytes(bytes(der))
    try:
        certificate = load_certificate(
            b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"
        )
    except InvalidInputError:
        return
    assert certificate.subject.rfc4514_string() is not None
    assert certificate.issuer.rfc4514_string() is not None


def test_exactly_one_certificate_is_read(ca: ThrowawayCa) -> None:
    one = pem(ca.certificate)
    assert load_certificate(one) == ca.certificate
    for bad in (one + one, b"Subject: me\n" + one, one + b"tail", one[:-30]):
        with pytest.raises(InvalidInputError):
            load_certificate(bad)
