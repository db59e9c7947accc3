"""Composite keys: every type and attributes have one key, and ranges hold what begins alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.composite_key import (
    all_composite_keys,
    composite_range,
    create_composite_key,
    simple_range,
    split_composite_key,
)

PARTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\U0010ffff"), max_size=8)
ATTRIBUTES = st.lists(PARTS, max_size=4)


def in_range(key: str, bounds: tuple[str, str]) -> bool:
    start, end = (bound.encode() for bound in bounds)
    return start <= key.encode() < end


@given(PARTS, ATTRIBUTES)
def test_a_key_splits_into_what_it_was_made_of(object_type: str, attributes: list[str]) -> None:
    assert split_composite_key(create_composite_key(object_type, attributes)) == (object_type, attributes)


@given(PARTS, ATTRIBUTES, PARTS, ATTRIBUTES)
def test_a_range_holds_exactly_the_keys_that_begin_with_its_parts(
    object_type: str, attributes: list[str], other_type: str, others: list[str]
) -> None:
    key = create_composite_key(other_type, others)
    begins = [other_type, *others][: len(attributes) + 1] == [object_type, *attributes]
    assert in_range(key, composite_range(object_type, attributes)) == begins


@given(PARTS, ATTRIBUTES, ATTRIBUTES)
def test_longer_keys_are_in_the_range_of_their_beginnings(
    object_type: str, attributes: list[str], more: list[str]
) -> None:
    key = create_composite_key(object_type, attributes + more)
    assert in_range(key, composite_range(object_type, attributes))


@given(PARTS, ATTRIBUTES, PARTS.filter(bool))
def test_composite_and_simple_keys_never_meet(object_type: str, attributes: list[str], simple: str) -> None:
    key = create_composite_key(object_type, attributes)
    assert in_range(key, all_composite_keys())
    assert not in_range(simple, all_composite_keys())
    assert key.encode() < simple_range("", "")[0].encode() <= simple.encode()


def test_the_bytes_are_fabrics() -> None:
    assert create_composite_key("owner~asset", ["Tomoko", "asset1"]) == "\0owner~asset\0Tomoko\0asset1\0"


@pytest.mark.parametrize("part", ["a\0", "\U0010ffffb", "\ud800"])
def test_a_part_that_would_break_the_key_is_refused(part: str) -> None:
    with pytest.raises(InvalidInputError, match="expected a part of a composite key"):
        create_composite_key("type", [part])
    with pytest.raises(InvalidInputError, match="expected a part of a composite key"):
        create_composite_key(part, [])


@pytest.mark.parametrize("key", ["", "\0", "simple", "\0type", "type\0"])
def test_other_keys_do_not_split(key: str) -> None:
    with pytest.raises(InvalidInputError, match="expected a composite key"):
        split_composite_key(key)
