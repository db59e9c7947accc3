"""A stream of events from a peer: an async iterator that its reader can close."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from types import TracebackType
from typing import Any, Generic, TypeVar

import grpc

from shirushi_client.gateway.errors import GatewayError, StreamEndedError
from shirushi_client.gateway.rpc_errors import typed_errors

Event = TypeVar("Event")


class EventStream(AsyncIterator[Event], Generic[Event]):
    """Events in ledger order, from the moment the stream was asked for.

    Iterate with `async for`, at best inside `async with`, which closes the stream. Iteration ends only when the
    stream or its gateway is closed here; anything else that ends it raises GatewayError (StreamEndedError if the
    peer just stopped), again on every later attempt. There is no reconnecting: open a new stream from a checkpoint.
    Waiting for one event may be cancelled or time out (`asyncio.wait_for(anext(events), 5)`) without loss.
    """

    def __init__(
        self,
        start: Callable[[], Coroutine[Any, Any, Any]],
        decode: Callable[[Any], Iterable[Event]],
        description: str,
    ) -> None:
        self._decode = decode
        self._description = description
        self._events: deque[Event] = deque()
        self._turn = asyncio.Lock()
        self._closed = False
        self._call: Any = None
        self._loop = asyncio.get_running_loop()
        # Asked for now, not at the first read, so that nothing committed in between is missed.
        self._starting = self._loop.create_task(self._start(start))
        self._reading: asyncio.Task[Any] | None = None

    async def __anext__(self) -> Event:
        async with self._turn:
            while True:
                if self._closed:
                    raise StopAsyncIteration
                if self._events:
                    return self._events.popleft()
                if self._reading is None:
                    self._reading = asyncio.create_task(self._read())
                if await self._finished(self._reading):
                    self._events.extend(self._decode(self._reading.result()))
                    self._reading = None

    async def __aenter__(self) -> EventStream[Event]:
        try:
            await self._finished(self._starting)
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop listening. Other streams of the same gateway or channel go on."""
        self._closed = True
        if self._call is not None:
            self._call.cancel()
        tasks = [task for task in (self._starting, self._reading) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def __del__(self) -> None:
        # gRPC keeps a call that nobody reads any more; collection may happen in any thread, or after the loop's end.
        if self._call is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._call.cancel)

    async def _start(self, start: Callable[[], Coroutine[Any, Any, Any]]) -> AsyncIterator[Any]:
        with typed_errors(GatewayError):
            self._call = await start()
        return aiter(self._call)

    async def _read(self) -> Any:
        responses = await self._starting
        with typed_errors(GatewayError):
            try:
                response = await anext(responses)
            except StopAsyncIteration:
                raise StreamEndedError(
                    f"the peer ended the stream of {self._description}", code=grpc.StatusCode.OK
                ) from None
        if response is None:  # what grpc.aio makes of a message that does not decode
            raise GatewayError(
                f"the peer sent something else than {self._description}", code=grpc.StatusCode.INTERNAL
            )
        return response

    async def _finished(self, task: asyncio.Task[Any]) -> bool:
        """Wait for a task of the stream, raise its error; False if closing the stream has cancelled it.

        The task outlives the wait: a reader that gives up must not end the call, which gRPC would otherwise do.
        """
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if self._closed and not (current is not None and current.cancelling()):
                return False
            raise
        return True
