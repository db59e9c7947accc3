"""ECDSA on P-256 with SHA-256, in the one form that is taken here: DER, low-S.

One signature, one encoding: nobody can make a second signature out of the first.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from shirushi_core.errors import ShirushiError

MAX_SIGNATURE_BYTES = 72  # DER of two P-256 integers

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class Es256Error(ShirushiError):
    """A key that is none on P-256, or a signature that does not hold."""


def public_key_der(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a key's SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """Sign a message; raises Es256Error for a key on another curve."""
    if not isinstance(key.curve, ec.SECP256R1):
        raise Es256Error(f"expected a key on P-256, found one on {key.curve.name}")
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return encode_dss_signature(r, min(s, P256_ORDER - s))


def load_public_key(public_key: bytes) -> ec.EllipticCurvePublicKey:
    """Return the key of a SubjectPublicKeyInfo; raises Es256Error for another kind of key."""
    try:
        key = load_der_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Es256Error("expected a key on P-256, found another kind")
    return key


def canonical_public_key(public_key: bytes) -> bytes:
    """Return the one encoding of a SubjectPublicKeyInfo's key that is taken; raises Es256Error as `load_public_key`."""
    return load_public_key(public_key).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def verify(public_key: bytes, message: bytes, signature: bytes) -> bytes:
    """Return the message if a SubjectPublicKeyInfo signed it; raises Es256Error."""
    key = load_public_key(public_key)
    try:
        r, s = decode_dss_signature(signature)
    except ValueError:
        raise Es256Error("expected a DER signature, found other bytes") from None
    if s > P256_ORDER // 2 or encode_dss_signature(r, s) != signature:
        raise Es256Error("expected a low-S signature in DER, found another form of it")
    try:
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise Es256Error("the signature does not hold") from None
    return message
