"""DER as Go reads it (golang.org/x/crypto/cryptobyte): what Fabric takes must not depend on a Python library's taste.

Lengths are minimal and definite, tags have one byte. What stands behind the last thing that is asked for is left unread.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from shirushi_core.errors import InvalidInputError

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
NUMERIC_STRING, UTC_TIME, GENERALIZED_TIME, SEQUENCE, SET = 0x12, 0x17, 0x18, 0x30, 0x31

_MAX_LENGTH_BYTES = 4
_PRINTABLE = re.compile(rb"[A-Za-z0-9'()+,\-./ :=?*&]*")
_NUMERIC = re.compile(rb"[0-9 ]*")
_TIME = re.compile(r"([0-9]{10})([0-9]{2})?(Z|[+-][0-9]{4})")
_FULL_TIME = re.compile(r"([0-9]{12})([0-9]{2})(Z|[+-][0-9]{4})")


class DerError(InvalidInputError):
    """Bytes that are not the DER that was expected."""


def context(number: int, *, constructed: bool = True) -> int:
    """Return the tag of a context-specific element."""
    return (0xA0 if constructed else 0x80) | number


class Reader:
    """Reads elements one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def empty(self) -> bool:
        """Whether everything is read."""
        return self._position >= len(self._data)

    def next_is(self, tag: int) -> bool:
        """Say whether the next element has a tag."""
        return not self.empty and self._data[self._position] == tag

    def any_element(self) -> tuple[int, bytes, bytes]:
        """Return the next element: tag, content, and the whole of it; raises DerError."""
        data, start = self._data, self._position
        if len(data) - start < 2:
            raise DerError("expected an element, found the end")
        tag, length, body = data[start], data[start + 1], start + 2
        if tag & 0x1F == 0x1F:
            raise DerError("expected a tag of one byte")
        if length & 0x80:
            count = length & 0x7F
            octets = data[body : body + count]
            if not 1 <= count <= _MAX_LENGTH_BYTES or len(octets) < count:
                raise DerError("expected a length of one to four bytes")
            length = int.from_bytes(octets, "big")
            if length < 0x80 or octets[0] == 0:
                raise DerError("expected the shortest length")
            body += count
        end = body + length
        if end > len(data):
            raise DerError("an element is longer than what holds it")
        self._position = end
        return tag, data[body:end], data[start:end]

    def element(self, tag: int) -> bytes:
        """Return the content of the next element, which must have this tag; raises DerError."""
        if not self.next_is(tag):
            found = "the end" if self.empty else f"tag 0x{self._data[self._position]:02x}"
            raise DerError(f"expected tag 0x{tag:02x}, found {found}")
        return self.any_element()[1]

    def whole(self, tag: int) -> bytes:
        """Return the next element with its tag and length, which must have this tag; raises DerError."""
        if not self.next_is(tag):
            raise DerError(f"expected tag 0x{tag:02x}")
        return self.any_element()[2]

    def optional(self, tag: int) -> bytes | None:
        """Return the content of the next element if it has this tag, None otherwise; raises DerError."""
        return self.element(tag) if self.next_is(tag) else None

    def inner(self, tag: int) -> Reader:
        """Return a reader of the next element's content; raises DerError."""
        return Reader(self.element(tag))

    def integer(self) -> int:
        """Return the next element, a number in its shortest form; raises DerError."""
        return parse_integer(self.element(INTEGER))

    def boolean(self) -> bool:
        """Return the next element, a truth value; raises DerError."""
        content = self.element(BOOLEAN)
        if content not in (b"\x00", b"\xff"):
            raise DerError("expected a boolean")
        return content == b"\xff"

    def bit_string(self) -> tuple[bytes, int]:
        """Return the next element, a bit string: its bytes, and how many bits of the last are unused; raises DerError."""
        content = self.element(BIT_STRING)
        unused = content[0] if content else 8
        if (
            unused > 7
            or (len(content) == 1 and unused)
            or (len(content) > 1 and content[-1] & (1 << unused) - 1)
        ):
            raise DerError("expected a bit string")
        return content[1:], unused

    def oid(self) -> str:
        """Return the next element, an object identifier, as dotted numbers; raises DerError."""
        return parse_oid(self.element(OID))


def right_aligned(content: bytes, unused: int) -> bytes:
    """Return the bits of a bit string, moved to the right end of its bytes."""
    if not unused:
        return content
    return (int.from_bytes(content, "big") >> unused).to_bytes(len(content), "big")


def parse_integer(content: bytes) -> int:
    """Return a number by the content of its element; raises DerError unless it is in its shortest form."""
    if not content or (len(content) > 1 and content[0] in (0, 0xFF) and (content[0] ^ content[1]) < 0x80):
        raise DerError("expected a number in its shortest form")
    return int.from_bytes(content, "big", signed=True)


def parse_oid(content: bytes) -> str:
    """Return an object identifier by the content of its element; raises DerError."""
    arcs: list[int] = []
    value = size = 0
    for position, byte in enumerate(content):
        if size == 0 and byte == 0x80:
            raise DerError("expected an object identifier in its shortest form")
        size += 1
        value = value << 7 | byte & 0x7F
        if size > 5 or value > 0x7FFFFFFF:
            raise DerError("a number of an object identifier is too big")
        if byte < 0x80:
            arcs.append(value)
            value = size = 0
        elif position == len(content) - 1:
            raise DerError("an object identifier ends within a number")
    if not arcs:
        raise DerError("expected an object identifier")
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def parse_string(tag: int, content: bytes) -> str | None:
    """Return a string of the kinds that Go reads in names, None for a value of any other kind; raises DerError."""
    match tag:
        case 0x0C:
            return _decoded(content, "utf-8")
        case 0x14:
            return _decoded(content, "latin-1")
        case 0x16:
            return _decoded(content, "ascii")
        case 0x1E:
            return _bmp(content)
        case 0x12 | 0x13:
            if not (_NUMERIC if tag == NUMERIC_STRING else _PRINTABLE).fullmatch(content):
                raise DerError("a string has characters that are not of its kind")
            return _decoded(content, "ascii")
    return None


def _decoded(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise DerError(f"expected {encoding} in a string, found other bytes") from None


def _bmp(content: bytes) -> str:
    if content.endswith(b"\x00\x00") and len(content) % 2 == 0:
        content = content[:-2]
    text = _decoded(content, "utf-16-be")
    if any(ord(each) > 0xFFFF or 0xFDD0 <= ord(each) <= 0xFDEF or ord(each) >= 0xFFFE for each in text):
        raise DerError("expected characters of the basic plane")
    return text


def parse_time(tag: int, content: bytes) -> datetime:
    """Return a UTCTime or GeneralizedTime; the year 0 is taken for the first one; raises DerError."""
    text = content.decode("latin-1")
    found = (_TIME if tag == UTC_TIME else _FULL_TIME).fullmatch(text)
    if tag not in (UTC_TIME, GENERALIZED_TIME) or found is None:
        raise DerError(f"expected a time, found {text[:32]!r}")
    digits, seconds, zone = found.groups()
    if tag == UTC_TIME:
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    year = int(digits[:4])
    month, day, hour, minute = (int(digits[at : at + 2]) for at in (4, 6, 8, 10))
    try:
        # the years 0 and 4 are leap years both
        moment = datetime(year or 4, month, day, hour, minute, int(seconds or 0), tzinfo=_zone(zone))
    except ValueError as error:
        raise DerError(f"expected a time, found {text[:32]!r}: {error}") from None
    if not year:
        return datetime.min.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return (datetime.min if year == 1 else datetime.max).replace(tzinfo=UTC)


def _zone(text: str) -> timezone:
    if text == "Z":
        return UTC
    hours, minutes = int(text[1:3]), int(text[3:])
    if hours > 23 or minutes > 59 or not hours + minutes:  # Go writes no offset as Z
        raise DerError(f"expected an offset from UTC, found {text}")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(offset if text[0] == "+" else -offset)
