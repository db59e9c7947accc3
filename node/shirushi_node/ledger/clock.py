"""Time, passed in: what the node asks for the time of day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]


def system_clock() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


IGNORING_EXPIRY = datetime.min.replace(tzinfo=UTC)
"""When policies judge certificates, and committers: before any has expired.

As in Fabric expiry is for endorsers and orderers to check, with a clock; a block must get the same codes whenever and
wherever it is validated.
"""
