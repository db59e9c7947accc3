"""Protobuf messages as Go takes them, by Google's Python library where both agree, by our own reader (wire.py) where they do not.

The library takes varints of more than 64 bits and refuses groups nested a hundred deep; Go's does neither. What has the usual form is
read once, by the library; only what has unknown fields or another encoding is looked at by our reader too.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError

from shirushi_core.fabric.wire import Field, Kind, Message, Values, WireError, read

_KINDS = {
    FieldDescriptor.TYPE_UINT64: Kind.UINT64,
    FieldDescriptor.TYPE_UINT32: Kind.UINT64,
    FieldDescriptor.TYPE_INT64: Kind.INT64,
    FieldDescriptor.TYPE_INT32: Kind.INT32,
    FieldDescriptor.TYPE_ENUM: Kind.INT32,
    FieldDescriptor.TYPE_BOOL: Kind.BOOL,
    FieldDescriptor.TYPE_BYTES: Kind.BYTES,
    FieldDescriptor.TYPE_STRING: Kind.STRING,
    FieldDescriptor.TYPE_MESSAGE: Kind.MESSAGE,
}


def parse(kind: type[Any], data: bytes) -> Any:
    """Return a message (generated classes carry no types); raises DecodeError where Go's library would refuse it.

    Unknown fields of embedded messages may be left out of it. Messages that hold themselves, or maps, are not for this.
    """
    try:
        message = kind.FromString(data)
        message.DiscardUnknownFields()
        if message.ByteSize() == len(data):
            return message
    except DecodeError:
        pass
    form = _form(kind.DESCRIPTOR)
    try:
        values = read(form, data)
    except WireError as error:
        raise DecodeError(str(error)) from None
    return kind.FromString(_written(form, values))


@cache
def _form(descriptor: Descriptor) -> Message:
    """Return the fields of a kind of message for our reader."""
    return {field.number: _field(field) for field in descriptor.fields}


def _field(field: FieldDescriptor) -> Field:
    kind = _KINDS[field.type]
    oneof = field.containing_oneof
    return Field(
        kind=kind,
        repeated=field.label == FieldDescriptor.LABEL_REPEATED,
        message=_form(field.message_type) if kind is Kind.MESSAGE else None,
        oneof=() if oneof is None else tuple(each.number for each in oneof.fields),
    )


def _written(form: Message, values: Values) -> bytes:
    found = b""
    for number, value in values.items():
        field = form[number]
        for one in value if field.repeated else (value,):
            if isinstance(one, int):
                found += _varint(number << 3) + _varint(one & (1 << 64) - 1)
                continue
            content = _written(field.message, one) if field.message is not None else one
            content = content.encode() if isinstance(content, str) else content
            found += _varint(number << 3 | 2) + _varint(len(content)) + content
    return found


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
