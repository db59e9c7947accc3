"""Where the status tree's nodes are while a block is taken in: only those that its last root needs are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from shirushi_core.proofs.canonical import decode_canonical
from shirushi_core.proofs.merkle import HASH_SIZE
from shirushi_core.proofs.unjudged import Mark

Get = Callable[[bytes], bytes | None]


class StoredNodes:
    """The nodes of a store, for proofs."""

    def __init__(self, get: Get) -> None:
        self.get = get


class Tables(Protocol):
    """A store's tables within one transaction."""

    def get(self, table: str, key: bytes) -> bytes | None: ...
    def put(self, table: str, key: bytes, value: bytes) -> None: ...


class BlockNodes:
    """The nodes of a store, those that one block has made so far, and what stands in the places (SlotStore)."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._made: dict[bytes, bytes] = {}

    def get(self, node_hash: bytes) -> bytes | None:
        made = self._made.get(node_hash)
        return self._tables.get("nodes", node_hash) if made is None else made

    def put(self, node_hash: bytes, node: bytes) -> None:
        self._made[node_hash] = node

    def keep_record(self, digest: bytes, data: bytes) -> None:
        self._tables.put("records", digest, data)

    def keep_mark(self, mark: Mark) -> None:
        self._tables.put("marks", mark.hash, mark.to_bytes())

    def mark(self, digest: bytes) -> Mark | None:
        data = self._tables.get("marks", digest)
        return None if data is None else Mark.from_json(decode_canonical(data))

    def reachable(self, root: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the nodes made that a root leads to; those on the way to earlier roots within the block are left out."""
        waiting = [root]
        while waiting:
            node_hash = waiting.pop()
            node = self._made.pop(node_hash, None)
            if node is None:
                continue
            yield node_hash, node
            start = len(node) % HASH_SIZE  # a node's kind stands before its two hashes
            waiting += (node[start : start + HASH_SIZE], node[start + HASH_SIZE :])
