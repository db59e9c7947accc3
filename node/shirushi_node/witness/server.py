"""A witness over HTTPS: checkpoints, proofs, tiles, health and metrics (docs/formats/witness.md).

Everything served is committed, and every cosignature served is on disk. Nothing of a request is logged.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from aiohttp import web

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import fields
from shirushi_core.proofs.canonical import MAX_INTEGER, Json
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.tiles import TILE_WIDTH, Tile, parse_entries_path
from shirushi_core.proofs.witness_protocol import (
    ANCHORED,
    MAX_REQUEST_BYTES,
    MAX_WAIT_SECONDS,
)
from shirushi_node.ledger.endpoint import TlsKeyPair
from shirushi_node.limited_log import LimitedFilter
from shirushi_node.witness import proofs
from shirushi_node.witness import server_limits as limits
from shirushi_node.witness.metrics import CONTENT_TYPE
from shirushi_node.witness.records import Head
from shirushi_node.witness.served_policy import PolicyFiles, ServedPolicy
from shirushi_node.witness.server_answering import (
    BODY,
    JSON,
    Answering,
    Handler,
    json_response,
    not_found,
    quiet_log,
)
from shirushi_node.witness.server_limits import FairShare, address_of, connections_allowed
from shirushi_node.witness.server_listening import Listener, tls_context
from shirushi_node.witness.server_proofs import Prover
from shirushi_node.witness.server_turns import Turns
from shirushi_node.witness.signed_heads import SignedHead
from shirushi_node.witness.store import LogStore

STOP_SECONDS = 1.0
"""For requests under way to end when the server stops."""

FRESH_SECONDS = 0.2
"""How long GET /checkpoint may wait for the signature of a minute that has just begun: shares of one minute add up."""

PROVED_AT_ONCE = 1
"""Pieces of work on the store at the same time: Python runs one anyway, and more of them slow down what answers."""

_log = logging.getLogger(__name__)
_log.addFilter(LimitedFilter())

_TEXT_HEADERS = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}
_BYTES = "application/octet-stream"
_IMMUTABLE = "public, max-age=31536000, immutable"
_SHORT = "public, max-age=60"
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")

Result = TypeVar("Result")


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


class WitnessServer:
    """The HTTP server of one witness."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._connections = FairShare(connections_allowed(), limits.CONNECTIONS_PER_ADDRESS, time.monotonic)
        self._answering = Answering(witness.count)
        turns = Turns(PROVED_AT_ONCE, time.monotonic)
        self._prover = Prover(witness, turns)
        self._served: tuple[SignedHead, bytes] | None = None
        self._refreshing: asyncio.Task[object] | None = None
        self._listener: Listener | None = None
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
        runner = web.AppRunner(
            application,
            access_log=None,
            logger=quiet_log(),
            shutdown_timeout=STOP_SECONDS,
            handler_cancellation=True,
            keepalive_timeout=limits.IDLE_SECONDS,
            lingering_time=limits.LINGER_SECONDS,
            auto_decompress=False,
            max_line_size=limits.MAX_LINE_BYTES,
            max_field_size=limits.MAX_FIELD_BYTES,
            max_headers=limits.MAX_HEADERS,
        )
        context = tls_context(tls, owner)
        await runner.setup()
        try:
            if runner.server is None:
                raise RuntimeError("the runner was set up without a server")
            listener = Listener(runner.server, context, self._connections, owner)
            found = await listener.open(host, port)
        except BaseException:
            await runner.cleanup()
            raise
        self._listener, self._runner = listener, runner
        return found

    async def stop(self) -> None:
        """Stop serving; requests under way have a moment to end."""
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.close()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        refreshing, self._refreshing = self._refreshing, None
        if refreshing is not None:
            refreshing.cancel()
            await asyncio.wait([refreshing])

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        return await self._answering.answer(request, handler)

    async def _checkpoint(self, request: web.Request) -> web.Response:
        newest = await self._newest()
        if self._served is None or self._served[0] is not newest:
            self._served = (newest, newest.note.to_text().encode())
        return web.Response(body=self._served[1], headers=_TEXT_HEADERS)

    async def _freshen(self) -> None:
        """Let the witness sign again if its minute is over, and wait for that a moment at most."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.ensure_future(self._witness.newest_note())
            await asyncio.sleep(0)
        if not self._refreshing.done():
            await asyncio.wait([self._refreshing], timeout=FRESH_SECONDS)
        if self._refreshing.done() and (problem := self._refreshing.exception()) is not None:
            _log.warning("the newest head could not be signed again: %s", problem)

    async def _checkpoint_at(self, request: web.Request) -> web.Response:
        size = _number(request.match_info["size"], "size")
        wait = _number(request.query.get("wait", "0"), "wait", high=MAX_WAIT_SECONDS)
        await self._witness.wait_until(lambda: self._is_signed(size), wait)
        return _text(self._witness.note(self._head(size)))

    async def _cosigned(self, request: web.Request) -> web.Response:
        member = fields.check_identifier(request.match_info["member"], "member")
        note = self._witness.note_of(member)
        if note is None:
            raise not_found(f"no checkpoint with a cosignature of {member} was seen")
        return _text(note)

    async def _proofs(self, request: web.Request) -> web.Response:
        address = address_of(request.remote or "")
        asked = await self._prover.read(address, request[BODY])
        if isinstance(asked.head, int):
            size = asked.head
            await self._witness.wait_until(lambda: self._is_signed(size), asked.wait)
            head = self._head(size)
        else:
            anchored = _Awaited(self._witness, asked.batches)
            await self._witness.wait_until(anchored.has_come, asked.wait)
            head = (anchored.head if asked.head == ANCHORED else None) or await self._newest_head()
        return web.Response(body=await self._prover.answer(address, asked, head), content_type=JSON)

    async def _inclusion(self, request: web.Request) -> web.Response:
        size = self._size(_query(request, "size"))
        index = _number(_query(request, "index"), "index", high=size - 1)
        return await self._path(request, lambda: self._witness.store.tree().inclusion_path(index, size))

    async def _consistency(self, request: web.Request) -> web.Response:
        second = self._size(_query(request, "second"))
        first = _number(_query(request, "first"), "first", high=second)
        return await self._path(request, lambda: self._witness.store.tree().consistency_path(first, second))

    async def _status(self, request: web.Request) -> web.Response:
        batch = fields.hash_bytes(request.match_info["batch"], "batch id")
        commitment = fields.hash_bytes(request.match_info["commitment"], "commitment")
        size = request.query.get("size")
        head = await self._newest_head() if size is None else self._head(_number(size, "size"))
        found = await self._prove(
            request, lambda: proofs.statuses(self._witness.store, head, batch, commitment)
        )
        return json_response(found.to_json())

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
            raise not_found(f"there is no {path} in a log of {store.size} entries")
        data = await self._prove(request, read)
        caching = _IMMUTABLE if width == TILE_WIDTH else _SHORT
        return web.Response(body=data, content_type=_BYTES, headers={"Cache-Control": caching})

    async def _policy(self, request: web.Request) -> web.Response:
        return _policy_file(await self._prove(request, self._witness.policies.newest), "no trust policy")

    async def _policy_version(self, request: web.Request) -> web.Response:
        number = _number(request.match_info["version"], "version")
        found = await self._prove(request, lambda: self._witness.policies.version(number))
        return _policy_file(found, f"no version {number} of the trust policy")

    async def _health(self, request: web.Request) -> web.Response:
        healthy, details = self._witness.health()
        return json_response(details, status=200 if healthy else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=self._witness.metrics_text(), headers={"Content-Type": CONTENT_TYPE})

    async def _prove(self, request: web.Request, work: Callable[[], Result]) -> Result:
        return await self._prover.run(address_of(request.remote or ""), work)

    async def _path(self, request: web.Request, prove: Callable[[], list[bytes]]) -> web.Response:
        path = await self._prove(request, prove)
        return json_response({"path": [node.hex() for node in path]})

    async def _newest(self) -> SignedHead:
        await self._freshen()
        newest = self._witness.store.signed.newest
        if newest is None:
            raise not_found("no head is signed yet; /health says why")
        return newest

    async def _newest_head(self) -> Head:
        """Return the newest signed head."""
        return self._head((await self._newest()).checkpoint.size)

    def _head(self, size: int) -> Head:
        head = self._witness.store.head(size)
        if head is None:
            raise not_found(f"no head of this log has {size} entries")
        return head

    def _size(self, text: str) -> int:
        size = _number(text, "size")
        if size > self._witness.store.size:
            raise not_found(f"the log has {self._witness.store.size} entries, not {size}")
        return size

    def _is_signed(self, size: int) -> bool:
        head = self._witness.store.head(size)
        return head is not None and self._witness.is_signed(head)


class _Awaited:
    """Some batches that may still come; those that are there are not looked for again."""

    def __init__(self, witness: Witness, batches: tuple[bytes, ...]) -> None:
        self._witness = witness
        self._left = list(reversed(batches))
        self._size = 0
        self.head: Head | None = None
        """The first head that has all of them, None as long as one is missing."""

    def has_come(self) -> bool:
        """Say whether all are there, under a head that is signed."""
        if self.head is None:
            self._look()
        return self.head is not None and self._witness.is_signed(self.head)

    def _look(self) -> None:
        store = self._witness.store
        while self._left:
            known = store.batch(self._left[-1])
            if known is None:
                return
            self._size = max(self._size, known[1])
            self._left.pop()
        self.head = store.head(self._size) if self._size else store.newest_head()


def _text(note: SignedNote) -> web.Response:
    return web.Response(body=note.to_text().encode(), headers=_TEXT_HEADERS)


def _policy_file(found: ServedPolicy | None, missing: str) -> web.Response:
    if found is None:
        raise not_found(f"{missing} is here")
    headers = {"Cache-Control": "no-cache", "ETag": f'"{found.tag}"'}
    return web.Response(body=found.data, content_type=JSON, headers=headers)


def _query(request: web.Request, name: str) -> str:
    value = request.query.get(name)
    if value is None:
        raise InvalidInputError(f"the query has no {name}")
    return value


def _number(text: str, where: str, *, high: int = MAX_INTEGER) -> int:
    if not _NUMBER.fullmatch(text):
        raise fields.unexpected(where, "a number", text)
    return fields.check_range(int(text), where, 0, high)
