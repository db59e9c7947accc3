"""Which bytes are canonical, held against a reader that is nothing but the definition: no library decides it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.canonical import MAX_DEPTH, MAX_INTEGER, decode_canonical, encode

_INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,15}")
_SHORT = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}


class _NotCanonicalError(Exception):
    pass


def written(text: str) -> bytes:
    return ("".join(_SHORT.get(ord(c)) or (f"\\u{ord(c):04x}" if c < " " else c) for c in text)).encode()


class Reference:
    """docs/formats/derivation.md, "Canonical JSON", letter by letter."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def read(self) -> Any:
        value = self.value(MAX_DEPTH)
        if self.at != len(self.data):
            raise _NotCanonicalError
        return value

    def take(self, expected: bytes) -> bool:
        found = self.data.startswith(expected, self.at)
        self.at += len(expected) * found
        return found

    def require(self, expected: bytes) -> None:
        if not self.take(expected):
            raise _NotCanonicalError

    def value(self, depth: int) -> Any:
        for literal, value in ((b"null", None), (b"true", True), (b"false", False)):
            if self.take(literal):
                return value
        if self.data.startswith(b'"', self.at):
            return self.text()
        if self.data.startswith((b"[", b"{"), self.at) and depth == 0:
            raise _NotCanonicalError
        if self.take(b"["):
            items: list[Any] = []
            if not self.take(b"]"):
                items.append(self.value(depth - 1))
                while self.take(b","):
                    items.append(self.value(depth - 1))
                self.require(b"]")
            return items
        if self.take(b"{"):
            members: dict[str, Any] = {}
            if not self.take(b"}"):
                self.member(members, depth)
                while self.take(b","):
                    self.member(members, depth)
                self.require(b"}")
            return members
        number = _INTEGER.match(self.data, self.at)
        if number is None or abs(int(number[0])) > MAX_INTEGER:
            raise _NotCanonicalError
        self.at = number.end()
        return int(number[0])

    def member(self, members: dict[str, Any], depth: int) -> None:
        name = self.text()
        if not name.isascii() or (members and name <= max(members)):
            raise _NotCanonicalError
        self.require(b":")
        members[name] = self.value(depth - 1)

    def text(self) -> str:
        self.require(b'"')
        end = self.at
        while end < len(self.data) and self.data[end] != 0x22:
            end += 2 if self.data[end] == 0x5C else 1
        raw = self.data[self.at : end]
        self.at = end
        self.require(b'"')
        try:
            text = re.sub(
                r"\\(?:u([0-9a-f]{4})|(.))",
                lambda found: (
                    chr(int(found[1], 16))
                    if found[1]
                    else {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r"}.get(found[2], found[2])
                ),
                raw.decode(),
                flags=re.DOTALL,
            )
            is_same = written(text) == raw
        except UnicodeError:
            raise _NotCanonicalError from None
        if not is_same:
            raise _NotCanonicalError
        return text


def agree(data: bytes) -> None:
    try:
        expected = Reference(data).read()
    except _NotCanonicalError:
        with pytest.raises(InvalidInputError):
            decode_canonical(data)
        return
    assert decode_canonical(data) == expected
    assert encode(expected) == data


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-MAX_INTEGER, MAX_INTEGER), st.text(max_size=6)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=4), inner, max_size=4),
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(values)
def test_what_is_written_is_canonical(value: Any) -> None:
    agree(encode(value))


@settings(max_examples=1000, deadline=None)
@given(values, st.data())
def test_one_change_gives_the_same_answer(value: Any, data: st.DataObject) -> None:
    encoded = bytearray(encode(value))
    at = data.draw(st.integers(0, len(encoded)))
    change = data.draw(
        st.sampled_from(
            [b"", b" ", b"0", b"-0", b"1e2", b".0", b"\\u0041", b"\\/", b"\xff", b'"', b",", b"{}", b"9" * 17]
        )
    )
    encoded[at : at + data.draw(st.integers(0, 2))] = change
    agree(bytes(encoded))


@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1, 255, 1023, 1025, 100_000])
def test_depth_is_bounded_by_a_number_and_by_no_stack(depth: int) -> None:
    agree(b"[" * depth + b"]" * depth)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b'{"b":1,"a":1}',
        b"1.0",
        b"-0",
        b"9007199254740992",
        b"18446744073709551616",
        b'"\\ud800"',
        b'"\\u0041"',
        b'"\x7f"',
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf1",
        b"NaN",
        b"",
        b'{"\xc3\xa9":1}',
        b'"\\/"',
        b"1 ",
        b"[1,]",
    ],
)
def test_forms_that_readers_differ_about(data: bytes) -> None:
    agree(data)
