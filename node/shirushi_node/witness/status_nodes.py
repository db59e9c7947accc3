"""Where the status tree's nodes are while a block is taken in: only those that its last root needs are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shirushi_core.proofs.merkle import HASH_SIZE

Get = Callable[[bytes], bytes | None]


class StoredNodes:
    """The nodes of a store, for proofs."""

    def __init__(self, get: Get) -> None:
        self.get = get


class BlockNodes:
    """The nodes of a store, and those that one block has made so far."""

    def __init__(self, get: Get) -> None:
        self._get = get
        self._made: dict[bytes, bytes] = {}

    def get(self, node_hash: bytes) -> bytes | None:
        made = self._made.get(node_hash)
        return self._get(node_hash) if made is None else made

    def put(self, node_hash: bytes, node: bytes) -> None:
        self._made[node_hash] = node

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
