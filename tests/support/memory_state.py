"""Committed state in a dictionary: the plainest thing that can stand for the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shirushi_core.fabric.rwset import Version
from shirushi_node.ledger.store import VersionedValue


class MemoryState:
    """State by (namespace, key)."""

    def __init__(self, values: Mapping[tuple[str, str], VersionedValue] | None = None) -> None:
        self.values = dict(values or {})

    def put(
        self,
        namespace: str,
        key: str,
        value: bytes,
        version: Version,
        metadata: Mapping[str, bytes] | None = None,
    ) -> None:
        """Set a value."""
        self.values[namespace, key] = VersionedValue(value, version, metadata or {})

    def get(self, namespace: str, key: str) -> VersionedValue | None:
        """Return a value."""
        return self.values.get((namespace, key))

    def range(self, namespace: str, start: str, end: str) -> Iterator[tuple[str, VersionedValue]]:
        """Iterate over a range."""
        for (name, key), value in sorted(self.values.items(), key=lambda item: item[0]):
            if name == namespace and start <= key and (not end or key < end):
                yield key, value
