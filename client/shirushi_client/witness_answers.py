"""Asking several witnesses at once, and taking their answers as they come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Self, TypeVar

from shirushi_client.witness_client import Witness, WitnessError

Answer = TypeVar("Answer")


class Answers(Generic[Answer]):
    """Asks all witnesses at once, and gives their answers as they come, for as long as patience lasts."""

    def __init__(
        self,
        witnesses: Sequence[Witness],
        ask: Callable[[Witness], Awaitable[Answer]],
        patience: float,
        problems: dict[str, str],
    ) -> None:
        self._tasks = {asyncio.ensure_future(ask(witness)): witness.member_id for witness in witnesses}
        self._waiting = set(self._tasks)
        self._done: deque[tuple[str, Answer]] = deque()
        self._problems = problems
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + patience

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hurry(self, seconds: float) -> None:
        """Wait no longer than this from now on."""
        self._end = min(self._end, self._loop.time() + seconds)

    async def next(self) -> tuple[str, Answer] | None:
        """Return the next member that answered and what it said; None when all have, or patience has ended."""
        while not self._done:
            if not self._waiting:
                return None
            done, self._waiting = await asyncio.wait(
                self._waiting,
                timeout=max(0.0, self._end - self._loop.time()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not done:
                self._problems |= {self._tasks[task]: "no answer in time" for task in self._waiting}
                return None
            for task in done:
                try:
                    self._done.append((self._tasks[task], task.result()))
                except WitnessError as error:
                    self._problems[self._tasks[task]] = str(error)
        return self._done.popleft()


class Hedged(Generic[Answer]):
    """Asks one witness, and the next whenever one has failed or has taken too long, and gives answers as they come.

    Each is asked once; nobody is waited for longer than `patience` seconds in all.
    """

    def __init__(
        self,
        witnesses: Sequence[Witness],
        ask: Callable[[Witness], Awaitable[Answer]],
        pause: float,
        patience: float,
        problems: dict[str, str],
    ) -> None:
        self._left = deque(witnesses)
        self._ask = ask
        self._pause = pause
        self._problems = problems
        self._tasks: dict[asyncio.Future[Answer], str] = {}
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + patience

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def next(self) -> tuple[str, Answer] | None:
        """Return the next member that answered and what it said; None when all have failed, or patience has ended."""
        self._ask_one()
        while self._tasks and (left := self._end - self._loop.time()) > 0:
            wait = min(left, self._pause) if self._left else left
            done, _ = await asyncio.wait(self._tasks, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                self._ask_one()
            for task in done:
                member = self._tasks.pop(task)
                try:
                    return member, task.result()
                except WitnessError as error:
                    self._problems[member] = str(error)
                    self._ask_one()
        self._problems |= dict.fromkeys(self._tasks.values(), "no answer in time")
        return None

    def _ask_one(self) -> None:
        if self._left:
            witness = self._left.popleft()
            self._tasks[asyncio.ensure_future(self._ask(witness))] = witness.member_id
