"""A chaincode that misbehaves on request, and one that calls others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from shirushi_core.fabric.chaincode import OK, Response, Stub


async def _crash(stub: Stub, args: Sequence[str]) -> Response:
    raise RuntimeError("gone")


async def _answer(stub: Stub, args: Sequence[str]) -> Response:
    """Answer with the status given."""
    status, message = args
    return Response(int(status), message, b"payload")


async def _sleep(stub: Stub, args: Sequence[str]) -> Response:
    await asyncio.sleep(float(args[0]))
    return Response(OK)


async def _call(stub: Stub, args: Sequence[str]) -> Response:
    """Call another chaincode and pass its answer on."""
    name, *rest = args
    return await stub.invoke_chaincode(name, [each.encode() for each in rest])


async def _put_and_call(stub: Stub, args: Sequence[str]) -> Response:
    """Write to the own namespace and have another chaincode write to its own."""
    name, key, value = args
    await stub.put_state(key, value.encode())
    return await stub.invoke_chaincode(name, [b"put", key.encode(), value.encode()])


async def _page(stub: Stub, args: Sequence[str]) -> Response:
    size, bookmark = args
    results, following = await stub.get_state_by_range_with_pagination("", "", int(size), bookmark)
    return Response(OK, following, ",".join(each.key for each in results).encode())


async def _bad_key(stub: Stub, args: Sequence[str]) -> Response:
    await stub.put_state("", b"x")
    return Response(OK)


FUNCTIONS: dict[str, Callable[[Stub, Sequence[str]], Awaitable[Response]]] = {
    "crash": _crash,
    "answer": _answer,
    "sleep": _sleep,
    "call": _call,
    "put_and_call": _put_and_call,
    "page": _page,
    "bad_key": _bad_key,
}


class ProbingChaincode:
    """Runs one of FUNCTIONS by name."""

    async def invoke(self, stub: Stub) -> Response:
        name, *args = (argument.decode() for argument in stub.args)
        return await FUNCTIONS[name](stub, args)
