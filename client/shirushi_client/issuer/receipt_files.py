"""Writing receipt files: whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from shirushi_core.errors import ShirushiError

SUFFIX = ".receipt.json"


class ReceiptWriteError(ShirushiError):
    """A receipt file that cannot be written; what was there before is unchanged."""


def write_receipt(path: str, data: bytes) -> None:
    """Write a receipt file: a temporary file in the same folder, then renamed; raises ReceiptWriteError."""
    folder, name = os.path.split(path)
    # Always the same name: what a crash left there is replaced when the receipt is written again.
    temporary = os.path.join(folder, f".{name}.partial")  # noqa: PTH118 (once for each of a million files)
    try:
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666
        )
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
        finally:
            os.close(descriptor)
        os.replace(temporary, path)  # noqa: PTH105 (as above)
    except OSError as error:
        _remove(temporary)
        raise ReceiptWriteError(f"the receipt {path} cannot be written: {error.strerror}") from error


def write_receipts(receipts: Iterable[tuple[str, bytes]]) -> None:
    """Write (path, data) pairs, and return when they are on disk for good; those that are there already are left.

    One that cannot be written does not keep the others back; then raises ReceiptWriteError for the first, with the
    number of all that failed.
    """
    failures = []
    for path, data in receipts:
        try:
            if not _holds(path, data):
                write_receipt(path, data)
        except ReceiptWriteError as error:
            failures.append(error)
    # One sync for all: an fsync of each of thousands of small files takes seconds.
    os.sync()
    if len(failures) > 1:
        raise ReceiptWriteError(f"{failures[0]} (and {len(failures) - 1} more)") from failures[0]
    if failures:
        raise failures[0]


def _holds(path: str, data: bytes) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.read(descriptor, len(data) + 1) == data
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _remove(path: str) -> None:
    with suppress(OSError):
        Path(path).unlink()
