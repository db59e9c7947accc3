"""A chaincode for tests: small functions that show one behaviour of the ledger each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from shirushi_core.fabric.chaincode import ERROR, OK, Response, Stub


async def _put(stub: Stub, args: Sequence[str]) -> bytes:
    key, value = args
    await stub.put_state(key, value.encode())
    return value.encode()


async def _get(stub: Stub, args: Sequence[str]) -> bytes:
    (key,) = args
    return await stub.get_state(key) or b""


async def _delete(stub: Stub, args: Sequence[str]) -> bytes:
    (key,) = args
    await stub.del_state(key)
    return b""


async def _bump(stub: Stub, args: Sequence[str]) -> bytes:
    """Read a number and write the next: two of these at once conflict."""
    (key,) = args
    value = b"%d" % (int(await stub.get_state(key) or b"0") + 1)
    await stub.put_state(key, value)
    return value


async def _transient(stub: Stub, args: Sequence[str]) -> bytes:
    (name,) = args
    return stub.transient[name]


async def _event(stub: Stub, args: Sequence[str]) -> bytes:
    name, payload = args
    await stub.put_state(f"event-{stub.tx_id}", b"1")
    stub.set_event(name, payload.encode())
    return b""


async def _keys(stub: Stub, args: Sequence[str]) -> bytes:
    start, end = args
    return ",".join([item.key async for item in stub.get_state_by_range(start, end)]).encode()


async def _count_into(stub: Stub, args: Sequence[str]) -> bytes:
    """Count a range and write the number: a key that appears in the range meanwhile is a phantom."""
    start, end, key = args
    count = b"%d" % len([item async for item in stub.get_state_by_range(start, end)])
    await stub.put_state(key, count)
    return count


async def _history(stub: Stub, args: Sequence[str]) -> bytes:
    (key,) = args
    return b",".join([change.value async for change in stub.get_history_for_key(key)])


async def _require(stub: Stub, args: Sequence[str]) -> bytes:
    """Set a key's own endorsement policy (hex of the bytes Fabric wants)."""
    key, policy = args
    await stub.set_state_validation_parameter(key, bytes.fromhex(policy))
    return b""


async def _fail(stub: Stub, args: Sequence[str]) -> bytes:
    raise ChaincodeRefusalError(args[0])


async def _divide(stub: Stub, args: Sequence[str]) -> bytes:
    """Raise an error the chaincode did not expect."""
    return b"%d" % (int(args[0]) // int(args[1]))


class ChaincodeRefusalError(Exception):
    """The chaincode says no."""


FUNCTIONS: dict[str, Callable[[Stub, Sequence[str]], Awaitable[bytes]]] = {
    "put": _put,
    "get": _get,
    "delete": _delete,
    "bump": _bump,
    "transient": _transient,
    "event": _event,
    "keys": _keys,
    "count_into": _count_into,
    "history": _history,
    "require": _require,
    "fail": _fail,
    "divide": _divide,
}


class BasicChaincode:
    """Runs one of FUNCTIONS by name."""

    async def invoke(self, stub: Stub) -> Response:
        name, *args = (argument.decode() for argument in stub.args)
        function = FUNCTIONS.get(name)
        if function is None:
            return Response(ERROR, f"unknown function {name}")
        try:
            return Response(OK, payload=await function(stub, args))
        except ChaincodeRefusalError as refusal:
            return Response(ERROR, str(refusal))
