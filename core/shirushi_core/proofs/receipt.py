"""The receipt: the JSON file that travels with a certificate and proves it.

It is read in its one form only, canonical JSON and a newline, so that not a byte of it can be changed unseen.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs import commitment as commitments
from shirushi_core.proofs import fields, merkle
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.batch import MAX_BATCH_SIZE
from shirushi_core.proofs.canonical import MAX_INTEGER, Json, decode_canonical, encode
from shirushi_core.proofs.log_evidence import LogEvidence, StatusEvidence

FORMAT = "shirushi/receipt/v1"
MAX_RECEIPT_BYTES = 256 * 1024
MAX_PATH = (MAX_BATCH_SIZE - 1).bit_length()

PARTS_KEPT = 64
"""Anchors and pieces of evidence remembered."""

Part = TypeVar("Part")

_FIELDS = frozenset({"anchor", "batch", "certificate", "format", "ledger", "salt"})
_LOG, _STATUS = "log", "status"
_BATCH_FIELDS = frozenset({"index", "path"})
_CERTIFICATE_FIELDS = frozenset({"sha256", "size"})


class ReceiptMismatchError(ShirushiError):
    """A receipt whose parts do not belong together, or which is of another file."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Everything needed to tie one certificate to its issuance anchor, and what members confirmed of that.

    JSON: {"anchor": {...}, "batch": {"index": int, "path": [hex]}, "certificate": {"sha256": hex, "size": int},
    "format": "shirushi/receipt/v1", "ledger": str, "log": {...}, "salt": hex, "status": {...}}; `log` and `status` are left out
    where there is no such evidence yet. Fields it does not know are kept in `extra` (top level) and written back.
    """

    salt: bytes
    certificate_sha256: bytes
    certificate_size: int
    index: int
    path: tuple[bytes, ...]
    anchor: IssuanceAnchor
    log: LogEvidence | None = None
    status: StatusEvidence | None = None
    extra: Mapping[str, Json] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        fields.check_hash(self.salt, "receipt: salt")
        fields.check_hash(self.certificate_sha256, "receipt: certificate.sha256")
        fields.check_range(self.certificate_size, "receipt: certificate.size", 0, MAX_INTEGER)
        fields.check_range(self.index, "receipt: batch.index", 0, self.anchor.statement.size - 1)
        if len(self.path) > MAX_PATH:
            raise fields.unexpected("receipt: batch.path", f"at most {MAX_PATH} hashes", self.path)
        if self.status is not None and self.status.head is None and self.log is None:
            raise InvalidInputError(
                "receipt: status: expected a checkpoint, of its own or of the log evidence"
            )
        if self.extra and not (_FIELDS | {_LOG, _STATUS}).isdisjoint(self.extra):
            raise InvalidInputError("receipt: extra fields cannot have the names of the format's own")

    @property
    def commitment(self) -> bytes:
        """The commitment on the ledger: 32 bytes."""
        return commitments.commitment(self.salt, self.certificate_sha256)

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        value: dict[str, Json] = {
            **self.extra,
            "anchor": self.anchor.to_json(),
            "batch": {"index": self.index, "path": [node.hex() for node in self.path]},
            "certificate": {"sha256": self.certificate_sha256.hex(), "size": self.certificate_size},
            "format": FORMAT,
            "ledger": self.anchor.statement.ledger,
            "salt": self.salt.hex(),
        }
        if self.log is not None:
            value[_LOG] = self.log.to_json()
        if self.status is not None:
            value[_STATUS] = self.status.to_json()
        return value

    def to_bytes(self) -> bytes:
        """Return the receipt file's bytes (canonical JSON and a final newline)."""
        return encode(self.to_json()) + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> Receipt:
        """Parse a receipt file of at most MAX_RECEIPT_BYTES; raises InvalidInputError."""
        if len(data) > MAX_RECEIPT_BYTES or data[-1:] != b"\n":
            raise InvalidInputError(
                f"receipt: expected at most {MAX_RECEIPT_BYTES} bytes, the last a newline"
            )
        value = decode_canonical(data[:-1], max_bytes=MAX_RECEIPT_BYTES)
        members = fields.an_object(value, "receipt", _FIELDS, others=True)
        fields.a_constant(members["format"], "receipt: format", FORMAT)
        batch = fields.an_object(members["batch"], "receipt: batch", _BATCH_FIELDS)
        certificate = fields.an_object(members["certificate"], "receipt: certificate", _CERTIFICATE_FIELDS)
        anchor = _read_anchor(members["anchor"])
        fields.a_constant(members["ledger"], "receipt: ledger", anchor.statement.ledger)
        return cls(
            salt=fields.hash_bytes(members["salt"], "receipt: salt"),
            certificate_sha256=fields.hash_bytes(certificate["sha256"], "receipt: certificate.sha256"),
            certificate_size=fields.an_integer(certificate["size"], "receipt: certificate.size"),
            index=fields.an_integer(batch["index"], "receipt: batch.index"),
            path=fields.hash_array(batch["path"], "receipt: batch.path", MAX_PATH),
            anchor=anchor,
            log=_read_log(members[_LOG]) if _LOG in members else None,
            status=_read_status(members[_STATUS]) if _STATUS in members else None,
            extra={
                name: member
                for name, member in members.items()
                if name not in _FIELDS and name not in (_LOG, _STATUS)
            },
        )


def own_part(
    index: int,
    path: Sequence[bytes],
    certificate_sha256: bytes,
    certificate_size: int,
    ledger: str,
    salt: bytes,
) -> bytes:
    """Return what follows the anchor in a receipt's canonical bytes; receipts of one batch share what is before."""
    nodes = '"' + '","'.join([node.hex() for node in path]) + '"' if path else ""
    return (
        f'"batch":{{"index":{index},"path":[{nodes}]}},'
        f'"certificate":{{"sha256":"{certificate_sha256.hex()}","size":{certificate_size}}},'
        f'"format":"{FORMAT}","ledger":"{ledger}","salt":"{salt.hex()}"}}\n'
    ).encode()


@dataclass(frozen=True, slots=True)
class BatchEvidence:
    """What the receipts of a batch share besides their anchor, as it stands in their canonical bytes: made by `of`."""

    log: bytes = b""
    status: bytes = b""

    @classmethod
    def of(cls, log: LogEvidence | None, status: StatusEvidence | None) -> BatchEvidence:
        """Write evidence out, once for all receipts of a batch."""
        return cls(
            b"" if log is None else b'"%s":%s,' % (_LOG.encode(), encode(log.to_json())),
            b"" if status is None else b',"%s":%s' % (_STATUS.encode(), encode(status.to_json())),
        )

    def within(self, own: bytes) -> bytes:
        """Return a receipt's own part (`own_part`) with the evidence in its place."""
        before, salt, after = own.rpartition(b'"salt":')
        return b"".join((before, self.log, salt, after[:-2], self.status, b"}\n"))


def verify_in_batch(receipt: Receipt) -> Receipt:
    """Return the receipt if salt, digest, index and path lead to the anchored root; raises ReceiptMismatchError."""
    statement = receipt.anchor.statement
    try:
        merkle.verify_inclusion(
            receipt.commitment, receipt.index, statement.size, receipt.path, statement.root
        )
    except merkle.ProofError as error:
        raise ReceiptMismatchError(
            f"receipt: the certificate is not in batch {statement.batch_id.hex()}: {error}"
        ) from error
    return receipt


def verify_file(receipt: Receipt, sha256: bytes, size: int) -> Receipt:
    """Return the receipt if it is of the file with this digest and size; raises ReceiptMismatchError."""
    if sha256 != receipt.certificate_sha256 or size != receipt.certificate_size:
        raise ReceiptMismatchError(
            f"receipt: it is of a file of {receipt.certificate_size} bytes with SHA-256 "
            f"{receipt.certificate_sha256.hex()}; this file has {size} bytes and {sha256.hex()}"
        )
    return receipt


class _ByContent(Generic[Part]):
    """Parses parts of receipts, equal ones once: receipts of one batch share theirs, and come one after the other."""

    def __init__(self, parse: Callable[[Json], Part]) -> None:
        self._parse = parse
        self._known: OrderedDict[bytes, Part] = OrderedDict()

    def __call__(self, value: Json) -> Part:
        content = encode(value)
        part = self._known.get(content)
        if part is None:
            part = self._known[content] = self._parse(value)
            while len(self._known) > PARTS_KEPT:
                self._known.popitem(last=False)
        return part


_read_anchor = _ByContent(IssuanceAnchor.from_json)
_read_log = _ByContent(LogEvidence.from_json)
_read_status = _ByContent(StatusEvidence.from_json)
