"""DER in small pieces, so that each piece can be written wrongly."""

from __future__ import annotations


def tlv(tag: int, content: bytes, *, padding: int = 0) -> bytes:
    """Return a tag, a length and a content; `padding` zero bytes make the length longer than it need be."""
    size = len(content)
    if size < 0x80 and not padding:
        return bytes((tag, size)) + content
    octets = bytes(padding) + size.to_bytes(max(1, (size.bit_length() + 7) // 8), "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def sequence(*parts: bytes) -> bytes:
    return tlv(0x30, b"".join(parts))


def set_of(*parts: bytes) -> bytes:
    return tlv(0x31, b"".join(parts))


def integer(value: int) -> bytes:
    size = (value + (value < 0)).bit_length() // 8 + 1
    return tlv(0x02, value.to_bytes(size, "big", signed=True))


def boolean(value: bool) -> bytes:
    return tlv(0x01, b"\xff" if value else b"\x00")


def octets(content: bytes) -> bytes:
    return tlv(0x04, content)


def bits(content: bytes, unused: int = 0) -> bytes:
    return tlv(0x03, bytes((unused,)) + content)


def explicit(number: int, content: bytes) -> bytes:
    return tlv(0xA0 | number, content)


def implicit(number: int, content: bytes) -> bytes:
    return tlv(0x80 | number, content)


def oid(dotted: str) -> bytes:
    first, second, *rest = (int(part) for part in dotted.split("."))
    return tlv(0x06, b"".join(_base128(arc) for arc in (40 * first + second, *rest)))


def _base128(value: int) -> bytes:
    found = [value & 0x7F]
    while value := value >> 7:
        found.append(0x80 | value & 0x7F)
    return bytes(reversed(found))


NULL = b"\x05\x00"

UTF8, NUMERIC, PRINTABLE, T61, IA5, UTC_TIME, GENERAL_TIME, VISIBLE, UNIVERSAL, BMP = (
    *(0x0C, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1A, 0x1C, 0x1E),
)
"""Tags of strings and times."""
