"""`set_status`: revoking, suspending, reinstating and superseding certificates and whole batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from shirushi_chaincode.contract import access, keys, state, ticks
from shirushi_chaincode.contract.errors import Code, ContractError
from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.chaincode import Stub
from shirushi_core.proofs import fields
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.canonical import Json, encode
from shirushi_core.proofs.merkle import ProofError, verify_inclusion
from shirushi_core.proofs.receipt import MAX_PATH
from shirushi_core.proofs.status import (
    Reason,
    Status,
    StatusChangeError,
    StatusRecord,
    Successor,
    check_change,
)

MAX_CHANGES = 1000
MAX_SECONDS_AHEAD = 300
"""How far after the transaction's time a change may take effect: no more than clocks may differ."""

_REQUEST_FIELDS = frozenset({"change_id", "changes", "issuer"})
_CHANGE_FIELDS = frozenset(
    {"batch_id", "commitment", "effective_at", "index", "path", "reason", "status", "successor"}
)


@dataclass(frozen=True, slots=True)
class Change:
    """One new status of a certificate, shown to be in its batch by index and path, or of a whole batch (both None)."""

    batch_id: bytes
    commitment: bytes | None
    index: int | None
    path: tuple[bytes, ...]
    status: Status
    reason: Reason
    effective_at: int
    successor: Successor | None

    @property
    def target(self) -> tuple[bytes, bytes | None]:
        """What gets the status."""
        return self.batch_id, self.commitment

    @classmethod
    def from_json(cls, value: Json, where: str) -> Change:
        """Parse strictly; raises InvalidInputError."""
        members = fields.an_object(value, where, _CHANGE_FIELDS)
        commitment, successor = members["commitment"], members["successor"]
        whole_batch = commitment is None
        if whole_batch and (members["index"] is not None or members["path"]):
            raise InvalidInputError(
                f"{where}: index and path: expected null for a whole batch (commitment null)"
            )
        return cls(
            batch_id=fields.hash_bytes(members["batch_id"], f"{where}: batch_id"),
            commitment=None if commitment is None else fields.hash_bytes(commitment, f"{where}: commitment"),
            index=None if whole_batch else fields.an_integer(members["index"], f"{where}: index"),
            path=() if whole_batch else fields.hash_array(members["path"], f"{where}: path", MAX_PATH),
            status=fields.a_member(members["status"], f"{where}: status", Status),
            reason=fields.a_member(members["reason"], f"{where}: reason", Reason),
            effective_at=fields.check_time(
                fields.an_integer(members["effective_at"], f"{where}: effective_at"), f"{where}: effective_at"
            ),
            successor=None if successor is None else Successor.from_json(successor),
        )


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """What `set_status` is asked: {"change_id": str, "changes": [...], "issuer": str}."""

    change_id: str
    issuer: str
    changes: tuple[Change, ...]
    digest: bytes  # SHA-256 of the canonical request: tells a repetition from another request

    @classmethod
    def from_json(cls, argument: Json) -> StatusRequest:
        """Parse strictly; raises InvalidInputError."""
        members = fields.an_object(argument, "set_status", _REQUEST_FIELDS)
        listed = fields.an_array(members["changes"], "set_status: changes", 1, MAX_CHANGES)
        changes = tuple(Change.from_json(value, f"set_status: change {n}") for n, value in enumerate(listed))
        if len({change.target for change in changes}) != len(changes):
            raise InvalidInputError("set_status: changes: expected each certificate or batch once")
        change_id = fields.a_text(members["change_id"], "set_status: change_id")
        issuer = fields.a_text(members["issuer"], "set_status: issuer")
        return cls(
            change_id=fields.check_change_id(change_id, "set_status: change_id"),
            issuer=fields.check_identifier(issuer, "set_status: issuer"),
            changes=changes,
            digest=sha256(encode(argument)).digest(),
        )


async def set_status(stub: Stub, request: StatusRequest) -> Json:
    """Make all changes or none, and return their records; the same request again returns the first result.

    A retired issuer may still change the status of what it issued, as long as a submit key's window is open.
    """
    issuer = await state.get_issuer(stub, request.issuer)
    who = access.require_submit_key(stub, issuer)
    change_key = keys.change(request.issuer, request.change_id)
    done = await stub.get_state(change_key)
    if done is not None:
        return _repeated(done, request)
    at = state.transaction_time(stub)
    access.require_submit_key_now(issuer, who, at)

    anchors = await _anchors(stub, request)
    present = await state.find_statuses(stub, [change.target for change in request.changes])
    await ticks.leave_tick(stub)
    records: list[Json] = []
    for number, (change, record) in enumerate(zip(request.changes, present, strict=True)):
        try:
            _check(change, record, request.issuer, anchors, at)
        except ContractError as error:
            raise ContractError(error.code, f"change {number}: {error.sentence}") from None
        written = _record(change, request.change_id, stub.tx_id, at).to_json()
        await stub.put_state(keys.status(*change.target), encode(written))
        records.append(written)

    result: Json = {"change_id": request.change_id, "records": records}
    await stub.put_state(change_key, encode({"request_sha256": request.digest.hex(), "result": result}))
    state.emit(stub, [{"kind": "revocation", "record": record} for record in records])
    return result


def _repeated(done: bytes, request: StatusRequest) -> Json:
    stored = state.read(done)
    assert isinstance(stored, Mapping)  # noqa: S101 - the contract wrote it
    if stored["request_sha256"] != request.digest.hex():
        raise ContractError(
            Code.CHANGE_EXISTS, f"change {request.change_id} was made with other content; use a new change id"
        )
    return stored["result"]


async def _anchors(stub: Stub, request: StatusRequest) -> Mapping[bytes, IssuanceAnchor]:
    batches = {change.batch_id for change in request.changes}
    batches.update(change.successor.batch_id for change in request.changes if change.successor)
    return await state.find_anchors(stub, sorted(batches))


def _check(
    change: Change,
    present: StatusRecord | None,
    issuer: str,
    anchors: Mapping[bytes, IssuanceAnchor],
    at: int,
) -> None:
    anchor = anchors.get(change.batch_id)
    if anchor is None:
        raise state.batch_not_found(change.batch_id)
    if anchor.statement.issuer != issuer:
        raise ContractError(
            Code.NOT_BATCH_ISSUER, f"batch {change.batch_id.hex()} was issued by {anchor.statement.issuer}"
        )
    _check_proof(change, anchor)
    try:
        check_change(Status.VALID if present is None else present.status, change.status)
    except StatusChangeError as error:
        raise ContractError(Code.STATUS_REFUSED, str(error)) from None
    if not anchor.anchored_at <= change.effective_at <= at + MAX_SECONDS_AHEAD:
        raise ContractError(
            Code.EFFECTIVE_AT_REFUSED,
            f"effective_at: expected a time from {anchor.anchored_at}, when the batch was anchored, to "
            f"{MAX_SECONDS_AHEAD} s after the transaction's {at}; found {change.effective_at}",
        )
    _check_successor(change, issuer, anchors)


def _check_proof(change: Change, anchor: IssuanceAnchor) -> None:
    if change.commitment is None or change.index is None:
        return
    statement = anchor.statement
    try:
        verify_inclusion(change.commitment, change.index, statement.size, change.path, statement.root)
    except ProofError as error:
        raise ContractError(
            Code.PROOF_INVALID,
            f"the commitment is not shown to be in batch {change.batch_id.hex()}: {error}",
        ) from None


def _check_successor(change: Change, issuer: str, anchors: Mapping[bytes, IssuanceAnchor]) -> None:
    successor = change.successor
    if (change.status is Status.SUPERSEDED) != (successor is not None):
        found = "none" if successor is None else f"one for a change to {change.status}"
        raise ContractError(
            Code.SUCCESSOR_REFUSED,
            f"successor: expected one for superseded and for nothing else, found {found}",
        )
    if successor is None:
        return
    anchor = anchors.get(successor.batch_id)
    if anchor is None or anchor.statement.issuer != issuer:
        raise ContractError(
            Code.SUCCESSOR_REFUSED,
            f"successor: expected a batch that {issuer} has anchored, found {successor.batch_id.hex()}",
        )
    if change.commitment == successor.commitment or (
        change.commitment is None and change.batch_id == successor.batch_id
    ):
        raise ContractError(
            Code.SUCCESSOR_REFUSED, "successor: nothing takes its own place, nor that of the batch it is in"
        )


def _record(change: Change, change_id: str, tx_id: str, at: int) -> StatusRecord:
    return StatusRecord(
        status=change.status,
        reason=change.reason,
        effective_at=change.effective_at,
        changed_at=at,
        change_id=change_id,
        tx_id=tx_id,
        batch_id=change.batch_id,
        commitment=change.commitment,
        successor=change.successor,
    )
