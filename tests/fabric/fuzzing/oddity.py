"""Oddities: functions that change a certificate's draft before it is signed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeAlias

from tests.fabric.fuzzing.der import UTC_TIME, tlv
from tests.fabric.fuzzing.drafts import Draft, Extension
from tests.fabric.fuzzing.keys import make_key

Oddity: TypeAlias = Callable[[Draft, Random], None]


def with_extension(dotted: str, value: bytes, critical: bool | None = None) -> Oddity:
    def change(draft: Draft, _: Random) -> None:
        found = draft.extension(dotted)
        found.value, found.critical = value, critical

    return change


def one_more(dotted: str, value: bytes, critical: bool | None = None) -> Oddity:
    return lambda draft, _: draft.extensions.append(Extension(dotted, value, critical))


def without(*dotted: str) -> Oddity:
    def change(draft: Draft, _: Random) -> None:
        for each in dotted:
            draft.without(each)

    return change


def with_parts(**fields: object) -> Oddity:
    def change(draft: Draft, _: Random) -> None:
        for name, value in fields.items():
            setattr(draft, name, value)

    return change


def named(*more: bytes) -> Oddity:
    return lambda draft, _: draft.rdns.extend(more)


def with_time(end: str, text: str, tag: int = UTC_TIME) -> Oddity:
    return with_parts(**{end: tlv(tag, text.encode())})


def with_key(kind: str) -> Oddity:
    def change(draft: Draft, random: Random) -> None:
        draft.key = make_key(random, kind)

    return change


def with_pem(made: Callable[[bytes], bytes]) -> Oddity:
    return lambda draft, _: setattr(draft, "pem", made)


UNKNOWN = "1.2.3.4.5.6.7.8.1"
