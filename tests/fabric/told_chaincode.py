"""A chaincode that tells everything its namespace holds, beside the functions of the basic one."""

from __future__ import annotations

import json

from tests.support.basic_chaincode import BasicChaincode

from shirushi_core.fabric.chaincode import OK, Response, Stub


class ToldChaincode:
    """Answers "tell" with all keys, values and policies; "tell history" with all past values of the keys named."""

    def __init__(self) -> None:
        self._basic = BasicChaincode()

    async def invoke(self, stub: Stub) -> Response:
        name, *args = stub.args
        if name == b"tell":
            return Response(OK, payload=json.dumps(await _state(stub)).encode())
        if name == b"tell history":
            past = {key.decode(): await _history(stub, key.decode()) for key in args}
            return Response(OK, payload=json.dumps(past).encode())
        return await self._basic.invoke(stub)


async def _state(stub: Stub) -> dict[str, list[str | None]]:
    found = {each.key: each.value async for each in stub.get_state_by_range("", "")}
    policies = {key: await stub.get_state_validation_parameter(key) for key in found}
    return {key: [value.hex(), (policies[key] or b"").hex()] for key, value in found.items()}


async def _history(stub: Stub, key: str) -> list[list[object]]:
    return [
        [each.tx_id, each.seconds, each.nanos, each.value.hex(), each.is_delete]
        async for each in stub.get_history_for_key(key)
    ]
