"""Taking single receipts out of receipt books."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from shirushi_client.hashing import FileDigest, digest_file
from shirushi_client.issuer.book_files import BOOK_SUFFIX, read_book
from shirushi_client.issuer.issued import FileToIssue
from shirushi_client.issuer.receipt_files import make_folder, missing_receipts, write_receipts
from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs.receipt import ReceiptMismatchError, verify_file, verify_in_batch
from shirushi_core.proofs.receipt_book import ReceiptBook, verify_book


class ReceiptBookError(ShirushiError):
    """A receipt book that cannot be read, does not hold, or has not the receipts that were asked for."""


def books_in(path: Path) -> list[Path]:
    """Return a book's file, or the books in a folder in the order of their names; raises ReceiptBookError if there is none."""
    if not path.is_dir():
        return [path]
    found = sorted(each for each in path.iterdir() if each.name.endswith(BOOK_SUFFIX))
    if not found:
        raise ReceiptBookError(f"the folder {path} holds no receipt book (*{BOOK_SUFFIX})")
    return found


def load_book(path: Path) -> ReceiptBook:
    """Read and check a book; raises ReceiptBookError."""
    try:
        return verify_book(read_book(path))
    except OSError as error:
        reason = (error.strerror or "error").lower()
        raise ReceiptBookError(f"the receipt book {path} cannot be read: {reason}") from error
    except InvalidInputError as error:
        raise ReceiptBookError(f"this is no receipt book: {error}") from error
    except ReceiptMismatchError as error:
        raise ReceiptBookError(f"{path}: {error}") from error


def extract_receipts(books: Iterable[Path], files: Sequence[FileToIssue]) -> Iterator[list[FileToIssue]]:
    """Write the receipts of files out of books, and yield the files book by book.

    One that is there already, the same or refreshed since, stays. Raises ReceiptBookError for a book that does not hold and, after
    the last one, for files that were in none; CertificateFileError, ReceiptWriteError.
    """
    wanted: dict[FileDigest, list[FileToIssue]] = {}
    for file in files:
        wanted.setdefault(digest_file(file.path), []).append(file)
    for path in books:
        if not wanted:
            return
        book = load_book(path)
        found = {}
        for digest in wanted:
            index = book.index_of(digest.sha256)
            if index is not None:
                found[digest] = verify_in_batch(verify_file(book.receipt(index), digest.sha256, digest.size))
        receipts = [
            (file.receipt_path, receipt.to_bytes())
            for digest, receipt in found.items()
            for file in wanted[digest]
        ]
        for folder in {Path(path).parent for path, _ in receipts}:
            make_folder(folder)
        write_receipts(missing_receipts(receipts))
        yield [file for digest in found for file in wanted.pop(digest)]
    if wanted:
        missing = [file.path for each in wanted.values() for file in each]
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise ReceiptBookError(f"no receipt of {missing[0]}{more} in these books: was it issued into others?")
