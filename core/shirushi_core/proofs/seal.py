"""The seal (eシール): the issuing organisation's signature over a batch statement."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from shirushi_core.errors import ShirushiError
from shirushi_core.proofs import fields
from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.canonical import Json, encode

ALGORITHM = "ES256"
MAX_SIGNATURE_BYTES = 72  # DER of two P-256 integers

_DOMAIN = b"shirushi/seal/v1\0"
_FIELDS = frozenset({"alg", "key_id", "signature"})
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class SealError(ShirushiError):
    """A seal that does not hold over the statement it came with."""


@dataclass(frozen=True, slots=True)
class Seal:
    r"""A signature and the key it was made with.

    JSON: {"alg": "ES256", "key_id": hex of SHA-256(SubjectPublicKeyInfo DER), "signature": hex of DER, low-S}.
    Signed bytes: "shirushi/seal/v1\0" ‖ canonical batch statement.
    """

    key_id: bytes
    signature: bytes
    alg: str = ALGORITHM

    def __post_init__(self) -> None:
        fields.check_hash(self.key_id, "seal: key_id")
        fields.a_constant(self.alg, "seal: alg", ALGORITHM)
        if not 1 <= len(self.signature) <= MAX_SIGNATURE_BYTES:
            raise fields.unexpected("seal: signature", f"1 to {MAX_SIGNATURE_BYTES} bytes", self.signature)

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        return {"alg": self.alg, "key_id": self.key_id.hex(), "signature": self.signature.hex()}

    @classmethod
    def from_json(cls, value: Json) -> Seal:
        """Parse strictly; raises InvalidInputError."""
        members = fields.an_object(value, "seal", _FIELDS)
        return cls(
            key_id=fields.hash_bytes(members["key_id"], "seal: key_id"),
            signature=fields.hex_bytes(members["signature"], "seal: signature", high=MAX_SIGNATURE_BYTES),
            alg=fields.a_text(members["alg"], "seal: alg"),
        )


def seal_input(statement: BatchStatement) -> bytes:
    """Return the bytes a seal signs."""
    return _DOMAIN + encode(statement.to_json())


def make_seal(statement: BatchStatement, key: ec.EllipticCurvePrivateKey) -> Seal:
    """Seal a statement with a P-256 key; raises SealError for a key on another curve."""
    if not isinstance(key.curve, ec.SECP256R1):
        raise SealError(f"sealing key: expected one on P-256, found one on {key.curve.name}")
    r, s = decode_dss_signature(key.sign(seal_input(statement), ec.ECDSA(hashes.SHA256())))
    public_key = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Seal(
        key_id=sha256(public_key).digest(), signature=encode_dss_signature(r, min(s, _P256_ORDER - s))
    )


def verify_seal(statement: BatchStatement, seal: Seal, public_key_der: bytes) -> BatchStatement:
    """Return the statement if the seal holds under the SubjectPublicKeyInfo given; raises SealError."""
    if sha256(public_key_der).digest() != seal.key_id:
        raise SealError(f"seal: it names the key {seal.key_id.hex()}, and was checked against another")
    try:
        key = load_der_public_key(public_key_der)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SealError(f"seal: expected the key {seal.key_id.hex()} to be one on P-256, found another kind")
    try:
        r, s = decode_dss_signature(seal.signature)
    except ValueError:
        raise SealError("seal: expected a DER signature, found other bytes") from None
    # One signature, one encoding: nobody can make a second seal out of the first.
    if s > _P256_ORDER // 2 or encode_dss_signature(r, s) != seal.signature:
        raise SealError("seal: expected a low-S signature in DER, found another form of it")
    try:
        key.verify(seal.signature, seal_input(statement), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise SealError(
            f"seal: the signature of key {seal.key_id.hex()} is not over batch {statement.batch_id.hex()} as stated"
        ) from None
    return statement
