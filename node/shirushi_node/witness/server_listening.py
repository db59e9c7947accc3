"""The sockets of a witness's server: who is let in, and for how long nothing may come of it.

A connection costs a TLS handshake, so it is counted before that. Beyond the limits a newcomer is turned away, or the oldest connection of
the address that has most is closed for it; accepting never fails for want of descriptors, for one connection is closed then.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path

from shirushi_node.ledger.endpoint import TlsKeyPair
from shirushi_node.limited_log import LimitedLog
from shirushi_node.witness.errors import ServerError
from shirushi_node.witness.server_limits import (
    CLOSE_SECONDS,
    HANDSHAKE_SECONDS,
    FairShare,
    Held,
    address_of,
)

BACKLOG = 4096
"""Connections that the system keeps until they are accepted: a burst of a flood must not cost others theirs."""

ACCEPTED_AT_ONCE = 64
"""Connections accepted before what else is to be done gets its turn."""

PAUSE_SECONDS = 0.05
"""Until accepting is tried again where the system had no descriptor left."""

_log = logging.getLogger(__name__)


class Listener:
    """Accepts connections at one address, for as long as it is open."""

    def __init__(
        self, protocol: Callable[[], asyncio.BaseProtocol], tls: ssl.SSLContext, share: FairShare, owner: str
    ) -> None:
        """`protocol` makes what serves a connection; it has asyncio.Protocol's methods."""
        self._protocol = protocol
        self._tls = tls
        self._share = share
        self._owner = owner
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._pauses: set[asyncio.TimerHandle] = set()
        self._turned_away = LimitedLog(_log)
        self._exhausted = LimitedLog(_log)

    async def open(self, host: str, port: int) -> int:
        """Listen (port 0: a free one) and return the port; raises ServerError."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(
                host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            for family, _, _, _, address in dict.fromkeys(found):
                listening = socket.create_server(address, family=family, backlog=BACKLOG)
                listening.setblocking(False)
                self._sockets.append(listening)
        except (OSError, OverflowError) as error:
            self._close_sockets()
            raise ServerError(
                f"{self._owner} cannot be served at {host}:{port}: {error}; stop what uses the address or choose another"
            ) from None
        for listening in self._sockets:
            loop.add_reader(listening.fileno(), self._accept, listening)
        return int(self._sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening, and end handshakes under way; connections that are there stay."""
        for pause in self._pauses:
            pause.cancel()
        self._pauses.clear()
        loop = asyncio.get_running_loop()
        for listening in self._sockets:
            loop.remove_reader(listening.fileno())
        self._close_sockets()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _close_sockets(self) -> None:
        for listening in self._sockets:
            listening.close()
        self._sockets = []

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                accepted, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(listening, error)
                return
            self._let_in(accepted, address_of(str(address[0])))

    def _pause(self, listening: socket.socket, error: OSError) -> None:
        """Stop accepting for a moment, and free a descriptor meanwhile."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening.fileno())
        self._share.give_up_one()
        self._exhausted.warning(f"{self._owner} accepts no connection at the moment: {error.strerror}")

        def resume() -> None:
            self._pauses.discard(pause)
            loop.add_reader(listening.fileno(), self._accept, listening)

        pause = loop.call_later(PAUSE_SECONDS, resume)
        self._pauses.add(pause)

    def _let_in(self, accepted: socket.socket, address: str) -> None:
        connection = _Connection(self._protocol())
        held = self._share.take(address, 1, connection.give_up)
        if held is None:
            accepted.close()
            self._turned_away.warning(
                f"{self._owner} turned a connection away: its address, or all together, have as many as may be"
            )
            return
        connection.held = held
        accepted.setblocking(False)
        task = asyncio.get_running_loop().create_task(self._serve(connection, accepted))
        connection.handshake = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: _Connection, accepted: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=CLOSE_SECONDS,
            )
        except (OSError, ValueError):
            # What did not become a TLS connection; nothing of it is logged.
            accepted.close()
            connection.release()
        except asyncio.CancelledError:
            accepted.close()
            connection.release()
            raise


class _Connection(asyncio.Protocol):
    """Hands everything on to what serves the connection, and gives its place back at its end."""

    def __init__(self, inner: asyncio.BaseProtocol) -> None:
        self._inner: asyncio.Protocol = inner  # type: ignore[assignment]
        self._transport: asyncio.Transport | None = None
        self.held: Held | None = None
        self.handshake: asyncio.Task[None] | None = None

    def give_up(self) -> None:
        """Close it at once."""
        if self._transport is not None:
            self._transport.abort()
        elif self.handshake is not None:
            self.handshake.cancel()

    def release(self) -> None:
        if self.held is not None:
            self.held.release()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.release()
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


def tls_context(tls: TlsKeyPair, owner: str) -> ssl.SSLContext:
    """Return a server's context; raises ServerError.

    OpenSSL reads files only, so the key is in a private one for a moment.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    with tempfile.TemporaryDirectory(prefix="shirushi-") as folder:
        file = Path(folder) / "tls.pem"
        file.touch(mode=0o600)
        file.write_bytes(tls.certificate.rstrip() + b"\n" + tls.key)
        try:
            context.load_cert_chain(file)
        except ssl.SSLError:
            raise ServerError(
                f"{owner} cannot be served: its TLS certificate and key do not fit together, or are none"
            ) from None
    return context
