"""The calls of the gateway and deliver services, on a channel that belongs to someone else."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

import grpc
from fabric_protos.gateway import gateway_pb2_grpc
from fabric_protos.peer import events_pb2_grpc

from shirushi_client.gateway.call_options import CallOptions, DefaultCallOptions
from shirushi_client.gateway.errors import (
    CommitStatusError,
    EndorseError,
    GatewayClosedError,
    GatewayError,
    SubmitError,
)
from shirushi_client.gateway.event_stream import EventStream
from shirushi_client.gateway.rpc_errors import typed_errors

Event = TypeVar("Event")


class Connection:
    """Makes calls with their default options, turns failures into typed errors, and keeps track of what is open."""

    def __init__(self, channel: Any, defaults: DefaultCallOptions) -> None:
        self._gateway = gateway_pb2_grpc.GatewayStub(channel)
        self._deliver = events_pb2_grpc.DeliverStub(channel)
        self._defaults = defaults
        self._calls: set[Any] = set()
        self._streams: weakref.WeakSet[EventStream[Any]] = weakref.WeakSet()
        self._closed = False

    async def evaluate(self, request: Any, options: CallOptions | None) -> Any:
        """Call Evaluate; raises GatewayError."""
        method, defaults = self._gateway.Evaluate, self._defaults.evaluate
        return await self._unary(method, request, options, defaults, GatewayError, request.transaction_id)

    async def endorse(self, request: Any, options: CallOptions | None) -> Any:
        """Call Endorse; raises EndorseError."""
        method, defaults = self._gateway.Endorse, self._defaults.endorse
        return await self._unary(method, request, options, defaults, EndorseError, request.transaction_id)

    async def submit(self, request: Any, options: CallOptions | None) -> Any:
        """Call Submit; raises SubmitError."""
        method, defaults = self._gateway.Submit, self._defaults.submit
        return await self._unary(method, request, options, defaults, SubmitError, request.transaction_id)

    async def commit_status(self, request: Any, transaction_id: str, options: CallOptions | None) -> Any:
        """Call CommitStatus, which answers when the transaction is in a block; raises CommitStatusError."""
        method, defaults = self._gateway.CommitStatus, self._defaults.commit_status
        return await self._unary(method, request, options, defaults, CommitStatusError, transaction_id)

    async def chaincode_events(self, request: Any, options: CallOptions | None) -> Any:
        """Call ChaincodeEvents and return the open call."""
        return self._gateway.ChaincodeEvents(request, **_arguments(options, self._defaults.chaincode_events))

    async def block_events(self, request: Any, options: CallOptions | None) -> Any:
        """Call Deliver and return the open call."""
        return await _ask(self._deliver.Deliver, request, options, self._defaults.block_events)

    async def filtered_block_events(self, request: Any, options: CallOptions | None) -> Any:
        """Call DeliverFiltered and return the open call."""
        defaults = self._defaults.filtered_block_events
        return await _ask(self._deliver.DeliverFiltered, request, options, defaults)

    async def block_and_private_data_events(self, request: Any, options: CallOptions | None) -> Any:
        """Call DeliverWithPrivateData and return the open call."""
        defaults = self._defaults.block_and_private_data_events
        return await _ask(self._deliver.DeliverWithPrivateData, request, options, defaults)

    def stream(
        self,
        start: Callable[[], Coroutine[Any, Any, Any]],
        decode: Callable[[Any], Iterable[Event]],
        description: str,
    ) -> EventStream[Event]:
        """Return the events in the responses of the call that `start` opens."""
        self._check_open()
        stream = EventStream(start, decode, description)
        self._streams.add(stream)
        return stream

    async def close(self) -> None:
        """Cancel the calls that are waiting and close the streams; the channel stays open."""
        self._closed = True
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*(stream.aclose() for stream in self._streams))

    async def _unary(
        self,
        method: Any,
        request: Any,
        options: CallOptions | None,
        defaults: CallOptions,
        kind: type[GatewayError],
        transaction_id: str,
    ) -> Any:
        self._check_open()
        call = method(request, **_arguments(options, defaults))
        self._calls.add(call)
        try:
            with typed_errors(kind, transaction_id):
                response = await call
            if response is None:  # what grpc.aio makes of an answer that does not decode
                raise kind(
                    "the peer's answer is not the message that the call asks for",
                    code=grpc.StatusCode.INTERNAL,
                    transaction_id=transaction_id,
                )
            return response
        except GatewayError:
            self._check_open()
            raise
        finally:
            self._calls.discard(call)

    def _check_open(self) -> None:
        if self._closed:
            raise GatewayClosedError("the gateway is closed; connect again to make calls")


def _arguments(options: CallOptions | None, defaults: CallOptions) -> dict[str, Any]:
    return (options.over(defaults) if options else defaults).as_arguments()


async def _ask(method: Any, request: Any, options: CallOptions | None, defaults: CallOptions) -> Any:
    """Open a two-way call and send its only request; the sending side stays open for as long as the stream does."""
    call = method(**_arguments(options, defaults))
    await call.write(request)
    return call
