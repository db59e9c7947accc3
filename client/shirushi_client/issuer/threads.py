"""The threads of an issuer: one that works, and some that wait, for more files to come or for the disk.

More that work would be slower: Python runs one at a time, and would change from one to the other at each of the many small
system calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class IssuerThreads:
    """Where an issuer's blocking calls run."""

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(1, "shirushi-issuer")
        self._waiting = ThreadPoolExecutor(thread_name_prefix="shirushi-waiting")

    async def work(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Call a function in the one thread that works: nothing else of the issuer's runs meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, function, *arguments)

    async def wait(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Call a function that mostly waits."""
        return await asyncio.get_running_loop().run_in_executor(self._waiting, function, *arguments)

    def close(self) -> None:
        """End the threads once what they do is done."""
        self._worker.shutdown()
        self._waiting.shutdown()
