"""One channel's committed ledger on disk: blocks, transaction index, state, history; one lmdb transaction per block.

Life of a block here: validated → written with its state, indexes and commit hash in one lmdb transaction → fsynced →
announced. A crash before the fsync loses the block from disk wholly, and nothing that was answered; there is no repair.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import lmdb
from fabric_protos.common import common_pb2
from google.protobuf.message import DecodeError

from shirushi_core.errors import ShirushiError
from shirushi_core.fabric.block import (
    BlockError,
    block_commit_hash,
    commit_hash,
    data_hash,
    header_hash,
    last_config_index,
)
from shirushi_core.fabric.chaincode import KeyModification
from shirushi_core.fabric.envelope import EnvelopeError, parse_header
from shirushi_core.fabric.rwset import NamespaceRwSet, Version
from shirushi_core.fabric.state_updates import update_bytes
from shirushi_node.folder_lock import lock_folder
from shirushi_node.ledger.records import (
    MAX_TX_ID_BYTES,
    TransactionLocation,
    VersionedValue,
    decode_history,
    decode_location,
    decode_state,
    encode_history,
    encode_location,
    encode_state,
    history_key,
    history_prefix,
    number_key,
    read_number,
    state_key,
    state_range,
)
from shirushi_node.ledger.state_changes import StateChanges

__all__ = ["LedgerStore", "Snapshot", "StoreError", "TransactionLocation", "VersionedValue"]

FORMAT = b"shirushi-ledger/1"
"""Stands in every store; another value is another format."""

MAX_READERS = 4096
"""Snapshots that may be open at once."""

_Tables: TypeAlias = dict[str, Any]
_TABLES = ("meta", "blocks", "hashes", "transactions", "state", "history")


class StoreError(ShirushiError):
    """A store that cannot be opened, is in use, or belongs to another channel."""


@dataclass(frozen=True, slots=True)
class _Head:
    """Where the ledger stands: replaced as one, so that readers in other threads never see half of it."""

    height: int
    last_hash: bytes
    last_config: int
    commit_hash: bytes


class Snapshot:
    """A consistent view of the committed state at one height; a context manager (an lmdb read transaction)."""

    height: int

    def __init__(self, transaction: Any, tables: _Tables, height: int) -> None:
        self._transaction = transaction
        self._tables = tables
        self.height = height

    def get(self, namespace: str, key: str) -> VersionedValue | None:
        """Return a key's committed value."""
        encoded = state_key(namespace, key)
        record = None if encoded is None else self._transaction.get(encoded, db=self._tables["state"])
        return None if record is None else decode_state(record)

    def range(self, namespace: str, start: str, end: str) -> Iterator[tuple[str, VersionedValue]]:
        """Iterate over [start, end) in key order (UTF-8 bytes); an empty bound is open."""
        first, stop = state_range(namespace, start, end)
        skip = len(namespace.encode()) + 1
        with self._transaction.cursor(self._tables["state"]) as cursor:
            if not cursor.set_range(first):
                return
            for key, record in cursor:
                if key >= stop:
                    return
                yield key[skip:].decode(), decode_state(record)

    def history(self, namespace: str, key: str) -> Iterator[KeyModification]:
        """Iterate over a key's committed values, newest first."""
        prefix = history_prefix(namespace, key)
        with self._transaction.cursor(self._tables["history"]) as cursor:
            found = cursor.last() if not cursor.set_range(prefix + b"\xff" * 12) else cursor.prev()
            while found and cursor.key().startswith(prefix):
                yield decode_history(cursor.value())
                found = cursor.prev()

    def close(self) -> None:
        """Give the read transaction back."""
        self._transaction.abort()

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class LedgerStore:
    """The lmdb environment of one channel.

    Reads may come from any thread; commits come one after the other, from any thread.
    """

    def __init__(self, environment: lmdb.Environment, lock: int) -> None:
        self._environment = environment
        self._lock = lock
        self._tables: _Tables = {name: environment.open_db(name.encode()) for name in _TABLES}
        self._head = _Head(0, b"", 0, b"")

    @classmethod
    def open(cls, path: Path, genesis: common_pb2.Block, *, map_size: int = 1 << 40) -> LedgerStore:
        """Open or create the store; the genesis block is committed as block 0 of a new one.

        Raises StoreError if the store is in use by another process or was made from another genesis block.
        """
        if genesis.header.number != 0 or data_hash(genesis.data.data) != genesis.header.data_hash:
            raise StoreError(
                "the genesis block is damaged: its number is not 0 or its data hash does not match"
            )
        lock = lock_folder(path, "the ledger store", "another process", StoreError)
        try:
            environment = lmdb.open(
                str(path), map_size=map_size, max_dbs=len(_TABLES), max_readers=MAX_READERS, mode=0o600
            )
        except lmdb.Error as error:
            os.close(lock)
            raise StoreError(f"the ledger store {path} cannot be opened: {error}") from None
        store = cls(environment, lock)
        try:
            store._load(path, genesis)
        except BaseException:
            store.close()
            raise
        return store

    @property
    def height(self) -> int:
        """How many blocks are committed."""
        return self._head.height

    @property
    def last_header_hash(self) -> bytes:
        """The hash of the last block's header."""
        return self._head.last_hash

    @property
    def last_config_block(self) -> int:
        """The number of the newest config block."""
        return self._head.last_config

    def block_bytes(self, number: int) -> bytes | None:
        """Return a committed block's bytes with all its metadata, or None beyond the height."""
        return self._get("blocks", number_key(number)) if 0 <= number < self.height else None

    def block_number_by_hash(self, header_hash: bytes) -> int | None:
        """Return the number of the block with this header hash."""
        record = self._get("hashes", header_hash) if len(header_hash) == 32 else None
        return None if record is None else read_number(record)

    def transaction(self, tx_id: str) -> TransactionLocation | None:
        """Return where a transaction id was committed."""
        key = _transaction_key(tx_id)
        record = None if key is None else self._get("transactions", key)
        return None if record is None else decode_location(record)

    def snapshot(self) -> Snapshot:
        """Return a view of the state as committed now; raises StoreError if too many are open."""
        try:
            transaction = self._environment.begin()
        except lmdb.ReadersFullError:
            raise StoreError(
                f"more than {MAX_READERS} views of the ledger are open; try again later"
            ) from None
        height = read_number(transaction.get(b"height", db=self._tables["meta"]) or b"")
        return Snapshot(transaction, self._tables, height)

    def commit(
        self,
        block: common_pb2.Block,
        codes: list[int],
        tx_ids: list[str],
        valid_writes: list[tuple[int, tuple[NamespaceRwSet, ...]]],
        timestamps: list[tuple[int, int]],
    ) -> None:
        """Write one block, its state changes, indexes, filter and commit hash in one durable transaction.

        `block` has its orderer metadata; TRANSACTIONS_FILTER and COMMIT_HASH are set here. `valid_writes` holds the
        transaction number and rwset of each valid transaction, in order. A transaction whose id is "" is not indexed.
        Raises StoreError, and then nothing has changed, if the block does not follow the last one or cannot be written.
        """
        head = self._head
        number = block.header.number
        if number != head.height or block.header.previous_hash != head.last_hash:
            raise StoreError(f"block {number} does not follow block {head.height - 1} of this ledger")
        if not len(block.data.data) == len(codes) == len(tx_ids) == len(timestamps):
            raise StoreError(
                f"block {number} has {len(block.data.data)} transactions and {len(codes)} results"
            )
        try:
            with self._environment.begin(write=True) as transaction:
                head = self._write(transaction, block, codes, tx_ids, valid_writes, timestamps)
        except lmdb.Error as error:
            raise StoreError(f"block {number} cannot be written: {error}") from None
        self._head = head

    def close(self) -> None:
        """Close the environment."""
        self._environment.close()
        os.close(self._lock)

    def _write(
        self,
        transaction: Any,
        block: common_pb2.Block,
        codes: list[int],
        tx_ids: list[str],
        valid_writes: list[tuple[int, tuple[NamespaceRwSet, ...]]],
        timestamps: list[tuple[int, int]],
    ) -> _Head:
        number = block.header.number
        changes = StateChanges(Snapshot(transaction, self._tables, number))
        for tx, rw_sets in valid_writes:
            version = Version(number, tx)
            changes.apply(version, rw_sets)
            self._write_history(transaction, version, tx_ids[tx], timestamps[tx], rw_sets)
        self._write_state(transaction, changes)
        for tx, (tx_id, code) in enumerate(zip(tx_ids, codes, strict=True)):
            key = _transaction_key(tx_id)
            if key is not None:
                record = encode_location(TransactionLocation(number, tx, code))
                transaction.put(key, record, db=self._tables["transactions"], overwrite=False)
        head = self._finish(block, bytes(codes), changes)
        numbered = number_key(number)
        transaction.put(numbered, block.SerializeToString(), db=self._tables["blocks"], append=True)
        transaction.put(head.last_hash, numbered, db=self._tables["hashes"])
        transaction.put(b"height", number_key(head.height), db=self._tables["meta"])
        return head

    def _finish(self, block: common_pb2.Block, codes: bytes, changes: StateChanges) -> _Head:
        """Complete the block's metadata; return the head it makes."""
        metadata = block.metadata.metadata
        metadata[common_pb2.TRANSACTIONS_FILTER] = codes
        number, digest = block.header.number, b""
        if number > 0:
            updates = {
                namespace: {key: (change.value, change.version) for key, change in keys.items()}
                for namespace, keys in changes.changes.items()
            }
            digest = commit_hash(self._head.commit_hash, codes, update_bytes(updates))
            metadata[common_pb2.COMMIT_HASH] = common_pb2.Metadata(value=digest).SerializeToString()
        return _Head(number + 1, header_hash(block.header), last_config_index(block), digest)

    def _write_state(self, transaction: Any, changes: StateChanges) -> None:
        table = self._tables["state"]
        for namespace, keys in changes.changes.items():
            for key, change in keys.items():
                encoded = state_key(namespace, key)
                if encoded is None:
                    raise StoreError(
                        f"a valid transaction wrote the key {key[:40]!r}, which cannot be stored"
                    )
                if change.value is None:
                    transaction.delete(encoded, db=table)
                else:
                    record = encode_state(change.value, change.version, change.metadata)
                    transaction.put(encoded, record, db=table)

    def _write_history(
        self,
        transaction: Any,
        version: Version,
        tx_id: str,
        timestamp: tuple[int, int],
        rw_sets: tuple[NamespaceRwSet, ...],
    ) -> None:
        for rw_set in rw_sets:
            for write in rw_set.writes:
                transaction.put(
                    history_key(rw_set.namespace, write.key, version),
                    encode_history(tx_id, *timestamp, write.value or None),
                    db=self._tables["history"],
                )

    def _load(self, path: Path, genesis: common_pb2.Block) -> None:
        if self._get("meta", b"format") is None:
            self._create(genesis)
            return
        if self._get("meta", b"format") != FORMAT:
            raise StoreError(f"the ledger store {path} has another format; expected {FORMAT.decode()}")
        first = common_pb2.Block.FromString(self._get("blocks", number_key(0)) or b"")
        if first.header != genesis.header:
            raise StoreError(
                f"the ledger store {path} was made from another genesis block: its hash is "
                f"{header_hash(first.header).hex()}, expected {header_hash(genesis.header).hex()}"
            )
        height = read_number(self._get("meta", b"height") or b"")
        last = common_pb2.Block.FromString(self._get("blocks", number_key(height - 1)) or b"")
        self._head = _Head(height, header_hash(last.header), last_config_index(last), block_commit_hash(last))

    def _create(self, genesis: common_pb2.Block) -> None:
        block = common_pb2.Block()
        block.CopyFrom(genesis)
        while len(block.metadata.metadata) <= common_pb2.COMMIT_HASH:
            block.metadata.metadata.append(b"")
        try:
            last_config_index(block)
            header = parse_header(common_pb2.Envelope.FromString(block.data.data[0]))
        except (BlockError, EnvelopeError, DecodeError, IndexError) as error:
            raise StoreError(f"the genesis block is damaged: {error}") from None
        timestamp = (header.timestamp_seconds, header.timestamp_nanos)
        with self._environment.begin(write=True) as transaction:
            head = self._write(transaction, block, [0], [header.tx_id], [], [timestamp])
            transaction.put(b"format", FORMAT, db=self._tables["meta"])
        self._head = head

    def _get(self, table: str, key: bytes) -> bytes | None:
        with self._environment.begin() as transaction:
            return transaction.get(key, db=self._tables[table])


def _transaction_key(tx_id: str) -> bytes | None:
    key = tx_id.encode(errors="replace")
    return key if 0 < len(key) <= MAX_TX_ID_BYTES else None
