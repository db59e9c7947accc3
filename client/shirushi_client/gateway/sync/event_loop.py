"""An event loop in a thread of its own, where the asynchronous client runs on behalf of synchronous callers."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from shirushi_client.gateway.errors import GatewayClosedError

Result = TypeVar("Result")


class EventLoopThread:
    """Runs coroutines in a background thread and waits for them. Any number of threads may call it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="shirushi-gateway", daemon=True)
        self._closed = False
        self._handing_over = threading.Lock()
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Return the coroutine's result or raise its error; interrupting the wait cancels the coroutine."""
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError(
                "a signer or hash called its own gateway, which would wait for itself for ever"
            )
        with self._handing_over:
            if self._closed:
                coroutine.close()
                raise GatewayClosedError("the gateway is closed; connect again to make calls")
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise GatewayClosedError("the gateway was closed while this call was waiting") from None
        except BaseException:
            future.cancel()
            raise

    def call(self, function: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """Call a function that needs to be in the event loop, and return its result."""

        async def in_loop() -> Result:
            return function(*args, **kwargs)

        return self.run(in_loop())

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Run a last coroutine, end whatever still runs, and the thread. Only the first call does anything."""
        self._check_thread(last)
        with self._handing_over:
            if self._closed:
                last.close()
                return
            self._closed = True
            closing = asyncio.run_coroutine_threadsafe(_finish(last), self._loop)
        closing.result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _check_thread(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("a signer called its own gateway, which would wait for itself for ever")


async def _finish(last: Coroutine[Any, Any, None]) -> None:
    try:
        await last
    finally:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
