"""The seal (eシール): the issuing organisation's signature over a batch statement."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.canonical import Json


class SealError(ShirushiError):
    """A seal that does not hold over the statement it came with."""


@dataclass(frozen=True, slots=True)
class Seal:
    """A signature and the key it was made with.

    JSON: {"alg": "ES256", "key_id": hex of SHA-256(SubjectPublicKeyInfo DER), "signature": hex of DER, low-S}.
    Signed bytes: "shirushi/seal/v1\\0" ‖ canonical batch statement.
    """

    key_id: bytes
    signature: bytes
    alg: str = "ES256"

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        raise NotImplementedError

    @classmethod
    def from_json(cls, value: Json) -> Seal:
        """Parse strictly; raises InvalidInputError."""
        raise NotImplementedError


def seal_input(statement: BatchStatement) -> bytes:
    """Return the bytes a seal signs."""
    raise NotImplementedError


def make_seal(statement: BatchStatement, key: ec.EllipticCurvePrivateKey) -> Seal:
    """Seal a statement with a P-256 key."""
    raise NotImplementedError


def verify_seal(statement: BatchStatement, seal: Seal, public_key_der: bytes) -> BatchStatement:
    """Return the statement if the seal holds under the SubjectPublicKeyInfo given; raises SealError."""
    raise NotImplementedError
