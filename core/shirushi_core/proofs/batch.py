"""The batch statement: what an issuer seals and the ledger anchors."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import fields
from shirushi_core.proofs.canonical import Json, encode

FORMAT = "shirushi/batch/v1"
MAX_BATCH_SIZE = 1 << 20
TEST_LEDGER_SUFFIX = "-test"

_ID_DOMAIN = b"shirushi/batch-id/v1\0"
_FIELDS = frozenset(
    {"batch_id", "document_type", "format", "issuer", "ledger", "root", "size", "valid_from", "valid_until"}
)


@dataclass(frozen=True, slots=True)
class BatchStatement:
    r"""One batch, as its issuer states it.

    Canonical JSON form (all fields present, `valid_until` null when open-ended):
    {"batch_id": hex, "document_type": str, "format": "shirushi/batch/v1", "issuer": str, "ledger": str,
     "root": hex, "size": int, "valid_from": unix seconds, "valid_until": unix seconds | null}
    `ledger` is the channel's name; a name that ends in "-test" marks a test ledger. `issuer` and `document_type` match
    [a-z0-9][a-z0-9.-]{0,63}. Values outside these limits raise InvalidInputError.

    `batch_id` is SHA-256("shirushi/batch-id/v1\0" ‖ canonical {document_type, issuer, ledger, root, size}): 32 bytes. The
    document type is the batch's purpose; validity is not part of the id, so that the same certificates resubmitted with
    another validity are recognised and refused.
    """

    ledger: str
    issuer: str
    document_type: str
    root: bytes
    size: int
    valid_from: int
    valid_until: int | None = None
    batch_id: bytes = field(init=False, compare=False)

    def __post_init__(self) -> None:
        fields.check_ledger(self.ledger, "batch statement: ledger")
        fields.check_identifier(self.issuer, "batch statement: issuer")
        fields.check_identifier(self.document_type, "batch statement: document_type")
        fields.check_hash(self.root, "batch statement: root")
        fields.check_range(self.size, "batch statement: size", 1, MAX_BATCH_SIZE)
        fields.check_time(self.valid_from, "batch statement: valid_from")
        if self.valid_until is not None:
            fields.check_range(
                self.valid_until, "batch statement: valid_until", self.valid_from, fields.MAX_UNIX_SECONDS
            )
        object.__setattr__(self, "batch_id", self._derive_batch_id())

    def to_json(self) -> dict[str, Json]:
        """Return the canonical JSON form."""
        return {
            "batch_id": self.batch_id.hex(),
            "document_type": self.document_type,
            "format": FORMAT,
            "issuer": self.issuer,
            "ledger": self.ledger,
            "root": self.root.hex(),
            "size": self.size,
            "valid_from": self.valid_from,
            "valid_until": self.valid_until,
        }

    @classmethod
    def from_json(cls, value: Json) -> BatchStatement:
        """Parse strictly: unknown, missing or ill-typed fields and a batch_id that does not match raise InvalidInputError."""
        what = "batch statement"
        members = fields.an_object(value, what, _FIELDS)
        fields.a_constant(members["format"], f"{what}: format", FORMAT)
        statement = cls(
            ledger=fields.a_text(members["ledger"], f"{what}: ledger"),
            issuer=fields.a_text(members["issuer"], f"{what}: issuer"),
            document_type=fields.a_text(members["document_type"], f"{what}: document_type"),
            root=fields.hash_bytes(members["root"], f"{what}: root"),
            size=fields.an_integer(members["size"], f"{what}: size"),
            valid_from=fields.an_integer(members["valid_from"], f"{what}: valid_from"),
            valid_until=fields.an_optional_integer(members["valid_until"], f"{what}: valid_until"),
        )
        claimed = fields.hash_bytes(members["batch_id"], f"{what}: batch_id")
        if claimed != statement.batch_id:
            raise InvalidInputError(
                f"{what}: batch_id: expected {statement.batch_id.hex()} by its other fields, found {claimed.hex()}"
            )
        return statement

    def _derive_batch_id(self) -> bytes:
        identity: Json = {
            "document_type": self.document_type,
            "issuer": self.issuer,
            "ledger": self.ledger,
            "root": self.root.hex(),
            "size": self.size,
        }
        return sha256(_ID_DOMAIN + encode(identity)).digest()


def is_test_ledger(ledger: str) -> bool:
    """Say whether a ledger's name marks it as a test ledger (it ends in "-test")."""
    return ledger.endswith(TEST_LEDGER_SUFFIX)
