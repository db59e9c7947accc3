from __future__ import annotations

import contextlib

import pytest
from fabric_protos.ledger.rwset import rwset_pb2
from fabric_protos.ledger.rwset.kvrwset import kv_rwset_pb2
from hypothesis import given
from hypothesis import strategies as st

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.rwset import (
    NamespaceRwSet,
    RangeRead,
    Version,
    Write,
    decode,
    decode_writes,
    encode,
)

names = st.text(min_size=1, max_size=8)
numbers = st.integers(0, 2**64 - 1)
versions = st.builds(Version, numbers, numbers)
read_versions = st.none() | versions
rw_sets = st.lists(
    st.builds(
        NamespaceRwSet,
        namespace=names,
        reads=st.dictionaries(names, read_versions, max_size=4),
        range_reads=st.lists(
            st.builds(
                RangeRead,
                names,
                names,
                st.booleans(),
                st.lists(st.tuples(names, versions), max_size=3).map(tuple),
            ),
            max_size=3,
        ).map(tuple),
        writes=st.lists(
            st.builds(Write, names, st.none() | st.binary(min_size=1, max_size=20)),
            max_size=4,
            unique_by=lambda write: write.key,
        ).map(tuple),
        metadata_writes=st.dictionaries(
            names,
            st.none() | st.dictionaries(names, st.binary(max_size=8), min_size=1, max_size=2),
            max_size=3,
        ),
    ),
    max_size=3,
    unique_by=lambda each: each.namespace,
)


@given(rw_sets)
def test_what_is_encoded_is_read_back(sets: list[NamespaceRwSet]) -> None:
    decoded = decode(encode(sets))
    assert [each.namespace for each in decoded] == sorted(each.namespace for each in sets)
    by_name = {each.namespace: each for each in sets}
    for each in decoded:
        original = by_name[each.namespace]
        assert each.reads == original.reads
        assert each.range_reads == original.range_reads
        assert sorted(each.writes, key=lambda write: write.key) == list(each.writes)
        assert set(each.writes) == set(original.writes)
        assert each.metadata_writes == original.metadata_writes


@given(rw_sets, st.randoms())
def test_order_of_namespaces_and_keys_does_not_change_the_bytes(
    sets: list[NamespaceRwSet], random: object
) -> None:
    shuffled = [
        NamespaceRwSet(
            each.namespace,
            dict(reversed(each.reads.items())),
            each.range_reads,
            tuple(reversed(each.writes)),
            dict(reversed(each.metadata_writes.items())),
        )
        for each in reversed(sets)
    ]
    assert encode(shuffled) == encode(sets)


def test_a_version_of_zeros_is_not_an_absent_version() -> None:
    (decoded,) = decode(encode([NamespaceRwSet("cc", reads={"a": Version(0, 0), "b": None})]))
    assert decoded.reads == {"a": Version(0, 0), "b": None}


def test_an_empty_value_is_a_deletion() -> None:
    (decoded,) = decode(encode([NamespaceRwSet("cc", writes=(Write("a", b""),))]))
    assert decoded.writes == (Write("a", None),)


def test_empty_metadata_is_a_deletion() -> None:
    (decoded,) = decode(encode([NamespaceRwSet("cc", metadata_writes={"a": {}})]))
    assert decoded.metadata_writes == {"a": None}


def test_a_repeated_namespace_is_left_to_the_validator() -> None:
    once = encode([NamespaceRwSet("cc")])
    assert [each.namespace for each in decode(once + once)] == ["cc", "cc"]


def one_namespace(inner: kv_rwset_pb2.KVRWSet) -> bytes:
    namespace = rwset_pb2.NsReadWriteSet(namespace="cc", rwset=inner.SerializeToString())
    return bytes(rwset_pb2.TxReadWriteSet(ns_rwset=[namespace]).SerializeToString())


@pytest.mark.parametrize(
    ("values", "writes", "metadata"),
    [
        ((b"1", b"2"), (), {"a": None}),
        ((b"", b""), (), {"a": None}),
        ((b"1", b""), (Write("a", None),), {}),
        ((b"", b"1"), (Write("a", None),), {}),
        ((b"1", b"2", b"3"), (Write("a", b"3"),), {"a": None}),
    ],
)
def test_a_key_that_is_written_twice_is_what_fabric_makes_of_it(
    values: tuple[bytes, ...], writes: tuple[Write, ...], metadata: dict[str, None]
) -> None:
    inner = kv_rwset_pb2.KVRWSet(writes=[kv_rwset_pb2.KVWrite(key="a", value=value) for value in values])
    (found,) = decode(one_namespace(inner))
    assert (found.writes, found.metadata_writes) == (writes, metadata)


def test_a_key_cannot_have_been_read_in_two_versions() -> None:
    def read(tx: int) -> kv_rwset_pb2.KVRead:
        return kv_rwset_pb2.KVRead(key="a", version=kv_rwset_pb2.Version(block_num=1, tx_num=tx))

    (same,) = decode(one_namespace(kv_rwset_pb2.KVRWSet(reads=[read(1), read(1)])))
    assert same.reads == {"a": Version(1, 1)}
    for other in (read(2), kv_rwset_pb2.KVRead(key="a")):
        (found,) = decode(one_namespace(kv_rwset_pb2.KVRWSet(reads=[read(1), other, read(1)])))
        assert found.reads["a"] not in (None, Version(1, 1), Version(1, 2))


def test_merkle_summaries_of_range_reads_are_refused() -> None:
    summary = kv_rwset_pb2.QueryReadsMerkleSummary(max_degree=50)
    inner = kv_rwset_pb2.KVRWSet(
        range_queries_info=[kv_rwset_pb2.RangeQueryInfo(reads_merkle_hashes=summary)]
    )
    with pytest.raises(InvalidInputError, match="Merkle"):
        decode(one_namespace(inner))


def test_private_data_collections_are_named_and_their_hashes_not_read() -> None:
    public = kv_rwset_pb2.KVRWSet(writes=[kv_rwset_pb2.KVWrite(key="a", value=b"1")])
    namespace = rwset_pb2.NsReadWriteSet(namespace="cc", rwset=public.SerializeToString())
    for name in ("mine", "yours"):
        namespace.collection_hashed_rwset.add(collection_name=name, hashed_rwset=b"\xff")
    (decoded,) = decode(rwset_pb2.TxReadWriteSet(ns_rwset=[namespace]).SerializeToString())
    assert decoded.collections == ("mine", "yours")
    assert decoded.writes == (Write("a", b"1"),)


def test_private_data_collections_are_never_written() -> None:
    with pytest.raises(InvalidInputError, match="private data"):
        encode([NamespaceRwSet("cc", collections=("mine",))])


@given(rw_sets)
def test_writes_are_read_without_the_reads(sets: list[NamespaceRwSet]) -> None:
    expected = [(each.writes, each.metadata_writes) for each in decode(encode(sets))]
    found = decode_writes(encode(sets))
    assert [(each.writes, each.metadata_writes) for each in found] == expected
    assert not any(each.reads or each.range_reads for each in found)


def test_writes_are_read_beside_a_merkle_summary_of_range_reads() -> None:
    inner = kv_rwset_pb2.KVRWSet()
    inner.range_queries_info.add(start_key="a", end_key="b").reads_merkle_hashes.max_degree = 50
    inner.writes.add(key="k", value=b"v")
    namespace = rwset_pb2.NsReadWriteSet(namespace="cc", rwset=inner.SerializeToString())
    (found,) = decode_writes(rwset_pb2.TxReadWriteSet(ns_rwset=[namespace]).SerializeToString())
    assert found.writes == (Write("k", b"v"),)


def test_bytes_that_are_no_read_write_set_have_no_writes_to_read() -> None:
    with pytest.raises(InvalidInputError, match="malformed read-write set"):
        decode_writes(b"\xff")


@given(st.binary(max_size=200))
def test_foreign_bytes_give_a_typed_error_or_a_set(data: bytes) -> None:
    with contextlib.suppress(InvalidInputError):
        decode(data)


@given(rw_sets.filter(bool).map(encode), st.data())
def test_damaged_sets_give_a_typed_error_or_a_set(encoded: bytes, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(encoded) - 1))
    damaged = encoded[:position] + data.draw(st.binary(max_size=3)) + encoded[position + 1 :]
    with contextlib.suppress(InvalidInputError):
        decode(damaged)
