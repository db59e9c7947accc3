"""The batch statement: what an issuer seals and the ledger anchors."""

from __future__ import annotations

from dataclasses import dataclass

from shirushi_core.proofs.canonical import Json

FORMAT = "shirushi/batch/v1"
MAX_BATCH_SIZE = 1 << 20


@dataclass(frozen=True, slots=True)
class BatchStatement:
    """One batch, as its issuer states it.

    Canonical JSON form (all fields present, `valid_until` null when open-ended):
    {"batch_id": hex, "document_type": str, "format": "shirushi/batch/v1", "issuer": str, "ledger": str,
     "root": hex, "size": int, "valid_from": unix seconds, "valid_until": unix seconds | null}
    `ledger` is the channel's name; a name that ends in "-test" marks a test ledger. `issuer` and `document_type` match
    [a-z0-9][a-z0-9.-]{0,63}.
    """

    ledger: str
    issuer: str
    document_type: str
    root: bytes
    size: int
    valid_from: int
    valid_until: int | None = None

    @property
    def batch_id(self) -> bytes:
        """SHA-256("shirushi/batch-id/v1\\0" ‖ canonical {document_type, issuer, ledger, root, size}): 32 bytes.

        The document type is the batch's purpose; validity is not part of the id, so that the same certificates
        resubmitted with another validity are recognised and refused.
        """
        raise NotImplementedError

    def to_json(self) -> dict[str, Json]:
        """Return the canonical JSON form."""
        raise NotImplementedError

    @classmethod
    def from_json(cls, value: Json) -> BatchStatement:
        """Parse strictly: unknown, missing or ill-typed fields and a batch_id that does not match raise InvalidInputError."""
        raise NotImplementedError


def is_test_ledger(ledger: str) -> bool:
    """Say whether a ledger's name marks it as a test ledger (it ends in "-test")."""
    raise NotImplementedError
