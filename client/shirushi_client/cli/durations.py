"""Time spans and moments as commands take them."""

from __future__ import annotations

import re
from datetime import date, datetime, time

import typer

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,9})([smhd])")


def seconds_of(text: str, option: str) -> int:
    """Return a time span (60s, 5m, 24h, 7d) in seconds; raises typer.BadParameter naming the option."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise typer.BadParameter(
            f"expected a number and a unit (60s, 5m, 24h, 7d), found {text!r}", param_hint=option
        )
    return int(found[1]) * _UNITS[found[2]]


def in_words(seconds: int) -> str:
    """Return a time span as `seconds_of` takes it, in the greatest unit that it is a whole number of."""
    unit = next(name for name in ("d", "h", "m", "s") if seconds % _UNITS[name] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def past_moment(text: str, option: str, now: float) -> int:
    """Return a date's last second here (or now, if it is today's), or a moment given in full, in unix seconds.

    Raises typer.BadParameter naming the option for what is no date, or has not come yet.
    """
    try:
        moment = datetime.fromisoformat(text)
        day = date.fromisoformat(text) if len(text) <= len("2026-04-01") else None
    except ValueError:
        raise typer.BadParameter(
            f"expected a date (2026-04-01) or a time (2026-04-01T09:00), found {text!r}", param_hint=option
        ) from None
    if day is not None:
        if day == datetime.fromtimestamp(now).astimezone().date():
            return int(now)
        moment = datetime.combine(day, time(23, 59, 59))
    found = int(moment.astimezone().timestamp())
    if not 0 <= found <= now:
        raise typer.BadParameter(f"{text} has not come yet", param_hint=option)
    return found
