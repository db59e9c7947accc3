"""Connections to a witness that come to nothing: each ends in time, costs no log line, and keeps nobody else out."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
import os
import resource
import ssl
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from tests.support.flooded_witness import client_at
from tests.support.witness_http import Client
from tests.support.witnesses import TLS_ROOT, until

from shirushi_core.proofs.note import SignedNote
from shirushi_node.witness import server_limits as limits
from shirushi_node.witness import server_listening
from shirushi_node.witness.service import WitnessService

MOMENT = 0.3
SOON = 5.0


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server, started after this, that waits for a moment only."""
    for name in ("IDLE_SECONDS", "BODY_SECONDS", "LINGER_SECONDS"):
        monkeypatch.setattr(limits, name, MOMENT)
    monkeypatch.setattr(server_listening, "HANDSHAKE_SECONDS", MOMENT)


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(service: WitnessService, source: str = "127.0.0.1", *, tls: bool = True) -> Streams:
    context = ssl.create_default_context(cadata=TLS_ROOT.decode()) if tls else None
    host, _, port = service.address.rpartition(":")
    return await asyncio.open_connection(host, int(port), ssl=context, local_addr=(source, 0))


async def ends(streams: Streams) -> bytes:
    """Return what is sent until the connection is closed, which has to be soon."""
    reader, writer = streams
    try:
        async with asyncio.timeout(SOON):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


async def dripping(streams: Streams, data: bytes) -> bytes:
    """Send a byte now and then, for as long as that goes."""

    async def drip() -> None:
        while True:
            streams[1].write(data)
            await asyncio.sleep(MOMENT / 5)

    sending = asyncio.create_task(drip())
    try:
        return await ends(streams)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def test_a_handshake_that_does_not_come_is_ended(impatient: None, client: Client) -> None:
    assert await ends(await connect(client.service, tls=False)) == b""


async def test_a_connection_on_which_nothing_is_asked_is_ended(impatient: None, client: Client) -> None:
    assert await ends(await connect(client.service)) == b""


async def test_a_header_that_drips_is_ended(impatient: None, client: Client) -> None:
    streams = await connect(client.service)
    streams[1].write(b"GET /checkpoint HTTP/1.1\r\n")
    assert await dripping(streams, b"X: y\r\n") == b""


async def test_a_body_that_drips_is_refused_in_time(impatient: None, client: Client) -> None:
    streams = await connect(client.service)
    streams[1].write(b"POST /proofs HTTP/1.1\r\nHost: w\r\nContent-Length: 100000\r\n\r\n")
    answer = await dripping(streams, b" ")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"timeout"' in answer


@pytest.mark.parametrize(
    "header", [b"X: " + b"y" * 70_000, b"X: y\r\n" * 500, b"\xff\xfe: \x00", b"Content-Length: -1"]
)
async def test_a_header_that_is_none_or_too_large_is_refused_without_a_log_line(
    client: Client, caplog: pytest.LogCaptureFixture, header: bytes
) -> None:
    streams = await connect(client.service)
    streams[1].write(b"GET /checkpoint HTTP/1.1\r\n" + header + b"\r\n\r\n")
    assert (await ends(streams)).split(b" ", 2)[1] == b"400"
    assert caplog.records == []


async def test_a_compressed_body_is_refused_and_not_inflated(client: Client) -> None:
    url = f"https://{client.service.address}/proofs"
    bomb = gzip.compress(bytes(1 << 20))
    async with client.session.post(url, data=bomb, headers={"Content-Encoding": "gzip"}) as response:
        assert response.status == 415


async def test_a_body_in_chunks_is_bounded_like_any_other(client: Client) -> None:
    async def chunks() -> object:
        for _ in range(100):
            yield bytes(10_000)

    url = f"https://{client.service.address}/proofs"
    async with client.session.post(url, data=chunks()) as response:
        assert response.status == 413


async def test_one_address_cannot_have_all_connections(client: Client) -> None:
    kept = []
    async with AsyncExitStack() as stack:
        for _ in range(limits.CONNECTIONS_PER_ADDRESS):
            streams = await connect(client.service, "127.0.0.9")
            stack.callback(streams[1].transport.abort)
            kept.append(streams)  # or they are closed as garbage
        with pytest.raises((OSError, ssl.SSLError)):
            await connect(client.service, "127.0.0.9")
        async with (
            client_at("127.0.0.10") as other,
            other.get(f"https://{client.service.address}/checkpoint") as response,
        ):
            assert response.status == 200


async def test_places_are_free_again_once_connections_have_ended(client: Client) -> None:
    for _ in range(3):
        streams = [
            await connect(client.service, "127.0.0.9") for _ in range(limits.CONNECTIONS_PER_ADDRESS // 2)
        ]
        for _, writer in streams:
            writer.transport.abort()
        for reader, _ in streams:
            await reader.read()
        assert len(await client.get("/checkpoint")) > 0


async def test_tls_junk_fills_no_log(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for number in range(200):
        _, writer = await connect(client.service, tls=False)
        junk = (
            b"GET / HTTP/1.1\r\n\r\n",
            os.urandom(100),
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
        )
        writer.write(junk[number % 3])
        await writer.drain()
        writer.close()
    assert SignedNote.from_bytes(await client.get("/checkpoint"))
    assert len(caplog.records) <= 1, caplog.text
    assert "Traceback" not in caplog.text


async def test_the_checkpoint_does_not_wait_for_a_peer_that_does_not_answer(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await client.get("/checkpoint")

    async def never() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(client.service._running, "newest_note", never)
    async with asyncio.timeout(SOON):
        assert [await client.get("/checkpoint") for _ in range(3)] == [before] * 3
        batch = "00" * 32
        assert await client.get(f"/status/{batch}/{batch}")


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Put the process's limit of descriptors back."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_a_process_without_descriptors_takes_connections_again_once_it_has_some(
    descriptors: None, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    streams = [await connect(client.service, "127.0.0.9") for _ in range(4)]
    host, _, port = client.service.address.rpartition(":")
    used_up = []
    with contextlib.suppress(OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
        while True:
            used_up.append(os.open(os.devnull, os.O_RDONLY))
    os.close(used_up.pop())  # for the client's end
    late = await asyncio.open_connection(host, int(port))
    await until(lambda: "accepts no connection" in caplog.text, "a refusal for want of descriptors")
    for descriptor in used_up:
        os.close(descriptor)
    # The oldest connection of who has most was closed for the next.
    assert await ends(streams[0]) == b""
    for _, writer in (late, *streams[1:]):
        writer.transport.abort()
    assert SignedNote.from_bytes(await client.get("/checkpoint"))
    assert caplog.text.count("accepts no connection") == 1
