"""What a chaincode asks of the ledger during one transaction, message by message.

Source: core/chaincode/handler.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from fabric_protos.peer import chaincode_shim_pb2
from google.protobuf.message import DecodeError, Message

from shirushi_core.errors import InvalidInputError
from shirushi_node.ledger.invocation import Invocation
from shirushi_node.ledger.shim.queries import TOTAL_LIMIT, Queries, key_modification, key_value, page
from shirushi_node.ledger.simulator import RangeQuery, Simulator

_Types = chaincode_shim_pb2.ChaincodeMessage
_Writes = chaincode_shim_pb2.WriteRecord
_Call: TypeAlias = Callable[[bytes], bytes]


class StateCalls:
    """Answers the calls of one transaction in its chaincode's namespace."""

    def __init__(self, invocation: Invocation) -> None:
        self._namespace = invocation.chaincode
        self._transaction = invocation.transaction
        self._queries = Queries()
        self._calls: dict[int, _Call] = {
            _Types.GET_STATE: self._get_state,
            _Types.GET_STATE_MULTIPLE: self._get_state_multiple,
            _Types.PUT_STATE: self._put_state,
            _Types.DEL_STATE: self._del_state,
            _Types.WRITE_BATCH_STATE: self._write_batch,
            _Types.GET_STATE_BY_RANGE: self._get_state_by_range,
            _Types.QUERY_STATE_NEXT: self._query_next,
            _Types.QUERY_STATE_CLOSE: self._query_close,
            _Types.GET_HISTORY_FOR_KEY: self._get_history_for_key,
            _Types.GET_STATE_METADATA: self._get_state_metadata,
            _Types.PUT_STATE_METADATA: self._put_state_metadata,
            _Types.GET_QUERY_RESULT: self._get_query_result,
            _Types.GET_PRIVATE_DATA_HASH: _no_private_data,
            _Types.PURGE_PRIVATE_DATA: _no_private_data,
        }

    def knows(self, kind: int) -> bool:
        """Say whether this is a type of message that is answered here."""
        return kind in self._calls

    def answer(self, kind: int, payload: bytes) -> bytes:
        """Return the payload of the response; raises InvalidInputError (its text goes to the chaincode)."""
        return self._calls[kind](payload)

    def close(self) -> None:
        """Close the queries the chaincode left open."""
        self._queries.close_all()

    @property
    def _simulator(self) -> Simulator:
        if self._transaction.simulator is None:
            raise InvalidInputError("no ledger context")
        return self._transaction.simulator

    def _get_state(self, payload: bytes) -> bytes:
        message = _parse(chaincode_shim_pb2.GetState, payload)
        _check_public(message.collection)
        return self._simulator.get_state(self._namespace, message.key) or b""

    def _get_state_multiple(self, payload: bytes) -> bytes:
        message = _parse(chaincode_shim_pb2.GetStateMultiple, payload)
        _check_public(message.collection)
        values = [self._simulator.get_state(self._namespace, key) or b"" for key in message.keys]
        return bytes(chaincode_shim_pb2.GetStateMultipleResult(values=values).SerializeToString())

    def _put_state(self, payload: bytes) -> bytes:
        message = _parse(chaincode_shim_pb2.PutState, payload)
        self._put(message.collection, message.key, message.value)
        return b""

    def _del_state(self, payload: bytes) -> bytes:
        message = _parse(chaincode_shim_pb2.DelState, payload)
        _check_public(message.collection)
        self._simulator.del_state(self._namespace, message.key)
        return b""

    def _write_batch(self, payload: bytes) -> bytes:
        for record in _parse(chaincode_shim_pb2.WriteBatchState, payload).rec:
            _check_public(record.collection)
            if record.type == _Writes.PUT_STATE:
                self._put(record.collection, record.key, record.value)
            elif record.type == _Writes.DEL_STATE:
                self._simulator.del_state(self._namespace, record.key)
            elif record.type == _Writes.PUT_STATE_METADATA:
                self._set_metadata(record.key, record.metadata)
            elif record.type == _Writes.PURGE_PRIVATE_DATA:
                _no_private_data(payload)
            else:
                raise InvalidInputError("unknown operation type")
        return b""

    def _put(self, collection: str, key: str, value: bytes) -> None:
        _check_public(collection)
        self._simulator.put_state(self._namespace, key, value)

    def _get_state_by_range(self, payload: bytes) -> bytes:
        message = _parse(chaincode_shim_pb2.GetStateByRange, payload)
        _check_public(message.collection)
        metadata = _parse(chaincode_shim_pb2.QueryMetadata, message.metadata)
        if metadata.pageSize or metadata.bookmark:
            size = metadata.pageSize if metadata.pageSize > 0 else TOTAL_LIMIT
            return self._page(metadata.bookmark or message.startKey, message.endKey, size)
        query = self._simulator.range_query(self._namespace, message.startKey, message.endKey)
        return bytes(self._queries.start(self._key_values(query)).SerializeToString())

    def _key_values(self, query: RangeQuery) -> Iterator[bytes]:
        try:
            for found in query:
                yield key_value(self._namespace, found)
        finally:
            query.close()

    def _page(self, start: str, end: str, size: int) -> bytes:
        query = self._simulator.range_query(self._namespace, start, end, size)
        results = [key_value(self._namespace, found) for found in query.fetch(size)]
        return bytes(page(results, query.bookmark()).SerializeToString())

    def _query_next(self, payload: bytes) -> bytes:
        query_id = _parse(chaincode_shim_pb2.QueryStateNext, payload).id
        return bytes(self._queries.next(query_id).SerializeToString())

    def _query_close(self, payload: bytes) -> bytes:
        query_id = _parse(chaincode_shim_pb2.QueryStateClose, payload).id
        self._queries.close(query_id)
        return bytes(chaincode_shim_pb2.QueryResponse(id=query_id).SerializeToString())

    def _get_history_for_key(self, payload: bytes) -> bytes:
        key = _parse(chaincode_shim_pb2.GetHistoryForKey, payload).key
        changes = (key_modification(change) for change in self._simulator.history(self._namespace, key))
        return bytes(self._queries.start(changes).SerializeToString())

    def _get_state_metadata(self, payload: bytes) -> bytes:
        message = _parse(chaincode_shim_pb2.GetStateMetadata, payload)
        _check_public(message.collection)
        found = self._simulator.get_metadata(self._namespace, message.key)
        entries = [
            chaincode_shim_pb2.StateMetadata(metakey=name, value=found[name]) for name in sorted(found)
        ]
        return bytes(chaincode_shim_pb2.StateMetadataResult(entries=entries).SerializeToString())

    def _put_state_metadata(self, payload: bytes) -> bytes:
        message = _parse(chaincode_shim_pb2.PutStateMetadata, payload)
        _check_public(message.collection)
        self._set_metadata(message.key, message.metadata)
        return b""

    def _set_metadata(self, key: str, metadata: chaincode_shim_pb2.StateMetadata) -> None:
        self._simulator.set_metadata(self._namespace, key, {metadata.metakey: metadata.value})

    def _get_query_result(self, payload: bytes) -> bytes:
        message = _parse(chaincode_shim_pb2.GetQueryResult, payload)
        _check_public(message.collection)
        raise InvalidInputError("ExecuteQuery not supported for leveldb")


def _check_public(collection: str) -> None:
    if collection:
        raise InvalidInputError(
            f"private data is not supported by the embedded ledger (collection {collection})"
        )


def _no_private_data(_: bytes) -> bytes:
    raise InvalidInputError("private data is not supported by the embedded ledger")


def _parse(kind: type[Message], payload: bytes) -> Any:
    """Parse a message (generated classes carry no types); raises InvalidInputError."""
    try:
        return kind.FromString(payload)
    except DecodeError:
        raise InvalidInputError("unmarshal failed: proto: cannot parse invalid wire-format data") from None
