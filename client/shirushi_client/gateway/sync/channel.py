"""A synchronous gRPC channel made to look like an asynchronous one, as far as the client needs it.

The caller's channel can so be a plain grpc.Channel, shared with other synchronous code, and no second grpc.aio loop
runs in the process (its event loops disturb each other).
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Generator
from queue import SimpleQueue
from typing import Any

import grpc


class AsyncChannel:
    """The three kinds of calls that the gateway and deliver services have."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel: Any = channel

    def unary_unary(self, method: str, **serializers: Any) -> Callable[..., _UnaryCall]:
        """Return a function that starts a call with one request and one response."""
        invoke = self._channel.unary_unary(method, **serializers)
        return lambda request, **options: _UnaryCall(invoke.future(request, **options))

    def unary_stream(self, method: str, **serializers: Any) -> Callable[..., _StreamCall]:
        """Return a function that starts a call with one request and many responses."""
        invoke = self._channel.unary_stream(method, **serializers)
        return lambda request, **options: _StreamCall(invoke(request, **options), SimpleQueue())

    def stream_stream(self, method: str, **serializers: Any) -> Callable[..., _StreamCall]:
        """Return a function that starts a call with many requests and responses."""
        invoke = self._channel.stream_stream(method, **serializers)

        def start(**options: Any) -> _StreamCall:
            requests: SimpleQueue[Any] = SimpleQueue()
            return _StreamCall(invoke(iter(requests.get, None), **options), requests)

        return start


class _UnaryCall:
    def __init__(self, future: Any) -> None:
        self._future = future
        self._waiter = _Waiter()
        future.add_done_callback(self._finished)

    def cancel(self) -> None:
        self._future.cancel()

    def __await__(self) -> Generator[Any, None, Any]:
        try:
            return (yield from self._waiter.future.__await__())
        finally:
            self._future.cancel()

    def _finished(self, future: Any) -> None:
        if future.cancelled():
            self._waiter.cancel()
        elif (error := future.exception()) is not None:
            self._waiter.fail(error)
        else:
            self._waiter.succeed(future.result())


class _StreamCall:
    """Responses are read in a thread of their own, one whenever one is wanted."""

    def __init__(self, call: Any, requests: SimpleQueue[Any]) -> None:
        self._call = call
        self._requests = requests
        self._wanted: SimpleQueue[_Waiter | None] = SimpleQueue()
        threading.Thread(target=self._read, name="shirushi-gateway-events", daemon=True).start()

    def cancel(self) -> None:
        self._call.cancel()
        self._wanted.put(None)

    async def write(self, request: Any) -> None:
        self._requests.put(request)

    def __aiter__(self) -> _StreamCall:
        return self

    async def __anext__(self) -> Any:
        waiter = _Waiter()
        self._wanted.put(waiter)
        return await waiter.future

    def _read(self) -> None:
        going_on = True
        while going_on and (waiter := self._wanted.get()) is not None:
            try:
                waiter.succeed(next(self._call))
            except StopIteration:
                waiter.fail(StopAsyncIteration())
                going_on = False
            except grpc.RpcError as error:
                waiter.fail(error)
                going_on = False
        self._requests.put(None)  # no more of them


class _Waiter:
    """A future of the event loop that another thread settles, unless nobody waits any more."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self._loop.create_future()

    def succeed(self, result: Any) -> None:
        self._settle(self.future.set_result, result)

    def fail(self, error: BaseException) -> None:
        self._settle(self.future.set_exception, error)

    def cancel(self) -> None:
        self._settle(self.future.cancel)

    def _settle(self, how: Callable[..., object], *args: Any) -> None:
        def in_loop() -> None:
            if not self.future.done():
                how(*args)

        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(in_loop)
