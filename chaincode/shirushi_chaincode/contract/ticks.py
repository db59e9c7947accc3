"""Ticks: how transactions expire, and how old a peer's answers are.

A transaction that writes also writes the tick of its own epoch, and reads the range of the ticks that would end it. That
range is empty when the transaction is endorsed, and it stands in its read set: so a peer that has such a tick by the time
of committing refuses the transaction with PHANTOM_READ_CONFLICT, however long and by whomever it was held back. A tick is
written without having been read: two transactions of one epoch do not conflict. See docs/adr/0015-transactions-expire.md.
"""

from __future__ import annotations

from shirushi_chaincode.contract import state
from shirushi_chaincode.contract.errors import Code, ContractError
from shirushi_core.fabric.chaincode import KeyValue, Stub
from shirushi_core.proofs import fields
from shirushi_core.proofs.canonical import Json, encode
from shirushi_core.proofs.epoch import EXPIRY_EPOCHS, epoch_of, epoch_of_key, tick_key, ticks_from

_NO_FIELDS: frozenset[str] = frozenset()


def read_nothing(argument: Json) -> None:
    """Parse the argument of a function that is asked nothing: {}; raises InvalidInputError."""
    fields.an_object(argument, "argument", _NO_FIELDS)


async def leave_tick(stub: Stub) -> None:
    """Write the tick of the transaction's epoch; what else is written in this transaction is to be written after this.

    Raises ContractError TRANSACTION_EXPIRED if the peer has a tick that ends the transaction already.
    """
    at = state.transaction_time(stub)
    epoch = epoch_of(at)
    newest = await _newest(stub, epoch + EXPIRY_EPOCHS)
    if newest is not None:
        raise ContractError(
            Code.TRANSACTION_EXPIRED,
            f"the transaction's time {at} is in epoch {epoch}, and the ledger has a tick of epoch "
            f"{epoch_of_key(newest.key)}; send it again with a new timestamp",
        )
    await stub.put_state(tick_key(epoch), encode(at))


async def tick(stub: Stub, _: None) -> Json:
    """Leave a tick and do nothing else; return its time. Any member's identity may: its MSP has accepted it."""
    await leave_tick(stub)
    return {"time": state.transaction_time(stub)}


async def get_time(stub: Stub, _: None) -> Json:
    """Return the time in the newest tick, of the query's own epoch, the three before it, or a later one; null if none."""
    epoch = epoch_of(state.transaction_time(stub))
    newest = await _newest(stub, max(0, epoch - EXPIRY_EPOCHS))
    return {"time": None if newest is None else state.read(newest.value)}


async def _newest(stub: Stub, epoch: int) -> KeyValue | None:
    """Return the last tick from an epoch on. The range is read to its end: only then is all of it checked at commit."""
    newest = None
    async for each in stub.get_state_by_range(*ticks_from(epoch)):
        newest = each
    return newest
