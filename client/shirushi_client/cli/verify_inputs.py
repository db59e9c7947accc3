"""Which certificates `shirushi verify` is given, and where their receipts are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from shirushi_client.cli.receipts import receipt_beside
from shirushi_client.hashing import CertificateFileError
from shirushi_client.issuer.sources import files_in
from shirushi_client.verifier.bulk import Pair
from shirushi_client.verifier.reading import ReceiptFileError


def pairs_of(paths: Sequence[Path], receipt: Path | None) -> list[Pair]:
    """Return the files named with their receipts, and those in folders; raises CertificateFileError, ReceiptFileError.

    Of a folder, all files are meant but receipts and hidden files; one there without a receipt is a pair without one.
    """
    pairs: list[Pair] = []
    for path in paths:
        if path.is_dir():
            found = list(_of_folder(path))
            if not found:
                raise CertificateFileError(f"the folder {path} holds no certificate")
            pairs += found
        else:
            pairs.append(Pair(path, receipt or receipt_beside(path), path.name))
    return pairs


def _of_folder(folder: Path) -> Iterator[Pair]:
    for name in sorted(files_in(str(folder))):
        file = Path(name)
        try:
            receipt = receipt_beside(file)
        except (CertificateFileError, ReceiptFileError):
            receipt = None
        yield Pair(file, receipt, str(file.relative_to(folder)))
