"""What the valid transactions of one block change, in order, over the state committed before it.

Source: core/ledger/kvledger/txmgmt/validation/tx_ops.go, core/ledger/kvledger/txmgmt/statedb (UpdateBatch).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from shirushi_core.fabric.rwset import NamespaceRwSet, Version
from shirushi_node.ledger.records import VersionedValue


class CommittedState(Protocol):
    """The state as of the last block."""

    def get(self, namespace: str, key: str) -> VersionedValue | None:
        """Return a key's committed value."""
        ...

    def range(self, namespace: str, start: str, end: str) -> Iterator[tuple[str, VersionedValue]]:
        """Iterate over [start, end) in key order; an empty bound is open."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """A key's value after some transaction of the block; None is a deletion."""

    value: bytes | None
    version: Version
    metadata: Mapping[str, bytes]


class StateChanges:
    """Changes so far, by namespace and key."""

    def __init__(self, committed: CommittedState) -> None:
        self.committed = committed
        self.changes: dict[str, dict[str, Change]] = {}
        self._sorted: dict[
            str, list[str]
        ] = {}  # the keys of `changes`: ranges are checked once a transaction

    def pending(self, namespace: str, key: str) -> Change | None:
        """Return what the block did to a key so far, or None."""
        return self.changes.get(namespace, {}).get(key)

    def apply(self, version: Version, rw_sets: Sequence[NamespaceRwSet]) -> None:
        """Take in one valid transaction's writes.

        A value written alone keeps the key's metadata, metadata written alone keeps its value and does nothing to a key
        that is not there; a deletion takes both away. The version of the key changes every time.
        """
        for rw_set in rw_sets:
            namespace, metadata_writes = rw_set.namespace, rw_set.metadata_writes
            updates: dict[str, Change] = {}
            for write in rw_set.writes:
                if not write.value:
                    updates[write.key] = Change(None, version, {})
                    continue
                if write.key in metadata_writes:
                    metadata = metadata_writes[write.key] or {}
                else:
                    latest = self._latest(namespace, write.key)
                    metadata = latest.metadata if latest else {}
                updates[write.key] = Change(write.value, version, metadata)
            for key, entries in metadata_writes.items():
                if key in updates:
                    continue
                latest = self._latest(namespace, key)
                if latest is not None and latest.value is not None:
                    updates[key] = Change(latest.value, version, entries or {})
            if updates:
                changed = self.changes.setdefault(namespace, {})
                ordered = self._sorted.setdefault(namespace, [])
                for key in updates:
                    if key not in changed:
                        insort(ordered, key)
                changed.update(updates)

    def range(self, namespace: str, start: str, end: str) -> Iterator[tuple[str, Version]]:
        """Iterate over the keys in [start, end) as they are now, with the block's changes, in order."""
        changed = self.changes.get(namespace, {})
        ordered = self._sorted.get(namespace, [])
        waiting = iter(ordered[bisect_left(ordered, start) : bisect_left(ordered, end) if end else None])
        next_changed = next(waiting, None)
        for key, versioned in self.committed.range(namespace, start, end):
            while next_changed is not None and next_changed < key:
                if changed[next_changed].value is not None:
                    yield next_changed, changed[next_changed].version
                next_changed = next(waiting, None)
            if next_changed != key:
                yield key, versioned.version
        while next_changed is not None:
            if changed[next_changed].value is not None:
                yield next_changed, changed[next_changed].version
            next_changed = next(waiting, None)

    def version(self, namespace: str, key: str) -> Version | None:
        """Return the version of a key as it is now, with the block's changes; None if it is not there."""
        change = self.pending(namespace, key)
        if change is not None:
            return None if change.value is None else change.version
        committed = self.committed.get(namespace, key)
        return None if committed is None else committed.version

    def _latest(self, namespace: str, key: str) -> Change | VersionedValue | None:
        return self.pending(namespace, key) or self.committed.get(namespace, key)
