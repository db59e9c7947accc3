"""Simulation of one transaction: reads from a snapshot, writes collected into a read-write set.

Source: core/ledger/kvledger/txmgmt/txmgr (tx_simulator.go, query_executor.go).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.chaincode import KeyModification, KeyValue
from shirushi_core.fabric.rwset import NamespaceRwSet, RangeRead, Version, Write
from shirushi_node.ledger.records import check_key, check_text
from shirushi_node.ledger.store import Snapshot, VersionedValue

TOTAL_QUERY_LIMIT = 100_000
"""Results a range query ends after, as Fabric's ledger.state.totalQueryLimit."""

VALIDATION_PARAMETER = "VALIDATION_PARAMETER"
"""The metadata name of a key's own endorsement policy (peer.MetaDataKeys)."""


@dataclass(slots=True)
class _Namespace:
    reads: dict[str, Version | None] = field(default_factory=dict)
    writes: dict[str, bytes | None] = field(default_factory=dict)
    metadata_writes: dict[str, Mapping[str, bytes] | None] = field(default_factory=dict)
    queries: list[RangeQuery] = field(default_factory=list)
    policies: dict[str, bytes] = field(default_factory=dict)


class RangeQuery:
    """A range query under way: fetch results, then close.

    What was handed out is what is checked for phantoms at commit: the range up to the last result, or the whole range
    once the results came to an end by themselves.
    """

    def __init__(self, snapshot: Snapshot, namespace: str, start: str, end: str, limit: int) -> None:
        self._results = snapshot.range(namespace, start, end)
        self._start = start
        self._end = end
        self._left = limit
        self._exhausted = False
        self._reads: list[tuple[str, Version | None]] = []

    def __iter__(self) -> Iterator[KeyValue]:
        return self

    def __next__(self) -> KeyValue:
        if self._left <= 0:
            raise StopIteration
        found = next(self._results, None)
        if found is None:
            self._exhausted = True
            self._left = 0
            raise StopIteration
        self._left -= 1
        key, versioned = found
        self._reads.append((key, versioned.version))
        return KeyValue(key, versioned.value)

    def fetch(self, count: int) -> list[KeyValue]:
        """Return up to `count` further results; fewer mean that there are no more."""
        results = []
        for result in self:
            results.append(result)
            if len(results) >= count:
                break
        return results

    def bookmark(self) -> str:
        """Close the query and return the key where the next page starts, "" after the last."""
        following = None if self._exhausted else next(self._results, None)
        self.close()
        return "" if following is None else following[0]

    def close(self) -> None:
        """End the query; closing again does nothing."""
        self._left = 0
        close = getattr(self._results, "close", None)
        if close is not None:
            close()

    def recorded(self) -> RangeRead | None:
        """Return what was read, or None if nothing was learnt."""
        if self._exhausted:
            return RangeRead(self._start, self._end, True, tuple(self._reads))
        if self._reads:
            return RangeRead(self._start, self._reads[-1][0], False, tuple(self._reads))
        return None


class Simulator:
    """Collects what one transaction reads and writes, over all namespaces it touches (one per proposal).

    The operations are by namespace, so that both in-process stubs and the shim handler use it. Reads see the snapshot
    only. A write after a paginated query is refused, as in Fabric. The snapshot is the caller's to close, after close().
    """

    def __init__(self, snapshot: Snapshot, tx_id: str = "") -> None:
        self._snapshot = snapshot
        self._tx_id = tx_id
        self._namespaces: dict[str, _Namespace] = {}
        self._wrote = False
        self._paginated = False

    def get_state(self, namespace: str, key: str) -> bytes | None:
        """Read a key and record the version read."""
        found = self._read(namespace, key)
        return None if found is None else found.value

    def put_state(self, namespace: str, key: str, value: bytes) -> None:
        """Write a key; raises InvalidInputError for an empty key or one Fabric refuses.

        An empty value deletes the key, as in Fabric.
        """
        self._before_write(namespace, key)
        self._namespace(namespace).writes[key] = value or None

    def del_state(self, namespace: str, key: str) -> None:
        """Delete a key; raises InvalidInputError as put_state."""
        self._before_write(namespace, key)
        self._namespace(namespace).writes[key] = None

    def get_metadata(self, namespace: str, key: str) -> dict[str, bytes]:
        """Read a key's metadata; recorded as a read of the key's version."""
        found = self._read(namespace, key)
        return {} if found is None else dict(found.metadata)

    def set_metadata(self, namespace: str, key: str, metadata: dict[str, bytes]) -> None:
        """Write a key's metadata, in place of what it had; raises InvalidInputError as put_state."""
        self._before_write(namespace, key)
        self._namespace(namespace).metadata_writes[key] = dict(metadata) or None

    def range_query(self, namespace: str, start: str, end: str, page_size: int | None = None) -> RangeQuery:
        """Query [start, end); an empty bound is open. Results end after TOTAL_QUERY_LIMIT, or one page.

        Raises InvalidInputError for a page after a write: pages are for read-only transactions.
        """
        check_text(start, end)
        if page_size is not None:
            if self._wrote:
                raise InvalidInputError(
                    f"txid [{self._tx_id}]: unsuppored transaction. Paginated queries are supported only in a "
                    "read-only transaction"
                )
            self._paginated = True
        limit = TOTAL_QUERY_LIMIT if page_size is None else min(page_size, TOTAL_QUERY_LIMIT)
        query = RangeQuery(self._snapshot, namespace, start, end, limit)
        self._namespace(namespace).queries.append(query)
        return query

    def history(self, namespace: str, key: str) -> Iterator[KeyModification]:
        """Iterate over a key's committed values, newest first; not part of the read set, as in Fabric."""
        check_text(key)
        return self._snapshot.history(namespace, key)

    def results(self) -> tuple[NamespaceRwSet, ...]:
        """Return the read-write sets, canonical, namespaces sorted."""
        return tuple(_rw_set(name, self._namespaces[name]) for name in sorted(self._namespaces))

    def written_policies(self) -> dict[str, dict[str, bytes]]:
        """Return the endorsement policy each written key has in the committed state, by namespace and key.

        b"" stands for none: that key needs its chaincode's policy (ledger.WritesetMetadata).
        """
        return {
            name: dict(namespace.policies)
            for name, namespace in self._namespaces.items()
            if namespace.policies
        }

    def close(self) -> None:
        """End the range queries that are still open."""
        for namespace in self._namespaces.values():
            for query in namespace.queries:
                query.close()

    def _read(self, namespace: str, key: str) -> VersionedValue | None:
        check_text(key)
        found = self._snapshot.get(namespace, key)
        self._namespace(namespace).reads[key] = None if found is None else found.version
        return found

    def _namespace(self, name: str) -> _Namespace:
        found = self._namespaces.get(name)
        if found is None:
            found = self._namespaces[name] = _Namespace()
        return found

    def _before_write(self, namespace: str, key: str) -> None:
        if self._paginated:
            raise InvalidInputError(
                f"txid [{self._tx_id}]: unsuppored transaction. Transaction has already performed a paginated query. "
                "Writes are not allowed"
            )
        check_key(namespace, key)
        self._wrote = True
        found = self._snapshot.get(namespace, key)
        policy = b"" if found is None else found.metadata.get(VALIDATION_PARAMETER, b"")
        self._namespace(namespace).policies[key] = policy


def _rw_set(name: str, namespace: _Namespace) -> NamespaceRwSet:
    recorded = [each for query in namespace.queries if (each := query.recorded()) is not None]
    distinct = {(each.start, each.end, each.exhausted): each for each in reversed(recorded)}
    return NamespaceRwSet(
        namespace=name,
        reads=dict(sorted(namespace.reads.items())),
        range_reads=tuple(
            each for each in recorded if distinct[each.start, each.end, each.exhausted] is each
        ),
        writes=tuple(Write(key, value) for key, value in sorted(namespace.writes.items())),
        metadata_writes=dict(sorted(namespace.metadata_writes.items())),
    )
