"""Programs that measure themselves: run in a process of their own, they print one JSON document at the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from shirushi_benchmarks.peers.errors import MeasuringError

_LAST_WORDS = 500


async def measured_program(
    command: Sequence[str | Path], what: str, *, folder: Path, seconds: float
) -> dict[str, Any]:
    """Run a program in a folder and return the JSON object it prints; raises MeasuringError with its own last words."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            output, errors = await process.communicate()
    except TimeoutError:
        raise MeasuringError(f"{what} was not done within {seconds:.0f} s") from None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if process.returncode:
        raise MeasuringError(f"{what} ended with code {process.returncode}: {_last(errors)}")
    try:
        answer = json.loads(output)
    except ValueError:
        raise MeasuringError(f"{what} printed no JSON: {_last(output)}") from None
    return dict(answer)


def _last(output: bytes) -> str:
    words = " ".join(output.decode("utf-8", "replace").split())
    return words[-_LAST_WORDS:] or "it said nothing"
