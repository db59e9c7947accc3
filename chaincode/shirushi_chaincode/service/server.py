"""The chaincode's gRPC server: peers dial it, one stream each, as many as come.

Source: fabric-chaincode-go shim/chaincodeserver.go, shim/internal/server.go (limits, keepalive).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

import grpc

from shirushi_chaincode.service.errors import AddressError, StreamError
from shirushi_chaincode.service.messages import MAX_MESSAGE_BYTES
from shirushi_chaincode.service.metrics import Metrics
from shirushi_chaincode.service.stream import Limits, PeerStream
from shirushi_core.fabric.chaincode import Chaincode

MAX_STREAMS = 256
"""Peers connected at once; a peer holds one stream."""

CLOSING_TIME = 2.0
"""Seconds that peers have to take the last answers once all proposals have theirs."""

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),  # an address in use is an error, not shared
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 30_000),  # peers ping once a minute
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tls:
    """The server's certificate (chain) and key, and the CAs of the peers that may connect (None: any peer); PEM."""

    certificate: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None = None


class ChaincodeServer:
    """Runs one chaincode for the peers that connect."""

    def __init__(
        self,
        chaincode: Chaincode,
        package_id: str,
        *,
        tls: Tls | None = None,
        limits: Limits | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._chaincode = chaincode
        self._package_id = package_id
        self._tls = tls
        self._limits = limits or Limits()
        self._metrics = metrics or Metrics()
        self._streams: set[PeerStream] = set()
        self._server: grpc.aio.Server | None = None
        self._draining = False

    @property
    def is_draining(self) -> bool:
        """Whether the server takes no new proposals."""
        return self._draining

    async def start(self, address: str) -> str:
        """Listen at HOST:PORT (port 0: a free one) and return the address it has; raises AddressError."""
        server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=MAX_STREAMS)
        # Bytes are parsed by the stream, so that garbage ends it with a reason.
        connect: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(self._connect)
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("protos.Chaincode", {"Connect": connect}),)
        )
        try:
            if self._tls is None:
                port = server.add_insecure_port(address)
            else:
                port = server.add_secure_port(address, _credentials(self._tls))
        except (RuntimeError, ValueError):
            port = 0
        if port == 0:
            await server.stop(None)
            raise AddressError(
                f"the chaincode cannot be served at {address}: the address is in use or not of this machine; stop what "
                "uses it or choose another"
            )
        await server.start()
        self._server = server
        return f"{address.rpartition(':')[0]}:{port}"

    async def drain(self, grace: float) -> bool:
        """Reject new proposals, wait up to `grace` seconds for those that run, and stop; returns whether all ended."""
        self._draining = True
        finished = True
        try:
            async with asyncio.timeout(grace), asyncio.TaskGroup() as tasks:
                for stream in self._streams:
                    tasks.create_task(stream.drain())
        except TimeoutError:
            finished = False
        await self.stop(CLOSING_TIME if finished else None)
        return finished

    async def stop(self, grace: float | None = None) -> None:
        """Stop listening and end all streams, at once or after `grace` seconds."""
        self._draining = True
        if self._server is not None:
            await self._server.stop(grace)

    async def _connect(self, _: Any, context: Any) -> None:
        if self._draining:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the chaincode service is shutting down")
        stream = PeerStream(_Call(context), self._chaincode, self._package_id, self._limits, self._metrics)
        self._streams.add(stream)
        self._metrics.streams.inc()
        _log.info("a peer connected from %s", context.peer())
        try:
            await stream.run()
        except StreamError as error:
            self._metrics.broken_streams.inc()
            _log.warning("the stream of the peer at %s ended: %s", context.peer(), error)
            await _abort(context, str(error))
        finally:
            self._streams.discard(stream)
            self._metrics.streams.dec()
            _log.info("the peer at %s is gone", context.peer())


class _Call:
    """A gRPC call as a connection."""

    def __init__(self, context: Any) -> None:
        self._context = context

    async def read(self) -> bytes | None:
        message = await self._context.read()
        return None if message is grpc.aio.EOF else message

    async def write(self, message: bytes) -> None:
        try:
            await self._context.write(message)
        except (grpc.RpcError, grpc.aio.BaseError, grpc.aio.UsageError, asyncio.InvalidStateError) as error:
            raise StreamError(f"the peer cannot be written to: {error or type(error).__name__}") from None


async def _abort(context: Any, reason: str) -> None:
    """End a call with a reason, or without where a peer that does not read cannot be told any."""
    try:
        async with asyncio.timeout(CLOSING_TIME):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)
    except TimeoutError:
        raise asyncio.CancelledError from None  # gRPC then drops the call


def _credentials(tls: Tls) -> grpc.ServerCredentials:
    return grpc.ssl_server_credentials(
        [(tls.key, tls.certificate)],
        root_certificates=tls.client_ca,
        require_client_auth=tls.client_ca is not None,
    )
