"""A witness's log on disk: static tiles, and an lmdb environment with heads, indexes, status tree and where it stands.

Life of some blocks here: checked and derived → their tiles and bundles written and fsynced → everything else in one lmdb
transaction, fsynced → signed. A crash before the second fsync loses the blocks wholly: files beyond the committed size are
never read, and written again with the same bytes. A crash before signing loses nothing that was handed out.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import lmdb
from fabric_protos.common import common_pb2

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.block import header_hash
from shirushi_core.proofs.canonical import encode
from shirushi_core.proofs.certificate_status import record_hash, set_place
from shirushi_core.proofs.checkpoint import Checkpoint, origin_of
from shirushi_core.proofs.growth import Growth
from shirushi_core.proofs.log_entry import StatusEntry
from shirushi_core.proofs.merkle import ProofError
from shirushi_core.proofs.status_tree import EMPTY
from shirushi_core.proofs.tiles import TILE_WIDTH, TileTree, entries_path, tiles_of, unbundle
from shirushi_node.folder_lock import lock_folder
from shirushi_node.witness.block_check import ChainState, CheckedBlock, check_genesis
from shirushi_node.witness.derivation import Derived
from shirushi_node.witness.errors import DerivationError, LogStoreError
from shirushi_node.witness.records import (
    Head,
    Position,
    decode_head,
    decode_numbers,
    decode_position,
    encode_head,
    encode_numbers,
    encode_position,
    issuer_key,
)
from shirushi_node.witness.signed_heads import SignedHeads
from shirushi_node.witness.status_nodes import BlockNodes, StoredNodes
from shirushi_node.witness.tile_files import TileFiles

FORMAT = b"shirushi-witness/1"
"""Stands in every store; another value is another format."""

_Tables: TypeAlias = dict[str, Any]
_TABLES = ("meta", "heads", "batches", "issuers", "records", "nodes", "signatures", "others")


@dataclass(frozen=True, slots=True)
class Block:
    """A block that was checked, and what it adds to the log."""

    checked: CheckedBlock
    derived: Derived


class LogStore:
    """One witness's folder. Commits come one after the other, from any thread; reads from any thread."""

    def __init__(self, folder: Path, environment: lmdb.Environment, lock: int, origin: str) -> None:
        self.origin = origin
        self.files = TileFiles(folder)
        self._folder = folder
        self._environment = environment
        self._lock = lock
        self._tables: _Tables = {name: environment.open_db(name.encode()) for name in _TABLES}
        self.signed = SignedHeads(environment, self._tables["signatures"], self._tables["others"])
        self._growth: Growth | None = None
        self._chain: ChainState
        self._position: Position

    @classmethod
    def open(cls, folder: Path, genesis: common_pb2.Block, *, map_size: int = 1 << 40) -> LogStore:
        """Open or create the folder for the ledger of a genesis block.

        Raises LogStoreError if it is in use by another process, of another ledger, or if its files do not lead to its head;
        BlockCheckError for a damaged genesis block.
        """
        checked = check_genesis(genesis, genesis)
        lock = lock_folder(folder, "the witness's folder", "another witness", LogStoreError)
        try:
            (folder / "index").mkdir(mode=0o700, exist_ok=True)  # lmdb would make it with the files' mode
            environment = lmdb.open(
                str(folder / "index"), map_size=map_size, max_dbs=len(_TABLES), max_readers=1024, mode=0o600
            )
        except lmdb.Error as error:
            os.close(lock)
            raise LogStoreError(f"the witness's folder {folder} cannot be opened: {error}") from None
        store = cls(folder, environment, lock, origin_of(checked.config.channel_id))
        try:
            store._load(genesis, checked)
        except BaseException:
            store.close()
            raise
        return store

    @property
    def chain(self) -> ChainState:
        """What the next block has to follow."""
        return self._chain

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

    def status_record(self, digest: bytes) -> bytes | None:
        """Return the canonical bytes of a status record by their hash."""
        return self._get("records", digest)

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

    def commit(self, blocks: Sequence[Block]) -> list[Head]:
        """Add blocks, durable when this returns; returns the heads they make.

        Raises DerivationError if a batch or an issuer's record is there twice, LogStoreError if it cannot be written;
        then nothing has changed.
        """
        growth = self._growth or Growth.load(self.size, self.files.read)
        self._growth = None  # until what it has taken in is committed
        try:
            with self._environment.begin(write=True) as transaction:
                writer = _Writer(transaction, self._tables, growth, self._position.status_root)
                heads = [head for block in blocks if (head := writer.add(block)) is not None]
                files = growth.take_files()
                self.files.write(files)
                last = blocks[-1].checked
                position = Position.of(last.after, growth.size, self.size, writer.status_root)
                transaction.put(b"position", encode_position(position), db=self._tables["meta"])
                for config in (each.checked.config_block for each in blocks):
                    if config is not None:
                        transaction.put(b"config", config, db=self._tables["meta"])
        except (lmdb.Error, OSError) as error:
            raise LogStoreError(
                f"block {blocks[0].checked.number} cannot be written to {self._folder}: {error}"
            ) from None
        self._growth, self._position, self._chain = growth, position, last.after
        self.files.tidy(files)
        return heads

    def close(self) -> None:
        """Close the environment, and let other processes have the folder."""
        self._environment.close()
        os.close(self._lock)

    def _load(self, genesis: common_pb2.Block, checked: CheckedBlock) -> None:
        identity = FORMAT + header_hash(genesis.header)
        found = self._get("meta", b"identity")
        if found is None:
            self._chain, self._position = checked.after, Position.of(checked.after, 0, 0, EMPTY)
            with self._environment.begin(write=True) as transaction:
                for key, value in (
                    (b"identity", identity),
                    (b"position", encode_position(self._position)),
                    (b"config", genesis.SerializeToString()),
                ):
                    transaction.put(key, value, db=self._tables["meta"])
            return
        if found != identity:
            raise LogStoreError(
                f"the witness's folder {self._folder} is of another ledger or format; give this witness a folder of its own"
            )
        self._position = decode_position(self._get("meta", b"position") or b"")
        config = common_pb2.Block.FromString(self._get("meta", b"config") or b"")
        self._chain = self._position.chain(config)
        self._check_files()

    def _check_files(self) -> None:
        """Check that the files lead to the newest head, and remove what the last commit left; raises LogStoreError."""
        head = self.newest_head()
        if head is None:
            return
        problem = f"the files in {self._folder} do not lead to the head of {head.size} entries"
        advice = "move the folder away, and the witness builds it anew from its peer's blocks"
        entry = StatusEntry(head.block, head.status_root).to_bytes()
        try:
            if self.tree().root() != head.root or self.entry(head.size - 1) != entry:
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


class _Writer:
    """Puts blocks into one lmdb transaction, and their entries into the growing log."""

    def __init__(self, transaction: Any, tables: _Tables, growth: Growth, status_root: bytes) -> None:
        self._transaction = transaction
        self._tables = tables
        self._growth = growth
        self.status_root = status_root

    def add(self, block: Block) -> Head | None:
        """Add a block; returns the head it makes, None without entries."""
        derived = block.derived
        if not derived.entries:
            return None
        first = self._growth.size
        for entry in derived.entries:
            self._growth.append(entry)
        self._set_statuses(derived)
        self._growth.append(StatusEntry(derived.block, self.status_root).to_bytes())
        head = Head(self._growth.size, self._growth.root(), derived.block, self.status_root)
        self._put("heads", encode_numbers(head.size), encode_head(head))
        for batch_id, position in derived.batches:
            what = f"batch {batch_id.hex()} is anchored"
            self._put_once("batches", batch_id, first + position, head, what)
        for issuer, sequence, position in derived.issuers:
            what = f"record {sequence} of issuer {issuer} is registered"
            self._put_once("issuers", issuer_key(issuer, sequence), first + position, head, what)
        return head

    def _set_statuses(self, derived: Derived) -> None:
        nodes = BlockNodes(lambda node: self._transaction.get(node, db=self._tables["nodes"]))
        for record in derived.statuses:
            digest = record_hash(record)
            self.status_root = set_place(nodes, self.status_root, record.batch_id, record.commitment, digest)
            self._put("records", digest, encode(record.to_json()))
        for node, data in nodes.reachable(self.status_root):
            self._put("nodes", node, data)

    def _put_once(self, table: str, key: bytes, index: int, head: Head, what: str) -> None:
        value = encode_numbers(index, head.size)
        if not self._transaction.put(key, value, db=self._tables[table], overwrite=False):
            raise DerivationError(
                f"block {head.block} is not taken: {what} a second time, which the contract does not allow; the log "
                "stops before this block until the members have settled it"
            )

    def _put(self, table: str, key: bytes, value: bytes) -> None:
        self._transaction.put(key, value, db=self._tables[table])
