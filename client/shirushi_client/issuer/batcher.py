"""Gathering what comes one at a time into batches, by count and by time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from shirushi_core.errors import ShirushiError

Item = TypeVar("Item")
Answer = TypeVar("Answer")

MAX_COUNT = 4096
"""Items in a batch: deep enough that the ledger's share of one is small, small enough to be held in memory."""

MAX_WAIT = 0.05
"""Seconds the first item of a batch waits for others."""

MAX_PENDING = 4 * MAX_COUNT
"""Items waiting or in work; above this `add` waits for room."""


class BatcherClosedError(ShirushiError):
    """An item that came after the batcher was closed."""


class Batcher(Generic[Item, Answer]):
    """Hands batches of items to `process`, which returns one answer for each, in order."""

    def __init__(
        self,
        process: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]],
        *,
        max_count: int = MAX_COUNT,
        max_wait: float = MAX_WAIT,
        max_pending: int = MAX_PENDING,
    ) -> None:
        self._process = process
        self._max_count = max_count
        self._max_wait = max_wait
        self._room = asyncio.Semaphore(max_pending)
        self._waiting: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def add(self, item: Item) -> Answer:
        """Return the item's answer when its batch was processed; raises what processing the batch raised."""
        async with self._room:
            if self._closed:
                raise BatcherClosedError("the batcher is closed: nothing more can be added")
            loop = asyncio.get_running_loop()
            future: asyncio.Future[Answer] = loop.create_future()
            self._waiting.append((item, future))
            if len(self._waiting) >= self._max_count:
                self._flush()
            elif self._timer is None:
                self._timer = loop.call_later(self._max_wait, self._flush)
            return await future

    async def close(self) -> None:
        """Process what is waiting, and wait for all that is in work."""
        self._closed = True
        self._flush()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def abandon(self) -> None:
        """Give up what is waiting and in work; whoever waits for it is cancelled."""
        self._closed = True
        self._flush()
        for task in self._tasks:
            task.cancel()

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            task = asyncio.create_task(self._run(self._waiting))
            self._waiting = []
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, batch: Sequence[tuple[Item, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._process([item for item, _ in batch])
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)
