"""Log lines that somebody outside can bring about: one in a while, and how many were left out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

SECONDS = 60.0
"""Between two such lines of one kind."""


class LimitedLog:
    """Writes lines of one kind: the first at once, then one every `seconds` at most. `clock` is monotonic seconds."""

    def __init__(
        self,
        logger: logging.Logger,
        *,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger = logger
        self._seconds = seconds
        self._clock = clock
        self._next: float | None = None
        self._left_out = 0

    def warning(self, sentence: str) -> bool:
        """Write a line, unless one was written just now; says whether it was written."""
        now = self._clock()
        if self._next is not None and now < self._next:
            self._left_out += 1
            return False
        more = f" (and {self._left_out} times before, since the last such line)" if self._left_out else ""
        self._next, self._left_out = now + self._seconds, 0
        self._logger.warning("%s%s", sentence, more)
        return True


class LimitedFilter(logging.Filter):
    """Lets one record of a library's logger through every `seconds`, without the traceback's size growing with the load."""

    def __init__(self, *, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seconds = seconds
        self._clock = clock
        self._next: float | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        now = self._clock()
        if self._next is not None and now < self._next:
            return False
        self._next = now + self._seconds
        return True
