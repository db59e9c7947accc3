"""What a witness remembers of signed heads: its own signatures, the largest head it ever signed, and others' newest notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_core.proofs.note import SignedNote
from shirushi_node.witness.records import decode_numbers, encode_numbers

_NEWEST = b"newest"
_FLOOR = b"signed before "


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head that this witness cosigned, with its three signature lines, and when (unix seconds)."""

    note: SignedNote
    time: int

    @property
    def checkpoint(self) -> Checkpoint:
        """The head."""
        return Checkpoint.from_text(self.note.text)


class SignedHeads:
    """Durable: what is recorded here is on disk before anybody else is told. One writer at a time."""

    def __init__(self, environment: Any, signatures: Any, others: Any) -> None:
        self._environment = environment
        self._signatures = signatures
        self._others = others
        self._newest = self._read_newest()

    @property
    def newest(self) -> SignedHead | None:
        """The newest head that this store has signed."""
        return self._newest

    def floors(self) -> list[Checkpoint]:
        """Return the heads that others have shown this witness to have signed, smallest first."""
        with self._environment.begin() as transaction, transaction.cursor(self._signatures) as cursor:
            found = []
            at = cursor.set_range(_FLOOR)
            while at and cursor.key().startswith(_FLOOR):
                found.append(Checkpoint.from_text(cursor.value().decode()))
                at = cursor.next()
            return found

    def add_floors(self, checkpoints: Iterable[Checkpoint]) -> None:
        """Remember heads that others have shown this witness to have signed."""
        with self._environment.begin(write=True) as transaction:
            for each in checkpoints:
                transaction.put(_floor_key(each), each.to_text().encode(), db=self._signatures)

    def settle_floors(self) -> None:
        """Forget all but the largest of these heads, once the log was seen to extend each of them."""
        settled = self.floors()[:-1]
        with self._environment.begin(write=True) as transaction:
            for each in settled:
                transaction.delete(_floor_key(each), db=self._signatures)

    def note(self, size: int) -> SignedNote | None:
        """Return the note of a head that was cosigned, as it was signed last."""
        data = self._get(self._signatures, encode_numbers(size))
        return None if data is None else SignedNote.from_bytes(data)

    def record(self, heads: Sequence[SignedHead]) -> None:
        """Keep signatures, the newest head last; raises lmdb.Error."""
        last = heads[-1]
        with self._environment.begin(write=True) as transaction:
            for head in heads:
                key = encode_numbers(head.checkpoint.size)
                transaction.put(key, head.note.to_text().encode(), db=self._signatures)
            newest = encode_numbers(last.checkpoint.size, last.time)
            transaction.put(_NEWEST, newest, db=self._signatures)
        self._newest = last

    def other(self, member_id: str) -> SignedNote | None:
        """Return the newest note seen with a member's cosignature."""
        data = self._get(self._others, member_id.encode())
        return None if data is None else SignedNote.from_bytes(data)

    def keep_other(self, member_id: str, note: SignedNote) -> None:
        """Remember a member's newest note."""
        with self._environment.begin(write=True) as transaction:
            transaction.put(member_id.encode(), note.to_text().encode(), db=self._others)

    def _read_newest(self) -> SignedHead | None:
        data = self._get(self._signatures, _NEWEST)
        if data is None:
            return None
        size, time = decode_numbers(data)
        note = self.note(size)
        return None if note is None else SignedHead(note, time)

    def _get(self, table: Any, key: bytes) -> bytes | None:
        with self._environment.begin() as transaction:
            value: bytes | None = transaction.get(key, db=table)
            return value


def _floor_key(checkpoint: Checkpoint) -> bytes:
    return _FLOOR + encode_numbers(checkpoint.size) + checkpoint.root
