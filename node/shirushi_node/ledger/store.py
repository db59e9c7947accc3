"""One channel's committed ledger on disk: blocks, transaction index, state, history; one lmdb transaction per block.

Life of a block here: validated → written with its state, indexes and commit hash in one lmdb transaction → fsynced →
announced. A crash before the fsync loses the block from disk wholly, and nothing that was answered; there is no repair.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from fabric_protos.common import common_pb2

from shirushi_core.errors import ShirushiError
from shirushi_core.fabric.chaincode import KeyModification
from shirushi_core.fabric.rwset import NamespaceRwSet, Version


class StoreError(ShirushiError):
    """A store that cannot be opened, is in use, or belongs to another channel."""


@dataclass(frozen=True, slots=True)
class VersionedValue:
    """A committed value, where it was written, and its metadata (VALIDATION_PARAMETER → policy bytes)."""

    value: bytes
    version: Version
    metadata: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class TransactionLocation:
    """Where a transaction id was first committed, and its validation code."""

    block: int
    tx: int
    validation_code: int


class Snapshot:
    """A consistent view of the committed state at one height; a context manager (an lmdb read transaction)."""

    height: int

    def get(self, namespace: str, key: str) -> VersionedValue | None:
        """Return a key's committed value."""
        raise NotImplementedError

    def range(self, namespace: str, start: str, end: str) -> Iterator[tuple[str, VersionedValue]]:
        """Iterate over [start, end) in key order (UTF-8 bytes); an empty bound is open."""
        raise NotImplementedError

    def history(self, namespace: str, key: str) -> Iterator[KeyModification]:
        """Iterate over a key's committed values, newest first."""
        raise NotImplementedError

    def close(self) -> None:
        """Give the read transaction back."""
        raise NotImplementedError

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class LedgerStore:
    """The lmdb environment of one channel."""

    @classmethod
    def open(cls, path: Path, genesis: common_pb2.Block, *, map_size: int = 1 << 40) -> LedgerStore:
        """Open or create the store; the genesis block is committed as block 0 of a new one.

        Raises StoreError if the store is in use by another process or was made from another genesis block.
        """
        raise NotImplementedError

    @property
    def height(self) -> int:
        """How many blocks are committed."""
        raise NotImplementedError

    @property
    def last_header_hash(self) -> bytes:
        """The hash of the last block's header."""
        raise NotImplementedError

    @property
    def last_config_block(self) -> int:
        """The number of the newest config block."""
        raise NotImplementedError

    def block_bytes(self, number: int) -> bytes | None:
        """Return a committed block's bytes with all its metadata, or None beyond the height."""
        raise NotImplementedError

    def block_number_by_hash(self, header_hash: bytes) -> int | None:
        """Return the number of the block with this header hash."""
        raise NotImplementedError

    def transaction(self, tx_id: str) -> TransactionLocation | None:
        """Return where a transaction id was committed."""
        raise NotImplementedError

    def snapshot(self) -> Snapshot:
        """Return a view of the state as committed now."""
        raise NotImplementedError

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
        transaction number and rwset of each valid transaction, in order.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Close the environment."""
        raise NotImplementedError
