"""A witness over HTTPS: checkpoints, proofs, tiles, health and metrics (docs/formats/witness.md).

Everything served is committed, and every cosignature served is on disk. Nothing of a request is logged.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeVar

from aiohttp import web

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs import fields
from shirushi_core.proofs.canonical import MAX_INTEGER, Json, encode
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.tiles import TILE_WIDTH, Tile, parse_entries_path
from shirushi_core.proofs.witness_protocol import (
    ANCHORED,
    MAX_REQUEST_BYTES,
    MAX_WAIT_SECONDS,
    ProofsRequest,
)
from shirushi_node.ledger.endpoint import TlsKeyPair
from shirushi_node.witness import proofs
from shirushi_node.witness.errors import ServerError
from shirushi_node.witness.metrics import CONTENT_TYPE
from shirushi_node.witness.records import Head
from shirushi_node.witness.served_policy import PolicyFiles, ServedPolicy
from shirushi_node.witness.store import LogStore

MAX_REQUESTS = 256
"""Requests under way; further ones are refused."""

REQUEST_SECONDS = 30.0
"""For a request to come and be answered, waiting included."""

STOP_SECONDS = 1.0
"""For requests under way to end when the server stops."""

_log = logging.getLogger(__name__)

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_BYTES = "application/octet-stream"
_IMMUTABLE = "public, max-age=31536000, immutable"
_SHORT = "public, max-age=60"
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")

Result = TypeVar("Result")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Witness(Protocol):
    """What the server needs of a witness."""

    @property
    def store(self) -> LogStore: ...
    async def newest_note(self) -> SignedNote | None:
        """Return the newest signed note, signed again if its minute is over; None if nothing is signed yet."""
        ...

    def note(self, head: Head) -> SignedNote:
        """Return a head's note, with the log's signature alone if it was never cosigned."""
        ...

    def note_of(self, member_id: str) -> SignedNote | None:
        """Return the newest note seen with a member's cosignature."""
        ...

    async def prove(self, work: Callable[[], Result]) -> Result:
        """Return what some work on the store gives, done in a thread."""
        ...

    async def wait_until(self, reached: Callable[[], bool], seconds: float) -> None:
        """Return once something is so, or the time is over; asked again at each commit and signature."""
        ...

    @property
    def policies(self) -> PolicyFiles:
        """The trust policies that it serves."""
        ...

    def is_signed(self, head: Head) -> bool:
        """Say whether a head was cosigned, or never will be."""
        ...

    def health(self) -> tuple[bool, Json]: ...
    def metrics_text(self) -> bytes: ...
    def count(self, status: int) -> None: ...


class _RefusalError(ShirushiError):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def _not_found(message: str) -> _RefusalError:
    return _RefusalError(404, "not_found", message)


class WitnessServer:
    """The HTTP server of one witness."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._under_way = 0
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int, tls: TlsKeyPair, owner: str) -> int:
        """Serve (port 0: a free one) and return the port; raises ServerError."""
        application = web.Application(client_max_size=MAX_REQUEST_BYTES, middlewares=[self._middleware])
        application.add_routes(
            [
                web.get("/checkpoint", self._checkpoint),
                web.get("/checkpoint/{size}", self._checkpoint_at),
                web.get("/cosigned/{member}", self._cosigned),
                web.post("/proofs", self._proofs),
                web.get("/proof/inclusion", self._inclusion),
                web.get("/proof/consistency", self._consistency),
                web.get("/status/{batch}/{commitment}", self._status),
                web.get("/tile/{rest:.+}", self._tile),
                web.get("/policy", self._policy),
                web.get("/policy/{version}", self._policy_version),
                web.get("/health", self._health),
                web.get("/metrics", self._metrics),
            ]
        )
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=STOP_SECONDS)
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port, ssl_context=_tls_context(tls, owner))
            await site.start()
        except (OSError, OverflowError) as error:
            await runner.cleanup()
            raise ServerError(
                f"{owner} cannot be served at {host}:{port}: {error}; stop what uses the address or choose another"
            ) from None
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        return int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop serving; requests under way have a moment to end."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Bound what is under way, and answer every refusal in one form."""
        if self._under_way >= MAX_REQUESTS:
            self._witness.count(503)
            return _refused(_RefusalError(503, "busy", f"more than {MAX_REQUESTS} requests are under way"))
        self._under_way += 1
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                response = await handler(request)
        except _RefusalError as error:
            response = _refused(error)
        except InvalidInputError as error:
            response = _refused(_RefusalError(400, "invalid_request", str(error)))
        except web.HTTPException as error:
            response = _refused(
                _RefusalError(error.status, _HTTP_CODES.get(error.status, "http"), error.reason)
            )
        except TimeoutError:
            response = _refused(_RefusalError(408, "timeout", "the request took too long"))
        except ShirushiError as error:
            response = _refused(_RefusalError(500, "damaged", str(error)))
        except Exception:
            _log.exception("a request could not be answered")
            response = _refused(
                _RefusalError(500, "internal", "the witness could not answer; its log says why")
            )
        finally:
            self._under_way -= 1
        self._witness.count(response.status)
        return response

    async def _checkpoint(self, request: web.Request) -> web.Response:
        return _text(await self._newest_note())

    async def _checkpoint_at(self, request: web.Request) -> web.Response:
        size = _number(request.match_info["size"], "size")
        wait = _number(request.query.get("wait", "0"), "wait", high=MAX_WAIT_SECONDS)
        await self._witness.wait_until(lambda: self._is_signed(size), wait)
        return _text(self._witness.note(self._head(size)))

    async def _cosigned(self, request: web.Request) -> web.Response:
        member = fields.check_identifier(request.match_info["member"], "member")
        note = self._witness.note_of(member)
        if note is None:
            raise _not_found(f"no checkpoint with a cosignature of {member} was seen")
        return _text(note)

    async def _proofs(self, request: web.Request) -> web.Response:
        asked = ProofsRequest.from_bytes(await request.read())
        store = self._witness.store
        if isinstance(asked.head, int):
            size = asked.head
            await self._witness.wait_until(lambda: self._is_signed(size), asked.wait)
            head = self._head(size)
        else:
            await self._witness.wait_until(lambda: self._has(asked.batches), asked.wait)
            anchored = proofs.first_head_with(store, asked.batches) if asked.head == ANCHORED else None
            head = anchored or await self._newest_head()
        answer = await self._witness.prove(
            lambda: proofs.answer(store, asked, head, self._witness.note).to_bytes()
        )
        return web.Response(body=answer, content_type=_JSON)

    async def _inclusion(self, request: web.Request) -> web.Response:
        size = self._size(_query(request, "size"))
        index = _number(_query(request, "index"), "index", high=size - 1)
        return await self._path(lambda: self._witness.store.tree().inclusion_path(index, size))

    async def _consistency(self, request: web.Request) -> web.Response:
        second = self._size(_query(request, "second"))
        first = _number(_query(request, "first"), "first", high=second)
        return await self._path(lambda: self._witness.store.tree().consistency_path(first, second))

    async def _status(self, request: web.Request) -> web.Response:
        batch = fields.hash_bytes(request.match_info["batch"], "batch id")
        commitment = fields.hash_bytes(request.match_info["commitment"], "commitment")
        size = request.query.get("size")
        head = await self._newest_head() if size is None else self._head(_number(size, "size"))
        found = await self._witness.prove(
            lambda: proofs.statuses(self._witness.store, head, batch, commitment)
        )
        return _json(found.to_json())

    async def _tile(self, request: web.Request) -> web.Response:
        path = f"tile/{request.match_info['rest']}"
        store = self._witness.store
        if path.startswith("tile/entries/"):
            index, width = parse_entries_path(path)
            available = store.size
            read: Callable[[], bytes] = lambda: store.files.bundle(index, width)  # noqa: E731
        else:
            tile = Tile.from_path(path)
            index, width, available = tile.index, tile.width, store.size >> 8 * tile.level
            read = lambda: store.files.tile(tile)  # noqa: E731
        if index * TILE_WIDTH + width > available:
            raise _not_found(f"there is no {path} in a log of {store.size} entries")
        data = await self._witness.prove(read)
        caching = _IMMUTABLE if width == TILE_WIDTH else _SHORT
        return web.Response(body=data, content_type=_BYTES, headers={"Cache-Control": caching})

    async def _policy(self, request: web.Request) -> web.Response:
        return _policy_file(await self._witness.prove(self._witness.policies.newest), "no trust policy")

    async def _policy_version(self, request: web.Request) -> web.Response:
        number = _number(request.match_info["version"], "version")
        found = await self._witness.prove(lambda: self._witness.policies.version(number))
        return _policy_file(found, f"no version {number} of the trust policy")

    async def _health(self, request: web.Request) -> web.Response:
        healthy, details = self._witness.health()
        return _json(details, status=200 if healthy else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=self._witness.metrics_text(), headers={"Content-Type": CONTENT_TYPE})

    async def _path(self, prove: Callable[[], list[bytes]]) -> web.Response:
        path = await self._witness.prove(prove)
        return _json({"path": [node.hex() for node in path]})

    async def _newest_note(self) -> SignedNote:
        note = await self._witness.newest_note()
        if note is None:
            raise _not_found("no head is signed yet; /health says why")
        return note

    async def _newest_head(self) -> Head:
        """Return the newest signed head."""
        text = (await self._newest_note()).text
        return self._head(int(text.split("\n")[1]))

    def _head(self, size: int) -> Head:
        head = self._witness.store.head(size)
        if head is None:
            raise _not_found(f"no head of this log has {size} entries")
        return head

    def _size(self, text: str) -> int:
        size = _number(text, "size")
        if size > self._witness.store.size:
            raise _not_found(f"the log has {self._witness.store.size} entries, not {size}")
        return size

    def _is_signed(self, size: int) -> bool:
        head = self._witness.store.head(size)
        return head is not None and self._witness.is_signed(head)

    def _has(self, batches: tuple[bytes, ...]) -> bool:
        head = proofs.first_head_with(self._witness.store, batches)
        return head is not None and self._witness.is_signed(head)


_HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}


def _refused(error: _RefusalError) -> web.Response:
    return _json({"error": {"code": error.code, "message": str(error)}}, status=error.status)


def _json(value: Json, status: int = 200) -> web.Response:
    return web.Response(
        body=encode(value), content_type=_JSON, status=status, headers={"Cache-Control": "no-store"}
    )


def _text(note: SignedNote) -> web.Response:
    return web.Response(
        body=note.to_text().encode(), headers={"Content-Type": _TEXT, "Cache-Control": "no-store"}
    )


def _policy_file(found: ServedPolicy | None, missing: str) -> web.Response:
    if found is None:
        raise _not_found(f"{missing} is here")
    headers = {"Cache-Control": "no-cache", "ETag": f'"{found.tag}"'}
    return web.Response(body=found.data, content_type=_JSON, headers=headers)


def _query(request: web.Request, name: str) -> str:
    value = request.query.get(name)
    if value is None:
        raise InvalidInputError(f"the query has no {name}")
    return value


def _number(text: str, where: str, *, high: int = MAX_INTEGER) -> int:
    if not _NUMBER.fullmatch(text):
        raise fields.unexpected(where, "a number", text)
    return fields.check_range(int(text), where, 0, high)


def _tls_context(tls: TlsKeyPair, owner: str) -> ssl.SSLContext:
    """Return a server's context; OpenSSL reads files only, so the key is in a private one for a moment."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
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
