"""The status tree as it grows with the ledger: records are set in their places, marks come and go.

What is done depends on the tree and the records in it alone, so every witness, and whoever replays a log, comes to the same root.
"""

from __future__ import annotations

from typing import Protocol

from shirushi_core.proofs.canonical import encode
from shirushi_core.proofs.certificate_status import find_place, record_hash, set_place
from shirushi_core.proofs.issuer import IssuerRecord
from shirushi_core.proofs.issuer_standing import standing_hash, standing_key
from shirushi_core.proofs.status import StatusRecord
from shirushi_core.proofs.status_tree import EMPTY, NodeStore, insert, prove
from shirushi_core.proofs.unjudged import (
    Mark,
    Slot,
    anchor_key,
    slot_of,
    status_key,
)


class SlotStore(NodeStore, Protocol):
    """Where nodes are kept, and what stands in the places, by its hash."""

    def keep_record(self, digest: bytes, data: bytes) -> None:
        """Keep a good record's canonical bytes."""

    def keep_mark(self, mark: Mark) -> None:
        """Keep a mark."""

    def mark(self, digest: bytes) -> Mark | None:
        """Return the mark that has this hash, None if it is another record's."""


class StatusSlots:
    """A status tree that changes, over a store; `root` is its present one.

    Every method raises ProofError if the store has lost a node.
    """

    def __init__(self, store: SlotStore, root: bytes) -> None:
        self._store = store
        self.root = root

    def set_status(self, record: StatusRecord) -> None:
        """Set the newest status of a certificate or batch; ends a mark that its key had."""
        slot = Slot(batch_id=record.batch_id, commitment=record.commitment)
        digest = record_hash(record)
        self._store.keep_record(digest, encode(record.to_json()))
        self._set_good(slot, status_key(record.batch_id, record.commitment), digest)

    def set_issuer(self, record: IssuerRecord) -> None:
        """Set an issuer's newest record; ends a mark."""
        digest = standing_hash(record)
        self._store.keep_record(digest, encode(record.to_json()))
        self._put(Slot(issuer=record.id), digest)

    def anchored(self, batch_id: bytes) -> None:
        """Take note of a good anchor: ends a mark that its key had."""
        slot = Slot(batch_id=batch_id)
        mark = self._mark(self._find(slot))
        if mark is not None and anchor_key(batch_id) in mark.keys:
            self._set_good(slot, anchor_key(batch_id), mark.beneath)

    def mark(self, key: str, block: int, transaction: int) -> None:
        """Mark a key of the ledger whose value cannot be judged; raises InvalidInputError for one that has no place."""
        slot = slot_of(key)
        present = self._find(slot)
        mark = self._mark(present)
        keys, beneath = ((), present) if mark is None else (mark.keys, mark.beneath)
        beneath = None if beneath == EMPTY else beneath
        self._put_mark(slot, Mark(tuple(sorted({*keys, key})), block, transaction, beneath))

    def marked(self, key: str) -> bool:
        """Say whether a key of the ledger is marked now."""
        mark = self._mark(self._find(slot_of(key)))
        return mark is not None and key in mark.keys

    def _set_good(self, slot: Slot, key: str, digest: bytes | None) -> None:
        """Let a place have a good record (None: none); a mark stays there if another key is marked."""
        mark = self._mark(self._find(slot))
        others = () if mark is None else tuple(each for each in mark.keys if each != key)
        if mark is None or not others:
            self._put(slot, EMPTY if digest is None else digest)
        else:
            self._put_mark(slot, Mark(others, mark.block, mark.transaction, digest))

    def _put_mark(self, slot: Slot, mark: Mark) -> None:
        self._store.keep_mark(mark)
        self._put(slot, mark.hash)

    def _mark(self, digest: bytes) -> Mark | None:
        return None if digest == EMPTY else self._store.mark(digest)

    def _find(self, slot: Slot) -> bytes:
        if slot.issuer is not None:
            key = standing_key(slot.issuer)
            found = prove(self._store, self.root, key).found
            return found[1] if found is not None and found[0] == key else EMPTY
        assert slot.batch_id is not None  # noqa: S101 - a slot is an issuer's or a batch's
        return find_place(self._store, self.root, slot.batch_id, slot.commitment)

    def _put(self, slot: Slot, digest: bytes) -> None:
        if slot.issuer is not None:
            self.root = insert(self._store, self.root, standing_key(slot.issuer), digest)
            return
        assert slot.batch_id is not None  # noqa: S101 - a slot is an issuer's or a batch's
        self.root = set_place(self._store, self.root, slot.batch_id, slot.commitment, digest)
