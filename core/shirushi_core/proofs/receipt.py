"""The receipt: the JSON file that travels with a certificate and proves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.canonical import Json

FORMAT = "shirushi/receipt/v1"
MAX_RECEIPT_BYTES = 256 * 1024


class ReceiptMismatchError(ShirushiError):
    """A receipt whose parts do not belong together, or which is of another file."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Everything needed to tie one certificate to its issuance anchor.

    JSON: {"anchor": {...}, "batch": {"index": int, "path": [hex]}, "certificate": {"sha256": hex, "size": int},
    "format": "shirushi/receipt/v1", "ledger": str, "salt": hex}; fields it does not know are kept in `extra`
    (top level) and written back.
    """

    salt: bytes
    certificate_sha256: bytes
    certificate_size: int
    index: int
    path: tuple[bytes, ...]
    anchor: IssuanceAnchor
    extra: Mapping[str, Json] = field(default_factory=dict)

    @property
    def commitment(self) -> bytes:
        """The commitment on the ledger: 32 bytes."""
        raise NotImplementedError

    def to_bytes(self) -> bytes:
        """Return the receipt file's bytes (canonical JSON and a final newline)."""
        raise NotImplementedError

    @classmethod
    def from_bytes(cls, data: bytes) -> Receipt:
        """Parse a receipt file of at most MAX_RECEIPT_BYTES; raises InvalidInputError."""
        raise NotImplementedError


def verify_in_batch(receipt: Receipt) -> Receipt:
    """Return the receipt if salt, digest, index and path lead to the anchored root; raises ReceiptMismatchError."""
    raise NotImplementedError


def verify_file(receipt: Receipt, sha256: bytes, size: int) -> Receipt:
    """Return the receipt if it is of the file with this digest and size; raises ReceiptMismatchError."""
    raise NotImplementedError
