"""Whether what a transaction read is still so: multi-version concurrency control and phantom reads.

Source: core/ledger/kvledger/txmgmt/validation (validator.go, combined_iterator.go, rangequery_validator.go).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from fabric_protos.peer import transaction_pb2

from shirushi_core.fabric.rwset import NamespaceRwSet, RangeRead, Version
from shirushi_node.ledger.state_changes import StateChanges


def read_conflict(rw_sets: Sequence[NamespaceRwSet], changes: StateChanges) -> int:
    """Return VALID, MVCC_READ_CONFLICT or PHANTOM_READ_CONFLICT.

    A key read that an earlier transaction of the block wrote is a conflict, whatever it wrote.
    """
    for rw_set in rw_sets:
        namespace = rw_set.namespace
        for key, version in rw_set.reads.items():
            if changes.pending(namespace, key) is not None or changes.version(namespace, key) != version:
                return int(transaction_pb2.MVCC_READ_CONFLICT)
        for range_read in rw_set.range_reads:
            current = _current(namespace, range_read, changes)
            if any(then != now for then, now in zip_longest(range_read.reads, current)):
                return int(transaction_pb2.PHANTOM_READ_CONFLICT)
    return int(transaction_pb2.VALID)


def _current(
    namespace: str, range_read: RangeRead, changes: StateChanges
) -> Iterator[tuple[str, Version | None]]:
    """Yield what the query would find now; one that was not run to its end stops at, and includes, its last key."""
    yield from changes.range(namespace, range_read.start, range_read.end)
    if not range_read.exhausted:
        version = changes.version(namespace, range_read.end)
        if version is not None:
            yield range_read.end, version
