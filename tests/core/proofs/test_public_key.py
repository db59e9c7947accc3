"""Which keys issuers' records may hold: the bytes that the library writes for them, and no other."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from shirushi_core.proofs.printable import is_printable
from shirushi_core.proofs.public_key import KeyKind, kind_of_key


def spki(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@settings(max_examples=20)
@given(st.integers(1, 1 << 200))
def test_what_the_library_writes_is_taken(secret: int) -> None:
    assert kind_of_key(spki(ec.derive_private_key(secret, ec.SECP256R1()))) is KeyKind.P256
    assert kind_of_key(spki(ec.derive_private_key(secret, ec.SECP384R1()))) is KeyKind.P384
    seed = secret.to_bytes(32, "big")
    assert kind_of_key(spki(ed25519.Ed25519PrivateKey.from_private_bytes(seed))) is KeyKind.ED25519


@given(st.data())
def test_one_changed_byte_of_an_ec_key_is_refused(data: st.DataObject) -> None:
    der = bytearray(
        spki(ec.derive_private_key(7, data.draw(st.sampled_from([ec.SECP256R1(), ec.SECP384R1()]))))
    )
    der[data.draw(st.integers(0, len(der) - 1))] ^= data.draw(st.integers(1, 255))
    assert kind_of_key(bytes(der)) is None


@pytest.mark.parametrize(
    "der",
    [
        b"",
        spki(ec.derive_private_key(7, ec.SECP256K1())),
        spki(rsa.generate_private_key(65537, 2048)),
        spki(ec.derive_private_key(7, ec.SECP256R1())) + b"\0",
        spki(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)))[:-1],
    ],
)
def test_others_are_refused(der: bytes) -> None:
    assert kind_of_key(der) is None


def test_a_compressed_point_is_refused() -> None:
    key = ec.derive_private_key(7, ec.SECP256R1()).public_key()
    point = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    head = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    assert kind_of_key(head + point) is None


def test_whatever_this_python_can_print_may_stand_in_a_name() -> None:
    assert [
        chr(code) for code in range(0x110000) if chr(code).isprintable() and not is_printable(chr(code))
    ] == []


@pytest.mark.parametrize(
    "character", ["\0", "\n", "\x7f", "\x85", "\u202e", "\u2066", "\ufeff", "\u3000", "\ud800", "\ue000"]
)
def test_what_changes_how_text_is_shown_may_not(character: str) -> None:
    assert not is_printable(f"a{character}b")
