"""Read-write sets: what a transaction read and wants to write (rwset.TxReadWriteSet, kvrwset.KVRWSet).

Source: core/ledger/kvledger/txmgmt/rwsetutil. Order is canonical: namespaces and keys sorted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """Where a value was written: block and transaction number."""

    block: int
    tx: int


@dataclass(frozen=True, slots=True)
class Write:
    """A value put (`value`), or a key deleted (`value` None)."""

    key: str
    value: bytes | None


@dataclass(frozen=True, slots=True)
class RangeRead:
    """A range query's reads: [start, end), whether the iterator was exhausted, and what it returned, in order."""

    start: str
    end: str
    exhausted: bool
    reads: tuple[tuple[str, Version | None], ...]


@dataclass(frozen=True, slots=True)
class NamespaceRwSet:
    """One chaincode's reads and writes. Metadata writes: key → {name: value} (VALIDATION_PARAMETER), None deletes."""

    namespace: str
    reads: Mapping[str, Version | None] = field(default_factory=dict)
    range_reads: Sequence[RangeRead] = ()
    writes: Sequence[Write] = ()
    metadata_writes: Mapping[str, Mapping[str, bytes] | None] = field(default_factory=dict)


def encode(sets: Sequence[NamespaceRwSet]) -> bytes:
    """Return TxReadWriteSet bytes, canonical: equal sets give equal bytes."""
    raise NotImplementedError


def decode(data: bytes) -> tuple[NamespaceRwSet, ...]:
    """Parse TxReadWriteSet bytes; raises InvalidInputError (hashed collections are refused)."""
    raise NotImplementedError
