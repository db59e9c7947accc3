"""Simulation of one transaction: reads from a snapshot, writes collected into a read-write set."""

from __future__ import annotations

from shirushi_core.fabric.rwset import NamespaceRwSet
from shirushi_node.ledger.store import Snapshot


class Simulator:
    """Collects what one transaction reads and writes, over all namespaces it touches (one per proposal).

    The operations are by namespace, so that both in-process stubs and the shim handler use it. Reads see the snapshot
    only. A write after a paginated query is refused, as in Fabric.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        raise NotImplementedError

    def get_state(self, namespace: str, key: str) -> bytes | None:
        """Read a key and record the version read."""
        raise NotImplementedError

    def put_state(self, namespace: str, key: str, value: bytes) -> None:
        """Write a key; raises InvalidInputError for an empty key or one Fabric refuses."""
        raise NotImplementedError

    def del_state(self, namespace: str, key: str) -> None:
        """Delete a key."""
        raise NotImplementedError

    def get_metadata(self, namespace: str, key: str) -> dict[str, bytes]:
        """Read a key's metadata; recorded as a read of the key's version."""
        raise NotImplementedError

    def set_metadata(self, namespace: str, key: str, metadata: dict[str, bytes]) -> None:
        """Write a key's metadata."""
        raise NotImplementedError

    def results(self) -> tuple[NamespaceRwSet, ...]:
        """Return the read-write sets, canonical, namespaces sorted."""
        raise NotImplementedError
