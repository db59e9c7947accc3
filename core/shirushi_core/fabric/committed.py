"""Blocks and transactions as a peer delivers them, read by our own reader of the wire format: what logs are derived from.

Nothing is judged here: signatures, certificates, endorsements and configurations are the peer's to check. Source:
common/common.proto, peer/{transaction,proposal,proposal_response,chaincode_event}.proto, ledger/rwset.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from shirushi_core.fabric.wire import Field, Kind, Message, WireError, read

CONFIG = 1
ENDORSER_TRANSACTION = 3
"""Types of envelopes (common.HeaderType)."""

VALID = 0
"""peer.TxValidationCode of what the peer committed."""

_TRANSACTIONS_FILTER, _COMMIT_HASH = 2, 4  # common.BlockMetadataIndex

_U64, _I64, _I32, _BOOL = (Field(kind) for kind in (Kind.UINT64, Kind.INT64, Kind.INT32, Kind.BOOL))
_BYTES, _STRING = Field(Kind.BYTES), Field(Kind.STRING)
_BYTES_LIST = Field(Kind.BYTES, repeated=True)


def _one(message: Message) -> Field:
    return Field(Kind.MESSAGE, message=message)


def _many(message: Message) -> Field:
    return Field(Kind.MESSAGE, repeated=True, message=message)


HEADER: Message = {1: _U64, 2: _BYTES, 3: _BYTES}
BLOCK: Message = {1: _one(HEADER), 2: _one({1: _BYTES_LIST}), 3: _one({1: _BYTES_LIST})}
METADATA: Message = {1: _BYTES, 2: _many({1: _BYTES, 2: _BYTES, 3: _BYTES})}
DELIVER_RESPONSE: Message = {
    1: Field(Kind.INT32, oneof=(1, 2, 3, 4)),
    2: Field(Kind.BYTES, oneof=(1, 2, 3, 4)),  # the block's own bytes are kept
    3: Field(Kind.BYTES, oneof=(1, 2, 3, 4)),
    4: Field(Kind.BYTES, oneof=(1, 2, 3, 4)),
}
ENVELOPE: Message = {1: _BYTES, 2: _BYTES}
PAYLOAD: Message = {1: _one({1: _BYTES, 2: _BYTES}), 2: _BYTES}
CHANNEL_HEADER: Message = {
    1: _I32,
    2: _I32,
    3: _one({1: _I64, 2: _I32}),
    4: _STRING,
    5: _STRING,
    6: _U64,
    7: _BYTES,
    8: _BYTES,
}
TRANSACTION: Message = {1: _many({1: _BYTES, 2: _BYTES})}
ACTION_PAYLOAD: Message = {1: _BYTES, 2: _one({1: _BYTES, 2: _many({1: _BYTES, 2: _BYTES})})}
RESPONSE_PAYLOAD: Message = {1: _BYTES, 2: _BYTES}
CHAINCODE_ACTION: Message = {
    1: _BYTES,
    2: _BYTES,
    3: _one({1: _I32, 2: _STRING, 3: _BYTES}),
    4: _one({1: _STRING, 2: _STRING, 3: _STRING}),
}
CHAINCODE_EVENT: Message = {1: _STRING, 2: _STRING, 3: _STRING, 4: _BYTES}
TX_READ_WRITE_SET: Message = {
    1: _I32,
    2: _many({1: _STRING, 2: _BYTES, 3: _many({1: _STRING, 2: _BYTES, 3: _BYTES})}),
}
_KV_READ: Message = {1: _STRING, 2: _one({1: _U64, 2: _U64})}
_RANGE_QUERY: Message = {
    1: _STRING,
    2: _STRING,
    3: _BOOL,
    4: Field(Kind.MESSAGE, message={1: _many(_KV_READ)}, oneof=(4, 5)),
    5: Field(Kind.MESSAGE, message={1: _I32, 2: _I32, 3: _BYTES_LIST}, oneof=(4, 5)),
}
KV_RW_SET: Message = {
    1: _many(_KV_READ),
    2: _many(_RANGE_QUERY),
    3: _many({1: _STRING, 2: _BOOL, 3: _BYTES}),
    4: _many({1: _STRING, 2: _many({1: _STRING, 2: _BYTES})}),
}


@dataclass(frozen=True)
class CommittedBlock:
    """A block as a peer delivered it; `data` are its bytes, `codes` one byte for each transaction, as far as there are any."""

    number: int
    previous_hash: bytes
    data_hash: bytes
    transactions: tuple[bytes, ...]
    codes: bytes
    commit_hash: bytes
    data: bytes

    def is_valid(self, number: int) -> bool:
        """Say whether the peer committed a transaction (counted from the block's first) as valid; without a code it did not."""
        return number < len(self.codes) and self.codes[number] == VALID

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of its bytes."""
        return sha256(self.data).digest()


@dataclass(frozen=True, slots=True)
class CommittedEvent:
    """A chaincode event."""

    chaincode: str
    tx_id: str
    name: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class CommittedWrites:
    """What a transaction writes in a namespace: (key, value) in its order, None for a deletion; keys whose metadata it writes.

    `private` says whether it touches private data.
    """

    writes: tuple[tuple[str, bytes | None], ...] = ()
    metadata: tuple[str, ...] = ()
    private: bool = False


@dataclass(frozen=True, slots=True)
class CommittedTransaction:
    """An envelope in a block. `seconds` is the time in its header; other types than ENDORSER_TRANSACTION have no more than that.

    `written` has the namespaces that were asked for and are written, one entry for each time it stands there.
    """

    type: int
    channel_id: str
    tx_id: str
    seconds: int
    chaincode: str = ""
    event: CommittedEvent | None = None
    written: tuple[tuple[str, CommittedWrites], ...] = ()

    def in_namespace(self, namespace: str) -> list[CommittedWrites]:
        """Return what is written in a namespace."""
        return [writes for name, writes in self.written if name == namespace]


def read_block(data: bytes) -> CommittedBlock:
    """Read a common.Block; raises WireError."""
    block = read(BLOCK, data)
    header = block.get(1, {})
    metadata = block.get(3, {}).get(1, [])
    return CommittedBlock(
        number=header.get(1, 0),
        previous_hash=header.get(2, b""),
        data_hash=header.get(3, b""),
        transactions=tuple(block.get(2, {}).get(1, ())),
        codes=metadata[_TRANSACTIONS_FILTER] if len(metadata) > _TRANSACTIONS_FILTER else b"",
        commit_hash=_commit_hash(metadata[_COMMIT_HASH]) if len(metadata) > _COMMIT_HASH else b"",
        data=data,
    )


def read_transaction(data: bytes, namespaces: Collection[str]) -> CommittedTransaction:
    """Read a common.Envelope, and what it writes in these namespaces; raises WireError."""
    payload = read(PAYLOAD, read(ENVELOPE, data).get(1, b""))
    header = read(CHANNEL_HEADER, payload.get(1, {}).get(1, b""))
    kind = header.get(1, 0)
    known = (kind, header.get(4, ""), header.get(5, ""), header.get(3, {}).get(1, 0))
    if kind != ENDORSER_TRANSACTION:
        return CommittedTransaction(*known)
    actions = read(TRANSACTION, payload.get(2, b"")).get(1, [])
    if len(actions) != 1:
        raise WireError(f"transaction: expected one action, found {len(actions)}")
    endorsed = read(ACTION_PAYLOAD, actions[0].get(2, b"")).get(2, {})
    action = read(CHAINCODE_ACTION, read(RESPONSE_PAYLOAD, endorsed.get(1, b"")).get(2, b""))
    return CommittedTransaction(
        *known,
        chaincode=action.get(4, {}).get(2, ""),
        event=_event(action.get(2, b"")),
        written=_written(action.get(1, b""), namespaces),
    )


def _event(data: bytes) -> CommittedEvent | None:
    """Read a chaincode event; one of which nothing is set is none."""
    event = read(CHAINCODE_EVENT, data)
    found = CommittedEvent(event.get(1, ""), event.get(2, ""), event.get(3, ""), event.get(4, b""))
    return None if found == _NO_EVENT else found


def _written(results: bytes, namespaces: Collection[str]) -> tuple[tuple[str, CommittedWrites], ...]:
    found = []
    for each in read(TX_READ_WRITE_SET, results).get(2, ()):
        namespace = each.get(1, "")
        if namespace not in namespaces:
            continue
        kv = read(KV_RW_SET, each.get(2, b""))
        writes = CommittedWrites(
            writes=tuple((write.get(1, ""), _value(write)) for write in kv.get(3, ())),
            metadata=tuple(write.get(1, "") for write in kv.get(4, ())),
            private=3 in each,
        )
        if writes != _NO_WRITES:
            found.append((namespace, writes))
    return tuple(found)


def _value(write: dict[int, object]) -> bytes | None:
    """Return the value of a KVWrite; as in Fabric an empty one deletes the key."""
    value = write.get(3, b"")
    return value if isinstance(value, bytes) and value and not write.get(2, False) else None


def _commit_hash(data: bytes) -> bytes:
    try:
        value: bytes = read(METADATA, data).get(1, b"")
    except WireError:
        return b""
    return value


_NO_EVENT = CommittedEvent("", "", "", b"")
_NO_WRITES = CommittedWrites()
