"""`issue`: anchoring a sealed batch statement."""

from __future__ import annotations

from dataclasses import dataclass

from shirushi_chaincode.contract import access, keys, state, ticks
from shirushi_chaincode.contract.errors import Code, ContractError
from shirushi_core.fabric.chaincode import Stub
from shirushi_core.proofs import fields
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.canonical import Json, encode
from shirushi_core.proofs.issuer import IssuerRecord, IssuerState, KeyUse
from shirushi_core.proofs.seal import Seal, SealError, verify_seal

MAX_SECONDS_AHEAD = 300
"""How far after the transaction's time a batch's validity may begin: no more than clocks may differ."""

_FIELDS = frozenset({"seal", "statement"})
_MARKER = b"\x00"  # an empty value would delete the key


@dataclass(frozen=True, slots=True)
class Issuance:
    """What `issue` is asked: {"seal": {...}, "statement": {...}}."""

    statement: BatchStatement
    seal: Seal

    @classmethod
    def from_json(cls, argument: Json) -> Issuance:
        """Parse strictly; raises InvalidInputError."""
        members = fields.an_object(argument, "issue", _FIELDS)
        return cls(
            statement=BatchStatement.from_json(members["statement"]), seal=Seal.from_json(members["seal"])
        )


async def issue(stub: Stub, request: Issuance) -> Json:
    """Anchor a batch and return its anchor; the same statement again returns the first anchor and writes nothing.

    The seal may differ in a repetition: signatures are randomised, and the first one stays.
    """
    statement = request.statement
    if statement.ledger != stub.channel_id:
        raise ContractError(
            Code.LEDGER_MISMATCH, f"the statement is for ledger {statement.ledger}, this is {stub.channel_id}"
        )
    issuer = await state.get_issuer(stub, statement.issuer)
    who = access.require_submit_key(stub, issuer)
    first = await state.find_anchor(stub, statement.batch_id)
    if first is not None:
        return _repeated(first, statement)
    at = state.transaction_time(stub)
    if issuer.state is not IssuerState.ACTIVE:
        raise ContractError(Code.ISSUER_RETIRED, f"issuer {issuer.id} is {issuer.state} and issues no more")
    access.require_submit_key_now(issuer, who, at)
    _check_statement(issuer, statement, at)
    _check_seal(issuer, request, at)
    anchor = IssuanceAnchor(
        statement=statement,
        seal=request.seal,
        anchored_at=at,
        tx_id=stub.tx_id,
        issuer_sequence=issuer.sequence,
    ).to_json()
    await ticks.leave_tick(stub)
    await stub.put_state(keys.batch(statement.batch_id), encode(anchor))
    await stub.put_state(keys.issued(issuer.id, at, statement.batch_id), _MARKER)
    state.emit(stub, [{"anchor": anchor, "kind": "issuance"}])
    return anchor


def _repeated(first: IssuanceAnchor, statement: BatchStatement) -> Json:
    if first.statement != statement:
        raise ContractError(
            Code.BATCH_EXISTS,
            f"batch {statement.batch_id.hex()} is anchored with another validity, in transaction {first.tx_id}",
        )
    return first.to_json()


def _check_statement(issuer: IssuerRecord, statement: BatchStatement, at: int) -> None:
    if not issuer.may_issue(statement.document_type):
        listed = ", ".join(issuer.document_types or ()) or "none"
        raise ContractError(
            Code.DOCUMENT_TYPE_REFUSED,
            f"issuer {issuer.id} does not issue {statement.document_type}: its record lists {listed}; the members "
            "approve a record with other document types",
        )
    if statement.valid_from > at + MAX_SECONDS_AHEAD:
        raise ContractError(
            Code.VALID_FROM_REFUSED,
            f"valid_from: expected a time at most {MAX_SECONDS_AHEAD} s after the transaction's {at}; found "
            f"{statement.valid_from}",
        )


def _check_seal(issuer: IssuerRecord, request: Issuance, at: int) -> None:
    key = issuer.key_at(KeyUse.SEAL, request.seal.key_id, at)
    if key is None:
        raise ContractError(
            Code.SEAL_KEY_REFUSED,
            f"key {request.seal.key_id.hex()} is no seal key of issuer {issuer.id} at {at}",
        )
    try:
        verify_seal(request.statement, request.seal, key.public_key)
    except SealError as error:
        raise ContractError(Code.SEAL_INVALID, str(error)) from None
