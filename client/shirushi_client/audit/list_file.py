"""Reading what an issuer believes it issued: a text or CSV list, its journal, or the receipts it handed out."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from shirushi_client.audit.reconciliation import ListedBatch
from shirushi_client.issuer.journal import State, read_statements
from shirushi_client.issuer.receipt_files import SUFFIX
from shirushi_client.verifier.reading import read_receipt
from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs import fields
from shirushi_core.proofs.batch import MAX_BATCH_SIZE

MAX_LIST_BYTES = 256 << 20
BATCH_ID = "batch_id"
COUNT = "size"
"""The columns of a CSV that are read; others are passed over."""

_SQLITE = b"SQLite format 3\0"
_MAX_DIGITS = 7


class ListError(ShirushiError):
    """A list that cannot be read; the text names the file and the line."""


def read_list(path: Path) -> dict[bytes, ListedBatch]:
    """Return the batches of a list: a folder of receipts, an issuer's journal, else a text or CSV file.

    Raises ListError; JournalError, ReceiptFileError for those.
    """
    if path.is_dir():
        return _receipts(path)
    try:
        with path.open("rb") as file:
            is_journal = file.read(len(_SQLITE)) == _SQLITE
        if is_journal:
            return _journal(path)
        if path.stat().st_size > MAX_LIST_BYTES:
            raise ListError(f"the list {path}: expected at most {MAX_LIST_BYTES} bytes, found more")
        with path.open(encoding="utf-8-sig", newline="") as text:
            return _lines(path, text)
    except OSError as error:
        raise ListError(f"the list {path} cannot be read: {(error.strerror or 'error').lower()}") from None
    except UnicodeDecodeError:
        raise ListError(f"the list {path} is no text in UTF-8") from None


def _lines(path: Path, text: Iterable[str]) -> dict[bytes, ListedBatch]:
    """Read a batch id on each line, and in a CSV the number of certificates; the columns' names may stand on the first line."""
    found: dict[bytes, ListedBatch] = {}
    columns: list[str] | None = None
    rows = csv.reader(text)
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if columns is None:
                columns = (
                    [cell.lower() for cell in cells]
                    if BATCH_ID in map(str.lower, cells)
                    else [BATCH_ID, COUNT]
                )
                if BATCH_ID in map(str.lower, cells):
                    continue
            batch_id, batch = _row(dict(zip(columns, cells, strict=False)))
            if batch_id in found:
                raise InvalidInputError(f"batch {batch_id.hex()} is listed a second time")
            found[batch_id] = batch
    except (csv.Error, InvalidInputError) as error:
        raise ListError(f"the list {path}, line {rows.line_num}: {error}") from None
    return found


def _row(cells: dict[str, str]) -> tuple[bytes, ListedBatch]:
    batch_id = fields.hash_bytes(cells.get(BATCH_ID, "").lower(), BATCH_ID)
    count = cells.get(COUNT, "")
    if not count:
        return batch_id, ListedBatch()
    if not (count.isascii() and count.isdigit() and len(count) <= _MAX_DIGITS):
        raise fields.unexpected(COUNT, "a number of certificates", count)
    return batch_id, ListedBatch(fields.check_range(int(count), COUNT, 1, MAX_BATCH_SIZE))


def _journal(path: Path) -> dict[bytes, ListedBatch]:
    return {
        statement.batch_id: ListedBatch(
            statement.size, statement.issuer, is_certain=state is not State.PREPARED
        )
        for state, statement in read_statements(path)
        if state is not State.REFUSED
    }


def _receipts(folder: Path) -> dict[bytes, ListedBatch]:
    """Count the certificates of each batch by their receipts; one that is there twice counts once."""
    indexes: dict[bytes, set[int]] = {}
    issuers: dict[bytes, str] = {}
    for path in _receipt_files(folder):
        receipt = read_receipt(path)
        statement = receipt.anchor.statement
        indexes.setdefault(statement.batch_id, set()).add(receipt.index)
        issuers[statement.batch_id] = statement.issuer
    if not indexes:
        raise ListError(f"the folder {folder} has no receipts (*{SUFFIX})")
    return {batch_id: ListedBatch(len(each), issuers[batch_id]) for batch_id, each in indexes.items()}


def _receipt_files(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if name.endswith(SUFFIX):
                yield Path(parent) / name
