"""A batch in the issuer's hands: certificates' digests and salts, the sealed statement, and the receipts they make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from shirushi_client.hashing import FileDigest
from shirushi_client.issuer.receipt_check import ReceiptCheck
from shirushi_core.errors import ShirushiError
from shirushi_core.proofs import merkle
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.canonical import encode
from shirushi_core.proofs.commitment import SALT_SIZE, commitments
from shirushi_core.proofs.log_evidence import LogEvidence, StatusEvidence
from shirushi_core.proofs.receipt import BatchEvidence, Receipt, own_part, verify_file, verify_in_batch
from shirushi_core.proofs.receipt_book import ReceiptBook
from shirushi_core.proofs.seal import Seal, make_seal


class ReceiptCheckError(ShirushiError):
    """A receipt that does not prove its certificate; it is not handed out."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is issued: the document type and the validity of the certificates (unix seconds; None: open-ended).

    reissue: make new certificates of bytes that were issued before, instead of returning their first receipts.
    """

    document_type: str
    valid_from: int | None = None
    valid_until: int | None = None
    reissue: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Certificates in their order in the tree, a salt and an inclusion path each, and the sealed statement over them."""

    certificates: Sequence[FileDigest]
    salts: Sequence[bytes]
    paths: Sequence[Sequence[bytes]]
    statement: BatchStatement
    seal: Seal


def seal_batch(
    certificates: Sequence[FileDigest],
    salts: bytes,
    *,
    ledger: str,
    issuer: str,
    document_type: str,
    valid_from: int,
    valid_until: int | None,
    key: ec.EllipticCurvePrivateKey,
) -> Batch:
    """Make and seal a batch; `salts` holds SALT_SIZE random bytes for each certificate."""
    parted, root, paths = _tree(certificates, salts)
    statement = BatchStatement(
        ledger, issuer, document_type, root, len(certificates), valid_from, valid_until
    )
    return Batch(certificates, parted, paths, statement, make_seal(statement, key))


def restore_batch(
    certificates: Sequence[FileDigest], salts: bytes, statement: BatchStatement, seal: Seal
) -> Batch:
    """Put a batch together again from what was kept of it; raises ReceiptCheckError if the parts differ from then."""
    parted, root, paths = _tree(certificates, salts)
    if (root, len(certificates)) != (statement.root, statement.size):
        raise ReceiptCheckError(
            f"batch {statement.batch_id.hex()}: the certificates and salts that were kept do not lead to its root;"
            " restore the issuer's journal from a backup"
        )
    return Batch(certificates, parted, paths, statement, seal)


def checked_receipts(
    batch: Batch, anchor: IssuanceAnchor, evidence: BatchEvidence, indexes: Sequence[int]
) -> Iterator[bytes]:
    """Make the receipts of these certificates and check each as a recipient would, before it is handed out.

    Receipts of one batch share their anchor and what members confirm of it. So the first is parsed in full; of the others what
    is the certificate's own is parsed and led to the root. Raises ReceiptCheckError.
    """
    check, beginning = ReceiptCheck(anchor.statement), b""
    for index in indexes:
        certificate, salt = batch.certificates[index], batch.salts[index]
        own = own_part(
            index, batch.paths[index], certificate.sha256, certificate.size, anchor.statement.ledger, salt
        )
        if not beginning or not check.proves(own, index, salt, certificate):
            beginning = b'{"anchor":' + encode(anchor.to_json()) + b","
            _check_in_full(beginning + evidence.within(own), index, certificate, anchor)
        yield beginning + evidence.within(own)


def checked_book(
    batch: Batch, anchor: IssuanceAnchor, log: LogEvidence | None, status: StatusEvidence | None
) -> bytes:
    """Make the book of all receipts of a batch, and check its very bytes before it is written.

    They are to hold the salts and digests whose root this batch has, and an anchor of that root: so each receipt in it proves its
    certificate. Raises ReceiptCheckError.
    """
    try:
        book = ReceiptBook(
            anchor,
            b"".join(batch.salts),
            b"".join([each.sha256 for each in batch.certificates]),
            tuple([each.size for each in batch.certificates]),
            log,
            status,
        )
        data = book.to_bytes()
        if ReceiptBook.from_bytes(data) != book or anchor.statement.root != batch.statement.root:
            raise ReceiptCheckError("it holds something else than the batch and its anchor")
    except ShirushiError as error:
        raise ReceiptCheckError(
            f"the receipt book made for batch {batch.statement.batch_id.hex()} does not hold: {error}"
        ) from error
    return data


def _check_in_full(data: bytes, index: int, certificate: FileDigest, anchor: IssuanceAnchor) -> None:
    try:
        receipt = Receipt.from_bytes(data)
        if receipt.anchor != anchor:
            raise ReceiptCheckError("it holds another anchor than the ledger's")
        verify_in_batch(verify_file(receipt, certificate.sha256, certificate.size))
    except ShirushiError as error:
        raise ReceiptCheckError(f"the receipt made for certificate {index} does not hold: {error}") from error


def _tree(certificates: Sequence[FileDigest], salts: bytes) -> tuple[list[bytes], bytes, merkle.Paths]:
    parted = [salts[start : start + SALT_SIZE] for start in range(0, len(salts), SALT_SIZE)]
    leaves = commitments(salts, b"".join([certificate.sha256 for certificate in certificates]))
    return parted, *merkle.root_and_paths(leaves)
