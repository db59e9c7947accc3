"""Whose turn it is to have proofs made: the address for which the least was done lately.

So whoever asks for little never waits for those who ask for much, however many requests these have under way.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

HALF_LIFE_SECONDS = 10.0
"""After so long, work that was done for an address counts half."""

FORGOTTEN_SECONDS = 0.001
"""Work below this is forgotten."""


class Turns:
    """Lets `at_once` pieces of work go on. `clock` is monotonic seconds."""

    def __init__(self, at_once: int, clock: Callable[[], float]) -> None:
        self._at_once = at_once
        self._clock = clock
        self._going = 0
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._done: dict[str, float] = {}
        self._halved = clock()

    @asynccontextmanager
    async def turn(self, address: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it until the block ends."""
        await self._wait(address)
        started = self._clock()
        try:
            yield
        finally:
            self._forget()
            self._done[address] = self._done.get(address, 0.0) + max(0.0, self._clock() - started)
            self._end()

    async def _wait(self, address: str) -> None:
        if self._going < self._at_once:
            self._going += 1
            return
        turn = asyncio.get_running_loop().create_future()
        queue = self._waiting.setdefault(address, deque())
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._end()  # it had just been given the turn
            else:
                self._remove(address, turn)
            raise

    def _end(self) -> None:
        self._going -= 1
        while self._waiting and self._going < self._at_once:
            chosen = min(self._waiting, key=lambda each: self._done.get(each, 0.0))
            turn = self._waiting[chosen][0]
            self._remove(chosen, turn)
            if not turn.done():
                self._going += 1
                turn.set_result(None)

    def _remove(self, address: str, turn: asyncio.Future[None]) -> None:
        queue = self._waiting.get(address)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._waiting[address]

    def _forget(self) -> None:
        now = self._clock()
        if now < self._halved + HALF_LIFE_SECONDS:
            return
        factor = 0.5 ** ((now - self._halved) / HALF_LIFE_SECONDS)
        self._halved = now
        self._done = {
            address: left
            for address, done in self._done.items()
            if (left := done * factor) > FORGOTTEN_SECONDS
        }
