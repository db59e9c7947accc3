"""Keys that are functions of a seed, and signatures by them; for tests only, for everybody can make them again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.fabric.fuzzing.der import NULL, oid, sequence

CURVES: dict[str, ec.EllipticCurve] = {
    "P-224": ec.SECP224R1(),
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
    "secp256k1": ec.SECP256K1(),
    "brainpoolP256r1": ec.BrainpoolP256R1(),
}
ORDERS = {
    "P-224": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFF16A2E0B8F03E13DD29455C5C2A3D,
    "P-256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "P-384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "P-521": int(f"01{65 * 'F'}A51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409", 16),
    "secp256k1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    "brainpoolP256r1": 0xA9FB57DBA1EEA9BC3E660A909D838D718C397AA3B561A6F7901E0E82974856A7,
}
HASHES: dict[str, hashes.HashAlgorithm] = {
    "SHA-1": hashes.SHA1(),
    "SHA-224": hashes.SHA224(),
    "SHA-256": hashes.SHA256(),
    "SHA-384": hashes.SHA384(),
    "SHA-512": hashes.SHA512(),
}
_ECDSA = {
    "SHA-1": "1.2.840.10045.4.1",
    "SHA-224": "1.2.840.10045.4.3.1",
    "SHA-256": "1.2.840.10045.4.3.2",
    "SHA-384": "1.2.840.10045.4.3.3",
    "SHA-512": "1.2.840.10045.4.3.4",
}
_RSA = {
    "SHA-1": "1.2.840.113549.1.1.5",
    "SHA-224": "1.2.840.113549.1.1.14",
    "SHA-256": "1.2.840.113549.1.1.11",
    "SHA-384": "1.2.840.113549.1.1.12",
    "SHA-512": "1.2.840.113549.1.1.13",
}


@dataclass(frozen=True)
class Key:
    """A private key of any kind; `curve` is empty for others than elliptic ones."""

    private: Any
    curve: str = ""

    @classmethod
    def of(cls, private: Any) -> Key:
        """Take over a key made elsewhere."""
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            return cls(private)
        return cls(private, next(name for name, each in CURVES.items() if each.name == private.curve.name))

    @property
    def spki(self) -> bytes:
        """SubjectPublicKeyInfo."""
        return bytes(self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    def algorithm(self, hash_name: str) -> bytes:
        """Return the AlgorithmIdentifier of its signatures."""
        if self.curve:
            return sequence(oid(_ECDSA[hash_name]))
        if isinstance(self.private, rsa.RSAPrivateKey):
            return sequence(oid(_RSA[hash_name]), NULL)
        return sequence(oid("1.3.101.112"))

    def sign(self, message: bytes, hash_name: str = "SHA-256", *, high: bool = False) -> bytes:
        """Sign, always with the same result: an elliptic signature is low-S, or `high`."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(message, padding.PKCS1v15(), HASHES[hash_name])
        if not self.curve:
            return bytes(self.private.sign(message))
        algorithm = ec.ECDSA(HASHES[hash_name], deterministic_signing=True)
        r, s = decode_dss_signature(self.private.sign(message, algorithm))
        return encode_dss_signature(r, (max if high else min)(s, ORDERS[self.curve] - s))


def make_key(random: Random, kind: str = "P-256") -> Key:
    """Return a key: a curve's name, "Ed25519", or "RSA-2048"."""
    if kind in CURVES:
        return Key(ec.derive_private_key(random.randrange(1, ORDERS[kind]), CURVES[kind]), kind)
    if kind == "Ed25519":
        return Key(ed25519.Ed25519PrivateKey.from_private_bytes(random.randbytes(32)))
    return _rsa_key(int(kind.removeprefix("RSA-")), random.randrange(2))


@lru_cache
def _rsa_key(size: int, number: int) -> Key:
    random = Random(f"RSA {size} {number}")
    exponent = 65537
    while True:
        p, q = _prime(random, size // 2), _prime(random, size - size // 2)
        if p != q and (p * q).bit_length() == size and (p - 1) % exponent and (q - 1) % exponent:
            break
    d = pow(exponent, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(exponent, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    return Key(numbers.private_key(unsafe_skip_rsa_key_validation=True))


def _prime(random: Random, size: int) -> int:
    while True:
        candidate = random.getrandbits(size) | 3 << size - 2 | 1
        if all(candidate % small for small in _SMALL) and all(
            pow(base, candidate - 1, candidate) == 1 for base in (2, 3, 5)
        ):
            return candidate


_SMALL = [number for number in range(3, 2000, 2) if all(number % each for each in range(3, number, 2))]
