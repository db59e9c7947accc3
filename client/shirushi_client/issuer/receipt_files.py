"""Writing receipt files: whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from shirushi_client.whole_files import write_whole
from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs.receipt import MAX_RECEIPT_BYTES, Receipt

SUFFIX = ".receipt.json"


class ReceiptWriteError(ShirushiError):
    """A receipt file that cannot be written; what was there before is unchanged."""


def make_folder(folder: Path) -> None:
    """Make a folder that receipts go into, unless it is there; raises ReceiptWriteError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReceiptWriteError(f"the folder {folder} cannot be made: {error.strerror}") from error


def write_receipt(path: str, data: bytes) -> None:
    """Write a receipt file: a temporary file in the same folder, then renamed; raises ReceiptWriteError."""
    try:
        write_whole(path, data, durable=False, again=True)
    except OSError as error:
        raise ReceiptWriteError(f"the receipt {path} cannot be written: {error.strerror}") from error


def write_receipts(receipts: Iterable[tuple[str, bytes]]) -> None:
    """Write (path, data) pairs; that they are on disk for good is up to the caller.

    One that cannot be written does not keep the others back; then raises ReceiptWriteError for the first, with the
    number of all that failed.
    """
    failures = []
    for path, data in receipts:
        try:
            write_receipt(path, data)
        except ReceiptWriteError as error:
            failures.append(error)
    if len(failures) > 1:
        raise ReceiptWriteError(f"{failures[0]} (and {len(failures) - 1} more)") from failures[0]
    if failures:
        raise failures[0]


def missing_receipts(receipts: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Yield those of (path, data) pairs whose file is not there already: with the same bytes, or refreshed since."""
    return ((path, data) for path, data in receipts if not _holds(path, data))


def _holds(path: str, data: bytes) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        with open(descriptor, "rb", closefd=False) as file:
            there = file.read(MAX_RECEIPT_BYTES + 1)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return there == data or _is_refreshed(there, data)


def _is_refreshed(there: bytes, data: bytes) -> bool:
    """Say whether a file holds the same receipt with at least as many signatures: a newer status is not to be lost."""
    try:
        found, ours = Receipt.from_bytes(there), Receipt.from_bytes(data)
    except InvalidInputError:
        return False
    return _signatures(found) >= _signatures(ours) and _bare(found) == _bare(ours)


def _signatures(receipt: Receipt) -> int:
    return 0 if receipt.log is None else len(receipt.log.head.note.signatures)


def _bare(receipt: Receipt) -> Receipt:
    return replace(receipt, log=None, status=None, extra={})
