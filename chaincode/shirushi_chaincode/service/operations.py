"""The operations endpoint: GET /healthz and GET /metrics over plain HTTP/1.1, one request a connection.

It runs in the service's own event loop, so that a loop that a chaincode holds up shows as a health check that times out.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from shirushi_chaincode.service.errors import AddressError
from shirushi_chaincode.service.metrics import CONTENT_TYPE

MAX_REQUEST_BYTES = 8192
REQUEST_SECONDS = 5.0
"""For a client to send its request and take the answer."""

_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: HTTPStatus
    content: bytes = b""
    content_type: str = _JSON


class OperationsServer:
    """Answers health checks and scrapes. `is_draining` and `metrics_text` are asked for each request."""

    def __init__(self, is_draining: Callable[[], bool], metrics_text: Callable[[], bytes]) -> None:
        self._is_draining = is_draining
        self._metrics_text = metrics_text
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> str:
        """Listen (port 0: a free one) and return the address; raises AddressError."""
        try:
            self._server = await asyncio.start_server(self._serve, host, port, limit=MAX_REQUEST_BYTES)
        except OSError as error:
            raise AddressError(
                f"the operations endpoint cannot be served at {host}:{port}: {error.strerror or error}; stop what uses "
                "the address or choose another"
            ) from None
        return f"{host}:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    def answer(self, request_line: bytes) -> Answer:
        """Return the answer to a request by its first line."""
        match request_line.split():
            case [b"GET", target, version] if version.startswith(b"HTTP/1."):
                return self._get(target.partition(b"?")[0])
            case [_, _, version] if version.startswith(b"HTTP/1."):
                return Answer(HTTPStatus.METHOD_NOT_ALLOWED)
        return Answer(HTTPStatus.BAD_REQUEST)

    def _get(self, path: bytes) -> Answer:
        if path == b"/healthz":
            if self._is_draining():
                return Answer(HTTPStatus.SERVICE_UNAVAILABLE, json.dumps({"status": "draining"}).encode())
            return Answer(HTTPStatus.OK, json.dumps({"status": "OK"}).encode())
        if path == b"/metrics":
            return Answer(HTTPStatus.OK, self._metrics_text(), CONTENT_TYPE)
        return Answer(HTTPStatus.NOT_FOUND)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                writer.write(_encoded(await self._read(reader)))
                await writer.drain()
        except (TimeoutError, OSError):
            pass  # whoever asked is gone, or as good as
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Answer:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return Answer(HTTPStatus.BAD_REQUEST)
        return self.answer(head.partition(b"\r\n")[0])


def _encoded(answer: Answer) -> bytes:
    head = (
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\n"
        f"Content-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.content)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + answer.content
