"""Composite keys: an object's type and attributes as one key, so that ranges of them can be queried.

U+0000 ‖ type ‖ U+0000 ‖ attribute ‖ U+0000 ‖ …; simple keys never begin with U+0000, so the two kinds cannot meet.
Source: fabric-chaincode-go shim/stub.go (CreateCompositeKey).
"""

from __future__ import annotations

from collections.abc import Sequence

from shirushi_core.errors import InvalidInputError

NAMESPACE = "\x00"
"""What every composite key begins with, and what ends each of its parts."""

LAST_CHARACTER = "\U0010ffff"
"""Sorts behind every character an attribute may have."""

FIRST_SIMPLE_KEY = "\x01"
"""Where a range over simple keys begins that has no start of its own."""


def create_composite_key(object_type: str, attributes: Sequence[str]) -> str:
    """Return the composite key of a type and its attributes; raises InvalidInputError for a part it cannot hold."""
    parts = (object_type, *attributes)
    for part in parts:
        _check_part(part)
    return NAMESPACE + "".join(part + NAMESPACE for part in parts)


def split_composite_key(key: str) -> tuple[str, list[str]]:
    """Return a composite key's type and attributes; raises InvalidInputError for any other key."""
    if len(key) < 2 or not key.startswith(NAMESPACE) or not key.endswith(NAMESPACE):
        raise InvalidInputError(f"expected a composite key, found {key!r}")
    object_type, *attributes = key[1:-1].split(NAMESPACE)
    return object_type, attributes


def composite_range(object_type: str, attributes: Sequence[str]) -> tuple[str, str]:
    """Return the range [start, end) of all composite keys that begin with these parts; raises InvalidInputError."""
    start = create_composite_key(object_type, attributes)
    return start, start + LAST_CHARACTER


def all_composite_keys() -> tuple[str, str]:
    """Return the range [start, end) of all composite keys."""
    return NAMESPACE, NAMESPACE + LAST_CHARACTER


def simple_range(start: str, end: str) -> tuple[str, str]:
    """Return the range of simple keys between two bounds ("" is open); raises InvalidInputError for a composite one."""
    for bound in (start, end):
        if bound.startswith(NAMESPACE):
            raise InvalidInputError(
                f"first character of the key [{bound}] contains a null character which is not allowed"
            )
    return start or FIRST_SIMPLE_KEY, end


def _check_part(part: str) -> None:
    for character in (NAMESPACE, LAST_CHARACTER):
        if character in part:
            raise InvalidInputError(
                f"expected a part of a composite key without U+0000 and U+10FFFF, found U+{ord(character):04X} at "
                f"position {part.index(character)}"
            )
    try:
        part.encode()
    except UnicodeEncodeError:
        raise InvalidInputError(
            "expected a part of a composite key that is valid UTF-8, found none"
        ) from None
