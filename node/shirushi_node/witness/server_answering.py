"""Answering a request within the limits: its body, its place among those under way, and the sending of its answer.

Every refusal has one form. Nothing of a request is logged.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs.canonical import Json, encode
from shirushi_core.proofs.witness_protocol import MAX_REQUEST_BYTES
from shirushi_node.limited_log import LimitedFilter
from shirushi_node.witness import server_limits as limits
from shirushi_node.witness.server_limits import FairShare, address_of

JSON = "application/json"

BODY = web.RequestKey("body", bytes)
"""Where a handler finds the body of its request."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}

_log = logging.getLogger(__name__)
_log.addFilter(LimitedFilter())


class RefusalError(ShirushiError):
    """A request that is refused, with the status and the code to say so."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def not_found(message: str) -> RefusalError:
    """Return the refusal of what is not there."""
    return RefusalError(404, "not_found", message)


def busy() -> RefusalError:
    """Return the refusal of what is too much, for this address or in all."""
    return RefusalError(
        503, "busy", "too many requests are under way, from this address or in all; try again"
    )


def json_response(value: Json, status: int = 200) -> web.Response:
    """Return an answer in canonical JSON."""
    return web.Response(
        body=encode(value), content_type=JSON, status=status, headers={"Cache-Control": "no-store"}
    )


def refused(error: RefusalError) -> web.Response:
    """Return the answer to a request that is refused."""
    return json_response({"error": {"code": error.code, "message": str(error)}}, status=error.status)


def quiet_log() -> logging.Logger:
    """Return what the HTTP library logs to: nothing of what a client got wrong, and of anything else a line a minute."""
    log = logging.getLogger(f"{__name__}.http")
    if not log.filters:
        log.addFilter(lambda record: not _is_bad_http(record))
        log.addFilter(LimitedFilter())
    return log


class Answering:
    """What all requests of one server share. `count` is told the status of each answer."""

    def __init__(self, count: Callable[[int], None]) -> None:
        self._count = count
        self._requests = FairShare(limits.MAX_REQUESTS, limits.REQUESTS_PER_ADDRESS, time.monotonic)
        self._bytes = FairShare(limits.MAX_HELD_BYTES, limits.HELD_BYTES_PER_ADDRESS, time.monotonic)

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer within the limits, every refusal in one form, and see the answer off."""
        response = await self._answered(request, handler)
        self._count(response.status)
        if request.path != "/metrics":
            response.headers["Access-Control-Allow-Origin"] = "*"
        await self._send(request, response)
        return response

    async def _answered(self, request: web.Request, handler: Handler) -> web.Response:
        try:
            if request.method == "OPTIONS":
                return _preflight(request)
            if request.path == "/checkpoint":
                # Always served: it is counted by its connection only, and costs next to nothing.
                return _whole(await handler(request))
            body = await self._body(request)
            request[BODY] = body
            return await self._within_limits(request, handler)
        except RefusalError as error:
            return refused(error)
        except InvalidInputError as error:
            return refused(RefusalError(400, "invalid_request", str(error)))
        except web.HTTPException as error:
            code = _HTTP_CODES.get(error.status, "http")
            return refused(RefusalError(error.status, code, error.reason))
        except TimeoutError:
            return refused(RefusalError(408, "timeout", "the request took too long"))
        except ShirushiError as error:
            return refused(RefusalError(500, "damaged", str(error)))
        except ConnectionError:
            raise
        except Exception:
            _log.exception("a request could not be answered")
            return refused(RefusalError(500, "internal", "the witness could not answer; its log says why"))

    async def _body(self, request: web.Request) -> bytes:
        """Return a request's body, bounded in size and time, and against what others hold."""
        if not request.body_exists:
            return b""
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise RefusalError(415, "encoded", "a request's body is not compressed")
        length = request.content_length
        if length is not None and length > MAX_REQUEST_BYTES:
            raise RefusalError(
                413, "too_large", f"expected at most {MAX_REQUEST_BYTES} bytes, found {length}"
            )
        held = self._bytes.take(
            address_of(request.remote or ""),
            MAX_REQUEST_BYTES if length is None else length,
            lambda: _abort(request),
        )
        if held is None:
            raise busy()
        try:
            async with asyncio.timeout(limits.BODY_SECONDS):
                return await request.read()
        finally:
            held.release()

    async def _within_limits(self, request: web.Request, handler: Handler) -> web.Response:
        """Answer a request whose body is there, as one of those under way."""
        async with asyncio.timeout(limits.REQUEST_SECONDS) as end:
            given_up = False

            def give_up() -> None:
                nonlocal given_up
                given_up = True
                end.reschedule(asyncio.get_running_loop().time())

            held = self._requests.take(address_of(request.remote or ""), 1, give_up)
            if held is None:
                raise busy()
            try:
                return _whole(await handler(request))
            except asyncio.CancelledError:
                if given_up:
                    raise busy() from None
                raise
            finally:
                held.release()

    async def _send(self, request: web.Request, response: web.Response) -> None:
        """Send an answer, for as long as one may take; whoever takes it too slowly is cut off."""
        size = len(response.body) if isinstance(response.body, bytes) else 0
        held = self._bytes.take(address_of(request.remote or ""), size, lambda: _abort(request))
        if held is None:
            _abort(request)
            return
        try:
            async with asyncio.timeout(limits.SEND_SECONDS):
                await response.prepare(request)
                await response.write_eof()
        except (TimeoutError, ConnectionError):
            _abort(request)
        finally:
            held.release()


def _preflight(request: web.Request) -> web.Response:
    """Say to a browser that pages of other origins may ask: nothing here is secret, and no credentials are taken."""
    headers = {
        "Access-Control-Allow-Methods": "POST" if request.path == "/proofs" else "GET",
        "Access-Control-Allow-Headers": "Content-Type",
        "Access-Control-Max-Age": "86400",
    }
    return web.Response(status=204, headers=headers)


def _whole(response: web.StreamResponse) -> web.Response:
    if not isinstance(response, web.Response):
        raise TypeError("every handler of a witness gives its whole answer")
    return response


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _is_bad_http(record: logging.LogRecord) -> bool:
    return record.exc_info is not None and isinstance(record.exc_info[1], HttpProcessingError)
