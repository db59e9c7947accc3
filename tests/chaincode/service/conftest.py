from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeAlias

import pytest
from tests.support.scripted_peer import ScriptedPeer

from shirushi_chaincode.service.metrics import Metrics
from shirushi_chaincode.service.server import ChaincodeServer
from shirushi_chaincode.service.stream import Limits
from shirushi_chaincode.service.stub import ShimStub
from shirushi_core.fabric.chaincode import OK, Response

Function: TypeAlias = Callable[[ShimStub], Awaitable[bytes | Response | None]]

PACKAGE_ID = "scripted_1.0:0123"


class Served:
    """A chaincode server whose contract is one function of the test's, and peers of it."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.metrics = Metrics()
        self.address = ""
        self.function: Function = _nothing
        self.server: ChaincodeServer | None = None
        self._stack = stack

    async def invoke(self, stub: ShimStub) -> Response:
        result = await self.function(stub)
        return result if isinstance(result, Response) else Response(OK, payload=result or b"")

    async def start(self, function: Function, limits: Limits | None = None) -> None:
        self.function = function
        self.server = ChaincodeServer(self, PACKAGE_ID, limits=limits, metrics=self.metrics)  # type: ignore[arg-type]
        self.address = await self.server.start("127.0.0.1:0")
        self._stack.push_async_callback(self.server.stop)

    async def dial(self) -> ScriptedPeer:
        """Return a peer that is not connected yet."""
        return await self._stack.enter_async_context(ScriptedPeer(self.address))

    async def peer(self, function: Function, limits: Limits | None = None, **registration) -> ScriptedPeer:
        """Serve a function and return a peer that registered it."""
        await self.start(function, limits)
        peer = await self.dial()
        await peer.register(**registration)
        return peer

    def metric(self, name: str) -> float:
        for line in self.metrics.text().decode().splitlines():
            if line.startswith(f"shirushi_chaincode_{name} "):
                return float(line.rpartition(" ")[2])
        raise AssertionError(f"no metric {name}")


async def _nothing(stub: ShimStub) -> None:
    return None


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with AsyncExitStack() as stack:
        yield Served(stack)
