"""Reading JSON fields and checking values strictly; every refusal names the field, what was expected and what was found."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.canonical import MAX_INTEGER, Json

HASH_SIZE = 32
MAX_UNIX_SECONDS = 1 << 40
_SHOWN_CHARACTERS = 48

E = TypeVar("E", bound=StrEnum)

_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_LEDGER = re.compile(r"[a-z][a-z0-9.-]{0,248}")
_MSP_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_TX_ID = re.compile(r"[0-9a-f]{64}")
_CHANGE_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


def describe(value: object) -> str:
    """Say in a few words what a value from outside is; long texts are counted, not shown."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() if abs(value) < 1 << 63:
            return f"the number {value}"
        case int() | float():
            return "a number out of range"
        case str() if len(value) <= _SHOWN_CHARACTERS:
            return ascii(str(value))
        case str():
            return f"a string of {len(value)} characters"
        case bytes():
            return f"{len(value)} bytes"
        case Mapping():
            return f"an object of {len(value)} fields"
        case Sequence():
            return f"an array of {len(value)} elements"
        case _:
            return f"a Python {type(value).__name__}"


def unexpected(where: str, expected: str, found: object) -> InvalidInputError:
    """Return the error that says a field is not what it should be."""
    return InvalidInputError(f"{where}: expected {expected}, found {describe(found)}")


def an_object(
    value: Json,
    where: str,
    names: frozenset[str],
    *,
    optional: frozenset[str] = frozenset(),
    others: bool = False,
) -> Mapping[str, Json]:
    """Return an object that has exactly these fields; it may have `optional` ones too, and with `others` any."""
    if not isinstance(value, Mapping):
        raise unexpected(where, "an object", value)
    present = value.keys()
    if present == names or (names <= present and (others or present <= names | optional)):
        return value
    missing = sorted(names - present)
    if missing:
        raise InvalidInputError(f"{where}: the field {missing[0]!r} is missing")
    unknown = min(present - names - optional)
    raise InvalidInputError(
        f"{where}: there is no field {describe(unknown)}; expected {', '.join(sorted(names))}"
    )


def an_array(value: Json, where: str, low: int, high: int) -> Sequence[Json]:
    """Return an array of between `low` and `high` elements."""
    if isinstance(value, str) or not isinstance(value, Sequence) or not low <= len(value) <= high:
        raise unexpected(where, f"an array of {low} to {high} elements", value)
    return value


def a_text(value: Json, where: str, *, high: int = 256) -> str:
    """Return a string of between 1 and `high` characters."""
    if not isinstance(value, str) or not 1 <= len(value) <= high:
        raise unexpected(where, f"a string of 1 to {high} characters", value)
    return value


def an_integer(value: Json, where: str) -> int:
    """Return an integer; true and false are none."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise unexpected(where, "an integer", value)
    return value


def an_optional_integer(value: Json, where: str) -> int | None:
    """Return an integer, or None for null."""
    return None if value is None else an_integer(value, where)


def a_member(value: Json, where: str, kind: type[E]) -> E:
    """Return the member of a string enumeration that has this value."""
    if isinstance(value, str) and value in kind._value2member_map_:
        return kind(value)
    raise unexpected(where, f"one of {', '.join(kind)}", value)


def a_constant(value: Json, where: str, wanted: str) -> str:
    """Return `value` if it is exactly the string wanted."""
    if value != wanted:
        raise unexpected(where, f"{wanted!r}", value)
    return wanted


def hex_bytes(value: Json, where: str, *, high: int = HASH_SIZE) -> bytes:
    """Return the bytes of a lower-case hex string of at most `high` bytes; what was found is never shown, only counted."""
    if isinstance(value, str) and len(value) <= 2 * high:
        try:
            data = bytes.fromhex(value)
        except ValueError:
            data = b""
        if data.hex() == value:  # fromhex also takes upper case and spaces
            return data
    found = f"a string of {len(value)} characters" if isinstance(value, str) else describe(value)
    raise InvalidInputError(f"{where}: expected lower-case hex of at most {high} bytes, found {found}")


def hash_bytes(value: Json, where: str) -> bytes:
    """Return the 32 bytes of a SHA-256 written in lower-case hex."""
    return check_hash(hex_bytes(value, where), where)


def hash_array(value: Json, where: str, high: int) -> tuple[bytes, ...]:
    """Return an array of at most `high` SHA-256 hashes."""
    return tuple([hash_bytes(element, where) for element in an_array(value, where, 0, high)])


def check_hash(value: bytes, where: str) -> bytes:
    """Return `value` if it is 32 bytes."""
    if len(value) != HASH_SIZE:
        raise unexpected(where, f"{HASH_SIZE} bytes", value)
    return value


def check_range(value: int, where: str, low: int, high: int) -> int:
    """Return `value` if it is between `low` and `high`, both included."""
    if not low <= value <= high:
        raise unexpected(where, f"a number from {low} to {high}", value)
    return value


def check_sequence(value: int, where: str) -> int:
    """Return `value` if it can be the sequence number of a record: from 1 on."""
    return check_range(value, where, 1, MAX_INTEGER)


def check_time(value: int, where: str) -> int:
    """Return `value` if it can be a time in unix seconds."""
    return check_range(value, where, 0, MAX_UNIX_SECONDS)


def check_identifier(value: str, where: str) -> str:
    """Return `value` if it is an identifier: [a-z0-9][a-z0-9.-]{0,63}."""
    return _check_pattern(value, where, _IDENTIFIER)


def check_ledger(value: str, where: str) -> str:
    """Return `value` if it can be a channel's name (Fabric: common/configtx/validator.go)."""
    return _check_pattern(value, where, _LEDGER)


def check_msp_id(value: str, where: str) -> str:
    """Return `value` if it can be an MSP id here: [A-Za-z0-9._-]{1,128}."""
    return _check_pattern(value, where, _MSP_ID)


def check_tx_id(value: str, where: str) -> str:
    """Return `value` if it is a Fabric transaction id: lower-case hex of 32 bytes."""
    return _check_pattern(value, where, _TX_ID)


def check_change_id(value: str, where: str) -> str:
    """Return `value` if it is a change id: [A-Za-z0-9-]{1,64}."""
    return _check_pattern(value, where, _CHANGE_ID)


def _check_pattern(value: str, where: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(value):
        raise unexpected(where, f"text of the form {pattern.pattern}", value)
    return value
