"""Blocks that were read from the peer and wait to be worked on: in order, bounded in number and bytes."""

from __future__ import annotations

import asyncio
from collections import deque

from shirushi_core.fabric.committed import CommittedBlock

MAX_BLOCKS = 512
"""Blocks taken in at a time, and blocks that wait."""

MAX_BYTES = 8 << 20
"""Bytes of blocks beyond which no more are read ahead; one block may be larger. Five witnesses may share a process."""


class BlockQueue:
    """One task puts, another takes."""

    def __init__(self) -> None:
        self._blocks: deque[CommittedBlock] = deque()
        self._bytes = 0
        self._changed = asyncio.Condition()

    async def put(self, block: CommittedBlock) -> None:
        """Add a block, once there is room."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._blocks) < MAX_BLOCKS and self._bytes < MAX_BYTES)
            self._blocks.append(block)
            self._bytes += len(block.data)
            self._changed.notify_all()

    async def take(self) -> list[CommittedBlock]:
        """Take all that are there, at least one."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._blocks))
            blocks = list(self._blocks)
            self._blocks.clear()
            self._bytes = 0
            self._changed.notify_all()
            return blocks
