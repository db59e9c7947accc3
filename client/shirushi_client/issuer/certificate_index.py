"""The journal's index: in which batch, and at what place in it, a certificate was issued.

Keys are hashes, so a batch's fall everywhere into a table of millions, and each would have a page of it written. So the newest
batches' keys stay in memory and go into the table many at a time, in its order. They need not be on disk until then: they follow
from the batches, which are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from shirushi_core.proofs.batch import MAX_BATCH_SIZE
from shirushi_core.proofs.commitment import DIGEST_SIZE

KEPT_IN_MEMORY = 1 << 17
"""Keys from which on they are moved into the table: about 20 MB."""

LOOKUP = 500
"""Keys looked up in one query: below sqlite's smallest limit of parameters."""

KEY_BYTES = 20
"""Bytes of a certificate's key: enough that nobody finds two certificates with the same."""

SCHEMA = """
CREATE TABLE certificates (key BLOB PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE indexed (row INTEGER NOT NULL);
INSERT INTO indexed VALUES (0);
"""

UPGRADE = """
CREATE TABLE indexed (row INTEGER NOT NULL);
INSERT INTO indexed SELECT coalesce(max(row), 0) FROM batches;
"""
"""What a journal whose keys are all in the table lacks."""

_INDEX_BITS = MAX_BATCH_SIZE.bit_length() - 1
_INDEX_MASK = MAX_BATCH_SIZE - 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a certificate is: the journal's row of its batch, and its index in it."""

    row: int
    index: int


def keys_of(document_type: str, digests: Iterable[bytes]) -> list[bytes]:
    """Return what stands for certificates in the index: short, for a million of them are to stay in memory."""
    beginning = document_type.encode() + b"\0"
    return [sha256(beginning + digest).digest()[:KEY_BYTES] for digest in digests]


class CertificateIndex:
    """The index of one open journal. What it raises is sqlite's.

    Changes of the table are part of the caller's transaction, and what is in memory follows when that has been committed.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._recent: dict[bytes, int] = {}
        """Key → place of batches beyond the row that `indexed` names."""
        self._last_row = 0

    def load(self, batches: Iterable[tuple[int, str, bytes]]) -> None:
        """Take in the batches (row, document type, digests) beyond `last_moved_row`."""
        for row, document_type, digests in batches:
            parted = [digests[start : start + DIGEST_SIZE] for start in range(0, len(digests), DIGEST_SIZE)]
            keys = keys_of(document_type, parted)
            self.add(row, keys)
            for key in self._in_table(keys):  # of bytes that were issued anew since
                del self._recent[key]

    @property
    def last_moved_row(self) -> int:
        """The last row whose keys are all in the table."""
        (row,) = self._database.execute("SELECT row FROM indexed").fetchone()
        return int(row)

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Place]:
        """Return the places of those keys that are known."""
        recent = self._recent
        places = {key: recent[key] for key in keys if key in recent}
        if len(places) < len(keys):
            places |= self._in_table([key for key in keys if key not in places] if places else keys)
        return {key: Place(place >> _INDEX_BITS, place & _INDEX_MASK) for key, place in places.items()}

    def add(self, row: int, keys: Sequence[bytes]) -> None:
        """Take in a new batch, whose keys are not known yet."""
        self._recent.update(zip(keys, range(row << _INDEX_BITS, (row + 1) << _INDEX_BITS), strict=False))
        self._last_row = max(self._last_row, row)

    def replace(self, row: int, keys: Sequence[bytes]) -> None:
        """Have these keys mean the certificates of another batch; `replaced` is to be called once that is on disk."""
        self._write(zip(keys, range(row << _INDEX_BITS, (row + 1) << _INDEX_BITS), strict=False))

    def replaced(self, keys: Iterable[bytes]) -> None:
        """Forget what these keys meant before."""
        for key in keys:
            self._recent.pop(key, None)

    def drop(self, row: int, keys: Iterable[bytes]) -> None:
        """Have these keys mean nothing where they mean certificates of this batch; `dropped` is to be called once that is on disk."""
        for key in keys:
            self._database.execute(
                "DELETE FROM certificates WHERE key = ? AND place >> ? = ?", (key, _INDEX_BITS, row)
            )

    def dropped(self, row: int, keys: Iterable[bytes]) -> None:
        """Forget these keys where they mean certificates of this batch."""
        for key in keys:
            if self._recent.get(key, 0) >> _INDEX_BITS == row:
                del self._recent[key]

    @property
    def is_due(self) -> bool:
        """Whether there are enough keys in memory to be moved into the table."""
        return len(self._recent) >= KEPT_IN_MEMORY

    def move(self) -> None:
        """Write the keys in memory into the table; they are forgotten by `moved`, once that is on disk."""
        self._write(self._recent.items())
        self._database.execute("UPDATE indexed SET row = ?", (self._last_row,))

    def moved(self) -> None:
        """Forget the keys that were moved."""
        self._recent = {}

    def _write(self, places: Iterable[tuple[bytes, int]]) -> None:
        # In the order of the tree that they go into: each of its pages is touched once.
        self._database.executemany("INSERT OR REPLACE INTO certificates VALUES (?, ?)", sorted(places))

    def _in_table(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        found = dict[bytes, int]()
        for start in range(0, len(keys), LOOKUP):
            part = keys[start : start + LOOKUP]
            marks = ",".join("?" * len(part))
            found |= self._database.execute(
                f"SELECT key, place FROM certificates WHERE key IN ({marks})",  # noqa: S608 (question marks only)
                part,
            ).fetchall()
        return found
