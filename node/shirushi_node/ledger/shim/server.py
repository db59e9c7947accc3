"""Chaincode servers: the peer dials on first use, keeps the stream, and dials again after it broke.

Source: core/chaincode/extcc/extcc_handler.go, core/chaincode/runtime_launcher.go.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from fabric_protos.peer import chaincode_shim_pb2, chaincode_shim_pb2_grpc

from shirushi_node.ledger.definitions import ExternalServer
from shirushi_node.ledger.endpoint import MESSAGE_OPTIONS
from shirushi_node.ledger.invocation import Completion, Invocation, InvocationError, Invoker
from shirushi_node.ledger.shim.stream import ShimStream, ShimStreamError

START_TIMEOUT = 10.0
"""Seconds a chaincode server has to accept the connection and register."""

_CHANNEL_OPTIONS = (
    *MESSAGE_OPTIONS,
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)


class ShimRuntime:
    """Runs a chaincode on its server."""

    def __init__(self, package: str, server: ExternalServer, invoker: Invoker, *, timeout: float) -> None:
        self._package = package
        self._server = server
        self._invoker = invoker
        self._timeout = timeout
        self._channel: grpc.aio.Channel | None = None
        self._stream: ShimStream | None = None
        self._starting: asyncio.Task[ShimStream] | None = None
        self._serving: asyncio.Task[None] | None = None

    async def execute(self, invocation: Invocation) -> Completion:
        """Run a call on the server; raises InvocationError or ChaincodeFailureError."""
        stream = self._stream
        if stream is None or not stream.is_open:
            stream = await self._connected()
        return await stream.execute(invocation)

    async def close(self) -> None:
        """End the stream and the connection."""
        tasks = [task for task in (self._starting, self._serving) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._channel is not None:
            await self._channel.close()
            self._channel = None

    async def _connected(self) -> ShimStream:
        """Return the stream of one attempt to connect that all who wait share."""
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._start())
        starting = self._starting
        await asyncio.wait((starting,))
        try:
            return starting.result()
        except ShimStreamError as error:
            raise InvocationError(
                f"could not launch chaincode {self._package}: connection to {self._package} failed: "
                f"error cannot create connection for {self._package}: "
                f"error creating grpc connection to {self._server.address}: {error}"
            ) from None

    async def _start(self) -> ShimStream:
        if self._channel is None:
            self._channel = _dial(self._server)
        call = chaincode_shim_pb2_grpc.ChaincodeStub(self._channel).Connect()
        stream = ShimStream(_Call(call), self._invoker, timeout=self._timeout)
        try:
            async with asyncio.timeout(START_TIMEOUT):
                await stream.register()
        except TimeoutError:
            call.cancel()
            raise ShimStreamError(f"the chaincode did not register within {START_TIMEOUT} seconds") from None
        except BaseException:
            call.cancel()
            raise
        self._stream = stream
        self._serving = asyncio.create_task(self._serve(stream, call))
        return stream

    async def _serve(self, stream: ShimStream, call: Any) -> None:
        try:
            await stream.run()
        finally:
            call.cancel()


class _Call:
    """A gRPC call as a stream of messages."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def read(self) -> chaincode_shim_pb2.ChaincodeMessage | None:
        try:
            message = await self._call.read()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            raise ShimStreamError(_reason(error)) from None
        return None if message is grpc.aio.EOF else message

    async def write(self, message: chaincode_shim_pb2.ChaincodeMessage) -> None:
        try:
            await self._call.write(message)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            raise ShimStreamError(_reason(error)) from None


def _reason(error: Exception) -> str:
    return str(error.details()) if isinstance(error, grpc.aio.AioRpcError) else "the stream has ended"


def _dial(server: ExternalServer) -> grpc.aio.Channel:
    if server.root_certificates is None:
        return grpc.aio.insecure_channel(server.address, options=_CHANNEL_OPTIONS)
    credentials = grpc.ssl_channel_credentials(
        server.root_certificates, server.client_key, server.client_certificate
    )
    return grpc.aio.secure_channel(server.address, credentials, options=_CHANNEL_OPTIONS)
