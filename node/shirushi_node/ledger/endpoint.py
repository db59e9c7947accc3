"""gRPC endpoints: one TLS server at one address.

Source: internal/pkg/comm/config.go (message sizes, keepalive).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc

from shirushi_core.errors import ShirushiError

MAX_MESSAGE_BYTES = 100 * 1024 * 1024
"""Messages a peer or orderer takes and sends, as in Fabric."""

MESSAGE_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)

_SERVER_OPTIONS = (
    *MESSAGE_OPTIONS,
    ("grpc.so_reuseport", 0),  # an address in use is an error, not shared
    ("grpc.keepalive_time_ms", 7_200_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    (
        "grpc.http2.min_ping_interval_without_data_ms",
        10_000,
    ),  # official clients may ping more often than gRPC's default
)


class EndpointError(ShirushiError):
    """An address that cannot be served."""


@dataclass(frozen=True, slots=True)
class TlsKeyPair:
    """A TLS server certificate (chain) and its key, PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


async def open_endpoint(
    address: str, tls: TlsKeyPair, handlers: Sequence[grpc.GenericRpcHandler], *, owner: str
) -> tuple[grpc.aio.Server, str]:
    """Serve at an address (port 0: a free one); returns the server and the address it has.

    Raises EndpointError naming the owner.
    """
    server = grpc.aio.server(options=_SERVER_OPTIONS)
    server.add_generic_rpc_handlers(tuple(handlers))
    try:
        credentials = grpc.ssl_server_credentials([(tls.key, tls.certificate)])
        port = server.add_secure_port(address, credentials)
    except (RuntimeError, ValueError):
        port = 0
    if port == 0:
        await server.stop(None)
        raise EndpointError(
            f"{owner} cannot be served at {address}: the address is in use, not of this machine, or its TLS key or "
            "certificate is unusable; stop what uses it or choose another port"
        )
    await server.start()
    return server, f"{address.rpartition(':')[0]}:{port}"
