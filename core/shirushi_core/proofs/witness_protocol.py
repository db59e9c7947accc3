"""What is asked of a witness in one request, and answered: several proofs, all under one head.

POST /proofs of a witness (docs/formats/witness.md). What an answer says is worth what its checkpoint is: see log_evidence.py and
confirmation.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import fields
from shirushi_core.proofs.canonical import MAX_INTEGER, Json, decode, decode_canonical, encode
from shirushi_core.proofs.issuer_standing import IssuerStanding
from shirushi_core.proofs.log_evidence import (
    INCLUSION_FIELDS,
    STATUS_ENTRY_FIELDS,
    STATUS_ENTRY_OPTIONAL,
    STATUSES_FIELDS,
    CertificateStatuses,
    Head,
    Inclusion,
    RegisteredIssuer,
    StatusEntryProof,
)

MAX_ASKED = 1024
"""Proofs of one kind in one request."""

MAX_REQUEST_BYTES = 512 * 1024

ANSWER_BYTES = 256 * 1024
"""What an answer may have beside its items: the head's note, and the status entry with its path."""

BATCH_BYTES, ISSUER_BYTES, STANDING_BYTES, STATUS_BYTES = 8 * 1024, 128 * 1024, 128 * 1024, 24 * 1024
"""What an item of an answer may have: no honest one comes near."""

ANSWER_PARTS, ITEM_PARTS, RECORD_PARTS = 64, 8, 160
"""JSON arrays and objects in an answer beside its items, in an item, and in one with an issuer's record."""

MAX_WAIT_SECONDS = 10

NEWEST = "newest"
"""The newest head the witness has signed."""

ANCHORED = "anchored"
"""The first head that has all the batches asked for: the same at every member."""

_REQUEST_FIELDS = frozenset({"batches", "head", "issuers", "statuses", "wait"})
_ANSWER_FIELDS = frozenset({"batches", "checkpoint", "issuers", "status_entry", "statuses"})
_ANSWER_OPTIONAL = frozenset({"standings"})
_ISSUER_FIELDS = frozenset({"id", "sequence"})
_STATUS_FIELDS = frozenset({"batch_id", "commitment"})

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class ProofsRequest:
    """What is asked: batches by id, issuers' records by id and sequence, statuses by batch id and commitment.

    Each item stands once: a witness's work is bounded by what is asked of it, and an answer by what was asked. `head` is NEWEST, ANCHORED or a size; `wait` how many seconds to wait for batches that are not in the log yet.
    """

    batches: tuple[bytes, ...] = ()
    issuers: tuple[tuple[str, int], ...] = ()
    statuses: tuple[tuple[bytes, bytes], ...] = ()
    head: str | int = NEWEST
    wait: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.head, int):
            fields.check_range(self.head, "request: head", 1, MAX_INTEGER)
        elif self.head not in (NEWEST, ANCHORED):
            raise fields.unexpected("request: head", f"{NEWEST}, {ANCHORED} or a size", self.head)
        fields.check_range(self.wait, "request: wait", 0, MAX_WAIT_SECONDS)
        for what, items in (
            ("batches", self.batches),
            ("issuers", self.issuers),
            ("statuses", self.statuses),
        ):
            if len(set(items)) != len(items):
                raise InvalidInputError(f"request: {what}: expected each item once, found one again")

    @property
    def standings(self) -> tuple[str, ...]:
        """The issuers whose standing is answered: the distinct ids among `issuers`, in their order."""
        return tuple(dict.fromkeys(issuer for issuer, _ in self.issuers))

    @property
    def answer_bytes(self) -> int:
        """How long an answer may be."""
        return (
            ANSWER_BYTES
            + len(self.batches) * BATCH_BYTES
            + len(self.issuers) * ISSUER_BYTES
            + len(self.standings) * STANDING_BYTES
            + len(self.statuses) * STATUS_BYTES
        )

    @property
    def answer_parts(self) -> int:
        """How many JSON arrays and objects an answer may have: reading it costs no more than what was asked is worth."""
        records = len(self.issuers) + len(self.standings)
        return ANSWER_PARTS + ITEM_PARTS * (len(self.batches) + len(self.statuses)) + RECORD_PARTS * records

    def to_bytes(self) -> bytes:
        """Return the request's body."""
        return encode(
            {
                "batches": [batch.hex() for batch in self.batches],
                "head": self.head,
                "issuers": [{"id": issuer, "sequence": sequence} for issuer, sequence in self.issuers],
                "statuses": [
                    {"batch_id": batch.hex(), "commitment": commitment.hex()}
                    for batch, commitment in self.statuses
                ],
                "wait": self.wait,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> ProofsRequest:
        """Parse a request's body strictly; raises InvalidInputError."""
        members = fields.an_object(decode(data, max_bytes=MAX_REQUEST_BYTES), "request", _REQUEST_FIELDS)
        head = members["head"]
        return cls(
            batches=fields.hash_array(members["batches"], "request: batches", MAX_ASKED),
            issuers=_items(members["issuers"], "request: issuers", _issuer),
            statuses=_items(members["statuses"], "request: statuses", _status),
            head=head if isinstance(head, str) else fields.an_integer(head, "request: head"),
            wait=fields.an_integer(members["wait"], "request: wait"),
        )


@dataclass(frozen=True, slots=True)
class ProofsAnswer:
    """The proofs, in the order they were asked for; None for a batch or issuer that is not in the log under this head.

    `standings` are what the status tree says of the issuers asked about (`ProofsRequest.standings`), in their order; there are
    none in a log by version 1 of the rules.
    """

    head: Head
    status_entry: StatusEntryProof
    batches: tuple[Inclusion | None, ...] = ()
    issuers: tuple[RegisteredIssuer | None, ...] = ()
    statuses: tuple[CertificateStatuses, ...] = ()
    standings: tuple[IssuerStanding, ...] = ()

    def to_bytes(self) -> bytes:
        """Return the answer's body."""
        value: dict[str, Json] = {
            "batches": [None if each is None else each.to_json() for each in self.batches],
            "checkpoint": self.head.note.to_text(),
            "issuers": [None if each is None else each.to_json() for each in self.issuers],
            "status_entry": self.status_entry.to_json(),
            "statuses": [each.to_json() for each in self.statuses],
        }
        if self.standings:
            value["standings"] = [each.to_json() for each in self.standings]
        return encode(value)

    @classmethod
    def from_bytes(cls, data: bytes, request: ProofsRequest) -> ProofsAnswer:
        """Parse the body of an answer to a request strictly, in canonical JSON; raises InvalidInputError.

        It has as many items as were asked for, or it is no answer.
        """
        parts = data.count(b"[") + data.count(b"{")
        if parts > request.answer_parts:
            raise InvalidInputError(
                f"answer: expected at most {request.answer_parts} arrays and objects, found {parts}"
            )
        value = decode_canonical(data, max_bytes=request.answer_bytes)
        members = fields.an_object(value, "answer", _ANSWER_FIELDS, optional=_ANSWER_OPTIONAL)
        entry = fields.an_object(
            members["status_entry"],
            "answer: status_entry",
            STATUS_ENTRY_FIELDS,
            optional=STATUS_ENTRY_OPTIONAL,
        )
        answer = cls(
            head=Head.of(members["checkpoint"], None, "answer"),
            status_entry=StatusEntryProof.of(entry, "answer: status_entry"),
            batches=_items(members["batches"], "answer: batches", _optional(_inclusion)),
            issuers=_items(members["issuers"], "answer: issuers", _optional(RegisteredIssuer.from_json)),
            statuses=_items(members["statuses"], "answer: statuses", _statuses),
            standings=_items(members.get("standings", []), "answer: standings", IssuerStanding.from_json),
        )
        for what, given, asked in (
            ("batches", answer.batches, request.batches),
            ("issuers", answer.issuers, request.issuers),
            ("statuses", answer.statuses, request.statuses),
        ):
            if len(given) != len(asked):
                raise InvalidInputError(f"answer: {what}: expected {len(asked)}, found {len(given)}")
        if len(answer.standings) not in (0, len(request.standings)):
            raise InvalidInputError(
                f"answer: standings: expected {len(request.standings)} or none, found {len(answer.standings)}"
            )
        return answer


def _items(value: Json, where: str, parse: Callable[[Json], Item]) -> tuple[Item, ...]:
    return tuple(parse(item) for item in fields.an_array(value, where, 0, MAX_ASKED))


def _optional(parse: Callable[[Json], Item]) -> Callable[[Json], Item | None]:
    return lambda value: None if value is None else parse(value)


def _inclusion(value: Json) -> Inclusion:
    where = "answer: batches"
    return Inclusion.of(fields.an_object(value, where, INCLUSION_FIELDS), where)


def _statuses(value: Json) -> CertificateStatuses:
    where = "answer: statuses"
    return CertificateStatuses.of(fields.an_object(value, where, STATUSES_FIELDS), where)


def _issuer(value: Json) -> tuple[str, int]:
    members = fields.an_object(value, "request: issuer", _ISSUER_FIELDS)
    return (
        fields.check_identifier(fields.a_text(members["id"], "request: issuer: id"), "request: issuer: id"),
        fields.check_sequence(
            fields.an_integer(members["sequence"], "request: issuer: sequence"), "request: issuer: sequence"
        ),
    )


def _status(value: Json) -> tuple[bytes, bytes]:
    members = fields.an_object(value, "request: status", _STATUS_FIELDS)
    return (
        fields.hash_bytes(members["batch_id"], "request: status: batch_id"),
        fields.hash_bytes(members["commitment"], "request: status: commitment"),
    )
