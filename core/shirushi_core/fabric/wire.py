"""Protobuf's wire format, read as Go's protobuf library reads it: the same bytes are taken, and mean the same.

What members derive from blocks must not depend on a library's version. So this reader is the definition: the last value of a field
counts, embedded messages merge, repeated fields accumulate, fields that are unknown or of another wire type are skipped, strings
are UTF-8. Source: google.golang.org/protobuf internal/impl/decode.go, encoding/protowire/wire.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeAlias

from shirushi_core.errors import InvalidInputError

MAX_FIELD_NUMBER = (1 << 29) - 1
_MAX_NESTED_NUMBER = (1 << 31) - 1
"""Inside groups that are skipped, Go takes larger field numbers."""

_MAX_GROUPS = 10_001
"""Groups within groups that are skipped."""

_VARINT, _FIXED64, _BYTES, _START_GROUP, _END_GROUP, _FIXED32 = range(6)


class WireError(InvalidInputError):
    """Bytes that are no message."""


class Kind(Enum):
    """What a field holds."""

    UINT64 = auto()
    INT64 = auto()
    INT32 = auto()
    BOOL = auto()
    BYTES = auto()
    STRING = auto()
    MESSAGE = auto()


_SCALARS = frozenset({Kind.UINT64, Kind.INT64, Kind.INT32, Kind.BOOL})


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message; `message` for one that holds messages; `oneof` are the numbers of which only the last stays."""

    kind: Kind
    repeated: bool = False
    message: Message | None = None
    oneof: tuple[int, ...] = ()


Message: TypeAlias = Mapping[int, Field]
"""A message's fields, by number."""

Values: TypeAlias = dict[int, Any]
"""What was read: field number → int, bool, bytes, str, Values, or a list of them; a field that is not there is left out."""


def read(message: Message, data: bytes) -> Values:
    """Return the fields of a message; raises WireError."""
    found: Values = {}
    _read_into(found, message, data)
    return found


def _read_into(found: Values, message: Message, data: bytes) -> None:
    position, end = 0, len(data)
    while position < end:
        tag = data[position]
        if tag < 0x80:
            position += 1
        else:
            tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if not 1 <= number <= MAX_FIELD_NUMBER:
            raise WireError(f"message: expected a field number to {MAX_FIELD_NUMBER}, found {number}")
        field = message.get(number)
        if wire == _BYTES:
            length, position = _varint(data, position)
            start, position = position, position + length
            if position > end:
                raise _truncated()
            if field is not None and field.kind not in _SCALARS:
                _take(found, number, field, data[start:position])
        elif wire == _VARINT:
            value, position = _varint(data, position)
            if field is not None and field.kind in _SCALARS:
                found[number] = _scalar(field.kind, value)
                _settle(found, number, field)
        else:
            position = _skip(data, position, number, wire)


def _take(found: Values, number: int, field: Field, value: bytes) -> None:
    taken: Any = value
    if field.kind is Kind.STRING:
        try:
            taken = value.decode()
        except UnicodeDecodeError:
            raise WireError("message: expected UTF-8 in a string, found other bytes") from None
    elif field.message is not None:
        known = None if field.repeated else found.get(number)
        taken = {} if known is None else known
        _read_into(taken, field.message, value)
    if field.repeated:
        found.setdefault(number, []).append(taken)
    else:
        found[number] = taken
        _settle(found, number, field)


def _settle(found: Values, number: int, field: Field) -> None:
    for other in field.oneof:
        if other != number:
            found.pop(other, None)


def _scalar(kind: Kind, value: int) -> int | bool:
    if kind is Kind.UINT64:
        return value
    if kind is Kind.BOOL:
        return value != 0
    bits = 64 if kind is Kind.INT64 else 32
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Return a number of at most 64 bits, and where it ends."""
    value = shift = 0
    try:
        while True:
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 63:
                raise WireError("message: expected a varint of at most 10 bytes, found a longer one")
    except IndexError:
        raise _truncated() from None
    if value >> 64:
        raise WireError("message: expected a varint of at most 64 bits, found a bigger one")
    return value, position


def _skip(data: bytes, position: int, number: int, wire: int) -> int:
    """Return where a field ends that nobody asks for; groups are left without recursion."""
    open_groups: list[int] = []
    while True:
        match wire:
            case 0:
                _, position = _varint(data, position)
            case 1:
                position += 8
            case 2:
                length, position = _varint(data, position)
                position += length
            case 3:
                if len(open_groups) > _MAX_GROUPS - 1:
                    raise WireError(f"message: expected at most {_MAX_GROUPS} groups within each other")
                open_groups.append(number)
            case 4:
                if not open_groups or open_groups.pop() != number:
                    raise WireError("message: a group ends that has not begun")
            case 5:
                position += 4
            case _:
                raise WireError(f"message: expected a wire type to 5, found {wire}")
        if position > len(data):
            raise _truncated()
        if not open_groups:
            return position
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if not 1 <= number <= _MAX_NESTED_NUMBER:
            raise WireError(f"message: expected a field number, found {number}")


def _truncated() -> WireError:
    return WireError("message: it ends within a field")
