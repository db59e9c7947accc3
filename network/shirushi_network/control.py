"""The control socket of a running embedded node: one JSON object a line, both ways.

Requests: {"do": "status"}, {"do": "stop"}, {"do": "stop_member", "member": id, "node": null | "witness"}, and "start_member"
with the same.
Replies: {"ok": true, ...} or {"ok": false, "error": sentence}. After "stop" the reply's connection stays open until the
process has ended, so that whoever asked knows when it has.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from shirushi_core.errors import ShirushiError
from shirushi_network.errors import ControlError, NotRunningError

MAX_LINE = 64 * 1024

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class ControlServer:
    """Answers control requests on a Unix socket that only its owner can open."""

    def __init__(self, path: Path, handler: Handler) -> None:
        self._path = path
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; a socket file left by a killed process is replaced."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._accept, path=self._path, limit=MAX_LINE)
        self._path.chmod(0o600)

    async def stop(self) -> None:
        """Stop listening and answering; who is connected stays so until the process has ended."""
        if self._server is None:
            return
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # the peer hung up, or sent a line without end
        except asyncio.CancelledError:
            # Never closed here: the system does it when the process has ended, and so whoever waits for that is told.
            os.dup(writer.get_extra_info("socket").fileno())
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ControlError("a control request is a JSON object")
            return {"ok": True, **await self._handler(request)}
        except ShirushiError as error:
            return {"ok": False, "error": str(error)}
        except ValueError:
            return {"ok": False, "error": "a control request is one line of JSON"}


def ask(
    path: Path, request: dict[str, Any], *, timeout: float = 15.0, until_end: bool = False
) -> dict[str, Any]:
    """Send one request to a running node and return its reply.

    With `until_end`, also waits for the node's process to end. Raises NotRunningError if nothing listens, ControlError if
    the node refuses or takes longer than `timeout` seconds.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunningError(
                "the consortium is not running: start it with `shirushi consortium up`"
            ) from error
        except OSError as error:
            raise ControlError(f"the control socket {path} cannot be opened: {error}") from error
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
            stream = connection.makefile("rb")
            line = stream.readline(MAX_LINE)
            if until_end:
                stream.read()
        except ConnectionResetError:
            line = b""
        except TimeoutError as error:
            raise ControlError(
                f"the node did not answer {request.get('do')!r} within {timeout:.0f} s: see node.log beside {path.name}"
            ) from error
    if not line:
        raise ControlError(f"the node ended before it answered {request.get('do')!r}")
    reply: dict[str, Any] = json.loads(line)
    if not reply.pop("ok", False):
        raise ControlError(str(reply.get("error", "the node refused without a reason")))
    return reply
