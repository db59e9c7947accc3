"""Messages are taken as Go's protobuf library takes them, whatever the Python library thinks of them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from fabric_protos.common import common_pb2
from fabric_protos.ledger.rwset.kvrwset import kv_rwset_pb2
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fabric.fuzzing.wire_oddities import ODDITIES, parts_of

from shirushi_core.fabric.committed import PAYLOAD
from shirushi_core.fabric.messages import parse
from shirushi_core.fabric.wire import WireError, read

MADE = common_pb2.Payload(
    header=common_pb2.Header(channel_header=b"channel", signature_header=b"signature"), data=b"data"
)
GOOD = MADE.SerializeToString()


def test_a_usual_message_is_read() -> None:
    assert parse(common_pb2.Payload, GOOD) == MADE


def test_groups_nested_deep_are_skipped() -> None:
    groups = b"\xc3\x3e" * 9_000 + b"\xc4\x3e" * 9_000
    assert parse(common_pb2.Payload, GOOD + groups) == MADE


@pytest.mark.parametrize("where", ["known", "unknown", "nested"])
def test_numbers_of_more_than_64_bits_are_refused(where: str) -> None:
    long = b"\xff" * 9 + b"\x02"
    data = {
        "known": b"\x10" + long,
        "unknown": b"\xc0\x3e" + long,
        "nested": b"\x0a\x0b\x08" + long[:10],
    }[where]
    with pytest.raises(DecodeError):
        parse(kv_rwset_pb2.Version if where != "nested" else kv_rwset_pb2.QueryReads, data)


def test_one_kind_of_two_is_kept_of_a_choice() -> None:
    raw = kv_rwset_pb2.RangeQueryInfo(raw_reads=kv_rwset_pb2.QueryReads()).SerializeToString()
    merkle = kv_rwset_pb2.RangeQueryInfo(
        reads_merkle_hashes=kv_rwset_pb2.QueryReadsMerkleSummary(max_degree=3)
    ).SerializeToString()
    found = parse(kv_rwset_pb2.RangeQueryInfo, raw + merkle)
    assert found.WhichOneof("reads_info") == "reads_merkle_hashes"


@settings(deadline=None)
@given(
    name=st.sampled_from(sorted(ODDITIES)),
    again=st.sampled_from(sorted(ODDITIES)),
    random=st.randoms(use_true_random=False),
)
def test_it_takes_what_our_own_reader_takes_and_nothing_else(name: str, again: str, random: object) -> None:
    data = ODDITIES[name](parts_of(GOOD), random)  # type: ignore[arg-type]
    with suppress(IndexError):  # where the first one left no message
        data = ODDITIES[again](parts_of(data), random)  # type: ignore[arg-type]
    try:
        expected = read(PAYLOAD, data)
    except WireError:
        with pytest.raises(DecodeError):
            parse(common_pb2.Payload, data)
        return
    found = parse(common_pb2.Payload, data)
    assert (found.data, found.HasField("header")) == (expected.get(2, b""), 1 in expected)
    header = expected.get(1, {})
    assert (found.header.channel_header, found.header.signature_header) == (
        header.get(1, b""),
        header.get(2, b""),
    )
