"""Read-write sets: what a transaction read and wants to write (rwset.TxReadWriteSet, kvrwset.KVRWSet).

Source: core/ledger/kvledger/txmgmt/rwsetutil. Order is canonical: namespaces and keys sorted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fabric_protos.ledger.rwset import rwset_pb2
from fabric_protos.ledger.rwset.kvrwset import kv_rwset_pb2 as kvrwset_pb2
from google.protobuf.message import DecodeError

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.messages import parse


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """Where a value was written: block and transaction number."""

    block: int
    tx: int


@dataclass(frozen=True, slots=True)
class Write:
    """A value put (`value`), or a key deleted (`value` None)."""

    key: str
    value: bytes | None


@dataclass(frozen=True, slots=True)
class RangeRead:
    """A range query's reads: [start, end), whether the iterator was exhausted, and what it returned, in order."""

    start: str
    end: str
    exhausted: bool
    reads: tuple[tuple[str, Version | None], ...]


@dataclass(frozen=True, slots=True)
class NamespaceRwSet:
    """One chaincode's reads and writes. Metadata writes: key → {name: value} (VALIDATION_PARAMETER), None deletes.

    `collections` names the private data collections that were touched (a peer's lifecycle transactions touch the
    organisations' implicit ones); which keys and values, the read-write set tells in hashes only, and they are not read.
    """

    namespace: str
    reads: Mapping[str, Version | None] = field(default_factory=dict)
    range_reads: Sequence[RangeRead] = ()
    writes: Sequence[Write] = ()
    metadata_writes: Mapping[str, Mapping[str, bytes] | None] = field(default_factory=dict)
    collections: Sequence[str] = ()


_NEVER = Version(2**64 - 1, 2**64 - 1)
"""A version that nothing ever has."""


def encode(sets: Sequence[NamespaceRwSet]) -> bytes:
    """Return TxReadWriteSet bytes, canonical: equal sets give equal bytes.

    As in Fabric an empty value is a deletion. Range reads keep their order; everything else is sorted. Raises
    InvalidInputError for private data collections: they are read, never written.
    """
    for each in sets:
        if each.collections:
            raise InvalidInputError(
                f"namespace {each.namespace!r} of the read-write set holds private data collections; expected none"
            )
    message = rwset_pb2.TxReadWriteSet(
        data_model=rwset_pb2.TxReadWriteSet.KV,
        ns_rwset=[
            rwset_pb2.NsReadWriteSet(
                namespace=each.namespace, rwset=_namespace_message(each).SerializeToString()
            )
            for each in sorted(sets, key=lambda each: each.namespace)
        ],
    )
    return bytes(message.SerializeToString())


def decode(data: bytes) -> tuple[NamespaceRwSet, ...]:
    """Parse TxReadWriteSet bytes; raises InvalidInputError.

    A namespace may stand there twice: the validator has a code of its own for that. A key that is written twice is what Fabric makes of
    it; one that was read twice in different versions cannot have been read so. The Merkle summary that Fabric's peers write for
    more than 50 range reads is refused.
    """
    try:
        message = parse(rwset_pb2.TxReadWriteSet, data)
        return tuple(_parse_namespace(each) for each in message.ns_rwset)
    except DecodeError:
        raise InvalidInputError("malformed read-write set: expected a TxReadWriteSet of KVRWSets") from None


def decode_writes(data: bytes) -> tuple[NamespaceRwSet, ...]:
    """Parse TxReadWriteSet bytes for what they write only; reads are left out, in whatever form. Raises InvalidInputError.

    For those who follow blocks that a peer has validated: a key that is written twice is taken as it comes.
    """
    try:
        message = parse(rwset_pb2.TxReadWriteSet, data)
        return tuple(_parse_writes(each) for each in message.ns_rwset)
    except DecodeError:
        raise InvalidInputError("malformed read-write set: expected a TxReadWriteSet of KVRWSets") from None


def _namespace_message(rw_set: NamespaceRwSet) -> kvrwset_pb2.KVRWSet:
    return kvrwset_pb2.KVRWSet(
        reads=[_read_message(key, version) for key, version in sorted(rw_set.reads.items(), key=_by_key)],
        range_queries_info=[_range_message(each) for each in rw_set.range_reads],
        writes=[
            kvrwset_pb2.KVWrite(key=each.key, is_delete=not each.value, value=each.value or b"")
            for each in sorted(rw_set.writes, key=lambda each: each.key)
        ],
        metadata_writes=[
            kvrwset_pb2.KVMetadataWrite(
                key=key,
                entries=[
                    kvrwset_pb2.KVMetadataEntry(name=name, value=value)
                    for name, value in sorted((entries or {}).items())
                ],
            )
            for key, entries in sorted(rw_set.metadata_writes.items(), key=_by_key)
        ],
    )


def _by_key(item: tuple[str, object]) -> str:
    return item[0]


def _read_message(key: str, version: Version | None) -> kvrwset_pb2.KVRead:
    if version is None:
        return kvrwset_pb2.KVRead(key=key)
    return kvrwset_pb2.KVRead(
        key=key, version=kvrwset_pb2.Version(block_num=version.block, tx_num=version.tx)
    )


def _range_message(range_read: RangeRead) -> kvrwset_pb2.RangeQueryInfo:
    message = kvrwset_pb2.RangeQueryInfo(
        start_key=range_read.start, end_key=range_read.end, itr_exhausted=range_read.exhausted
    )
    if range_read.reads:
        message.raw_reads.kv_reads.extend(_read_message(key, version) for key, version in range_read.reads)
    return message


def _parse_writes(message: rwset_pb2.NsReadWriteSet) -> NamespaceRwSet:
    inner = parse(kvrwset_pb2.KVRWSet, message.rwset)
    return NamespaceRwSet(
        namespace=message.namespace,
        writes=_writes(inner),
        metadata_writes=_metadata_writes(inner),
        collections=tuple(each.collection_name for each in message.collection_hashed_rwset),
    )


def _parse_namespace(message: rwset_pb2.NsReadWriteSet) -> NamespaceRwSet:
    namespace = message.namespace
    inner = parse(kvrwset_pb2.KVRWSet, message.rwset)
    writes, touched = _merged(_writes(inner))
    reads: dict[str, Version | None] = {}
    for each in inner.reads:
        version = _version(each)
        reads[each.key] = version if reads.get(each.key, version) == version else _NEVER
    return NamespaceRwSet(
        namespace=namespace,
        reads=reads,
        range_reads=tuple(_parse_range(namespace, each) for each in inner.range_queries_info),
        writes=writes,
        metadata_writes={**touched, **_metadata_writes(inner)},
        collections=tuple(each.collection_name for each in message.collection_hashed_rwset),
    )


def _merged(
    writes: Sequence[Write],
) -> tuple[tuple[Write, ...], dict[str, dict[str, bytes] | None]]:
    """Return each key's one write, and the keys that are touched only: what Fabric makes of a key that is written twice.

    It counts how often a key is written where it should note that it is: two values leave the key as it is, without its metadata, and so
    do two deletions; a deletion among values deletes; of three values the last one counts (validation/tx_ops.go).
    """
    by_key: dict[str, list[Write]] = {}
    for write in writes:
        by_key.setdefault(write.key, []).append(write)
    found: list[Write] = []
    touched: dict[str, dict[str, bytes] | None] = {}
    for key, each in by_key.items():
        deletions = sum(write.value is None for write in each)
        if deletions == 1:
            found.append(Write(key, None))
        elif len(each) == 1 or len(each) == 3:
            found.append(each[-1])
        if len(each) > 1 and deletions != 1:
            touched[key] = None
    return tuple(found), touched


def _writes(message: kvrwset_pb2.KVRWSet) -> tuple[Write, ...]:
    return tuple(
        Write(each.key, None if each.is_delete or not each.value else each.value) for each in message.writes
    )


def _metadata_writes(message: kvrwset_pb2.KVRWSet) -> dict[str, dict[str, bytes] | None]:
    return {
        each.key: {entry.name: entry.value for entry in each.entries} or None
        for each in message.metadata_writes
    }


def _parse_range(namespace: str, message: kvrwset_pb2.RangeQueryInfo) -> RangeRead:
    if message.HasField("reads_merkle_hashes"):
        raise InvalidInputError(
            f"namespace {namespace!r} of the read-write set holds a Merkle summary of range reads; expected raw reads"
        )
    return RangeRead(
        start=message.start_key,
        end=message.end_key,
        exhausted=message.itr_exhausted,
        reads=tuple((each.key, _version(each)) for each in message.raw_reads.kv_reads),
    )


def _version(read: kvrwset_pb2.KVRead) -> Version | None:
    if not read.HasField("version"):
        return None
    version = read.version
    return Version(version.block_num, version.tx_num)
