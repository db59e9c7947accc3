"""One call of the stub as a proposal, and what a scripted peer answers queries with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fabric_protos.ledger.queryresult import kv_query_result_pb2
from fabric_protos.peer import chaincode_pb2, chaincode_shim_pb2
from tests.chaincode.service.conftest import Served
from tests.support.scripted_peer import ScriptedPeer

from shirushi_chaincode.service.stub import ShimStub
from shirushi_core.fabric.chaincode import KeyValue

shim = chaincode_shim_pb2
NO_OFFER: dict[str, Any] = {"offer": None}
SMALL_OFFER = {
    "offer": chaincode_pb2.ChaincodeAdditionalParams(
        use_write_batch=True, max_size_write_batch=2, use_get_multiple_keys=True, max_size_get_multiple_keys=2
    )
}


class Call:
    """Runs one call of the stub as a proposal; `result` is what it returned."""

    def __init__(
        self, served: Served, call: Callable[[ShimStub], Awaitable[Any]], **registration: Any
    ) -> None:
        self._served, self._call, self._registration = served, call, registration
        self.result: Any = None

    async def __aenter__(self) -> tuple[ScriptedPeer, str, Call]:
        async def run(stub: ShimStub) -> None:
            self.result = await self._call(stub)

        self.peer = await self._served.peer(run, **self._registration)
        return self.peer, await self.peer.propose("f"), self

    async def __aexit__(self, kind: object, *_: object) -> None:
        if kind is None:
            response = await self.peer.completed()
            assert response.status == 200, response.message


async def collect(stub: ShimStub, results: Any) -> list[Any]:
    return [result async for result in results]


def batch(query_id: str, keys: Sequence[str], *, has_more: bool = False, bookmark: str = "") -> Any:
    rows = [
        shim.QueryResultBytes(
            resultBytes=kv_query_result_pb2.KV(key=key, value=key.encode()).SerializeToString()
        )
        for key in keys
    ]
    metadata = shim.QueryResponseMetadata(fetched_records_count=len(rows), bookmark=bookmark)
    return shim.QueryResponse(
        id=query_id, has_more=has_more, results=rows, metadata=metadata.SerializeToString()
    )


def values(*keys: str) -> list[KeyValue]:
    return [KeyValue(key, key.encode()) for key in keys]


def metadata(value: bytes) -> Any:
    return shim.StateMetadata(metakey="VALIDATION_PARAMETER", value=value)


async def echo(stub: ShimStub) -> bytes:
    """Answer the last argument."""
    return stub.args[-1]


async def read_key(stub: ShimStub) -> bytes:
    """Read the key that the first argument names."""
    return await stub.get_state(stub.args[0].decode()) or b"absent"
