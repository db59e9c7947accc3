"""The issuer's journal: every batch with its salts, on disk before anything is sent.

A batch goes through these states; what a crash in each loses:

    (none)     the batch is in memory only          nothing was sent; issue the files again
    prepared   salts, statement and seal on disk    nothing: the same batch is sent again
    committed  the ledger's anchor on disk too      nothing: what members confirm is gathered, receipts are written
    delivered  the receipts are on disk             nothing: issuing the same bytes gives the same receipt again
    refused    the ledger's rules refused it        nothing was anchored; issue the files again

The file holds salts and is as sensitive as the receipts: mode 0600. One process at a time holds it. sqlite, WAL,
synchronous=FULL: a state that was reached is there after a power cut.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from struct import Struct
from types import TracebackType
from typing import Any, Self

from shirushi_client.hashing import FileDigest
from shirushi_client.issuer import certificate_index
from shirushi_client.issuer.batch import Batch, restore_batch
from shirushi_client.issuer.certificate_index import CertificateIndex, Place, keys_of
from shirushi_client.issuer.confirmed import ConfirmedEvidence
from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.canonical import decode, encode
from shirushi_core.proofs.commitment import DIGEST_SIZE
from shirushi_core.proofs.seal import Seal

_VERSION = 3
_SCHEMA = """
CREATE TABLE batches (
    row INTEGER PRIMARY KEY,
    state TEXT NOT NULL,
    statement BLOB NOT NULL,
    seal BLOB NOT NULL,
    salts BLOB NOT NULL,
    digests BLOB NOT NULL,
    sizes BLOB NOT NULL,
    anchor BLOB,
    deliveries TEXT NOT NULL,
    reissued INTEGER NOT NULL,
    evidence BLOB
);
CREATE INDEX unfinished ON batches (row) WHERE state IN ('prepared', 'committed');
"""

_TO_VERSION_2 = "ALTER TABLE batches ADD COLUMN evidence BLOB;"
_UPGRADES = {1: _TO_VERSION_2 + certificate_index.UPGRADE, 2: certificate_index.UPGRADE}
"""From an earlier version to this one. In version 3 what is owed (`deliveries`) may also be a book."""


class JournalError(ShirushiError):
    """A journal that cannot be opened, is in use, or does not hold what it should."""


class State(StrEnum):
    """How far a batch is."""

    PREPARED = "prepared"
    COMMITTED = "committed"
    DELIVERED = "delivered"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A receipt to write: of which certificate of the batch, and where."""

    index: int
    receipt_path: str


@dataclass(frozen=True, slots=True)
class Owed:
    """What is to be written of a batch: receipts of their own, or the book of all of them into a folder."""

    receipts: tuple[Delivery, ...] = ()
    book_folder: str | None = None


NOTHING_OWED = Owed()


@dataclass(frozen=True, slots=True)
class Entry:
    """One batch as the journal holds it; `owed` is what is still to be written, `evidence` what members confirmed of it."""

    row: int
    state: State
    batch: Batch
    anchor: IssuanceAnchor | None
    owed: Owed
    evidence: ConfirmedEvidence | None = None


class Journal:
    """The open journal of one issuer. Methods block, and are called from one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open or create the journal; raises JournalError if it is in use or is none."""
        self._path = path
        self._lock = _lock(path)
        try:
            self._database = _open(path)
            self._index = CertificateIndex(self._database)
            self._load_index()
        except BaseException:
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Close the journal and let others open it."""
        self._database.close()
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def find(self, document_type: str, digests: Sequence[bytes]) -> dict[bytes, Place]:
        """Return where these bytes were issued as this document type, those that were."""
        keys = keys_of(document_type, digests)
        with self._typed_errors():
            found = self._index.find(keys)
        if not found:
            return {}
        return {digest: found[key] for key, digest in zip(keys, digests, strict=True) if key in found}

    def prepare(self, batch: Batch, owed: Owed, *, reissued: bool = False) -> int:
        """Write a batch down before it is sent, and return its row; on disk when this returns.

        Its certificates can be found from now on; reissued ones, whose bytes may be found already, once it is committed.
        """
        certificates = batch.certificates
        with self._transaction():
            row = self._execute(
                "INSERT INTO batches (state, statement, seal, salts, digests, sizes, deliveries, reissued)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    State.PREPARED.value,
                    encode(batch.statement.to_json()),
                    encode(batch.seal.to_json()),
                    b"".join(batch.salts),
                    b"".join([certificate.sha256 for certificate in certificates]),
                    _sizes(len(certificates)).pack(*[certificate.size for certificate in certificates]),
                    _owed_text(owed),
                    reissued,
                ),
            ).lastrowid
            if row is None:
                raise JournalError(f"{self._path}: sqlite gave no row to a new batch")
        if not reissued:
            self._index.add(row, _keys(batch))
        if self._index.is_due:
            with self._transaction():
                self._index.move()
            self._index.moved()
        return row

    def commit(self, row: int, anchor: IssuanceAnchor) -> None:
        """Write down the ledger's anchor of a batch."""
        with self._transaction():
            self._update(
                row, State.PREPARED, "state = ?, anchor = ?", State.COMMITTED, encode(anchor.to_json())
            )
            (reissued,) = self._execute("SELECT reissued FROM batches WHERE row = ?", (row,)).fetchone()
            keys = _keys(self.load(row).batch) if reissued else []
            self._index.replace(row, keys)
        self._index.replaced(keys)

    def confirm(self, row: int, evidence: ConfirmedEvidence) -> None:
        """Write down what members confirm of a batch that is committed or delivered, in place of what was there."""
        with self._transaction():
            self._execute("UPDATE batches SET evidence = ? WHERE row = ?", (evidence.to_bytes(), row))

    def deliver(self, row: int) -> None:
        """Write down that all receipts owed are on disk; where they are is forgotten."""
        with self._transaction():
            self._update(row, State.COMMITTED, "state = ?, deliveries = '[]'", State.DELIVERED)

    def refuse(self, row: int) -> None:
        """Write down that the ledger's rules refused a batch: its bytes count as never issued."""
        keys = _keys(self.load(row).batch)
        with self._transaction():
            self._index.drop(row, keys)
            self._update(row, State.PREPARED, "state = ?, deliveries = '[]'", State.REFUSED)
        self._index.dropped(row, keys)

    def unfinished(self) -> list[int]:
        """Return the rows of batches that are prepared or committed, oldest first."""
        query = "SELECT row FROM batches WHERE state IN ('prepared', 'committed') ORDER BY row"
        return [row for (row,) in self._execute(query)]

    def load(self, row: int) -> Entry:
        """Return one batch; raises JournalError if the journal has none there or it does not fit together."""
        found = self._execute(
            "SELECT state, statement, seal, salts, digests, sizes, anchor, deliveries, evidence"
            " FROM batches WHERE row = ?",
            (row,),
        ).fetchone()
        if found is None:
            raise JournalError(f"{self._path}: expected a batch in row {row}, found none")
        state, statement, seal, salts, digests, sizes, anchor, deliveries, evidence = found
        return Entry(
            row=row,
            state=State(state),
            batch=restore_batch(
                _certificates(digests, sizes),
                salts,
                BatchStatement.from_json(decode(statement)),
                Seal.from_json(decode(seal)),
            ),
            anchor=None if anchor is None else IssuanceAnchor.from_json(decode(anchor)),
            owed=_read_owed(deliveries),
            evidence=None if evidence is None else ConfirmedEvidence.from_bytes(evidence),
        )

    def counts(self) -> Mapping[State, int]:
        """Return how many batches are in each state."""
        rows = self._execute("SELECT state, count(*) FROM batches GROUP BY state")
        return {State(state): count for state, count in rows}

    def _load_index(self) -> None:
        with self._typed_errors():
            batches = self._database.execute(
                "SELECT row, statement, digests FROM batches"
                " WHERE row > ? AND NOT reissued AND state != 'refused' ORDER BY row",
                (self._index.last_moved_row,),
            )
            self._index.load(
                (row, BatchStatement.from_json(decode(statement)).document_type, digests)
                for row, statement, digests in batches
            )

    def _update(self, row: int, present: State, assignments: str, *values: State | bytes) -> None:
        changed = self._execute(
            f"UPDATE batches SET {assignments} WHERE row = ? AND state = ?",  # noqa: S608 (constants of this file)
            (*values, row, present.value),
        ).rowcount
        if changed != 1:
            raise JournalError(f"{self._path}: expected batch {row} to be {present}, found it is not")

    def _execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        with self._typed_errors():
            return self._database.execute(statement, values)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._typed_errors(), self._database:
            yield

    @contextmanager
    def _typed_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise JournalError(f"the issuer's journal {self._path} cannot be used: {error}") from error


def read_statements(path: Path) -> list[tuple[State, BatchStatement]]:
    """Return the batches of a journal, oldest first, without what is secret in it; raises JournalError.

    Nothing is written, and whoever issues with the journal may go on meanwhile.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version not in (*_UPGRADES, _VERSION):
                raise JournalError(f"{path}: expected a journal of version {_VERSION}, found {version}")
            rows = database.execute("SELECT state, statement FROM batches ORDER BY row").fetchall()
        return [(State(state), BatchStatement.from_json(decode(statement))) for state, statement in rows]
    except (sqlite3.Error, ValueError, InvalidInputError) as error:
        raise JournalError(f"{path} is not an issuer's journal: {error}") from error


def _keys(batch: Batch) -> list[bytes]:
    return keys_of(batch.statement.document_type, [certificate.sha256 for certificate in batch.certificates])


def _owed_text(owed: Owed) -> str:
    # File names need not be UTF-8: this encoder writes what is not as escapes.
    if owed.book_folder is not None:
        return json.dumps({"book_folder": owed.book_folder})
    return json.dumps([(delivery.index, delivery.receipt_path) for delivery in owed.receipts])


def _read_owed(text: str) -> Owed:
    value = json.loads(text)
    if isinstance(value, dict):
        return Owed(book_folder=value["book_folder"])
    return Owed(tuple(Delivery(index, path) for index, path in value))


def _sizes(count: int) -> Struct:
    return Struct(f">{count}Q")


def _certificates(digests: bytes, sizes: bytes) -> list[FileDigest]:
    parted = [digests[start : start + DIGEST_SIZE] for start in range(0, len(digests), DIGEST_SIZE)]
    form = _sizes(len(parted))
    if len(sizes) != form.size:
        raise JournalError(
            f"expected sizes of {len(parted)} certificates in the journal, found {len(sizes)} bytes"
        )
    return [FileDigest(*each) for each in zip(parted, form.unpack(sizes), strict=True)]


def _lock(path: Path) -> int:
    """Hold the journal for this process: a lock that the system drops when the process ends, however it ends."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalError(f"the issuer's journal {path} cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise JournalError(
            f"another process is issuing with the journal {path}: wait until it is done, or stop it"
        ) from error
    return descriptor


def _open(path: Path) -> sqlite3.Connection:
    # Created before sqlite does, for sqlite would take the mode from the umask; its -wal and -shm files inherit it.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    database = sqlite3.connect(path, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA cache_size = -32768")  # KiB: keys are moved into the index in its order
        database.execute(
            "PRAGMA wal_autocheckpoint = 8192"
        )  # pages: a few batches are moved to their places at once
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version == 0:
            schema = _SCHEMA + certificate_index.SCHEMA
            database.executescript(f"BEGIN;{schema}PRAGMA user_version = {_VERSION};COMMIT;")
        elif version in _UPGRADES:
            database.executescript(f"BEGIN;{_UPGRADES[version]}PRAGMA user_version = {_VERSION};COMMIT;")
        elif version != _VERSION:
            raise JournalError(f"{path}: expected a journal of version {_VERSION}, found {version}")
    except sqlite3.DatabaseError as error:
        database.close()
        raise JournalError(f"{path} is not an issuer's journal: {error}") from error
    except JournalError:
        database.close()
        raise
    return database
