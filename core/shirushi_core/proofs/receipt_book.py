"""The receipt book: one file with the receipts of a whole batch, what they share written once.

A receipt of its own follows from it for each certificate, byte for byte the one that would have been written otherwise.
Inclusion paths are left out, for salts and digests of the whole batch lead to its root. It holds every salt of the batch: it
stays with the issuer, and recipients are given receipts. Read in its one canonical form only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import fields, merkle
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.batch import MAX_BATCH_SIZE
from shirushi_core.proofs.canonical import MAX_INTEGER, Json, decode_canonical, encode
from shirushi_core.proofs.commitment import DIGEST_SIZE, commitments
from shirushi_core.proofs.log_evidence import LogEvidence, StatusEvidence
from shirushi_core.proofs.receipt import Receipt, ReceiptMismatchError

FORMAT = "shirushi/receipt-book/v1"
MAX_BOOK_BYTES = 192 << 20
"""A batch of the largest size: 128 hex digits and a length for each certificate, and what they share."""

_FIELDS = frozenset({"anchor", "certificates", "format", "ledger"})
_LOG, _STATUS = "log", "status"
_COLUMNS = frozenset({"salts", "sha256", "sizes"})


@dataclass(frozen=True)
class ReceiptBook:
    """Everything that proves the certificates of one batch, in the order of its tree.

    JSON: {"anchor": {...}, "certificates": {"salts": hex, "sha256": hex, "sizes": [int]}, "format": "shirushi/receipt-book/v1",
    "ledger": str, "log": {...}, "status": {...}}; the hex columns are 32 bytes for each certificate, one after the other; `log` and
    `status` are as in a receipt, left out where there is no such evidence yet.
    """

    anchor: IssuanceAnchor
    salts: bytes
    digests: bytes
    sizes: Sequence[int]
    log: LogEvidence | None = None
    status: StatusEvidence | None = None

    def __post_init__(self) -> None:
        size = self.anchor.statement.size
        for column, name in ((self.salts, "salts"), (self.digests, "sha256")):
            if len(column) != size * fields.HASH_SIZE:
                raise fields.unexpected(
                    f"receipt book: certificates.{name}",
                    f"{fields.HASH_SIZE} bytes for each of {size}",
                    column,
                )
        if len(self.sizes) != size:
            raise fields.unexpected("receipt book: certificates.sizes", f"{size} numbers", self.sizes)
        for each in (min(self.sizes), max(self.sizes)):
            fields.check_range(each, "receipt book: certificates.sizes", 0, MAX_INTEGER)
        if self.status is not None and self.status.head is None and self.log is None:
            raise InvalidInputError(
                "receipt book: status: expected a checkpoint, of its own or of the log evidence"
            )

    def index_of(self, sha256: bytes) -> int | None:
        """Return the place of the certificate with this digest, None if it is not in the batch."""
        return self._indexes.get(sha256)

    def receipt(self, index: int) -> Receipt:
        """Return the receipt of one certificate; raises ReceiptMismatchError if there is no such place."""
        if not 0 <= index < len(self.sizes):
            raise ReceiptMismatchError(
                f"receipt book: expected a place below {len(self.sizes)}, found {index}"
            )
        at = slice(index * fields.HASH_SIZE, (index + 1) * fields.HASH_SIZE)
        return Receipt(
            salt=self.salts[at],
            certificate_sha256=self.digests[at],
            certificate_size=self.sizes[index],
            index=index,
            path=tuple(self._tree[1][index]),
            anchor=self.anchor,
            log=self.log,
            status=self.status,
        )

    @property
    def root(self) -> bytes:
        """What salts and digests lead to."""
        return self._tree[0]

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        value: dict[str, Json] = {
            "anchor": self.anchor.to_json(),
            "certificates": {
                "salts": self.salts.hex(),
                "sha256": self.digests.hex(),
                "sizes": list(self.sizes),
            },
            "format": FORMAT,
            "ledger": self.anchor.statement.ledger,
        }
        if self.log is not None:
            value[_LOG] = self.log.to_json()
        if self.status is not None:
            value[_STATUS] = self.status.to_json()
        return value

    def to_bytes(self) -> bytes:
        """Return the file's bytes (canonical JSON and a final newline)."""
        return encode(self.to_json()) + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> ReceiptBook:
        """Parse a receipt book of at most MAX_BOOK_BYTES; raises InvalidInputError."""
        if len(data) > MAX_BOOK_BYTES or data[-1:] != b"\n":
            raise InvalidInputError(
                f"receipt book: expected at most {MAX_BOOK_BYTES} bytes, the last a newline"
            )
        value = decode_canonical(data[:-1], max_bytes=MAX_BOOK_BYTES)
        if not isinstance(value, Mapping):
            raise fields.unexpected("receipt book", "an object", value)
        members = fields.an_object(value, "receipt book", _FIELDS | ({_LOG, _STATUS} & value.keys()))
        fields.a_constant(members["format"], "receipt book: format", FORMAT)
        columns = fields.an_object(members["certificates"], "receipt book: certificates", _COLUMNS)
        anchor = IssuanceAnchor.from_json(members["anchor"])
        fields.a_constant(members["ledger"], "receipt book: ledger", anchor.statement.ledger)
        high = MAX_BATCH_SIZE * fields.HASH_SIZE
        return cls(
            anchor=anchor,
            salts=fields.hex_bytes(columns["salts"], "receipt book: certificates.salts", high=high),
            digests=fields.hex_bytes(columns["sha256"], "receipt book: certificates.sha256", high=high),
            sizes=tuple(
                fields.an_integer(each, "receipt book: certificates.sizes")
                for each in fields.an_array(
                    columns["sizes"], "receipt book: certificates.sizes", 1, MAX_BATCH_SIZE
                )
            ),
            log=LogEvidence.from_json(members[_LOG]) if _LOG in members else None,
            status=StatusEvidence.from_json(members[_STATUS]) if _STATUS in members else None,
        )

    @cached_property
    def _tree(self) -> tuple[bytes, merkle.Paths]:
        return merkle.root_and_paths(commitments(self.salts, self.digests))

    @cached_property
    def _indexes(self) -> dict[bytes, int]:
        starts = range(0, len(self.digests), DIGEST_SIZE)
        return {self.digests[start : start + DIGEST_SIZE]: start // DIGEST_SIZE for start in starts}


def verify_book(book: ReceiptBook) -> ReceiptBook:
    """Return the book if its salts and digests lead to the anchored root; raises ReceiptMismatchError."""
    statement = book.anchor.statement
    if book.root != statement.root:
        raise ReceiptMismatchError(
            f"receipt book: its certificates and salts do not lead to the root of batch {statement.batch_id.hex()}"
        )
    return book
