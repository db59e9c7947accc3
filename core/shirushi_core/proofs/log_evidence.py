"""What a member's log proves, as receipts and witnesses' answers carry it: anchors, issuers' records and statuses under a head.

A head is a checkpoint with its signatures; the log's last entry under it is the status entry, which names the status tree's
root and of when that is. Each `verify_*` here leads one thing to a checkpoint; who signed the checkpoint, and whether that is enough, is
confirmation.py's question.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import fields, merkle
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.canonical import MAX_INTEGER, Json
from shirushi_core.proofs.certificate_status import (
    MAX_PROOF_BYTES,
    StatusesProof,
    record_hash,
    verify_statuses,
)
from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_core.proofs.issuer import IssuerRecord
from shirushi_core.proofs.issuer_standing import IssuerStanding
from shirushi_core.proofs.log_entry import StatusEntry, issuance_entry, issuer_entry
from shirushi_core.proofs.merkle import ProofError
from shirushi_core.proofs.note import MAX_NOTE_BYTES, SignedNote
from shirushi_core.proofs.quorum import QuorumCertificate
from shirushi_core.proofs.status import StatusRecord, effective_status
from shirushi_core.proofs.unjudged import Mark, is_mark

MAX_PATH = 53

INCLUSION_FIELDS = frozenset({"index", "path"})
ISSUER_FIELDS = frozenset({"index", "path", "record"})
STATUS_ENTRY_FIELDS = frozenset({"block", "path", "root"})
STATUS_ENTRY_OPTIONAL = frozenset({"time"})
STATUSES_FIELDS = frozenset({"proof", "records"})
_RECORDS_FIELDS = frozenset({"batch", "certificate"})
_LOG_FIELDS = frozenset({"checkpoint", "index", "issuer", "path", "quorum"})
_STATUS_FIELDS = frozenset({"block", "checkpoint", "path", "proof", "quorum", "records", "root"})
_STATUS_OPTIONAL = STATUS_ENTRY_OPTIONAL | {"issuer"}


@dataclass(frozen=True, slots=True)
class Head:
    """A signed checkpoint, and the quorum certificate over it if there is one."""

    note: SignedNote
    quorum: QuorumCertificate | None = None
    checkpoint: Checkpoint = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "checkpoint", Checkpoint.from_text(self.note.text))

    def to_json(self) -> dict[str, Json]:
        """Return {"checkpoint": note, "quorum": {...}|null}."""
        return {
            "checkpoint": self.note.to_text(),
            "quorum": None if self.quorum is None else self.quorum.to_json(),
        }

    @classmethod
    def of(cls, checkpoint: Json, quorum: Json, where: str) -> Head:
        """Parse the two fields; raises InvalidInputError."""
        text = fields.a_text(checkpoint, f"{where}: checkpoint", high=MAX_NOTE_BYTES)
        certificate = None if quorum is None else QuorumCertificate.from_json(quorum)
        return cls(SignedNote.from_bytes(text.encode()), certificate)


@dataclass(frozen=True, slots=True)
class Inclusion:
    """An entry's place in the log, and the hashes from there to the root. JSON: {"index": int, "path": [hex]}."""

    index: int
    path: tuple[bytes, ...]

    def __post_init__(self) -> None:
        fields.check_range(self.index, "log proof: index", 0, MAX_INTEGER)

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        return {"index": self.index, "path": [node.hex() for node in self.path]}

    @classmethod
    def of(cls, value: Mapping[str, Json], where: str) -> Inclusion:
        """Parse the two fields of an object; raises InvalidInputError."""
        return cls(
            fields.an_integer(value["index"], f"{where}: index"),
            fields.hash_array(value["path"], f"{where}: path", MAX_PATH),
        )


@dataclass(frozen=True, slots=True)
class RegisteredIssuer:
    """An issuer's record as the members approved it, and its place in the log. JSON: {"index", "path", "record"}."""

    record: IssuerRecord
    inclusion: Inclusion

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        return {**self.inclusion.to_json(), "record": self.record.to_json()}

    @classmethod
    def from_json(cls, value: Json) -> RegisteredIssuer:
        """Parse strictly; raises InvalidInputError."""
        members = fields.an_object(value, "log proof: issuer", ISSUER_FIELDS)
        return cls(IssuerRecord.from_json(members["record"]), Inclusion.of(members, "log proof: issuer"))


@dataclass(frozen=True, slots=True)
class StatusEntryProof:
    """The last entry under a head, and its path. JSON: {"block": int, "path": [hex], "root": hex, "time": unix s}.

    Without `time` in a log by version 1 of the rules.
    """

    entry: StatusEntry
    path: tuple[bytes, ...]

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        value: dict[str, Json] = {
            "block": self.entry.block,
            "path": [node.hex() for node in self.path],
            "root": self.entry.root.hex(),
        }
        return value if self.entry.time is None else {**value, "time": self.entry.time}

    @classmethod
    def of(cls, value: Mapping[str, Json], where: str) -> StatusEntryProof:
        """Parse the fields of an object; raises InvalidInputError."""
        entry = StatusEntry(
            fields.an_integer(value["block"], f"{where}: block"),
            fields.hash_bytes(value["root"], f"{where}: root"),
            fields.an_integer(value["time"], f"{where}: time") if "time" in value else None,
        )
        return cls(entry, fields.hash_array(value["path"], f"{where}: path", MAX_PATH))


@dataclass(frozen=True, slots=True)
class CertificateStatuses:
    """The status records of a certificate and of its batch (None: none), or marks in their place, and the proof's bytes.

    JSON: {"proof": hex, "records": {"batch": {...}|null, "certificate": {...}|null}}.
    """

    proof: bytes
    batch: StatusRecord | Mark | None
    certificate: StatusRecord | Mark | None

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        return {
            "proof": self.proof.hex(),
            "records": {
                "batch": None if self.batch is None else self.batch.to_json(),
                "certificate": None if self.certificate is None else self.certificate.to_json(),
            },
        }

    @classmethod
    def of(cls, value: Mapping[str, Json], where: str) -> CertificateStatuses:
        """Parse the two fields of an object; raises InvalidInputError."""
        records = fields.an_object(value["records"], f"{where}: records", _RECORDS_FIELDS)
        batch, certificate = records["batch"], records["certificate"]
        return cls(
            fields.hex_bytes(value["proof"], f"{where}: proof", high=MAX_PROOF_BYTES),
            read_status(batch),
            read_status(certificate),
        )


@dataclass(frozen=True, slots=True)
class LogEvidence:
    """That an issuance anchor is in the log. JSON: {"checkpoint", "index", "issuer": {...}|null, "path", "quorum"}."""

    head: Head
    inclusion: Inclusion
    issuer: RegisteredIssuer | None = None

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        issuer = None if self.issuer is None else self.issuer.to_json()
        return {**self.head.to_json(), **self.inclusion.to_json(), "issuer": issuer}

    @classmethod
    def from_json(cls, value: Json) -> LogEvidence:
        """Parse strictly; raises InvalidInputError."""
        where = "receipt: log"
        members = fields.an_object(value, where, _LOG_FIELDS)
        issuer = members["issuer"]
        return cls(
            Head.of(members["checkpoint"], members["quorum"], where),
            Inclusion.of(members, where),
            None if issuer is None else RegisteredIssuer.from_json(issuer),
        )


@dataclass(frozen=True, slots=True)
class StatusEvidence:
    """What the log said of a certificate's status and of its issuer under a head; None is the head of the log evidence.

    JSON: {"block", "checkpoint": note|null, "issuer": {...}, "path", "proof", "quorum": {...}|null, "records", "root", "time"};
    without `issuer` and `time` in a log by version 1 of the rules.
    """

    head: Head | None
    entry: StatusEntryProof
    statuses: CertificateStatuses
    issuer: IssuerStanding | None = None

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        head: Mapping[str, Json] = (
            {"checkpoint": None, "quorum": None} if self.head is None else self.head.to_json()
        )
        value = {**head, **self.entry.to_json(), **self.statuses.to_json()}
        return value if self.issuer is None else {**value, "issuer": self.issuer.to_json()}

    @classmethod
    def from_json(cls, value: Json) -> StatusEvidence:
        """Parse strictly; raises InvalidInputError."""
        where = "receipt: status"
        members = fields.an_object(value, where, _STATUS_FIELDS, optional=_STATUS_OPTIONAL)
        checkpoint, quorum = members["checkpoint"], members["quorum"]
        if checkpoint is None and quorum is not None:
            raise InvalidInputError(
                f"{where}: expected no quorum certificate without a checkpoint of its own"
            )
        return cls(
            None if checkpoint is None else Head.of(checkpoint, quorum, where),
            StatusEntryProof.of(members, where),
            CertificateStatuses.of(members, where),
            IssuerStanding.from_json(members["issuer"]) if "issuer" in members else None,
        )


@dataclass(frozen=True, slots=True)
class ProvedStatuses:
    """The status records, or marks, that a checkpoint proves; None: that there is none."""

    batch: StatusRecord | Mark | None
    certificate: StatusRecord | Mark | None


def deciding(statuses: CertificateStatuses | ProvedStatuses) -> StatusRecord | Mark | None:
    """Return the record that decides, None if the certificate is valid; or a mark, for where there is one nobody knows."""
    batch, certificate = statuses.batch, statuses.certificate
    if isinstance(batch, Mark):
        return batch
    if isinstance(certificate, Mark):
        return certificate
    return effective_status(batch, certificate)


def read_status(value: Json) -> StatusRecord | Mark | None:
    """Parse a status record, or the mark in its place, strictly; raises InvalidInputError."""
    if value is None:
        return None
    return Mark.from_json(value) if is_mark(value) else StatusRecord.from_json(value)


def verify_logged(anchor: IssuanceAnchor, inclusion: Inclusion, checkpoint: Checkpoint) -> IssuanceAnchor:
    """Return an anchor that is in the log under a checkpoint; raises ProofError."""
    _verify(issuance_entry(anchor), inclusion, checkpoint)
    return anchor


def verify_registered(issuer: RegisteredIssuer, checkpoint: Checkpoint) -> IssuerRecord:
    """Return an issuer's record that is in the log under a checkpoint; raises ProofError."""
    _verify(issuer_entry(issuer.record), issuer.inclusion, checkpoint)
    return issuer.record


def verify_status_entry(proof: StatusEntryProof, checkpoint: Checkpoint) -> StatusEntry:
    """Return the status entry that a checkpoint ends with; raises ProofError."""
    if checkpoint.size == 0:
        raise ProofError("status entry: the log is empty")
    _verify(proof.entry.to_bytes(), Inclusion(checkpoint.size - 1, proof.path), checkpoint)
    return proof.entry


def verify_certificate_statuses(
    statuses: CertificateStatuses, root: bytes, batch_id: bytes, commitment: bytes
) -> ProvedStatuses:
    """Return what a status tree with this root says of a certificate; raises ProofError, InvalidInputError."""
    proof = StatusesProof.from_bytes(statuses.proof, batch_id, commitment)
    proved = verify_statuses(proof, root, batch_id, commitment)
    for record, hashed, about in (
        (statuses.batch, proved[0], (batch_id, None)),
        (statuses.certificate, proved[1], (batch_id, commitment)),
    ):
        if (None if record is None else record_hash(record)) != hashed:
            raise ProofError("status proof: the record beside it is not the one that is proved")
        if record is not None and _about(record) != about:
            raise ProofError("status proof: the record is about another certificate")
    return ProvedStatuses(statuses.batch, statuses.certificate)


def _about(record: StatusRecord | Mark) -> tuple[bytes | None, bytes | None]:
    slot = record.slot if isinstance(record, Mark) else record
    return slot.batch_id, slot.commitment


def _verify(entry: bytes, inclusion: Inclusion, checkpoint: Checkpoint) -> None:
    merkle.verify_inclusion(entry, inclusion.index, checkpoint.size, inclusion.path, checkpoint.root)
