"""Open queries of a chaincode: results handed out in batches, or as one page with a bookmark.

Source: core/chaincode/query_response_generator.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fabric_protos.ledger.queryresult import kv_query_result_pb2
from fabric_protos.peer import chaincode_shim_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.chaincode import KeyModification, KeyValue

BATCH_SIZE = 100
"""Results in one message, as in Fabric."""

TOTAL_LIMIT = 100_000
"""Results of one query, as in Fabric's core.yaml."""

MAX_OPEN = 256
"""Queries one transaction may have open; each holds a cursor in the ledger's store."""


@dataclass(slots=True)
class _Query:
    """An open query; `ahead` is the first result of its next batch."""

    results: Iterator[bytes]
    ahead: bytes | None = None
    returned: int = 0

    def batch(self) -> list[bytes]:
        batch = []
        if self.ahead is not None:
            batch.append(self.ahead)
            self.ahead = None
        while self.returned < TOTAL_LIMIT:
            result = next(self.results, None)
            if result is None:
                break
            self.returned += 1
            if len(batch) == BATCH_SIZE:
                self.ahead = result
                break
            batch.append(result)
        return batch


class Queries:
    """The queries a transaction has open, by id."""

    def __init__(self) -> None:
        self._open: dict[str, _Query] = {}
        self._count = 0

    def start(self, results: Iterator[bytes]) -> chaincode_shim_pb2.QueryResponse:
        """Open a query and return its first batch; raises InvalidInputError if too many are open."""
        if len(self._open) >= MAX_OPEN:
            raise InvalidInputError(f"more than {MAX_OPEN} queries are open")
        self._count += 1
        query_id = str(self._count)
        self._open[query_id] = _Query(results)
        return self.next(query_id)

    def next(self, query_id: str) -> chaincode_shim_pb2.QueryResponse:
        """Return a query's next batch; the last one closes it. Raises InvalidInputError for an unknown id."""
        query = self._open.get(query_id)
        if query is None:
            raise InvalidInputError("query iterator not found")
        batch = query.batch()
        if query.ahead is None:
            self.close(query_id)
        return _response(query_id, batch, has_more=query.ahead is not None)

    def close(self, query_id: str) -> None:
        """Close a query, if it is open."""
        query = self._open.pop(query_id, None)
        close = None if query is None else getattr(query.results, "close", None)
        if close is not None:
            close()

    def close_all(self) -> None:
        """Close every open query."""
        for query_id in list(self._open):
            self.close(query_id)


def page(results: list[bytes], bookmark: str) -> chaincode_shim_pb2.QueryResponse:
    """Return one page, its size and the bookmark of the next."""
    response = _response("", results, has_more=False)
    response.metadata = chaincode_shim_pb2.QueryResponseMetadata(
        fetched_records_count=len(results), bookmark=bookmark
    ).SerializeToString()
    return response


def key_value(namespace: str, found: KeyValue) -> bytes:
    """Return a range query's result (queryresult.KV)."""
    message = kv_query_result_pb2.KV(namespace=namespace, key=found.key, value=found.value)
    return bytes(message.SerializeToString())


def key_modification(change: KeyModification) -> bytes:
    """Return a history query's result (queryresult.KeyModification)."""
    message = kv_query_result_pb2.KeyModification(
        tx_id=change.tx_id,
        value=change.value,
        timestamp=Timestamp(seconds=change.seconds, nanos=change.nanos),
        is_delete=change.is_delete,
    )
    return bytes(message.SerializeToString())


def _response(query_id: str, results: list[bytes], *, has_more: bool) -> chaincode_shim_pb2.QueryResponse:
    return chaincode_shim_pb2.QueryResponse(
        id=query_id,
        has_more=has_more,
        results=[chaincode_shim_pb2.QueryResultBytes(resultBytes=result) for result in results],
    )
