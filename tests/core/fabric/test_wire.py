"""Our reader of the wire format against protobuf's own: the same messages taken, with the same meaning, and the same refused."""

from __future__ import annotations

from typing import Any

import pytest
from fabric_protos.common import common_pb2
from fabric_protos.ledger.rwset import rwset_pb2
from fabric_protos.ledger.rwset.kvrwset import kv_rwset_pb2
from fabric_protos.peer import (
    chaincode_event_pb2,
    proposal_pb2,
    proposal_response_pb2,
    transaction_pb2,
)
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from shirushi_core.fabric import committed, wire
from shirushi_core.fabric.wire import Kind, WireError, read

MESSAGES: list[tuple[wire.Message, type[Message]]] = [
    (committed.BLOCK, common_pb2.Block),
    (committed.METADATA, common_pb2.Metadata),
    (committed.ENVELOPE, common_pb2.Envelope),
    (committed.PAYLOAD, common_pb2.Payload),
    (committed.CHANNEL_HEADER, common_pb2.ChannelHeader),
    (committed.TRANSACTION, transaction_pb2.Transaction),
    (committed.ACTION_PAYLOAD, transaction_pb2.ChaincodeActionPayload),
    (committed.RESPONSE_PAYLOAD, proposal_response_pb2.ProposalResponsePayload),
    (committed.CHAINCODE_ACTION, proposal_pb2.ChaincodeAction),
    (committed.CHAINCODE_EVENT, chaincode_event_pb2.ChaincodeEvent),
    (committed.TX_READ_WRITE_SET, rwset_pb2.TxReadWriteSet),
    (committed.KV_RW_SET, kv_rwset_pb2.KVRWSet),
]


def meaning(schema: wire.Message, values: dict[int, Any]) -> dict[int, Any]:
    """What our reader found, without what is as if it were not there."""
    found: dict[int, Any] = {}
    for number, value in values.items():
        field = schema[number]
        if field.message is not None:
            items = value if field.repeated else [value]
            read_items = [meaning(field.message, each) for each in items]
            found[number] = read_items if field.repeated else read_items[0]
        elif field.repeated or value:
            found[number] = value
    return found


def theirs(schema: wire.Message, message: Any) -> dict[int, Any]:
    """What protobuf's library found, in the same form."""
    found: dict[int, Any] = {}
    for descriptor, value in message.ListFields():
        field = schema[descriptor.number]
        if field.message is not None:
            items = value if field.repeated else [value]
            read_items = [theirs(field.message, each) for each in items]
            found[descriptor.number] = read_items if field.repeated else read_items[0]
        elif field.repeated:
            found[descriptor.number] = list(value)
        else:
            found[descriptor.number] = value
    return found


def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes((value & 0x7F | 0x80,))
        value >>= 7
    return out + bytes((value,))


numbers = st.one_of(st.integers(0, 300), st.integers(0, (1 << 64) - 1))
texts = st.text(max_size=5).map(lambda text: text.encode("utf-8", "ignore"))


@st.composite
def fields(draw: st.DrawFn, schema: wire.Message, depth: int = 3) -> bytes:
    """A field: usually one that the message has, as it should be; sometimes one that nobody knows."""
    number = draw(st.one_of(st.sampled_from(sorted(schema)), st.integers(1, 40)))
    field = schema.get(number)
    if field is not None and draw(st.integers(0, 9)):
        if field.message is not None:
            inner = draw(messages(field.message, depth - 1)) if depth else b""
            return varint(number << 3 | 2) + varint(len(inner)) + inner
        if field.kind in (Kind.BYTES, Kind.STRING):
            value = draw(texts if field.kind is Kind.STRING else st.binary(max_size=6))
            return varint(number << 3 | 2) + varint(len(value)) + value
        return varint(number << 3) + varint(draw(numbers))
    match draw(st.sampled_from([0, 1, 2, 3, 5])):
        case 0:
            return varint(number << 3) + varint(draw(numbers))
        case 1:
            return varint(number << 3 | 1) + draw(st.binary(min_size=8, max_size=8))
        case 2:
            value = draw(texts)
            return varint(number << 3 | 2) + varint(len(value)) + value
        case 3:
            inner = draw(messages({}, depth - 1)) if depth > 0 else b""
            return varint(number << 3 | 3) + inner + varint(number << 3 | 4)
        case _:
            return varint(number << 3 | 5) + draw(st.binary(min_size=4, max_size=4))


@st.composite
def messages(draw: st.DrawFn, schema: wire.Message, depth: int = 3) -> bytes:
    known = schema or {1: wire.Field(Kind.BYTES)}
    return b"".join(draw(st.lists(fields(known, depth), max_size=6)))


def agree(schema: wire.Message, kind: type[Message], data: bytes) -> None:
    try:
        message: Any = kind.FromString(data)
    except DecodeError:
        with pytest.raises(WireError):
            read(schema, data)
        return
    assert meaning(schema, read(schema, data)) == theirs(schema, message)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_well_formed_messages_mean_the_same(data: st.DataObject) -> None:
    schema, kind = data.draw(st.sampled_from(MESSAGES))
    encoded = data.draw(messages(schema))
    agree(schema, kind, encoded)


@settings(max_examples=800, deadline=None)
@given(st.data())
def test_mutated_messages_mean_the_same_or_are_refused_by_both(data: st.DataObject) -> None:
    schema, kind = data.draw(st.sampled_from(MESSAGES))
    encoded = bytearray(data.draw(messages(schema)))
    for _ in range(data.draw(st.integers(1, 3))):
        if encoded:
            encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, 3))
    agree_unless_odd(schema, kind, bytes(encoded[: len(encoded) - cut]))


def agree_unless_odd(schema: wire.Message, kind: type[Message], data: bytes) -> None:
    """Agree, but where Python's library differs from Go's, which is the one that peers have."""
    try:
        message: Any = kind.FromString(data)
    except DecodeError:
        try:
            read(schema, data)
        except WireError:
            return
        assume(not _has_long_tag(data))
        raise
    try:
        found = read(schema, data)
    except WireError as error:
        assume("64 bits" not in str(error))  # Python's library drops the bits above
        raise
    assert meaning(schema, found) == theirs(schema, message)


def _has_long_tag(data: bytes) -> bool:
    """Say whether five bytes with the high bit stand in a row: Go takes tags of any length, Python's library of five bytes."""
    return any(all(byte & 0x80 for byte in data[at : at + 5]) for at in range(len(data) - 5))


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=40))
@example(b"\x0b\x0c")
@example(b"\x0c")
@example(b"\x07")
@example(b"\x00")
def test_any_bytes_are_read_or_refused_alike(data: bytes) -> None:
    for schema, kind in MESSAGES:
        agree_unless_odd(schema, kind, data)


def test_the_fields_are_those_of_the_messages() -> None:
    types = {
        FieldDescriptor.TYPE_BYTES: Kind.BYTES,
        FieldDescriptor.TYPE_STRING: Kind.STRING,
        FieldDescriptor.TYPE_BOOL: Kind.BOOL,
        FieldDescriptor.TYPE_INT32: Kind.INT32,
        FieldDescriptor.TYPE_ENUM: Kind.INT32,
        FieldDescriptor.TYPE_UINT32: Kind.INT32,  # nobody looks at them
        FieldDescriptor.TYPE_INT64: Kind.INT64,
        FieldDescriptor.TYPE_UINT64: Kind.UINT64,
        FieldDescriptor.TYPE_MESSAGE: Kind.MESSAGE,
    }

    def check(schema: wire.Message, descriptor: Any) -> None:
        assert {each.number for each in descriptor.fields} == set(schema), descriptor.name
        for each in descriptor.fields:
            field = schema[each.number]
            assert types[each.type] is field.kind, each.full_name
            assert (each.label == FieldDescriptor.LABEL_REPEATED) is field.repeated, each.full_name
            if field.message is not None:
                check(field.message, each.message_type)

    for schema, kind in MESSAGES:
        check(schema, kind.DESCRIPTOR)


STRING: wire.Message = {
    1: wire.Field(Kind.STRING),
    2: wire.Field(Kind.MESSAGE, message={1: wire.Field(Kind.BYTES), 2: wire.Field(Kind.BYTES)}),
}


def test_the_last_scalar_counts_and_embedded_messages_merge() -> None:
    assert read(STRING, b"\x0a\x01a\x0a\x01b") == {1: "b"}
    assert read(STRING, b"\x12\x03\x0a\x01a\x12\x03\x12\x01b") == {2: {1: b"a", 2: b"b"}}


def test_embedded_messages_have_to_hold_one_by_one() -> None:
    with pytest.raises(WireError, match="ends within"):
        read(STRING, b"\x12\x02\x0a\x02\x12\x02aa")


def test_the_last_of_a_oneof_stays() -> None:
    either = {1: wire.Field(Kind.UINT64, oneof=(1, 2)), 2: wire.Field(Kind.BYTES, oneof=(1, 2))}
    assert read(either, b"\x08\x01\x12\x01a") == {2: b"a"}
    assert read(either, b"\x12\x01a\x08\x01") == {1: 1}


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\x08" + b"\xff" * 9 + b"\x01", -1),
        (b"\x08\x80\x80\x80\x80\x10", 0),  # an int32 keeps the low bits
        (b"\x88\x80\x80\x80\x80\x80\x80\x00\x05", 5),  # a tag may be longer than it needs
    ],
)
def test_numbers_are_as_go_reads_them(data: bytes, value: int) -> None:
    assert read({1: wire.Field(Kind.INT32)}, data) == {1: value}


@pytest.mark.parametrize(
    "data", [b"\x08" + b"\xff" * 9 + b"\x02", b"\x08" + b"\x80" * 10 + b"\x01", b"\xf8\xff\xff\xff\x1f\x00"]
)
def test_numbers_that_are_too_big_are_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        read({1: wire.Field(Kind.INT32)}, data)


def test_groups_are_left_to_the_depth_that_go_leaves_them() -> None:
    deep = 10_001
    assert read({}, b"\x0b" * deep + b"\x0c" * deep) == {}
    with pytest.raises(WireError, match="groups"):
        read({}, b"\x0b" * (deep + 1) + b"\x0c" * (deep + 1))
    assert read({}, b"\x0b\x0b" + b"\x0c\x0c" + b"\x08\x01") == {}


def test_a_string_of_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(WireError, match="UTF-8"):
        read(STRING, b"\x0a\x03\xed\xa0\x80")
