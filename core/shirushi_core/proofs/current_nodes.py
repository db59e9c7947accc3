"""The status tree as it is now, in memory: as many nodes as it needs, however often it has changed."""

from __future__ import annotations

from collections.abc import Collection

from shirushi_core.proofs.issuer import IssuerRecord
from shirushi_core.proofs.issuer_standing import standing_key
from shirushi_core.proofs.status import StatusRecord
from shirushi_core.proofs.status_slots import StatusSlots
from shirushi_core.proofs.status_tree import EMPTY, leaf_key
from shirushi_core.proofs.unjudged import Mark, slot_of


class CurrentNodes:
    """A status tree with a store that keeps what the newest root leads to, and forgets what only earlier roots led to.

    No two places of one tree have the same node, for every leaf has its own key and every record its place: what was read on the
    way to a key is replaced by the change, and needed nowhere else. Good records are not kept; marks are, for as long as they
    may stand.
    """

    def __init__(self) -> None:
        self._nodes: dict[bytes, bytes] = {}
        self._marks: dict[bytes, Mark] = {}
        self._read: set[bytes] = set()
        self._put: set[bytes] = set()
        self._slots = StatusSlots(self, EMPTY)

    @property
    def root(self) -> bytes:
        """The tree's root."""
        return self._slots.root

    def __len__(self) -> int:
        return len(self._nodes)

    def get(self, node_hash: bytes) -> bytes | None:
        self._read.add(node_hash)
        return self._nodes.get(node_hash)

    def put(self, node_hash: bytes, node: bytes) -> None:
        self._put.add(node_hash)
        self._nodes[node_hash] = node

    def keep_record(self, digest: bytes, data: bytes) -> None:
        """Keep nothing: nobody looks a good record up here."""

    def keep_mark(self, mark: Mark) -> None:
        self._marks[mark.hash] = mark

    def mark(self, digest: bytes) -> Mark | None:
        return self._marks.get(digest)

    def set_status(self, record: StatusRecord) -> None:
        """Set a record, and forget what it has replaced."""
        self._slots.set_status(record)
        self._forget((record.batch_id, record.commitment))

    def set_issuer(self, record: IssuerRecord) -> None:
        """Set an issuer's newest record, and forget what it has replaced."""
        self._slots.set_issuer(record)
        self._forget((standing_key(record.id),))

    def anchored(self, batch_id: bytes) -> None:
        """Take note of a good anchor: ends a mark that its key had."""
        if self._marks:
            self._slots.anchored(batch_id)
            self._forget((batch_id,))

    def set_mark(self, key: str, block: int, transaction: int) -> None:
        """Mark a key of the ledger whose value cannot be judged."""
        slot = slot_of(key)
        self._slots.mark(key, block, transaction)
        own = slot.batch_id if slot.issuer is None else standing_key(slot.issuer)
        self._forget((own, slot.commitment))

    def marked(self, key: str) -> bool:
        """Say whether a key of the ledger is marked now."""
        if not self._marks:
            return False
        found = self._slots.marked(key)
        self._read.clear()
        return found

    def _forget(self, own: Collection[bytes | None]) -> None:
        """Forget what was read and not put: if anything was put, it was replaced."""
        for node_hash in self._read - self._put if self._put else ():
            key = leaf_key(self._nodes[node_hash])
            if key is None or key in own:  # another key's leaf stands beside the new one now
                del self._nodes[node_hash]
        self._read.clear()
        self._put.clear()
