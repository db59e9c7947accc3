"""Reading receipts, and turning a report into a receipt or an exception for programs that want one of the two."""

from __future__ import annotations

from pathlib import Path

import orjson

from shirushi_client.hashing import FileDigest
from shirushi_client.verifier.report import Report
from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs import fields
from shirushi_core.proofs.compact import COMPACT_BEGINNING, from_compact
from shirushi_core.proofs.merkle import HASH_SIZE
from shirushi_core.proofs.receipt import MAX_RECEIPT_BYTES, Receipt
from shirushi_core.proofs.report import Result, Verdict


class ReceiptFileError(ShirushiError):
    """A receipt file that is missing, cannot be read, or is no receipt."""


class VerificationError(ShirushiError):
    """A certificate that was not found valid; `report` says why."""

    def __init__(self, report: Report) -> None:
        reasons = [check.en for check in report.checks if check.result in (Result.FAIL, Result.UNKNOWN)]
        super().__init__(f"{report.file}: {report.verdict}: {' '.join(reasons)}")
        self.report = report


class NotValidError(VerificationError):
    """A check failed."""


class CannotConfirmError(VerificationError):
    """No check failed, but not all could be made."""


def receipt_if_valid(report: Report) -> Receipt:
    """Return the receipt of a valid certificate, of a test ledger or not; raises NotValidError, CannotConfirmError."""
    match report.verdict:
        case Verdict.VALID:
            return report.receipt
        case Verdict.NOT_VALID:
            raise NotValidError(report)
        case Verdict.CANNOT_CONFIRM:
            raise CannotConfirmError(report)


def read_receipt(path: Path) -> Receipt:
    """Read a receipt file; raises ReceiptFileError."""
    data = _read(path)
    try:
        return Receipt.from_bytes(data)
    except InvalidInputError as error:
        raise ReceiptFileError(f"{path} is no receipt: {error}") from error


def read_receipt_of(path: Path, digest: FileDigest) -> Receipt:
    """Read the receipt of a file, in its JSON or its compact form; raises ReceiptFileError.

    A compact one does not say of which file it is: whether of this one, the checks find out.
    """
    data = _read(path)
    try:
        if data.startswith(COMPACT_BEGINNING):
            return from_compact(data, digest.sha256, digest.size)
        return Receipt.from_bytes(data)
    except InvalidInputError as error:
        raise ReceiptFileError(f"{path} is no receipt: {error}") from error


def ledger_of(path: Path) -> str | None:
    """Return the ledger that a receipt file says it is of, to find the policy to judge it by; None if it cannot be read."""
    try:
        data = _read(path)
        if data.startswith(COMPACT_BEGINNING):
            return from_compact(data, bytes(HASH_SIZE), 0).anchor.statement.ledger
        value = orjson.loads(data)["anchor"]["statement"]["ledger"]
        return fields.check_ledger(fields.a_text(value, "ledger"), "ledger")
    except (ShirushiError, ValueError, TypeError, KeyError, IndexError):
        return None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_RECEIPT_BYTES + 1)
    except OSError as error:
        raise ReceiptFileError(
            f"the receipt {path} cannot be read: {(error.strerror or 'error').lower()}"
        ) from error
