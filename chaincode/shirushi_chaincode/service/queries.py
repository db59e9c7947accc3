"""Results of a query, fetched from the peer as they are looked at.

The peer sends up to a hundred results at once and keeps the query open while there are more. An iterator that is dropped,
or closed with aclose, before its end has its query closed (QUERY_STATE_CLOSE). Source: fabric-chaincode-go shim/stub.go.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from fabric_protos.ledger.queryresult import kv_query_result_pb2
from fabric_protos.peer import chaincode_shim_pb2

from shirushi_chaincode.service.errors import StreamError
from shirushi_chaincode.service.messages import ChaincodeMessage, parse_payload
from shirushi_chaincode.service.transaction import Transaction
from shirushi_core.fabric.chaincode import KeyModification, KeyValue

Result = TypeVar("Result")


class QueryIterator(AsyncIterator[Result]):
    """Iterates over a query that is sent when the first result is asked for, after what has to come `before` it."""

    def __init__(
        self,
        transaction: Transaction,
        kind: int,
        payload: bytes,
        decode: Callable[[bytes], Result],
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._transaction = transaction
        self._next_call = (kind, payload)
        self._decode = decode
        self._before = before
        self._results: list[bytes] = []  # of the batch at hand, the next one last
        self._query_id = ""
        self._has_more = True

    async def __anext__(self) -> Result:
        while not self._results:
            if not self._has_more:
                raise StopAsyncIteration
            await self._fetch()
        return self._decode(self._results.pop())

    async def aclose(self) -> None:
        """End the iteration and close the query if the peer has it open."""
        self._results = []
        query_id, self._query_id = self._query_id, ""
        is_open, self._has_more = self._has_more, False
        if is_open and query_id:
            payload = chaincode_shim_pb2.QueryStateClose(id=query_id).SerializeToString()
            await self._transaction.ask(ChaincodeMessage.QUERY_STATE_CLOSE, payload)

    def __del__(self) -> None:
        if self._has_more and self._query_id:
            self._transaction.abandon_query(self._query_id)

    async def _fetch(self) -> None:
        if self._before is not None:
            await self._before()
            self._before = None
        answer = await self._transaction.ask(*self._next_call)
        response = parse_payload(chaincode_shim_pb2.QueryResponse, answer)
        if response.has_more and not (response.id and response.results):
            raise StreamError("expected results and the id of a query that has more, found none")
        self._results = [result.resultBytes for result in reversed(response.results)]
        self._query_id = response.id
        self._has_more = response.has_more
        payload = chaincode_shim_pb2.QueryStateNext(id=response.id).SerializeToString()
        self._next_call = (ChaincodeMessage.QUERY_STATE_NEXT, payload)


def key_value(data: bytes) -> KeyValue:
    """Read a result of a range or rich query (queryresult.KV); raises StreamError."""
    found = parse_payload(kv_query_result_pb2.KV, data)
    return KeyValue(found.key, found.value)


def key_modification(data: bytes) -> KeyModification:
    """Read a result of a history query (queryresult.KeyModification); raises StreamError."""
    found = parse_payload(kv_query_result_pb2.KeyModification, data)
    return KeyModification(
        found.tx_id, found.timestamp.seconds, found.timestamp.nanos, found.value, found.is_delete
    )


def page(answer: bytes) -> tuple[list[KeyValue], str]:
    """Read a page of results and the bookmark of the next ("" after the last); raises StreamError."""
    response = parse_payload(chaincode_shim_pb2.QueryResponse, answer)
    metadata = parse_payload(chaincode_shim_pb2.QueryResponseMetadata, response.metadata)
    return [key_value(result.resultBytes) for result in response.results], metadata.bookmark
