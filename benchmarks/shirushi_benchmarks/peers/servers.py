"""Server processes that are measured: started until they say that they serve, their CPU time told, and ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from shirushi_benchmarks.peers.errors import MeasuringError
from shirushi_benchmarks.processes import cpu_seconds

START_SECONDS = 30.0
STOP_SECONDS = 10.0
_LAST_WORDS = 500


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server that runs."""

    process_id: int

    def cpu_seconds(self) -> float | None:
        """Return what it has used of the processor so far, all its threads; None where the system does not say."""
        try:
            return cpu_seconds(self.process_id)
        except OSError:
            return None


@asynccontextmanager
async def server_process(command: Sequence[str], what: str, log: Path) -> AsyncIterator[ServerProcess]:
    """Run a server that prints a line when it serves; what it logs goes to a file. Raises MeasuringError."""
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=errors
        )
    try:
        await _ready(process, what, log)
        yield ServerProcess(process.pid)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _ready(process: asyncio.subprocess.Process, what: str, log: Path) -> None:
    output = process.stdout
    line = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(START_SECONDS):
            line = b"" if output is None else await output.readline()
    if not line:
        words = " ".join(log.read_text(encoding="utf-8", errors="replace").split())[-_LAST_WORDS:]
        raise MeasuringError(f"{what} did not begin to serve: {words or 'it said nothing'}")
