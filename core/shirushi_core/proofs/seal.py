"""The seal (eシール): the issuing organisation's signature over a batch statement."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec

from shirushi_core.errors import ShirushiError
from shirushi_core.proofs import es256, fields
from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.canonical import Json, encode

ALGORITHM = "ES256"

_DOMAIN = b"shirushi/seal/v1\0"
_FIELDS = frozenset({"alg", "key_id", "signature"})


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
        if not 1 <= len(self.signature) <= es256.MAX_SIGNATURE_BYTES:
            raise fields.unexpected(
                "seal: signature", f"1 to {es256.MAX_SIGNATURE_BYTES} bytes", self.signature
            )

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        return {"alg": self.alg, "key_id": self.key_id.hex(), "signature": self.signature.hex()}

    @classmethod
    def from_json(cls, value: Json) -> Seal:
        """Parse strictly; raises InvalidInputError."""
        members = fields.an_object(value, "seal", _FIELDS)
        return cls(
            key_id=fields.hash_bytes(members["key_id"], "seal: key_id"),
            signature=fields.hex_bytes(
                members["signature"], "seal: signature", high=es256.MAX_SIGNATURE_BYTES
            ),
            alg=fields.a_text(members["alg"], "seal: alg"),
        )


def seal_input(statement: BatchStatement) -> bytes:
    """Return the bytes a seal signs."""
    return _DOMAIN + encode(statement.to_json())


def make_seal(statement: BatchStatement, key: ec.EllipticCurvePrivateKey) -> Seal:
    """Seal a statement with a P-256 key; raises SealError for a key on another curve."""
    try:
        signature = es256.sign(key, seal_input(statement))
    except es256.Es256Error as error:
        raise SealError(f"sealing key: {error}") from error
    return Seal(key_id=sha256(es256.public_key_der(key)).digest(), signature=signature)


def verify_seal(statement: BatchStatement, seal: Seal, public_key_der: bytes) -> BatchStatement:
    """Return the statement if the seal holds under the SubjectPublicKeyInfo given; raises SealError."""
    if sha256(public_key_der).digest() != seal.key_id:
        raise SealError(f"seal: it names the key {seal.key_id.hex()}, and was checked against another")
    try:
        es256.verify(public_key_der, seal_input(statement), seal.signature)
    except es256.Es256Error as error:
        raise SealError(
            f"seal: the signature of key {seal.key_id.hex()} is not over batch {statement.batch_id.hex()} as stated: "
            f"{error}"
        ) from error
    return statement
