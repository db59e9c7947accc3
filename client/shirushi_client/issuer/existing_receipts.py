"""Looking at the receipt files that are there already, so that issuing overwrites none that could not be had again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from shirushi_client.hashing import digest_file
from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.issued import FileToIssue
from shirushi_client.issuer.journal import Journal
from shirushi_client.issuer.receipt_files import ReceiptWriteError
from shirushi_client.verifier.verifier import ReceiptFileError, read_receipt
from shirushi_core.proofs.receipt import Receipt, ReceiptMismatchError, verify_file


class ReceiptInTheWayError(ReceiptWriteError):
    """A file where a receipt would go, and which is not that receipt."""


def check_existing_receipts(files: Sequence[FileToIssue], order: Order, journal: Journal) -> None:
    """Raise ReceiptInTheWayError for the first file where a receipt would go that is another than the one to be written.

    The same bytes issued again as the same type get the receipt they have, so that one may be there. Only files that
    are there are read, and their certificates. Raises CertificateFileError, JournalError.
    """
    batches: dict[int, bytes] = {}
    for file in files:
        if not os.path.lexists(file.receipt_path):
            continue
        receipt = _receipt_there(file)
        document_type = receipt.anchor.statement.document_type
        if order.reissue:
            raise _in_the_way(file, "is the receipt of the earlier issuance")
        if document_type != order.document_type:
            raise _in_the_way(file, f"is its receipt as {document_type}")
        place = journal.find(document_type, [receipt.certificate_sha256]).get(receipt.certificate_sha256)
        if place is None:
            raise _in_the_way(file, "is the receipt of an issuance that this journal does not know")
        if place.row not in batches:
            batches[place.row] = journal.load(place.row).batch.statement.batch_id
        if (batches[place.row], place.index) != (receipt.anchor.statement.batch_id, receipt.index):
            raise _in_the_way(file, "is the receipt of another issuance of it")


def _receipt_there(file: FileToIssue) -> Receipt:
    digest = digest_file(file.path)
    try:
        return verify_file(read_receipt(Path(file.receipt_path)), digest.sha256, digest.size)
    except ReceiptFileError as error:
        raise _in_the_way(file, "is no receipt") from error
    except ReceiptMismatchError as error:
        raise _in_the_way(file, "is the receipt of other bytes") from error


def _in_the_way(file: FileToIssue, what: str) -> ReceiptInTheWayError:
    return ReceiptInTheWayError(
        f"the receipt of {file.path} would overwrite {file.receipt_path}, which {what}:"
        " name another folder with --out, or move it away"
    )
