"""The issuance anchor as the ledger holds it."""

from __future__ import annotations

from dataclasses import dataclass

from shirushi_core.proofs import fields
from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.seal import Seal

_FIELDS = frozenset({"anchored_at", "issuer_sequence", "seal", "statement", "tx_id"})


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

    def __post_init__(self) -> None:
        fields.check_time(self.anchored_at, "issuance anchor: anchored_at")
        fields.check_tx_id(self.tx_id, "issuance anchor: tx_id")
        fields.check_sequence(self.issuer_sequence, "issuance anchor: issuer_sequence")

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        return {
            "anchored_at": self.anchored_at,
            "issuer_sequence": self.issuer_sequence,
            "seal": self.seal.to_json(),
            "statement": self.statement.to_json(),
            "tx_id": self.tx_id,
        }

    @classmethod
    def from_json(cls, value: Json) -> IssuanceAnchor:
        """Parse strictly; raises InvalidInputError."""
        what = "issuance anchor"
        members = fields.an_object(value, what, _FIELDS)
        return cls(
            statement=BatchStatement.from_json(members["statement"]),
            seal=Seal.from_json(members["seal"]),
            anchored_at=fields.an_integer(members["anchored_at"], f"{what}: anchored_at"),
            tx_id=fields.a_text(members["tx_id"], f"{what}: tx_id"),
            issuer_sequence=fields.an_integer(members["issuer_sequence"], f"{what}: issuer_sequence"),
        )
