"""Canonical JSON: what is written, what is read, and what is refused."""

from __future__ import annotations

import json
import string
from types import MappingProxyType

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.canonical import MAX_BYTES, MAX_DEPTH, decode, decode_canonical, encode

KEYS = st.text(st.characters(max_codepoint=127), max_size=8)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@given(VALUES)
def test_equals_rfc8785_byte_for_byte(value):
    assert encode(value) == rfc8785.dumps(value)


def test_escapes_every_control_character_as_rfc8785_does():
    text = "".join(map(chr, range(0x100))) + "\u2028\u2029\ufeff\U0001f58b"
    assert encode({"t": text}) == rfc8785.dumps({"t": text})


def test_sorts_every_ascii_key_as_rfc8785_does():
    value = {chr(n) + tail: n for n in range(128) for tail in ("", "a")}
    assert encode(value) == rfc8785.dumps(value)


@given(VALUES)
def test_what_was_encoded_is_decoded_to_the_same_value(value):
    assert decode(encode(value)) == value
    assert decode_canonical(encode(value)) == value


@given(VALUES)
def test_decode_takes_any_spacing_and_order_where_decode_canonical_takes_one(value):
    loose = json.dumps(value, indent=1, ensure_ascii=True).encode()
    assert decode(loose) == value
    if loose != encode(value):
        with pytest.raises(InvalidInputError, match="canonical"):
            decode_canonical(loose)


def test_encodes_tuples_and_read_only_mappings_like_lists_and_dicts():
    assert encode(MappingProxyType({"b": (1, 2), "a": []})) == b'{"a":[],"b":[1,2]}'


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        2**53,
        -(2**53),
        {"é": 1},
        {1: 1},
        "\ud800",
        ["\udfff"],
        b"bytes",
        Ellipsis,
        {"a": {1, 2}},
    ],
    ids=ascii,
)
def test_encode_refuses_what_the_profile_does_not_allow(value):
    with pytest.raises(InvalidInputError):
        encode(value)


DEFECTS = {
    "nothing": b"",
    "float": b"1.5",
    "exponent": b"1e3",
    "float that is whole": b"[1.0]",
    "not a number": b"NaN",
    "infinity": b"-Infinity",
    "too big an integer": b"9007199254740992",
    "too small an integer": b"-9007199254740992",
    "thousands of digits": b"1" * 10_000,
    "duplicate key": b'{"a":1,"a":1}',
    "duplicate key after unescaping": b'{"a":1,"\\u0061":2}',
    "deep duplicate key": b'[{"b":{"a":1,"a":2}}]',
    "key outside ASCII": '{"é":1}'.encode(),
    "lone surrogate": b'"\\ud800"',
    "surrogates the wrong way round": b'"\\udc00\\ud800"',
    "encoded surrogate": b'"\xed\xa0\x80"',
    "not UTF-8": b'"\xff"',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf1",
    "raw control character": b'"\n"',
    "trailing data": b"1 1",
    "trailing comma": b"[1,]",
    "comment": b"/**/1",
    "single quotes": b"{'a':1}",
    "leading zero": b"01",
    "cut short": b'{"a":',
    "array bomb": b"[" * 100_000,
    "closed array bomb": b"[" * 100_000 + b"]" * 100_000,
    "object bomb": b'{"a":' * 100_000,
    "one level too deep": b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    "too long": b'"' + b"a" * MAX_BYTES + b'"',
}


@pytest.mark.parametrize("read", [decode, decode_canonical])
@pytest.mark.parametrize("data", DEFECTS.values(), ids=DEFECTS.keys())
def test_decoding_refuses(data, read):
    with pytest.raises(InvalidInputError):
        read(data)


@given(st.binary(max_size=200))
def test_decoding_any_bytes_gives_a_value_of_the_profile_or_a_typed_error(data):
    try:
        value = decode(data)
    except InvalidInputError:
        return
    assert decode_canonical(encode(value)) == value


@given(st.text(string.digits + '{}[]",:-. \\ue', max_size=40))
def test_decode_canonical_accepts_exactly_the_fixed_points_of_encode(text):
    data = text.encode()
    try:
        value = decode_canonical(data)
    except InvalidInputError:
        return
    assert encode(value) == data == rfc8785.dumps(value)


def test_the_deepest_value_allowed_passes_both_ways():
    data = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert encode(decode(data)) == data


def test_a_caller_may_set_a_smaller_limit():
    with pytest.raises(InvalidInputError, match="at most 3 bytes, found 4"):
        decode(b"1234", max_bytes=3)
