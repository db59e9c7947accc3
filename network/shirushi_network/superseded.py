"""Where a member's folder keeps what was replaced: superseded/<UTC time>/, in the places it had."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from pathlib import Path

SUPERSEDED = "superseded"


def superseded_folder(home: Path, now: datetime) -> Path:
    """Return a folder that is not there yet: home/superseded/20261101T120000Z."""
    name = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    names = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(folder for each in names if not (folder := home / SUPERSEDED / each).exists())
