"""Entries of the log: the canonical anchors of valid transactions, and the status root after each block that has any.

An entry is the canonical JSON of one entry of the contract's event (docs/formats/contract.md), or
{"block": number, "kind": "status", "root": hex}: the root of the status tree after that block. A block with anchors ends with one,
so the last entry of every checkpoint is the status root as of that checkpoint.
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

_STATUS_FIELDS = frozenset({"block", "kind", "root"})
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


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """The root of the status tree after a block."""

    block: int
    root: bytes

    def __post_init__(self) -> None:
        fields.check_range(self.block, "status entry: block", 0, MAX_INTEGER)
        fields.check_hash(self.root, "status entry: root")

    def to_bytes(self) -> bytes:
        """Return the entry as the log has it."""
        return encode({"block": self.block, "kind": Kind.STATUS.value, "root": self.root.hex()})

    @classmethod
    def from_bytes(cls, data: bytes) -> StatusEntry:
        """Parse strictly; raises InvalidInputError, also for another kind of entry."""
        members = fields.an_object(
            decode_canonical(data, max_bytes=MAX_ENTRY_BYTES), "status entry", _STATUS_FIELDS
        )
        fields.a_constant(members["kind"], "status entry: kind", Kind.STATUS)
        return cls(
            block=fields.an_integer(members["block"], "status entry: block"),
            root=fields.hash_bytes(members["root"], "status entry: root"),
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
        case Kind.STATUS:
            raise InvalidInputError("log entry: expected one of the contract's, found a status entry")


def read_entry(data: bytes) -> Content | StatusEntry:
    """Return what an entry of the log is about, read in its one form; raises InvalidInputError."""
    entry = decode_canonical(data, max_bytes=MAX_ENTRY_BYTES)
    if not isinstance(entry, Mapping):
        raise fields.unexpected("log entry", "an object", entry)
    return StatusEntry.from_bytes(data) if entry.get("kind") == Kind.STATUS else read_content(entry)


def read_event(payload: bytes) -> list[Mapping[str, Json]]:
    """Return the entries of a transaction's event; raises InvalidInputError for one the contract does not make."""
    event = fields.an_object(decode_canonical(payload, max_bytes=MAX_EVENT_BYTES), "event", _EVENT_FIELDS)
    entries = fields.an_array(event["entries"], "event: entries", 1, MAX_EVENT_ENTRIES)
    found = []
    for entry in entries:
        if not isinstance(entry, Mapping) or entry.get("kind") not in set(Kind) - {Kind.STATUS}:
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
