"""Entries of the log: the canonical anchors of valid transactions, and the status root after each block that has any.

An entry is the canonical JSON of one entry of the contract's event (docs/formats/contract.md), or one of the two kinds that
witnesses add:

    {"block": number, "kind": "status", "root": hex, "time": unix s}
    {"block": number, "key": str | null, "kind": "unjudged", "transaction": number}

A block that carries anchors, unjudged entries or ticks ends with a status entry: the root of the status tree after that block, and
the newest transaction time that the log knows. So the last entry of every checkpoint says what is so as of that checkpoint, and
of when that is. Logs by version 1 of the rules have no `time` (docs/formats/derivation.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import fields
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.canonical import MAX_INTEGER, Json, decode_canonical, encode
from shirushi_core.proofs.issuer import IssuerRecord
from shirushi_core.proofs.issuer_proposal import IssuerProposal, IssuerVote
from shirushi_core.proofs.status import StatusRecord
from shirushi_core.proofs.tiles import MAX_ENTRY_BYTES
from shirushi_core.proofs.unjudged import slot_of

_STATUS_FIELDS = frozenset({"block", "kind", "root"})
_TIME = frozenset({"time"})
_UNJUDGED_FIELDS = frozenset({"block", "key", "kind", "transaction"})
_ISSUANCE_FIELDS = frozenset({"anchor", "kind"})
_RECORD_FIELDS = frozenset({"kind", "record"})
_PROPOSAL_FIELDS = frozenset({"kind", "proposal"})
_VOTE_FIELDS = frozenset({"kind", "msp_id", "proposal_id", "tx_id"})
_EVENT_FIELDS = frozenset({"entries"})
MAX_EVENT_BYTES = 4 << 20
MAX_EVENT_ENTRIES = 10_000


class Kind(StrEnum):
    """What an entry is about; the contract's kinds, and our own."""

    ISSUANCE = "issuance"
    REVOCATION = "revocation"
    ISSUER_PROPOSAL = "issuer_proposal"
    ISSUER_APPROVAL = "issuer_approval"
    ISSUER_WITHDRAWAL = "issuer_withdrawal"
    ISSUER = "issuer"
    STATUS = "status"
    UNJUDGED = "unjudged"


OWN_KINDS = frozenset({Kind.STATUS, Kind.UNJUDGED})
"""Kinds of entries that witnesses make; no event of the contract has them."""


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """The root of the status tree after a block, and of when that is.

    `time` is the newest transaction time (unix s) of the contract's transactions up to there, None in a log by version 1 of the
    rules.
    """

    block: int
    root: bytes
    time: int | None = None

    def __post_init__(self) -> None:
        fields.check_range(self.block, "status entry: block", 0, MAX_INTEGER)
        fields.check_hash(self.root, "status entry: root")
        if self.time is not None:
            fields.check_time(self.time, "status entry: time")

    def to_bytes(self) -> bytes:
        """Return the entry as the log has it."""
        entry: dict[str, Json] = {"block": self.block, "kind": Kind.STATUS.value, "root": self.root.hex()}
        return encode(entry if self.time is None else {**entry, "time": self.time})

    @classmethod
    def from_bytes(cls, data: bytes) -> StatusEntry:
        """Parse strictly; raises InvalidInputError, also for another kind of entry."""
        members = fields.an_object(
            decode_canonical(data, max_bytes=MAX_ENTRY_BYTES), "status entry", _STATUS_FIELDS, optional=_TIME
        )
        fields.a_constant(members["kind"], "status entry: kind", Kind.STATUS)
        return cls(
            block=fields.an_integer(members["block"], "status entry: block"),
            root=fields.hash_bytes(members["root"], "status entry: root"),
            time=fields.an_integer(members["time"], "status entry: time") if "time" in members else None,
        )


@dataclass(frozen=True, slots=True)
class UnjudgedEntry:
    """A valid transaction whose output is not what the contract makes, and one key of the ledger that it wrote.

    `key` is a key that the status tree has a place for (unjudged.py), None for a transaction that wrote no such key;
    `transaction` counts from the block's first. The entries of one transaction are in the order of their keys, each once.
    """

    block: int
    transaction: int
    key: str | None = None

    def __post_init__(self) -> None:
        fields.check_range(self.block, "unjudged entry: block", 0, MAX_INTEGER)
        fields.check_range(self.transaction, "unjudged entry: transaction", 0, MAX_INTEGER)
        if self.key is not None:
            slot_of(self.key)

    def to_bytes(self) -> bytes:
        """Return the entry as the log has it."""
        kind = Kind.UNJUDGED.value
        return encode({"block": self.block, "key": self.key, "kind": kind, "transaction": self.transaction})

    @classmethod
    def from_bytes(cls, data: bytes) -> UnjudgedEntry:
        """Parse strictly; raises InvalidInputError, also for another kind of entry."""
        where = "unjudged entry"
        members = fields.an_object(decode_canonical(data, max_bytes=MAX_ENTRY_BYTES), where, _UNJUDGED_FIELDS)
        fields.a_constant(members["kind"], f"{where}: kind", Kind.UNJUDGED)
        key = members["key"]
        return cls(
            block=fields.an_integer(members["block"], f"{where}: block"),
            transaction=fields.an_integer(members["transaction"], f"{where}: transaction"),
            key=None if key is None else fields.a_text(key, f"{where}: key"),
        )


Content: TypeAlias = IssuanceAnchor | StatusRecord | IssuerProposal | IssuerVote | IssuerRecord
"""What the contract's entries are about."""


def read_content(entry: Mapping[str, Json]) -> Content:
    """Return what an entry of the contract is about; raises InvalidInputError for one that the contract does not make."""
    kind = fields.a_member(entry.get("kind"), "log entry: kind", Kind)
    match kind:
        case Kind.ISSUANCE:
            return IssuanceAnchor.from_json(_members(entry, _ISSUANCE_FIELDS)["anchor"])
        case Kind.REVOCATION:
            return StatusRecord.from_json(_members(entry, _RECORD_FIELDS)["record"])
        case Kind.ISSUER:
            return IssuerRecord.from_json(_members(entry, _RECORD_FIELDS)["record"])
        case Kind.ISSUER_PROPOSAL:
            return IssuerProposal.from_json(_members(entry, _PROPOSAL_FIELDS)["proposal"])
        case Kind.ISSUER_APPROVAL | Kind.ISSUER_WITHDRAWAL:
            members = _members(entry, _VOTE_FIELDS)
            return IssuerVote(
                proposal_id=fields.hash_bytes(members["proposal_id"], "approval: proposal_id"),
                msp_id=fields.a_text(members["msp_id"], "approval: msp_id"),
                tx_id=fields.a_text(members["tx_id"], "approval: tx_id"),
                given=kind is Kind.ISSUER_APPROVAL,
            )
        case Kind.STATUS | Kind.UNJUDGED:
            raise InvalidInputError(f"log entry: expected one of the contract's, found one of kind {kind}")


def read_entry(data: bytes) -> Content | StatusEntry | UnjudgedEntry:
    """Return what an entry of the log is about, read in its one form; raises InvalidInputError."""
    entry = decode_canonical(data, max_bytes=MAX_ENTRY_BYTES)
    if not isinstance(entry, Mapping):
        raise fields.unexpected("log entry", "an object", entry)
    match entry.get("kind"):
        case Kind.STATUS:
            return StatusEntry.from_bytes(data)
        case Kind.UNJUDGED:
            return UnjudgedEntry.from_bytes(data)
        case _:
            return read_content(entry)


def read_event(payload: bytes) -> list[Mapping[str, Json]]:
    """Return the entries of a transaction's event; raises InvalidInputError for one the contract does not make."""
    event = fields.an_object(decode_canonical(payload, max_bytes=MAX_EVENT_BYTES), "event", _EVENT_FIELDS)
    entries = fields.an_array(event["entries"], "event: entries", 1, MAX_EVENT_ENTRIES)
    found = []
    for entry in entries:
        if not isinstance(entry, Mapping) or entry.get("kind") not in set(Kind) - OWN_KINDS:
            raise InvalidInputError("event: expected entries of the contract's kinds")
        found.append(entry)
    return found


def changed_statuses(entries: Sequence[Mapping[str, Json]]) -> list[StatusRecord]:
    """Return the status records among entries, in order; raises InvalidInputError."""
    return [StatusRecord.from_json(entry["record"]) for entry in entries if entry["kind"] == Kind.REVOCATION]


def issuance_entry(anchor: IssuanceAnchor) -> bytes:
    """Return the log entry of an issuance anchor."""
    return encode({"anchor": anchor.to_json(), "kind": Kind.ISSUANCE.value})


def issuer_entry(record: IssuerRecord) -> bytes:
    """Return the log entry of an issuer's record."""
    return encode({"kind": Kind.ISSUER.value, "record": record.to_json()})


def entry_bytes(entry: Mapping[str, Json]) -> bytes:
    """Return an event's entry as the log has it; raises InvalidInputError if it is too long for a tile's bundle."""
    data = encode(entry)
    if len(data) > MAX_ENTRY_BYTES:
        raise InvalidInputError(f"log entry: expected at most {MAX_ENTRY_BYTES} bytes, found {len(data)}")
    return data


def _members(entry: Mapping[str, Json], names: frozenset[str]) -> Mapping[str, Json]:
    return fields.an_object(entry, f"log entry: {entry['kind']}", names)
