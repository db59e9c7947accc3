"""Signatures as Fabric makes and checks them: ECDSA low-S over SHA-256, or Ed25519 over the message.

Our own keys are P-256, P-384 or Ed25519; others' may be P-224 and P-521 too.

Source: bccsp/sw/ecdsa.go, bccsp/utils/ecdsa.go, msp/identities.go.
"""

from __future__ import annotations

from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.fabric.der import SEQUENCE, DerError, Reader
from shirushi_core.fabric.pem import MAX_PEM_BYTES

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey: TypeAlias = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

_PEM_BEGIN = b"-----BEGIN CERTIFICATE-----"
_PEM_END = b"-----END CERTIFICATE-----"

_ORDER = {
    "secp224r1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFF16A2E0B8F03E13DD29455C5C2A3D,
    "secp256r1": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "secp384r1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "secp521r1": int(f"01{65 * 'F'}A51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409", 16),
}
_OWN_CURVES = frozenset({"secp256r1", "secp384r1"})
_HALF_ORDER = {curve: order // 2 for curve, order in _ORDER.items()}
_SHA256 = hashes.SHA256()
_ECDSA_SHA256 = ec.ECDSA(_SHA256)
_ECDSA_PREHASHED = {
    size: ec.ECDSA(Prehashed(algorithm))
    for size, algorithm in (
        (28, hashes.SHA224()),
        (32, hashes.SHA256()),
        (48, hashes.SHA384()),
        (64, hashes.SHA512()),
    )
}


class SignatureError(ShirushiError):
    """A signature that does not verify, is not low-S, or is of an unsupported key."""


def load_private_key(pem: bytes) -> PrivateKey:
    """Parse an unencrypted PEM private key (P-256, P-384, Ed25519); raises InvalidInputError for anything else."""
    if len(pem) > MAX_PEM_BYTES:
        raise InvalidInputError(f"a private key of {len(pem)} bytes is too long; expected one PEM key")
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError:
        raise InvalidInputError("the private key is encrypted; expected an unencrypted PEM key") from None
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidInputError("not a private key in PEM form (expected PKCS#8 or SEC1)") from None
    if isinstance(key, ed25519.Ed25519PrivateKey) or (
        isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _OWN_CURVES
    ):
        return key
    raise InvalidInputError(f"the private key is {_kind(key)}; expected P-256, P-384 or Ed25519")


def load_certificate(pem: bytes) -> x509.Certificate:
    """Parse exactly one PEM certificate; raises InvalidInputError."""
    text = pem.strip() if len(pem) <= MAX_PEM_BYTES else b""
    if not text.startswith(_PEM_BEGIN) or not text.endswith(_PEM_END) or text.count(b"-----") != 4:
        raise InvalidInputError("could not decode the PEM structure: expected exactly one certificate")
    try:
        certificate = x509.load_pem_x509_certificate(text)
        _ = certificate.subject, certificate.issuer  # parsed only when they are asked for
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise InvalidInputError(f"parseCertificate failed: {error}") from None
    return certificate


def signing_key(key: object) -> PublicKey:
    """Return a certificate's public key if Fabric verifies identities' signatures by its kind; raises InvalidInputError."""
    if isinstance(key, ed25519.Ed25519PublicKey) or (
        isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _ORDER
    ):
        return key
    raise InvalidInputError(f"the certificate's public key is {_kind(key)}; expected ECDSA or Ed25519")


def sign(key: PrivateKey, message: bytes) -> bytes:
    """Sign a message: DER ECDSA low-S over its SHA-256, or Ed25519."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    return low_s(key.sign(message, _ECDSA_SHA256), key.curve)


def sign_digest(key: PrivateKey, digest: bytes) -> bytes:
    """Sign a digest made elsewhere (ECDSA: DER, low-S; digest of any hash size). Ed25519: `digest` is the message.

    Raises SignatureError if an ECDSA key is given something that is not 28, 32, 48 or 64 bytes long.
    """
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(digest)
    algorithm = _ECDSA_PREHASHED.get(len(digest))
    if algorithm is None:
        raise SignatureError(f"a digest of {len(digest)} bytes is of no SHA-2 or SHA-3 hash (28, 32, 48, 64)")
    return low_s(key.sign(digest, algorithm), key.curve)


def verify(key: PublicKey, signature: bytes, message: bytes, digest: hashes.HashAlgorithm = _SHA256) -> None:
    """Check a signature over a message; high-S is refused as Fabric refuses it; raises SignatureError.

    `digest` is what an MSP that is configured so takes in the place of SHA-256; Ed25519 has none.
    """
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, message)
            return
        r, s = ecdsa_numbers(signature)
        if s > _half_order(key.curve):
            raise SignatureError("Invalid S. Must be smaller than half the order")
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(digest))
    except InvalidSignature:
        raise SignatureError("The signature is invalid") from None
    except (ValueError, OverflowError):
        raise SignatureError("The signature is invalid") from None


def ecdsa_numbers(signature: bytes) -> tuple[int, int]:
    """Return r and s; as in Fabric more may stand behind them; raises SignatureError (bccsp/utils/ecdsa.go)."""
    try:
        r, s = decode_dss_signature(signature)  # faster, and the same where there is nothing more
    except ValueError:
        r, s = _lenient_numbers(signature)
    if r <= 0 or s <= 0:
        raise SignatureError("invalid signature, R and S must be larger than zero")
    return r, s


def _lenient_numbers(signature: bytes) -> tuple[int, int]:
    try:
        numbers = Reader(signature).inner(SEQUENCE)
        return numbers.integer(), numbers.integer()
    except DerError:
        raise SignatureError("The signature is not a DER sequence of two integers") from None


def low_s(signature: bytes, curve: ec.EllipticCurve) -> bytes:
    """Return a DER ECDSA signature with s at most half the curve's order: (r, s) and (r, n - s) both verify.

    Raises SignatureError for a curve that Fabric does not know, ValueError if it is not DER.
    """
    r, s = decode_dss_signature(signature)
    if s <= _half_order(curve):
        return signature
    return encode_dss_signature(r, _ORDER[curve.name] - s)


def _half_order(curve: ec.EllipticCurve) -> int:
    try:
        return _HALF_ORDER[curve.name]
    except KeyError:
        raise SignatureError(
            f"curve not recognized [{curve.name}]; expected P-224, P-256, P-384 or P-521"
        ) from None


def _kind(key: object) -> str:
    curve = getattr(key, "curve", None)
    if isinstance(curve, ec.EllipticCurve):
        return curve.name
    return type(key).__name__.removesuffix("PrivateKey").removesuffix("PublicKey").lstrip("_")
