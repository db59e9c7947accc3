"""The compact receipt: the same proof in CBOR, small enough for one QR code beside a printed certificate.

An array of the values below (RFC 8949, deterministic encoding, section 4.2.1). What follows from others is left out: the batch
id, and the certificate's size and digest, which are those of the file it is read with. Members' signatures are in the one
quorum certificate; of the rest only a member's signature as the log is kept, which C2SP asks of a checkpoint.

    [version, ledger, issuer, document type, valid from, valid until | null, batch size, batch root, index, batch path,
     salt, anchored at, transaction id, issuer sequence, seal's key id, seal's signature,
     log size, key id ‖ signature as the log, log index, log path,
     minute, [members], quorum signature,
     null | [block, path of the status entry, status proof, batch's record | null, certificate's record | null,
             time, proof of the issuer's record, the record]]

Paths are hashes one after the other. A record, but for what it is about, is

    [status, reason, effective at, changed at, change id, transaction id, null | [successor's batch id, its commitment]]

and an issuer's record, but for its id, is

    [MSP id, Japanese name, English name, sequence, state, null | [document types],
     [[use, public key, not before, not after]]]

Version 1 of the format has no time and no issuer's record; receipts under logs by version 1 of the rules have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import cbor2

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import fields
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.certificate_status import StatusesProof
from shirushi_core.proofs.checkpoint import Checkpoint, origin_of
from shirushi_core.proofs.commitment import commitment
from shirushi_core.proofs.issuer import IssuerKey, IssuerRecord, IssuerState, KeyUse
from shirushi_core.proofs.issuer_standing import IssuerStanding
from shirushi_core.proofs.log_entry import StatusEntry, issuance_entry
from shirushi_core.proofs.log_evidence import (
    CertificateStatuses,
    Head,
    Inclusion,
    LogEvidence,
    StatusEntryProof,
    StatusEvidence,
)
from shirushi_core.proofs.merkle import HASH_SIZE, ProofError, root_of_path
from shirushi_core.proofs.note import KEY_ID_BYTES, NoteSignature, SignedNote
from shirushi_core.proofs.quorum import QuorumCertificate
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.seal import Seal
from shirushi_core.proofs.status import Reason, Status, StatusRecord, Successor
from shirushi_core.proofs.status_tree import proved_root
from shirushi_core.proofs.unjudged import Mark

VERSION = 2
"""The version of a receipt whose status entry has a time; any other has version 1."""

_BEFORE = 1
MAX_COMPACT_BYTES = 5120
QR_BYTES = 2953
"""What one QR code holds at most: version 40, level L, bytes."""

COMPACT_BEGINNING = b"\x98\x18"
"""The first bytes of every compact receipt, an array of 24 values; no JSON begins so."""

_PARTS = 24
_STATUS_PARTS = {_BEFORE: 5, VERSION: 8}
_ISSUER_PARTS = 7
_RECORD_PARTS = 7


class CompactError(InvalidInputError):
    """A receipt that has no compact form, or bytes that are none."""


def to_compact(receipt: Receipt, *, with_status: bool = True) -> bytes:
    """Return the compact form of a receipt whose evidence is all under one head with a quorum certificate.

    Raises CompactError if it is not: refresh it, then it is.
    """
    log, status = receipt.log, receipt.status
    if log is None or log.head.quorum is None:
        raise CompactError(
            "the receipt has no quorum certificate: get it one with `shirushi refresh --compact`"
        )
    if with_status and (status is None or status.head is not None):
        raise CompactError(
            "the receipt's status is under a later head than its anchor: bring both under one with `shirushi refresh --compact`"
        )
    origin = log.head.checkpoint.origin
    lines = [each for each in log.head.note.signatures if each.name == origin]
    if not lines or origin != origin_of(receipt.anchor.statement.ledger):
        raise CompactError(
            "the receipt has no signature of its own log: get one with `shirushi refresh --compact`"
        )
    anchor, statement = receipt.anchor, receipt.anchor.statement
    certificate, checkpoint = log.head.quorum, log.head.checkpoint
    status = status if with_status else None
    version = VERSION if status is not None and status.entry.entry.time is not None else _BEFORE
    parts = [
        version,
        statement.ledger,
        statement.issuer,
        statement.document_type,
        statement.valid_from,
        statement.valid_until,
        statement.size,
        statement.root,
        receipt.index,
        b"".join(receipt.path),
        receipt.salt,
        anchor.anchored_at,
        bytes.fromhex(anchor.tx_id),
        anchor.issuer_sequence,
        anchor.seal.key_id,
        anchor.seal.signature,
        checkpoint.size,
        lines[0].key_id + lines[0].signature,
        log.inclusion.index,
        b"".join(log.inclusion.path),
        certificate.minute,
        list(certificate.signers),
        certificate.signature,
        None if status is None else _status_parts(status, version),
    ]
    return cbor2.dumps(parts, canonical=True)


def from_compact(data: bytes, sha256: bytes, size: int) -> Receipt:
    """Return the receipt that a compact form is, of a file with this digest and size; raises InvalidInputError.

    Whether it is of that file, the path to the batch root says (`verify_in_batch`).
    """
    parts = _Parts(_load(data), _PARTS)
    version = parts.integer()
    if version not in _STATUS_PARTS:
        raise CompactError(
            f"compact receipt: expected a version from {_BEFORE} to {VERSION}, found {version}"
        )
    ledger, issuer, document_type = parts.text(), parts.text(), parts.text()
    valid_from, valid_until, count = parts.integer(), parts.optional_integer(), parts.integer()
    statement_root, index, path, salt = parts.data(), parts.integer(), parts.path(), parts.data()
    statement = BatchStatement(ledger, issuer, document_type, statement_root, count, valid_from, valid_until)
    anchored_at, tx_id, sequence = parts.integer(), parts.data().hex(), parts.integer()
    anchor = IssuanceAnchor(statement, Seal(parts.data(), parts.data()), anchored_at, tx_id, sequence)
    log_size, line = parts.integer(), parts.data()
    inclusion = Inclusion(parts.integer(), parts.path())
    checkpoint = Checkpoint(origin_of(ledger), log_size, _log_root(anchor, inclusion, log_size))
    signature = NoteSignature(checkpoint.origin, line[:KEY_ID_BYTES], line[KEY_ID_BYTES:])
    certificate = QuorumCertificate(parts.integer(), parts.texts(), parts.data())
    head = Head(SignedNote(checkpoint.to_text(), (signature,)), certificate)
    return Receipt(
        salt=salt,
        certificate_sha256=sha256,
        certificate_size=size,
        index=index,
        path=path,
        anchor=anchor,
        log=LogEvidence(head, inclusion),
        status=_status(parts.next(), version, statement, commitment(salt, sha256)),
    )


def _status_parts(status: StatusEvidence, version: int) -> list[object]:
    parts: list[object] = [
        status.entry.entry.block,
        b"".join(status.entry.path),
        status.statuses.proof,
        *(_record_parts(record) for record in (status.statuses.batch, status.statuses.certificate)),
    ]
    if version == _BEFORE:
        return parts
    standing = status.issuer
    if standing is None or not isinstance(standing.record, IssuerRecord):
        raise CompactError("the receipt does not say how its issuer stands: it has no compact form")
    return [*parts, status.entry.entry.time, standing.proof, _issuer_parts(standing.record)]


def _issuer_parts(record: IssuerRecord) -> list[object]:
    types = None if record.document_types is None else list(record.document_types)
    keys = [[key.use.value, key.public_key, key.not_before, key.not_after] for key in record.keys]
    named = [record.msp_id, record.name_ja, record.name_en, record.sequence, record.state.value]
    return [*named, types, keys]


def _log_root(anchor: IssuanceAnchor, inclusion: Inclusion, size: int) -> bytes:
    try:
        return root_of_path(issuance_entry(anchor), inclusion.index, size, inclusion.path)
    except ProofError as error:
        raise CompactError(f"compact receipt: log: {error}") from error


def _status_root(proof: bytes, batch_id: bytes, commitment: bytes) -> bytes:
    try:
        return proved_root(StatusesProof.from_bytes(proof, batch_id, commitment).batch, batch_id)
    except ProofError as error:
        raise CompactError(f"compact receipt: status: {error}") from error


def _record_parts(record: StatusRecord | Mark | None) -> list[object] | None:
    if record is None:
        return None
    if isinstance(record, Mark):
        raise CompactError("nobody can say what the certificate's status is: the receipt has no compact form")
    successor = record.successor
    return [
        record.status.value,
        record.reason.value,
        record.effective_at,
        record.changed_at,
        record.change_id,
        bytes.fromhex(record.tx_id),
        None if successor is None else [successor.batch_id, successor.commitment],
    ]


def _status(
    value: object, version: int, statement: BatchStatement, commitment: bytes
) -> StatusEvidence | None:
    if value is None:
        if version != _BEFORE:
            raise CompactError(f"compact receipt: expected a status in one of version {version}")
        return None
    batch_id = statement.batch_id
    parts = _Parts(value, _STATUS_PARTS[version])
    block, path, proof = parts.integer(), parts.path(), parts.data()
    batch, certificate = _record(parts.next(), batch_id, None), _record(parts.next(), batch_id, commitment)
    time, standing = None, None
    if version != _BEFORE:
        time = parts.integer()
        standing = IssuerStanding(parts.data(), _issuer(parts.next(), statement.issuer))
    entry = StatusEntryProof(StatusEntry(block, _status_root(proof, batch_id, commitment), time), path)
    return StatusEvidence(None, entry, CertificateStatuses(proof, batch, certificate), standing)


def _issuer(value: object, issuer_id: str) -> IssuerRecord:
    where = "compact receipt: issuer"
    parts = _Parts(value, _ISSUER_PARTS)
    msp_id, name_ja, name_en, sequence = parts.text(), parts.text(), parts.text(), parts.integer()
    state = fields.a_member(parts.text(), f"{where}: state", IssuerState)
    types = parts.optional_texts()
    return IssuerRecord(
        id=issuer_id,
        msp_id=msp_id,
        name_ja=name_ja,
        name_en=name_en,
        sequence=sequence,
        state=state,
        keys=tuple(_issuer_key(_Parts(each, 4)) for each in parts.values()),
        document_types=types,
    )


def _issuer_key(parts: _Parts) -> IssuerKey:
    use = fields.a_member(parts.text(), "compact receipt: issuer: key: use", KeyUse)
    return IssuerKey(use, parts.data(), parts.integer(), parts.integer())


def _record(value: object, batch_id: bytes, commitment: bytes | None) -> StatusRecord | None:
    if value is None:
        return None
    parts = _Parts(value, _RECORD_PARTS)
    return StatusRecord(
        status=fields.a_member(parts.text(), "compact receipt: status", Status),
        reason=fields.a_member(parts.text(), "compact receipt: reason", Reason),
        effective_at=parts.integer(),
        changed_at=parts.integer(),
        change_id=parts.text(),
        tx_id=parts.data().hex(),
        batch_id=batch_id,
        commitment=commitment,
        successor=_successor(parts.next()),
    )


def _successor(value: object) -> Successor | None:
    if value is None:
        return None
    parts = _Parts(value, 2)
    return Successor(parts.data(), parts.data())


def _load(data: bytes) -> object:
    if len(data) > MAX_COMPACT_BYTES:
        raise CompactError(f"compact receipt: expected at most {MAX_COMPACT_BYTES} bytes, found {len(data)}")
    try:
        value: Any = cbor2.loads(data)
        again = cbor2.dumps(value, canonical=True)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError) as error:
        raise CompactError("compact receipt: not CBOR") from error
    if again != data:
        raise CompactError("compact receipt: not in its one form (deterministic CBOR)")
    return cast(object, value)


class _Parts:
    """Takes the values of an array one after the other, each of its type."""

    def __init__(self, value: object, count: int) -> None:
        if not isinstance(value, list) or len(value) != count:
            raise fields.unexpected("compact receipt", f"an array of {count} values", value)
        self._values = iter(cast(Sequence[object], value))

    def next(self) -> object:
        return next(self._values)

    def integer(self) -> int:
        value = self.next()
        if type(value) is not int:
            raise fields.unexpected("compact receipt", "an integer", value)
        return value

    def optional_integer(self) -> int | None:
        value = self.next()
        if value is not None and type(value) is not int:
            raise fields.unexpected("compact receipt", "an integer or null", value)
        return value

    def text(self) -> str:
        value = self.next()
        if not isinstance(value, str):
            raise fields.unexpected("compact receipt", "text", value)
        return value

    def texts(self) -> tuple[str, ...]:
        return _texts(self.next())

    def optional_texts(self) -> tuple[str, ...] | None:
        value = self.next()
        return None if value is None else _texts(value)

    def values(self) -> list[object]:
        value = self.next()
        if not isinstance(value, list):
            raise fields.unexpected("compact receipt", "an array", value)
        return cast(list[object], value)

    def data(self) -> bytes:
        value = self.next()
        if not isinstance(value, bytes):
            raise fields.unexpected("compact receipt", "bytes", value)
        return value

    def path(self) -> tuple[bytes, ...]:
        joined = self.data()
        if len(joined) % HASH_SIZE:
            raise fields.unexpected("compact receipt", "whole hashes", joined)
        return tuple(joined[start : start + HASH_SIZE] for start in range(0, len(joined), HASH_SIZE))


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise fields.unexpected("compact receipt", "an array of texts", value)
    return tuple(cast(list[str], value))
