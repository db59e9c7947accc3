"""An event loop whose time is its own: waiting takes none of ours."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class _NoWaiting(selectors.DefaultSelector):
    """Turns the wait for whatever comes next into a jump of the time."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def select(self, timeout: float | None = None) -> Any:
        self.time += timeout or 0.0
        return super().select(0)


def run_in_virtual_time(make: Callable[[Callable[[], float]], Coroutine[Any, Any, Result]]) -> Result:
    """Run what `make` gives, which is told how to ask the time, in seconds from 0."""
    selector = _NoWaiting()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.time  # type: ignore[method-assign]
    try:
        return loop.run_until_complete(make(loop.time))
    finally:
        loop.close()
