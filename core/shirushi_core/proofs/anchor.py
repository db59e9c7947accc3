"""The issuance anchor as the ledger holds it."""

from __future__ import annotations

from dataclasses import dataclass

from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.seal import Seal


@dataclass(frozen=True, slots=True)
class IssuanceAnchor:
    """A sealed batch statement with when and in which transaction it was anchored.

    JSON: {"anchored_at": unix s, "issuer_sequence": int, "seal": {...}, "statement": {...}, "tx_id": hex}.
    `issuer_sequence` is the version of the issuer's record that its keys were judged by.
    """

    statement: BatchStatement
    seal: Seal
    anchored_at: int
    tx_id: str
    issuer_sequence: int

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        raise NotImplementedError

    @classmethod
    def from_json(cls, value: Json) -> IssuanceAnchor:
        """Parse strictly; raises InvalidInputError."""
        raise NotImplementedError
