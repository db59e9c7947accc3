"""The nodes of a status tree as it is now: as many as it needs, however often it has changed."""

from __future__ import annotations

from collections.abc import Collection

from shirushi_core.proofs.certificate_status import set_status
from shirushi_core.proofs.status import StatusRecord
from shirushi_core.proofs.status_tree import EMPTY, leaf_key


class CurrentNodes:
    """A node store that keeps what the newest root leads to, and forgets what only earlier roots led to.

    No two places of one tree have the same node, for every leaf has its own key and every record its batch: what was read on the
    way to a key is replaced by the change, and needed nowhere else.
    """

    def __init__(self) -> None:
        self.root = EMPTY
        self._nodes: dict[bytes, bytes] = {}
        self._read: set[bytes] = set()
        self._put: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._nodes)

    def get(self, node_hash: bytes) -> bytes | None:
        self._read.add(node_hash)
        return self._nodes.get(node_hash)

    def put(self, node_hash: bytes, node: bytes) -> None:
        self._put.add(node_hash)
        self._nodes[node_hash] = node

    def set_status(self, record: StatusRecord) -> None:
        """Set a record, and forget what it has replaced."""
        self.root = set_status(self, self.root, record)
        own = (record.batch_id, record.commitment)
        for node_hash in self._read - self._put:
            self._forget(node_hash, own)
        self._read.clear()
        self._put.clear()

    def _forget(self, node_hash: bytes, own: Collection[bytes | None]) -> None:
        key = leaf_key(self._nodes[node_hash])
        if key is None or key in own:  # another key's leaf stands beside the new one now
            del self._nodes[node_hash]
