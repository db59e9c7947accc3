"""The journal of status changes that were begun and not yet seen to be done.

A change is written down with its id before it is sent; asked for again after a crash or a lost reply, it is the same
change, and the ledger makes it once. mode 0600; sqlite keeps processes out of each other's way.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shirushi_core.errors import ShirushiError

BUSY_SECONDS = 10.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pending (
    request BLOB PRIMARY KEY,
    change_id TEXT NOT NULL,
    effective_at INTEGER NOT NULL
) WITHOUT ROWID
"""


class ChangeJournalError(ShirushiError):
    """A journal of status changes that cannot be opened or written."""


@dataclass(frozen=True, slots=True)
class PendingChange:
    """A change that was begun: its id, and when it takes effect."""

    change_id: str
    effective_at: int


class ChangeJournal:
    """The pending changes, each under the digest of what was asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, request: bytes) -> PendingChange | None:
        """Return the change begun for this request, if it is still pending."""
        with self._database() as database:
            row = database.execute(
                "SELECT change_id, effective_at FROM pending WHERE request = ?", (request,)
            ).fetchone()
        return None if row is None else PendingChange(*row)

    def begin(self, request: bytes, change: PendingChange) -> PendingChange:
        """Write a change down before it is sent; returns the one that is there, if another process was faster."""
        with self._database() as database:
            database.execute(
                "INSERT OR IGNORE INTO pending VALUES (?, ?, ?)",
                (request, change.change_id, change.effective_at),
            )
            row = database.execute(
                "SELECT change_id, effective_at FROM pending WHERE request = ?", (request,)
            ).fetchone()
        return PendingChange(*row)

    def end(self, request: bytes, change: PendingChange) -> None:
        """Forget a change that is done or was refused."""
        with self._database() as database:
            database.execute(
                "DELETE FROM pending WHERE request = ? AND change_id = ?", (request, change.change_id)
            )

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """One transaction; the file is held no longer than that, so that other commands can go on."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            database = sqlite3.connect(self._path, timeout=BUSY_SECONDS)
            try:
                database.execute("PRAGMA synchronous = FULL")
                with database:
                    database.execute(_SCHEMA)
                    yield database
            finally:
                database.close()
        except (OSError, sqlite3.Error) as error:
            raise ChangeJournalError(f"the journal of status changes {self._path}: {error}") from error
