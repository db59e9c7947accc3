"""The contract's functions by name: how each reads its argument, and what it does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from shirushi_chaincode.contract import issuance, queries, registry, status_changes, ticks
from shirushi_chaincode.contract.errors import Code, ContractError
from shirushi_chaincode.contract.paging import Page
from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.chaincode import Stub
from shirushi_core.proofs.canonical import Json, decode

MAX_ARGUMENT_BYTES = 4 << 20
"""Room for a thousand status changes with inclusion proofs in the largest batches."""

Request = TypeVar("Request")


@dataclass(frozen=True, slots=True)
class Function(Generic[Request]):
    """One function: `read` parses its argument and raises InvalidInputError, `run` raises ContractError."""

    read: Callable[[Json], Request]
    run: Callable[[Stub, Request], Awaitable[Json]]


FUNCTIONS: dict[str, Function[Any]] = {
    "issue": Function(issuance.Issuance.from_json, issuance.issue),
    "set_status": Function(status_changes.StatusRequest.from_json, status_changes.set_status),
    "propose_issuer": Function(registry.read_record, registry.propose_issuer),
    "approve_issuer": Function(registry.ProposalReference.from_json, registry.approve_issuer),
    "withdraw_approval": Function(registry.ProposalReference.from_json, registry.withdraw_approval),
    "tick": Function(ticks.read_nothing, ticks.tick),
    "get_batch": Function(queries.read_batch_id, queries.get_batch),
    "get_status": Function(queries.Target.from_json, queries.get_status),
    "get_history": Function(queries.Target.from_json, queries.get_history),
    "get_issuer": Function(queries.read_issuer_id, queries.get_issuer),
    "list_issuers": Function(Page.from_json, queries.list_issuers),
    "list_batches": Function(queries.BatchListing.from_json, queries.list_batches),
    "list_proposals": Function(Page.from_json, queries.list_proposals),
    "get_time": Function(ticks.read_nothing, ticks.get_time),
}


async def call(stub: Stub) -> Json:
    """Run the function that the transaction names, on its one JSON argument; raises ContractError."""
    name = stub.args[0].decode("ascii", errors="replace") if stub.args else ""
    function = FUNCTIONS.get(name)
    if function is None:
        raise ContractError(
            Code.UNKNOWN_FUNCTION, f"there is no function {name[:64]!a}; there are {', '.join(FUNCTIONS)}"
        )
    if len(stub.args) != 2:
        raise ContractError(
            Code.INVALID_ARGUMENT, f"{name}: expected one JSON argument, found {len(stub.args) - 1}"
        )
    try:
        request = function.read(decode(stub.args[1], max_bytes=MAX_ARGUMENT_BYTES))
    except InvalidInputError as error:
        raise ContractError(Code.INVALID_ARGUMENT, str(error)) from None
    return await function.run(stub, request)
