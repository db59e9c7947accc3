"""Finding the receipt that a path means."""

from __future__ import annotations

from pathlib import Path

from shirushi_client.hashing import CertificateFileError, digest_file
from shirushi_client.issuer.receipt_files import SUFFIX
from shirushi_client.verifier.reading import ReceiptFileError, read_receipt
from shirushi_core.proofs.receipt import Receipt, ReceiptMismatchError, verify_file


def receipt_beside(file: Path) -> Path:
    """Return the receipt beside a file: FILE.receipt.json or NAME.receipt.json.

    Raises CertificateFileError if there is no such file, ReceiptFileError if it has no receipt.
    """
    if not file.exists():
        raise CertificateFileError(f"{file} cannot be read: no such file")
    candidates = (file.with_name(file.name + SUFFIX), file.with_name(file.stem + SUFFIX))
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    names = " or ".join(dict.fromkeys(candidate.name for candidate in candidates))
    raise ReceiptFileError(
        f"no receipt beside {file} ({names}): name it with --receipt, or name the receipt itself"
    )


def receipt_path(path: Path) -> Path:
    """Return the receipt file that a path names or has beside it; raises CertificateFileError, ReceiptFileError."""
    return path if path.name.endswith(SUFFIX) else receipt_beside(path)


def load(path: Path) -> Receipt:
    """Return the receipt that a path names or has beside it; a file that is there must be the receipt's own.

    Raises ReceiptFileError, CertificateFileError, ReceiptMismatchError.
    """
    if path.name.endswith(SUFFIX):
        return read_receipt(path)
    digest = digest_file(str(path), follow_links=True)
    receipt_path = receipt_beside(path)
    try:
        return verify_file(read_receipt(receipt_path), digest.sha256, digest.size)
    except ReceiptMismatchError as error:
        raise ReceiptMismatchError(f"{receipt_path} is not the receipt of {path}: {error}") from error
