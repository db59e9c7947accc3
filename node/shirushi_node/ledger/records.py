"""How keys and values stand in the store: bytes that sort as Fabric sorts, and what each record holds."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fabric_protos.ledger.rwset.kvrwset import kv_rwset_pb2

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.chaincode import KeyModification
from shirushi_core.fabric.rwset import Version

MAX_STATE_KEY_BYTES = 510
"""Bytes that a chaincode's name and a key may have together: one less than lmdb allows, for what stands between."""

MAX_TX_ID_BYTES = 64
"""A transaction id is the hex of a SHA-256; longer ones are of malformed transactions and are not indexed."""

_NO_METADATA: Mapping[str, bytes] = MappingProxyType({})
_STATE = struct.Struct(">QII")  # block, transaction, length of the metadata
_HISTORY = struct.Struct(">qi?")  # seconds, nanos, deleted
_LOCATION = struct.Struct(">QIB")  # block, transaction, validation code
_POSITION = struct.Struct(">QI")  # block, transaction
_NUMBER = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class VersionedValue:
    """A committed value, where it was written, and its metadata (VALIDATION_PARAMETER → policy bytes)."""

    value: bytes
    version: Version
    metadata: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class TransactionLocation:
    """Where a transaction id was first committed, and its validation code."""

    block: int
    tx: int
    validation_code: int


def number_key(number: int) -> bytes:
    """Return a number as a key that sorts."""
    return _NUMBER.pack(number)


def read_number(data: bytes) -> int:
    """Read number_key's bytes."""
    return int(_NUMBER.unpack(data)[0])


def state_key(namespace: str, key: str) -> bytes | None:
    """Return the key of a state, or None for one that no store can hold (see check_key)."""
    try:
        encoded = f"{namespace}\0{key}".encode()
    except UnicodeEncodeError:
        return None
    if not namespace or "\0" in namespace or len(encoded) > MAX_STATE_KEY_BYTES + 1:
        return None
    return encoded


def check_key(namespace: str, key: str) -> None:
    """Refuse a key that cannot be written: empty, too long, or no UTF-8; raises InvalidInputError."""
    if not key:
        raise InvalidInputError("key must not be an empty string")
    if state_key(namespace, key) is None:
        raise InvalidInputError(
            f"the key {key[:40]!r}... of chaincode {namespace} cannot be stored: expected UTF-8, and at most "
            f"{MAX_STATE_KEY_BYTES} bytes for the chaincode's name and the key together"
        )


def check_text(*texts: str) -> None:
    """Refuse text that is no UTF-8 (lone surrogates); raises InvalidInputError."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidInputError(f"the key {text[:40]!r} is not valid UTF-8") from None


def state_range(namespace: str, start: str, end: str) -> tuple[bytes, bytes]:
    """Return the first key of a range and the first one behind it; an empty bound is open."""
    prefix = namespace.encode()
    return prefix + b"\0" + start.encode(), prefix + b"\0" + end.encode() if end else prefix + b"\x01"


def encode_state(value: bytes, version: Version, metadata: Mapping[str, bytes]) -> bytes:
    """Return a state record."""
    entries = b""
    if metadata:
        message = kv_rwset_pb2.KVMetadataWrite(
            entries=[
                kv_rwset_pb2.KVMetadataEntry(name=name, value=each) for name, each in sorted(metadata.items())
            ]
        )
        entries = message.SerializeToString()
    return _STATE.pack(version.block, version.tx, len(entries)) + entries + value


def decode_state(record: bytes) -> VersionedValue:
    """Read a state record."""
    block, tx, size = _STATE.unpack_from(record)
    begin = _STATE.size + size
    metadata = _NO_METADATA
    if size:
        message = kv_rwset_pb2.KVMetadataWrite.FromString(record[_STATE.size : begin])
        metadata = {entry.name: entry.value for entry in message.entries}
    return VersionedValue(record[begin:], Version(block, tx), metadata)


def history_prefix(namespace: str, key: str) -> bytes:
    """Return what the keys of one state's history begin with."""
    return hashlib.sha256(f"{namespace}\0{key}".encode()).digest()


def history_key(namespace: str, key: str, version: Version) -> bytes:
    """Return the key of one past value."""
    return history_prefix(namespace, key) + _POSITION.pack(version.block, version.tx)


def encode_history(tx_id: str, seconds: int, nanos: int, value: bytes | None) -> bytes:
    """Return a history record; None is a deletion."""
    identifier = tx_id.encode()
    return (
        _HISTORY.pack(seconds, nanos, value is None) + bytes((len(identifier),)) + identifier + (value or b"")
    )


def decode_history(record: bytes) -> KeyModification:
    """Read a history record."""
    seconds, nanos, is_delete = _HISTORY.unpack_from(record)
    begin = _HISTORY.size + 1
    end = begin + record[_HISTORY.size]
    return KeyModification(record[begin:end].decode(), seconds, nanos, record[end:], is_delete)


def encode_location(location: TransactionLocation) -> bytes:
    """Return a transaction's record."""
    return _LOCATION.pack(location.block, location.tx, location.validation_code)


def decode_location(record: bytes) -> TransactionLocation:
    """Read a transaction's record."""
    return TransactionLocation(*_LOCATION.unpack(record))
