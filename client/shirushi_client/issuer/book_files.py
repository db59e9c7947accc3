"""Receipt books as files: one for each batch, named by its id, in the folder that was asked for."""

from __future__ import annotations

import os
from pathlib import Path

from shirushi_client.issuer.receipt_files import ReceiptWriteError
from shirushi_client.whole_files import write_whole
from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.receipt_book import MAX_BOOK_BYTES, ReceiptBook

BOOK_SUFFIX = ".receipts.json"


def book_path(folder: str, batch_id: bytes) -> str:
    """Return where the book of a batch is."""
    return os.path.join(folder, f"{batch_id.hex()}{BOOK_SUFFIX}")  # noqa: PTH118 (folders may have any name)


def write_book(path: str, data: bytes, *, anew: bool = False) -> None:
    """Write a book, whole or not at all; on disk for good when this returns. Raises ReceiptWriteError.

    One that is there with as many signatures or more, and else the same, stays; `anew`: it cannot be there yet.
    """
    if not anew and _is_there(path, data):
        return
    try:
        write_whole(path, data, mode=0o600, again=True)
    except OSError as error:
        raise ReceiptWriteError(f"the receipt book {path} cannot be written: {error.strerror}") from error


def read_book(path: Path) -> ReceiptBook:
    """Read a book; raises InvalidInputError for what is none, naming the file, and OSError."""
    with path.open("rb") as file:
        data = file.read(MAX_BOOK_BYTES + 1)
    try:
        return ReceiptBook.from_bytes(data)
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}") from error


def _is_there(path: str, data: bytes) -> bool:
    try:
        there = read_book(Path(path))
    except (InvalidInputError, OSError):
        return False
    ours = ReceiptBook.from_bytes(data)
    same = (there.anchor, there.salts, there.digests, there.sizes) == (
        ours.anchor,
        ours.salts,
        ours.digests,
        ours.sizes,
    )
    return same and _signatures(there) >= _signatures(ours)


def _signatures(book: ReceiptBook) -> int:
    return 0 if book.log is None else len(book.log.head.note.signatures)
