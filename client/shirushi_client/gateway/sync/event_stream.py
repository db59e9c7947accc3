"""A stream of events as an iterator."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Generic, TypeVar

from shirushi_client.gateway import event_stream
from shirushi_client.gateway.errors import GatewayClosedError
from shirushi_client.gateway.sync.event_loop import EventLoopThread

Event = TypeVar("Event")


class EventStream(Iterator[Event], Generic[Event]):
    """Events in ledger order, from the moment the stream was asked for.

    Waiting for the next one ends when another thread closes the stream or its gateway; anything else that ends it
    raises GatewayError.
    """

    def __init__(self, loop: EventLoopThread, stream: event_stream.EventStream[Event]) -> None:
        self._loop = loop
        self._stream = stream

    def __next__(self) -> Event:
        try:
            return self._loop.run(self._stream.__anext__())
        except (StopAsyncIteration, GatewayClosedError):
            raise StopIteration from None

    def close(self) -> None:
        """Stop listening. Other streams of the same gateway or channel go on."""
        try:
            self._loop.run(self._stream.aclose())
        except GatewayClosedError:
            return  # the gateway has closed the stream already

    def __enter__(self) -> EventStream[Event]:
        self._loop.run(self._stream.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
