"""A witness's log on disk: static tiles, and an lmdb environment with heads, indexes, status tree and where it stands.

Life of some blocks here: derived → their tiles and bundles written and fsynced → everything else in one lmdb transaction,
fsynced → signed. A crash before the second fsync loses the blocks wholly: files beyond the committed size are never read, and
written again with the same bytes. A crash before signing loses nothing that was handed out.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import lmdb

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.block import data_hash, header_hash
from shirushi_core.fabric.committed import CommittedBlock, read_transaction
from shirushi_core.proofs.checkpoint import Checkpoint, origin_of
from shirushi_core.proofs.growth import Growth
from shirushi_core.proofs.merkle import ProofError
from shirushi_core.proofs.status_tree import EMPTY
from shirushi_core.proofs.tiles import TILE_WIDTH, TileTree, entries_path, tiles_of, unbundle
from shirushi_node.folder_lock import lock_folder
from shirushi_node.witness.derivation import Derived
from shirushi_node.witness.errors import LogStoreError
from shirushi_node.witness.log_writer import LogState, LogWriter, NotJudged
from shirushi_node.witness.records import (
    Head,
    Place,
    Position,
    decode_head,
    decode_numbers,
    decode_position,
    encode_numbers,
    encode_position,
    issuer_key,
)
from shirushi_node.witness.signed_heads import SignedHeads
from shirushi_node.witness.status_nodes import StoredNodes
from shirushi_node.witness.tile_files import TileFiles

FORMAT = b"shirushi-witness/2"
"""Stands in every store; another value is another format."""

FORMAT_BEFORE = b"shirushi-witness/1"
"""A store that did not know which rules it was derived by: it is derived anew, and keeps what was signed."""

_Tables: TypeAlias = dict[str, Any]
_DERIVED_TABLES = ("meta", "heads", "batches", "issuers", "standing", "records", "marks", "nodes")
_TABLES = (*_DERIVED_TABLES, "signatures", "others")


@dataclass(frozen=True, slots=True)
class Block:
    """A block that was derived: where it stands, what it says, and where the next one stands."""

    before: Place
    committed: CommittedBlock
    derived: Derived

    @property
    def after(self) -> Place:
        """The place after it."""
        return self.before.after(self.committed, self.derived)


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit has made: heads, and transactions that were not judged."""

    heads: tuple[Head, ...] = ()
    unjudged: tuple[NotJudged, ...] = ()


class LogStore:
    """One witness's folder. Commits come one after the other, from any thread; reads from any thread."""

    def __init__(self, folder: Path, environment: lmdb.Environment, lock: int, ledger: str) -> None:
        self.ledger = ledger
        self.origin = origin_of(ledger)
        self.files = TileFiles(folder)
        self._folder = folder
        self._environment = environment
        self._lock = lock
        self._tables: _Tables = {name: environment.open_db(name.encode()) for name in _TABLES}
        self.signed = SignedHeads(environment, self._tables["signatures"], self._tables["others"])
        self._growth: Growth | None = None
        self._position: Position

    @classmethod
    def open(cls, folder: Path, genesis: CommittedBlock, *, map_size: int = 1 << 40) -> LogStore:
        """Open or create the folder for the ledger of a genesis block.

        Raises LogStoreError if it is in use by another process, of another ledger, or if its files do not lead to its head;
        InvalidInputError for a damaged genesis block.
        """
        ledger = ledger_of(genesis)
        lock = lock_folder(folder, "the witness's folder", "another witness", LogStoreError)
        try:
            (folder / "index").mkdir(mode=0o700, exist_ok=True)  # lmdb would make it with the files' mode
            environment = lmdb.open(
                str(folder / "index"), map_size=map_size, max_dbs=len(_TABLES), max_readers=1024, mode=0o600
            )
            store = cls(folder, environment, lock, ledger)
        except (lmdb.Error, OSError) as error:
            os.close(lock)
            raise LogStoreError(f"the witness's folder {folder} cannot be opened: {error}") from None
        try:
            store._load(genesis)
        except BaseException:
            store.close()
            raise
        return store

    @property
    def place(self) -> Place:
        """Where the next block stands."""
        return self._position.place

    @property
    def time(self) -> int | None:
        """The log's time; None by version 1 of the rules."""
        return self._position.time

    @property
    def size(self) -> int:
        """How many entries are committed."""
        return self._position.size

    def head(self, size: int) -> Head | None:
        """Return the head of this size, None if there is none."""
        data = self._get("heads", encode_numbers(size)) if size <= self.size else None
        return None if data is None else decode_head(size, data)

    def newest_head(self) -> Head | None:
        """Return the newest head, None for an empty log."""
        return self.head(self.size) if self.size else None

    def batch(self, batch_id: bytes) -> tuple[int, int] | None:
        """Return the index of a batch's anchor, and the size of the first head that has it."""
        data = self._get("batches", batch_id)
        return None if data is None else decode_numbers(data)

    def issuer(self, issuer: str, sequence: int) -> int | None:
        """Return the index of an issuer's record."""
        data = self._get("issuers", issuer_key(issuer, sequence))
        return None if data is None else decode_numbers(data)[0]

    def record(self, digest: bytes) -> bytes | None:
        """Return the canonical bytes of a status record, an issuer's record or a mark by their hash."""
        record = self._get("records", digest)
        return self._get("marks", digest) if record is None else record

    def config_block(self) -> bytes:
        """Return the newest block with a configuration, as the peer delivered it."""
        return self._get("meta", b"config") or b""

    def nodes(self) -> StoredNodes:
        """Return the status tree's nodes, for reading."""
        return StoredNodes(lambda node: self._get("nodes", node))

    def tree(self) -> TileTree:
        """Return the log's tree as it is committed now."""
        return TileTree(self.size, self.files.tile)

    def checkpoint(self, size: int) -> Checkpoint:
        """Return the checkpoint of the first `size` entries, whether or not they are a head; raises ProofError."""
        head = self.head(size)
        return Checkpoint(self.origin, size, self.tree().root(size) if head is None else head.root)

    def entry(self, index: int) -> bytes:
        """Return a committed entry; raises ProofError."""
        number, offset = divmod(index, TILE_WIDTH)
        width = min(TILE_WIDTH, self.size - number * TILE_WIDTH)
        if not 0 <= offset < width:
            raise ProofError(f"log entry: expected an index below {self.size}, found {index}")
        return unbundle(self.files.bundle(number, width))[offset]

    def commit(self, blocks: Sequence[Block]) -> Committed:
        """Add blocks, durable when this returns.

        Raises LogStoreError if they cannot be written: then nothing has changed, and they can be committed again.
        """
        growth = self._growth or Growth.load(self.size, self.files.read)
        self._growth = None  # until what it has taken in is committed
        before = self._position
        state = LogState(before.place.rules.number or 0, before.time, before.status_root)
        try:
            with self._environment.begin(write=True) as transaction:
                writer = LogWriter(transaction, self._tables, growth, state)
                heads = tuple(head for block in blocks if (head := writer.add(block.derived)) is not None)
                files = growth.take_files()
                self.files.write(files)
                after = writer.state
                position = before.moved(blocks[-1].after, growth.size, after.status_root, after.time)
                transaction.put(b"position", encode_position(position), db=self._tables["meta"])
                for block in blocks:
                    if block.derived.brings_config:
                        transaction.put(b"config", block.committed.data, db=self._tables["meta"])
        except lmdb.MapFullError:
            raise LogStoreError(f"block {before.place.next_block}: {self._grow()}") from None
        except (lmdb.Error, OSError) as error:
            raise LogStoreError(
                f"block {before.place.next_block} cannot be written to {self._folder}: {error}"
            ) from None
        self._growth, self._position = growth, position
        with contextlib.suppress(OSError):  # superfluous files are removed with the next ones
            self.files.tidy(files)
        return Committed(heads, tuple(writer.unjudged))

    def close(self) -> None:
        """Close the environment, and let other processes have the folder."""
        self._environment.close()
        os.close(self._lock)

    def _grow(self) -> str:
        """Make room in the index, which is full, and say so; it is made while nobody reads, so it may take some attempts."""
        size = self._environment.info()["map_size"]
        try:
            self._environment.set_mapsize(2 * size)
        except lmdb.Error as error:
            return f"the index in {self._folder} is full at {size} bytes, and cannot grow now: {error}"
        return f"the index in {self._folder} was full at {size} bytes; it has room again"

    def _load(self, genesis: CommittedBlock) -> None:
        digest = header_hash(genesis)
        found = self._get("meta", b"identity")
        if found == FORMAT_BEFORE + digest:
            shutil.rmtree(self._folder / "tile", ignore_errors=True)
            found = None
        if found is None:
            self._begin(genesis, FORMAT + digest)
            return
        if found != FORMAT + digest:
            raise LogStoreError(
                f"the witness's folder {self._folder} is of another ledger or format; give this witness a folder of its own"
            )
        self._position = decode_position(self._get("meta", b"position") or b"")
        self._check_files()

    def _begin(self, genesis: CommittedBlock, identity: bytes) -> None:
        """Begin a log, but for what was signed before."""
        self._position = Position(Place.after_genesis(genesis), 0, 0, EMPTY)
        with self._environment.begin(write=True) as transaction:
            for table in _DERIVED_TABLES:
                transaction.drop(self._tables[table], delete=False)
            for key, value in (
                (b"identity", identity),
                (b"position", encode_position(self._position)),
                (b"config", genesis.data),
            ):
                transaction.put(key, value, db=self._tables["meta"])

    def _check_files(self) -> None:
        """Check that the files lead to the newest head, and remove what the last commit left; raises LogStoreError."""
        head = self.newest_head()
        if head is None:
            return
        problem = f"the files in {self._folder} do not lead to the head of {head.size} entries"
        advice = "move the folder away, and the witness builds it anew from its peer's blocks"
        try:
            if self.tree().root() != head.root or self.entry(head.size - 1) != head.status_entry.to_bytes():
                raise LogStoreError(f"{problem}; {advice}")
            before = self._position.size_before
            paths = [tile.path for tile in tiles_of(head.size, before)]
            bundles = range(before // TILE_WIDTH, -(-head.size // TILE_WIDTH))
            paths += [entries_path(n, min(TILE_WIDTH, head.size - n * TILE_WIDTH)) for n in bundles]
            self.files.tidy(paths)
        except (ProofError, InvalidInputError, OSError) as error:
            raise LogStoreError(f"{problem}: {error}; {advice}") from None

    def _get(self, table: str, key: bytes) -> bytes | None:
        with self._environment.begin() as transaction:
            value: bytes | None = transaction.get(key, db=self._tables[table])
            return value


def ledger_of(genesis: CommittedBlock) -> str:
    """Return the ledger that a genesis block begins; raises InvalidInputError if it is damaged, or none."""
    if genesis.number != 0 or len(genesis.transactions) != 1:
        raise InvalidInputError("the genesis block is none: expected block 0 with one transaction")
    if data_hash(genesis.transactions) != genesis.data_hash:
        raise InvalidInputError(
            "the genesis block is damaged: its data does not have the hash that its header names"
        )
    return read_transaction(genesis.transactions[0], ()).channel_id
