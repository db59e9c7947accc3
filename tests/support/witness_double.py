"""A member's witness that says whatever a test wants, over real HTTPS."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web
from tests.support.witnesses import TLS

from shirushi_core.proofs.note import SignedNote


class WitnessDouble:
    """Answers GET /checkpoint and GET /cosigned/{member} with what it is told to; an async context manager."""

    def __init__(self, port: int) -> None:
        self.checkpoint: bytes | None = None
        self.cosigned: dict[str, bytes] = {}
        self.polls = 0
        self._port = port
        self._runner: web.AppRunner | None = None

    def serve(self, note: SignedNote) -> None:
        self.checkpoint = note.to_text().encode()

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.add_routes(
            [web.get("/checkpoint", self._checkpoint), web.get("/cosigned/{member}", self._cosigned)]
        )
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "tls.pem"
            file.write_bytes(TLS.certificate + TLS.key)
            context.load_cert_chain(file)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=context).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _checkpoint(self, request: web.Request) -> web.Response:
        self.polls += 1
        return _answer(self.checkpoint)

    async def _cosigned(self, request: web.Request) -> web.Response:
        return _answer(self.cosigned.get(request.match_info["member"]))


def _answer(body: bytes | None) -> web.Response:
    return web.Response(status=404) if body is None else web.Response(body=body)
