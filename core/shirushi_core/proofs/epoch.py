"""Epochs and ticks: how the contract notes the passing of time, so that what is held back for too long expires.

A transaction's epoch is its time divided by 300 s. Every transaction that writes leaves a tick, the key of its epoch; what
is to be committed must find no tick three epochs or more after its own.
"""

from __future__ import annotations

import re

from shirushi_core.proofs import fields

EPOCH_SECONDS = 300
EXPIRY_EPOCHS = 3
"""A tick so many epochs after a transaction's own ends it: it is between ten and fifteen minutes old by then."""

MAX_EPOCH = fields.MAX_UNIX_SECONDS // EPOCH_SECONDS + EXPIRY_EPOCHS
"""The last epoch that a key can name: enough for every time there is, and for what must not follow it."""

_PREFIX = "tick/"
_END = "tick0"  # "0" is the character after "/"
_KEY = re.compile(r"tick/([0-9]{12})")


def epoch_of(time: int) -> int:
    """Return the epoch of a time in unix seconds; raises InvalidInputError for what is no time."""
    return fields.check_time(time, "time") // EPOCH_SECONDS


def tick_key(epoch: int) -> str:
    """Return the key of an epoch's tick: "tick/" and twelve digits; raises InvalidInputError for what is no epoch."""
    return f"{_PREFIX}{fields.check_range(epoch, 'epoch', 0, MAX_EPOCH):012d}"


def ticks_from(epoch: int) -> tuple[str, str]:
    """Return the range of the ticks of this epoch and all later ones: (first key, key after the last one).

    Raises InvalidInputError for what is no epoch.
    """
    return tick_key(epoch), _END


def epoch_of_key(key: str) -> int | None:
    """Return the epoch whose tick this key is, or None for every other key, also one that only resembles a tick's."""
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    epoch = int(match[1])
    return epoch if epoch <= MAX_EPOCH else None
