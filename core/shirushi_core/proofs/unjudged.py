r"""Marks in the status tree: keys of the ledger whose newest value the contract cannot have made.

A mark stands in the place of a record until a later good write of the same key. While it stands, nobody knows what is so: a
verifier reads `cannot_confirm`. It comes from the bytes that a valid transaction wrote and from nothing else
(docs/formats/derivation.md), so every witness sets it alike.

A place ("slot") of the status tree is that of a batch, of a certificate in it, or of an issuer. Two keys of the ledger lead to a
batch's place: its anchor and its status.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import fields
from shirushi_core.proofs.canonical import MAX_INTEGER, Json, encode

KIND = "unjudged"

_MARK_FIELDS = frozenset({"beneath", "block", "keys", "kind", "transaction"})
_HASH = "[0-9a-f]{64}"
_ANCHOR_KEY = re.compile(f"batch/({_HASH})")
_STATUS_KEY = re.compile(f"status/({_HASH})/(batch|{_HASH})")
_ISSUER_KEY = re.compile(r"issuer/([a-z0-9][a-z0-9.-]{0,63})")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place of the status tree: of an issuer, or of a certificate in a batch (`commitment` None: of the batch itself)."""

    batch_id: bytes | None = None
    commitment: bytes | None = None
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """What stands in a place whose keys' newest values cannot be judged.

    `keys`: those keys, sorted; `beneath`: the hash of the newest good record of the place, None if there is none; `block` and
    `transaction` (counted from the block's first): the newest transaction that left such a value.

    JSON: {"beneath": hex|null, "block": int, "keys": [str], "kind": "unjudged", "transaction": int}.
    """

    keys: tuple[str, ...]
    block: int
    transaction: int
    beneath: bytes | None = None

    def __post_init__(self) -> None:
        if not self.keys or list(self.keys) != sorted(set(self.keys)) or len({*map(slot_of, self.keys)}) != 1:
            raise InvalidInputError("mark: keys: expected those of one place in order, each once")
        fields.check_range(self.block, "mark: block", 0, MAX_INTEGER)
        fields.check_range(self.transaction, "mark: transaction", 0, MAX_INTEGER)
        if self.beneath is not None:
            fields.check_hash(self.beneath, "mark: beneath")

    @property
    def slot(self) -> Slot:
        """The place that it stands in."""
        return slot_of(self.keys[0])

    @property
    def hash(self) -> bytes:
        """SHA-256 of its canonical JSON: what the tree has in the place."""
        return sha256(self.to_bytes()).digest()

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        return {
            "beneath": None if self.beneath is None else self.beneath.hex(),
            "block": self.block,
            "keys": list(self.keys),
            "kind": KIND,
            "transaction": self.transaction,
        }

    def to_bytes(self) -> bytes:
        """Return the canonical JSON."""
        return encode(self.to_json())

    @classmethod
    def from_json(cls, value: Json) -> Mark:
        """Parse strictly; raises InvalidInputError."""
        members = fields.an_object(value, "mark", _MARK_FIELDS)
        fields.a_constant(members["kind"], "mark: kind", KIND)
        beneath = members["beneath"]
        return cls(
            keys=tuple(
                fields.a_text(key, "mark: key") for key in fields.an_array(members["keys"], "mark", 1, 2)
            ),
            block=fields.an_integer(members["block"], "mark: block"),
            transaction=fields.an_integer(members["transaction"], "mark: transaction"),
            beneath=None if beneath is None else fields.hash_bytes(beneath, "mark: beneath"),
        )


def is_mark(value: Json) -> bool:
    """Say whether a record's JSON is that of a mark; whether it is a good one, `Mark.from_json` says."""
    return isinstance(value, Mapping) and value.get("kind") == KIND


def slot_of(key: str) -> Slot:
    """Return the place of a key of the ledger; raises InvalidInputError for a key that has none."""
    slot = find_slot(key)
    if slot is None:
        raise fields.unexpected("ledger key", "one of an anchor, a status or an issuer", key)
    return slot


def find_slot(key: str) -> Slot | None:
    """Return the place of a key of the ledger, None if it has none in the status tree."""
    if found := _ANCHOR_KEY.fullmatch(key):
        return Slot(batch_id=bytes.fromhex(found[1]))
    if found := _STATUS_KEY.fullmatch(key):
        commitment = None if found[2] == "batch" else bytes.fromhex(found[2])
        return Slot(batch_id=bytes.fromhex(found[1]), commitment=commitment)
    if found := _ISSUER_KEY.fullmatch(key):
        return Slot(issuer=found[1])
    return None


def anchor_key(batch_id: bytes) -> str:
    """Return the ledger's key of a batch's issuance anchor."""
    return f"batch/{batch_id.hex()}"


def status_key(batch_id: bytes, commitment: bytes | None) -> str:
    """Return the ledger's key of the status of a certificate, or of a whole batch (None)."""
    return f"status/{batch_id.hex()}/{'batch' if commitment is None else commitment.hex()}"


def issuer_key(issuer_id: str) -> str:
    """Return the ledger's key of an issuer's record."""
    return f"issuer/{issuer_id}"
