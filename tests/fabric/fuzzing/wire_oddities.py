"""Odd encodings of protobuf messages: some mean the same, some mean something else, some are no message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

VARINT, FIXED64, LENGTH, START, END, FIXED32 = range(6)


@dataclass(frozen=True)
class Part:
    """One field as it stands on the wire: its number, wire type, and content without tag and length."""

    number: int
    wire: int
    content: bytes

    def encoded(self, *, tag_padding: int = 0, length_padding: int = 0) -> bytes:
        tag = varint(self.number << 3 | self.wire, tag_padding)
        length = varint(len(self.content), length_padding) if self.wire == LENGTH else b""
        return tag + length + self.content


Oddity: TypeAlias = Callable[[list[Part], Random], bytes]


def varint(value: int, padding: int = 0) -> bytes:
    """Return a varint, `padding` bytes longer than it need be."""
    found = []
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value | (0x80 if padding else 0))
    return bytes(found + [0x80] * (padding - 1) + ([0] if padding else []))


def parts_of(data: bytes) -> list[Part]:
    """Take a well-formed message without groups apart."""
    found, position = [], 0
    while position < len(data):
        tag, position = _read(data, position)
        number, wire = tag >> 3, tag & 7
        start = position
        if wire == VARINT:
            _, position = _read(data, position)
        elif wire == LENGTH:
            size, start = _read(data, position)
            position = start + size
        else:
            position += 8 if wire == FIXED64 else 4
        found.append(Part(number, wire, data[start:position]))
    return found


def _read(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


def joined(parts: list[Part]) -> bytes:
    return b"".join(part.encoded() for part in parts)


def _with(more: bytes, *, first: bool = False) -> Oddity:
    return lambda parts, _: more + joined(parts) if first else joined(parts) + more


def _shuffled(parts: list[Part], random: Random) -> bytes:
    return joined(random.sample(parts, len(parts)))


def _some(parts: list[Part], random: Random) -> int:
    return random.randrange(len(parts)) if parts else 0


def _padded_tag(parts: list[Part], random: Random) -> bytes:
    return b"".join(part.encoded(tag_padding=random.choice((0, 1, 3))) for part in parts)


def _padded_length(parts: list[Part], random: Random) -> bytes:
    return b"".join(part.encoded(length_padding=random.choice((0, 1, 5))) for part in parts)


def _padded_value(parts: list[Part], random: Random) -> bytes:
    return b"".join(
        Part(each.number, VARINT, each.content[:-1] + bytes((each.content[-1] | 0x80, 0))).encoded()
        if each.wire == VARINT and len(each.content) < 9
        else each.encoded()
        for each in parts
    )


def _twice(parts: list[Part], random: Random) -> bytes:
    position = _some(parts, random)
    return joined([*parts[: position + 1], *parts[position:]])


def _other_before(parts: list[Part], random: Random) -> bytes:
    """Put another value before one field's: of a scalar the last one counts, a message is merged with it."""
    if not parts:
        return b""
    part = parts[_some(parts, random)]
    other = Part(part.number, part.wire, b"\x05" if part.wire == VARINT else b"")
    return joined([other, *parts])


def _other_behind(parts: list[Part], random: Random) -> bytes:
    if not parts:
        return b""
    part = parts[_some(parts, random)]
    other = Part(part.number, part.wire, b"\x01" if part.wire == VARINT else b"")
    return joined([*parts, other])


def _split(parts: list[Part], random: Random) -> bytes:
    """Write an embedded message in two pieces, which are put together when they are read."""
    found: list[Part] = []
    for part in parts:
        try:
            inner = parts_of(part.content) if part.wire == LENGTH else []
            whole = joined(inner) == part.content
        except IndexError:
            inner, whole = [], False
        if whole and len(inner) > 1:
            found += [Part(part.number, LENGTH, each.encoded()) for each in inner]
        else:
            found.append(part)
    return joined(found)


def _wrong_type(parts: list[Part], random: Random) -> bytes:
    position = _some(parts, random)
    number = parts[position].number if parts else 1
    return joined([*parts, Part(number, random.choice((FIXED32,)), b"abcd")])


def _wrong_type_instead(parts: list[Part], random: Random) -> bytes:
    if not parts:
        return b""
    position = _some(parts, random)
    return joined(
        [*parts[:position], Part(parts[position].number, FIXED64, bytes(8)), *parts[position + 1 :]]
    )


def _missing(parts: list[Part], random: Random) -> bytes:
    position = _some(parts, random)
    return joined([*parts[:position], *parts[position + 1 :]])


def _cut(parts: list[Part], random: Random) -> bytes:
    whole = joined(parts)
    return whole[: random.randrange(len(whole))] if whole else b""


def _flipped(parts: list[Part], random: Random) -> bytes:
    whole = bytearray(joined(parts))
    if whole:
        whole[random.randrange(len(whole))] ^= 1 << random.randrange(8)
    return bytes(whole)


def _groups(depth: int) -> bytes:
    return varint(1000 << 3 | START) * depth + varint(1000 << 3 | END) * depth


_UNKNOWN = 1000
ODDITIES: dict[str, Oddity] = {
    "unknown varint": _with(Part(_UNKNOWN, VARINT, varint(1 << 63)).encoded()),
    "unknown bytes": _with(Part(_UNKNOWN, LENGTH, b"new").encoded()),
    "unknown bytes first": _with(Part(_UNKNOWN, LENGTH, b"new").encoded(), first=True),
    "unknown fixed": _with(
        Part(_UNKNOWN, FIXED64, bytes(8)).encoded() + Part(99, FIXED32, bytes(4)).encoded()
    ),
    "unknown group": _with(_groups(1)),
    "groups in groups": _with(_groups(50)),
    "groups, too many": _with(_groups(10_001)),
    "groups, nearly too many": _with(_groups(9_990)),
    "group with fields": _with(
        varint(77 << 3 | START) + Part(1, LENGTH, b"x").encoded() + varint(77 << 3 | END)
    ),
    "group that does not end": _with(varint(77 << 3 | START)),
    "group that ends as another": _with(varint(77 << 3 | START) + varint(78 << 3 | END)),
    "end of no group": _with(varint(77 << 3 | END)),
    "field 0": _with(b"\x00\x00"),
    "largest field": _with(Part((1 << 29) - 1, VARINT, b"\x01").encoded()),
    "too large a field": _with(Part(1 << 29, VARINT, b"\x01").encoded()),
    "wire type 6": _with(b"\x0e"),
    "wire type 7": _with(b"\x0f\x00"),
    "varint of 11 bytes": _with(varint(_UNKNOWN << 3) + b"\x80" * 10 + b"\x01"),
    "varint of 65 bits": _with(varint(_UNKNOWN << 3) + b"\xff" * 9 + b"\x02"),
    "varint of 64 bits": _with(varint(_UNKNOWN << 3) + b"\xff" * 9 + b"\x01"),
    "length beyond the end": _with(varint(_UNKNOWN << 3 | LENGTH) + b"\x05ab"),
    "huge length": _with(varint(_UNKNOWN << 3 | LENGTH) + b"\xff" * 9 + b"\x01"),
    "shuffled": _shuffled,
    "padded tags": _padded_tag,
    "padded lengths": _padded_length,
    "padded values": _padded_value,
    "tag of 32 bits and more": _with(b"\xf8\xff\xff\xff\x1f\x01"),
    "a field twice": _twice,
    "another value before": _other_before,
    "another value behind": _other_behind,
    "split": _split,
    "another wire type too": _wrong_type,
    "another wire type instead": _wrong_type_instead,
    "a field missing": _missing,
    "empty": lambda _, __: b"",
    "cut": _cut,
    "flipped": _flipped,
    "flipped again": _flipped,
}
