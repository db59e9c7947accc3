"""Signing heads as they come, and the newest one again in each minute; kept on disk before anybody sees it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import lmdb

from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_core.proofs.note import SignedNote
from shirushi_node.ledger.clock import Clock
from shirushi_node.witness.errors import LogStoreError
from shirushi_node.witness.records import Head
from shirushi_node.witness.settings import WitnessSettings
from shirushi_node.witness.signed_heads import SignedHead
from shirushi_node.witness.signing import (
    Refusal,
    heads_to_sign,
    judge,
    log_note,
    sign_head,
    too_old,
)
from shirushi_node.witness.store import LogStore


class Signer:
    """Signs for one store; its methods that sign are called one after the other, from one thread at a time."""

    def __init__(self, settings: WitnessSettings, store: LogStore, clock: Clock) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._confirmed = settings.quorum <= 1
        self._extended: set[Checkpoint] = set()  # heads signed before that the log was seen to extend
        self._refusal: Refusal | None = None
        self._largest_before = 0
        self.check()

    @property
    def refusal(self) -> Refusal | None:
        """Why nothing is signed, None if heads are."""
        return self._refusal

    @property
    def age_refusal(self) -> Refusal | None:
        """Why the newest head is too old to be signed now, None if it is not."""
        head = self._store.newest_head()
        return None if head is None else too_old(head, int(self._clock().timestamp()))

    @property
    def last_time(self) -> int | None:
        """When a head was signed last, in unix seconds."""
        newest = self._store.signed.newest
        return None if newest is None else newest.time

    def confirm(self, signed_before: Iterable[Checkpoint]) -> None:
        """Take note of what the other witnesses, enough of them, know this one to have signed."""
        self._store.signed.add_floors(signed_before)
        self._confirmed = True
        self.check()

    def check(self) -> Refusal | None:
        """Find out again whether the log may be signed; what was refused for good stays so."""
        if self._refusal is None or not self._refusal.for_good:
            self._refusal = self._judge()
        return self._refusal

    def sign(self, heads: Sequence[Head]) -> list[SignedHead]:
        """Sign those of the heads that are due, and keep the signatures; raises LogStoreError."""
        if self._refusal is not None:
            self.check()  # it may have caught up with what was signed before, and have nothing to sign yet
        time = int(self._clock().timestamp())
        fresh = [head for head in heads if too_old(head, time) is None]
        due = heads_to_sign(fresh, self._store.signed.newest, self._largest_before, time)
        if not due or self.check() is not None:
            return []
        signed = [
            sign_head(
                Checkpoint(self._store.origin, head.size, head.root),
                self._settings.keys,
                self._settings.cosigner_name,
                time,
            )
            for head in due
        ]
        try:
            self._store.signed.record(signed)
        except lmdb.Error as error:
            raise LogStoreError(f"a signature cannot be written: {error}") from None
        self._extended = {*self._store.signed.floors(), signed[-1].checkpoint}
        return signed

    def note(self, head: Head) -> SignedNote:
        """Return a head's note: as it was cosigned last, or with the log's signature alone."""
        known = self._store.signed.note(head.size)
        if known is not None:
            return known
        return log_note(Checkpoint(self._store.origin, head.size, head.root), self._settings.keys)

    def _judge(self) -> Refusal | None:
        newest = self._store.signed.newest
        floors = self._store.signed.floors()
        self._largest_before = floors[-1].size if floors else 0
        for checkpoint in [*floors, *([newest.checkpoint] if newest else [])]:
            if checkpoint not in self._extended:
                refusal = judge(checkpoint, self._store.size, lambda size: self._store.checkpoint(size).root)
                if refusal is not None:
                    return refusal
                self._extended.add(checkpoint)
        if len(floors) > 1:
            self._store.signed.settle_floors()
        if not self._confirmed:
            return Refusal(
                f"it has not heard from {self._settings.quorum - 1} other witnesses yet what it has signed before"
            )
        return None
