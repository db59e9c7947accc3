"""Canonical JSON: the RFC 8785 profile every statement, record and receipt is written in.

Profile: UTF-8; object keys are ASCII; strings; integers with |n| < 2^53; booleans; null; arrays; objects. No floats.

RFC 8785 sorts keys by UTF-16 code units; for ASCII keys that is the order of their bytes, which is what lets a fast
general encoder write this profile.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Never, TypeAlias

import orjson

from shirushi_core.errors import InvalidInputError

Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_INTEGER = (1 << 53) - 1

# The usual kinds first: the abstract ones take longer to ask.
_MAPPINGS = (dict, Mapping)
_SEQUENCES = (list, tuple, Sequence)
_BYTES = (bytes, bytearray, memoryview)


def encode(value: Json) -> bytes:
    """Return the canonical bytes of `value`.

    Raises InvalidInputError for what the profile does not allow (floats, big integers, non-ASCII keys, lone surrogates,
    depth above MAX_DEPTH).
    """
    _check(value, MAX_DEPTH)
    return orjson.dumps(value, default=_plain, option=orjson.OPT_SORT_KEYS)


def decode(data: bytes, *, max_bytes: int = MAX_BYTES) -> Json:
    """Parse JSON that is within the profile (any spacing and key order; duplicate keys are refused).

    Raises InvalidInputError naming what was expected and found.
    """
    _check_size(data, max_bytes)
    known, value = _read_canonical(data.strip(b" \t\r\n"))
    if known:
        return value
    try:
        parsed: Json = json.loads(
            data.decode(),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_no_float,
            parse_constant=_no_constant,
        )
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"JSON: expected UTF-8, found another byte at offset {error.start}") from None
    except json.JSONDecodeError as error:
        raise InvalidInputError(f"JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise _too_deep() from None
    _check(parsed, MAX_DEPTH)
    return parsed


def decode_canonical(data: bytes, *, max_bytes: int = MAX_BYTES) -> Json:
    """Parse bytes that must be exactly canonical: `encode(decode_canonical(b)) == b`."""
    _check_size(data, max_bytes)
    known, value = _read_canonical(data)
    if known:
        return value
    decode(data, max_bytes=max_bytes)
    raise InvalidInputError("JSON: expected canonical form (RFC 8785), found other spacing, order or escapes")


def _read_canonical(data: bytes) -> tuple[bool, Json]:
    """Read bytes that are canonical, fast, or say that they are not.

    Whatever a lenient parser lets through (a duplicate key, a float, spacing) does not encode to the same bytes.
    """
    try:
        value: Json = orjson.loads(data)
        return encode(value) == data, value
    except (orjson.JSONDecodeError, InvalidInputError):
        return False, None


def _check_size(data: bytes, max_bytes: int) -> None:
    if len(data) > max_bytes:
        raise InvalidInputError(f"JSON: expected at most {max_bytes} bytes, found {len(data)}")


def _check(value: Json, depth: int) -> None:
    if value is None or value is True or value is False:
        return
    if isinstance(value, str):
        if not value.isascii():
            _check_unicode(value)
    elif isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise InvalidInputError("JSON: expected an integer below 2^53, found a bigger one")
    elif isinstance(value, _MAPPINGS):
        for key in value:
            if type(key) is not str or not key.isascii():
                raise InvalidInputError(f"JSON: expected an ASCII key, found {ascii(key)[:64]}")
        _check_members(value.values(), depth)
    elif isinstance(value, _SEQUENCES) and not isinstance(value, _BYTES):
        _check_members(value, depth)
    else:
        raise InvalidInputError(f"JSON: expected a value of the profile, found a {type(value).__name__}")


def _check_members(members: Iterable[Json], depth: int) -> None:
    if depth == 0:
        raise _too_deep()
    for member in members:  # what most members are is looked at here, which spares a call
        kind = type(member)
        if kind is str and member.isascii():  # type: ignore[union-attr]
            continue
        if kind is int and -MAX_INTEGER <= member <= MAX_INTEGER:  # type: ignore[operator]
            continue
        _check(member, depth - 1)


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInputError("JSON: expected Unicode text, found a lone surrogate") from None


def _plain(value: object) -> object:
    """Turn the mappings and sequences that the encoder does not know into those it does."""
    return (
        dict(value)
        if isinstance(value, Mapping)
        else list(value)
        if isinstance(value, Sequence)
        else _refuse()
    )


def _refuse() -> Never:
    raise TypeError


def _too_deep() -> InvalidInputError:
    return InvalidInputError(f"JSON: expected at most {MAX_DEPTH} levels, found more")


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        duplicate = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise InvalidInputError(f"JSON: expected each key once, found {ascii(duplicate)[:64]} again")
    return members


def _integer(text: str) -> int:
    if len(text) > len(str(-MAX_INTEGER)):  # also keeps int() from ever seeing thousands of digits
        raise InvalidInputError("JSON: expected an integer below 2^53, found a bigger one")
    return int(text)


def _no_float(text: str) -> Never:
    raise InvalidInputError(f"JSON: expected an integer, found {text[:32]}")


def _no_constant(text: str) -> Never:
    raise InvalidInputError(f"JSON: expected a value, found {text}")
