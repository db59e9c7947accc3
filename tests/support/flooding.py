"""A flood of slow requests against a witness, from a process of its own, and what honest clients get meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

STARTED = b"flooding\n"


@dataclass(frozen=True)
class Served:
    """How many honest requests were made, and how many seconds each took that was answered with 200."""

    asked: int
    seconds: tuple[float, ...]

    def within(self, limit: float) -> float:
        """Return the part of them that was answered in time."""
        return sum(each <= limit for each in self.seconds) / self.asked

    def __str__(self) -> str:
        ordered = sorted(self.seconds)
        middle = ordered[len(ordered) // 2] if ordered else float("nan")
        worst = ordered[-1] if ordered else float("nan")
        return (
            f"{self.within(1.0):.1%} of {self.asked} within 1 s, median {middle * 1000:.0f} ms, "
            f"slowest answered {worst * 1000:.0f} ms"
        )


@asynccontextmanager
async def flood(kind: str, port: int, connections: int, addresses: int) -> AsyncIterator[None]:
    """Keep so many connections up from so many addresses, from another process, each taken up again when it is cut."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        kind,
        str(port),
        str(connections),
        str(addresses),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            assert await process.stdout.readline() == STARTED
        yield
        assert process.returncode is None, "the flood has ended by itself"
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def serve_honest(ask: Callable[[], Awaitable[int]], seconds: float, pause: float = 0.02) -> Served:
    """Ask again and again, one after the other, and count."""
    end, asked, took = time.monotonic() + seconds, 0, []
    while time.monotonic() < end:
        asked += 1
        started = time.monotonic()
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with asyncio.timeout(5):
                if await ask() == 200:
                    took.append(time.monotonic() - started)
        await asyncio.sleep(pause)
    return Served(asked, tuple(took))


def address(number: int) -> str:
    """Return one of many addresses of this machine."""
    return f"127.0.{2 + number // 200}.{1 + number % 200}"


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _slow_post(writer: asyncio.StreamWriter) -> None:
    writer.write(b"POST /proofs HTTP/1.1\r\nHost: witness\r\nContent-Length: 100000\r\n\r\n{")
    while True:
        await writer.drain()
        await asyncio.sleep(1)
        writer.write(b" ")


async def _slow_header(writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET /checkpoint HTTP/1.1\r\nHost: witness\r\n")
    while True:
        await writer.drain()
        await asyncio.sleep(1)
        writer.write(b"X-A: b\r\n")


async def _large_post(writer: asyncio.StreamWriter) -> None:
    """Ask for as much as may be asked, something new each time."""
    while True:
        items = ",".join(f'"{secrets.token_hex(32)}"' for _ in range(1024))
        statuses = ",".join(
            f'{{"batch_id":"{secrets.token_hex(32)}","commitment":"{"00" * 32}"}}' for _ in range(1024)
        )
        body = (
            f'{{"batches":[{items}],"head":"newest","issuers":[],"statuses":[{statuses}],"wait":0}}'.encode()
        )
        header = f"POST /proofs HTTP/1.1\r\nHost: witness\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(header.encode() + body)
        await writer.drain()
        await asyncio.sleep(0.5)


async def _idle(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


_KINDS = {"slow-post": _slow_post, "slow-header": _slow_header, "idle": _idle, "large-post": _large_post}


async def _keep_one(
    kind: str, port: int, source: str, context: ssl.SSLContext, tried: asyncio.Semaphore
) -> None:
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, local_addr=(source, 0), server_hostname="localhost"
            )
            tried.release()
            sending = asyncio.ensure_future(_KINDS[kind](writer))
            with contextlib.suppress(OSError):
                while await reader.read(1 << 16):  # until the server closes it
                    pass
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.transport.abort()
        tried.release()
        await asyncio.sleep(0.5)


async def _main(kind: str, port: int, connections: int, addresses: int) -> None:
    context, tried = _context(), asyncio.Semaphore(0)
    tasks = [
        asyncio.ensure_future(_keep_one(kind, port, address(number % addresses), context, tried))
        for number in range(connections)
    ]
    for _ in tasks:
        await tried.acquire()
    sys.stdout.write(STARTED.decode())
    sys.stdout.flush()
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], *map(int, sys.argv[2:5])))
