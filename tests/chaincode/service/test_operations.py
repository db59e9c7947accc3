"""Health checks and scrapes: what they say, and that they hold nothing of a request."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator

import pytest
from tests.chaincode.service.conftest import Served

from shirushi_chaincode.service.errors import AddressError
from shirushi_chaincode.service.operations import OperationsServer
from shirushi_chaincode.service.stub import ShimStub


class Operations:
    """An operations endpoint that is asked over real connections."""

    def __init__(self) -> None:
        self.draining = False
        self.server = OperationsServer(lambda: self.draining, lambda: b"metrics 1\n")
        self.port = 0

    async def ask(self, request: bytes) -> tuple[str, bytes]:
        """Return an answer's status line and content."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        head, _, content = answer.partition(b"\r\n\r\n")
        return head.decode().splitlines()[0], content

    async def get(self, path: str) -> tuple[str, bytes]:
        return await self.ask(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())


@pytest.fixture
async def operations() -> AsyncIterator[Operations]:
    found = Operations()
    found.port = int((await found.server.start("127.0.0.1", 0)).rpartition(":")[2])
    yield found
    await found.server.stop()


async def test_health_is_ok_until_it_drains(operations: Operations) -> None:
    status, content = await operations.get("/healthz")
    assert (status, json.loads(content)) == ("HTTP/1.1 200 OK", {"status": "OK"})
    operations.draining = True
    status, content = await operations.get("/healthz?verbose=1")
    assert (status, json.loads(content)) == (
        "HTTP/1.1 503 Service Unavailable",
        {"status": "draining"},
    )


async def test_metrics_are_prometheus_text(operations: Operations) -> None:
    assert await operations.get("/metrics") == ("HTTP/1.1 200 OK", b"metrics 1\n")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /other HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found"),
        (b"POST /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"),
        (b"\x16\x03\x01 garbage\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request"),
    ],
)
async def test_other_requests_are_refused(operations: Operations, request_bytes: bytes, status: str) -> None:
    assert (await operations.ask(request_bytes))[0] == status


async def test_a_port_in_use_is_an_error_that_names_it(operations: Operations) -> None:
    with pytest.raises(AddressError, match=f"cannot be served at 127.0.0.1:{operations.port}"):
        await OperationsServer(lambda: False, lambda: b"").start("127.0.0.1", operations.port)


async def test_nothing_of_a_request_is_in_the_metrics_or_the_log(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(stub: ShimStub) -> bytes:
        await stub.put_state("resident-4711", stub.args[0])
        raise ValueError(stub.args[0])

    caplog.set_level(logging.DEBUG)
    peer = await served.peer(fail)
    await peer.completed(await peer.propose("resident-4711", transient={"name": b"resident-4711"}))
    text = served.metrics.text().decode() + caplog.text
    assert "ValueError" in text
    assert "resident-4711" not in text
    assert "proposal_duration_seconds_count 1.0" in text
