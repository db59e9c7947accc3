"""A proposal's writes, kept back until they are sent together.

The last write of a key counts, of its value and of its validation parameter separately, as in the read-write set that the
peer makes of them. Source: fabric-chaincode-go shim/batch.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fabric_protos.peer import chaincode_shim_pb2

from shirushi_chaincode.service.messages import ChaincodeMessage

MAX_BATCH_BYTES = 16 * 1024 * 1024
"""Bytes of keys and values in one batch; a larger value goes alone."""

VALIDATION_PARAMETER = "VALIDATION_PARAMETER"
"""The metadata that holds a key's endorsement policy (peer.MetaDataKeys)."""

_Record = chaincode_shim_pb2.WriteRecord


class WriteBuffer:
    """Writes in the order their keys were first written."""

    def __init__(self) -> None:
        self._records: dict[tuple[bool, str, str], Any] = {}

    def __bool__(self) -> bool:
        return bool(self._records)

    def put(self, collection: str, key: str, value: bytes) -> None:
        """Write a value (collection "": the public state)."""
        record = _Record(type=_Record.PUT_STATE, key=key, value=value, collection=collection)
        self._records[False, collection, key] = record

    def delete(self, collection: str, key: str) -> None:
        """Delete a value."""
        self._records[False, collection, key] = _Record(
            type=_Record.DEL_STATE, key=key, collection=collection
        )

    def purge(self, collection: str, key: str) -> None:
        """Purge a private value."""
        record = _Record(type=_Record.PURGE_PRIVATE_DATA, key=key, collection=collection)
        self._records[False, collection, key] = record

    def set_validation_parameter(self, collection: str, key: str, policy: bytes) -> None:
        """Write a key's validation parameter."""
        metadata = chaincode_shim_pb2.StateMetadata(metakey=VALIDATION_PARAMETER, value=policy)
        record = _Record(type=_Record.PUT_STATE_METADATA, key=key, collection=collection, metadata=metadata)
        self._records[True, collection, key] = record

    def take(self, batch_size: int) -> Iterator[tuple[int, bytes]]:
        """Empty the buffer and return the calls that write it: type and payload.

        Batches of up to `batch_size` records, or a call for each where the peer takes no batches (0).
        """
        records = list(self._records.values())
        self._records.clear()
        return _batches(records, batch_size) if batch_size else map(_single, records)


def _batches(records: list[Any], batch_size: int) -> Iterator[tuple[int, bytes]]:
    batch: list[Any] = []
    size = 0
    for record in records:
        length = record.ByteSize()
        if batch and (len(batch) == batch_size or size + length > MAX_BATCH_BYTES):
            yield _batch(batch)
            batch, size = [], 0
        batch.append(record)
        size += length
    if batch:
        yield _batch(batch)


def _batch(records: list[Any]) -> tuple[int, bytes]:
    payload = chaincode_shim_pb2.WriteBatchState(rec=records).SerializeToString()
    return ChaincodeMessage.WRITE_BATCH_STATE, payload


def _single(record: Any) -> tuple[int, bytes]:
    key, collection = record.key, record.collection
    if record.type == _Record.PUT_STATE:
        put = chaincode_shim_pb2.PutState(key=key, value=record.value, collection=collection)
        return ChaincodeMessage.PUT_STATE, put.SerializeToString()
    if record.type == _Record.PUT_STATE_METADATA:
        metadata = chaincode_shim_pb2.PutStateMetadata(
            key=key, collection=collection, metadata=record.metadata
        )
        return ChaincodeMessage.PUT_STATE_METADATA, metadata.SerializeToString()
    # A purge has the fields of a deletion, and is read as one (core/chaincode/handler.go).
    deletion = chaincode_shim_pb2.DelState(key=key, collection=collection).SerializeToString()
    if record.type == _Record.DEL_STATE:
        return ChaincodeMessage.DEL_STATE, deletion
    return ChaincodeMessage.PURGE_PRIVATE_DATA, deletion
