"""Following the peer: blocks come in, are checked, derived, committed and signed, many at a time while the witness is behind.

One task reads blocks from the peer into a bounded queue; another takes what is there and has it worked on in a thread of its own.
A peer that cannot be reached is tried again; a block that does not hold ends the following for good, and nothing is signed any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import aclosing

from fabric_protos.common import common_pb2

from shirushi_core.errors import ShirushiError
from shirushi_node.witness.block_check import ChainState
from shirushi_node.witness.deliver import Deliverer
from shirushi_node.witness.errors import DeliverError, DerivationError, WitnessError
from shirushi_node.witness.preparing import Prepare, prepare_block
from shirushi_node.witness.records import Head
from shirushi_node.witness.signer import Signer
from shirushi_node.witness.store import Block, LogStore

MAX_BLOCKS = 512
"""Blocks taken in at a time, and blocks that wait."""

MAX_BYTES = 8 << 20
"""Bytes of blocks beyond which no more are read ahead; one block may be larger. Five witnesses may share a process."""

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0
"""Seconds before the peer is tried again; doubled each time until something came."""

ASK_SECONDS = 10.0
"""How often the peer is asked which block is its newest."""

_log = logging.getLogger(__name__)


class Follower:
    """Brings one store up to its peer's ledger and keeps it there. `worker` has one thread: all writing is in it."""

    def __init__(
        self,
        deliverer: Deliverer,
        store: LogStore,
        signer: Signer,
        worker: Executor,
        announce: Callable[[], None],
        preparing: Prepare = prepare_block,
    ) -> None:
        self._preparing = preparing
        self._deliverer = deliverer
        self._store = store
        self._signer = signer
        self._worker = worker
        self._announce = announce
        self._queue = _BlockQueue()
        self.peer_height: int | None = None
        self.problem: str | None = None  # why the peer cannot be followed now
        self.stopped: str | None = None  # why it is not followed any more
        self._connected = False
        self._ending = False
        self.live = False  # whether it was level with the peer since it is connected: from then on every head is signed

    @property
    def level(self) -> bool:
        """Whether every block that the peer is known to have is taken in."""
        return self.live and self.stopped is None and self.peer_height == self._store.chain.next_number

    @property
    def behind(self) -> int:
        """How many blocks the peer is known to have that are not taken in."""
        return max(0, (self.peer_height or 0) - self._store.chain.next_number)

    async def run(self) -> None:
        """Follow the peer until a block does not hold; from then on only watch how far it gets."""
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(self._read())
            tasks.create_task(self._ask())
            await self._take_in()
            reading.cancel()

    def end_soon(self) -> None:
        """Take in no more than the block that is worked on."""
        self._ending = True

    async def ask_now(self) -> bool:
        """Ask the peer for its newest block, and say whether all up to it is taken in."""
        taken_in = self._store.chain.next_number
        try:
            height = await self._deliverer.newest() + 1
        except DeliverError as error:
            self.problem = str(error)
            return False
        self.peer_height = height if height < taken_in else max(height, self.peer_height or 0)
        if height < taken_in:
            self.problem = (
                f"the peer has {height} blocks, and {taken_in} were taken in before: it was set back"
            )
        elif self._connected:
            self.problem = None
        return self.level

    async def sign_newest(self) -> None:
        """Sign the newest head if it is due."""
        await asyncio.get_running_loop().run_in_executor(self._worker, self._sign_newest)
        self._announce()

    async def _ask(self) -> None:
        while True:
            await asyncio.sleep(ASK_SECONDS)
            await self.ask_now()

    async def _read(self) -> None:
        """Read blocks into the queue, and connect anew whenever that ends."""
        pause, number = FIRST_PAUSE, self._store.chain.next_number
        while True:
            try:
                await self._connect()
                async with aclosing(self._deliverer.blocks(number)) as blocks:
                    async for block in blocks:
                        self.peer_height = max(self.peer_height or 0, number + 1)
                        await self._queue.put(block)
                        number += 1
                        pause = FIRST_PAUSE
            except DeliverError as error:
                if self._connected or self.problem is None:
                    _log.warning("witness: %s; trying again", error)
                self._connected, self.problem = False, str(error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _connect(self) -> None:
        """Find out how far behind the peer the store is, before the first block comes."""
        self.peer_height = await self._deliverer.newest() + 1
        self._connected, self.problem = True, None
        self.live = self.behind == 0
        if self.live:
            await self.sign_newest()

    async def _take_in(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                blocks = await self._queue.take()
                height = self.peer_height or 0
                await loop.run_in_executor(self._worker, self._work, blocks, height)
                self.live = self.live or self._store.chain.next_number >= height
                self._announce()
        except ShirushiError as error:
            self.stopped = str(error)
            _log.error("the witness stops: %s", error)
        except Exception as error:
            # Whatever it was: a log that could not take in one block must not go on to the next.
            self.stopped = f"a block could not be taken in: {error}"
            _log.exception("the witness stops")
        self._announce()

    def _work(self, blocks: Sequence[common_pb2.Block], height: int) -> None:
        """Check, derive and commit blocks, and sign: every head once level with the peer, before that the newest only."""
        ready, error = prepare(self._store.chain, blocks, lambda: self._ending, self._preparing)
        heads, failure = self._commit(ready)
        if self.live:
            self._signer.sign(heads)
        elif self._store.chain.next_number >= height:
            self._sign_newest()
        problem = failure or error
        if problem is not None:
            raise problem

    def _commit(self, ready: Sequence[Block]) -> tuple[list[Head], DerivationError | None]:
        """Commit blocks, or those before the first that the log cannot take."""
        try:
            return (self._store.commit(ready) if ready else []), None
        except DerivationError as error:
            if len(ready) == 1:
                return [], error
        heads: list[Head] = []
        for each in ready:
            more, failure = self._commit([each])
            heads += more
            if failure is not None:
                return heads, failure
        return heads, None

    def _sign_newest(self) -> None:
        head = self._store.newest_head()
        if head is not None:
            self._signer.sign([head])


def prepare(
    chain: ChainState,
    blocks: Sequence[common_pb2.Block],
    is_ending: Callable[[], bool],
    preparing: Prepare = prepare_block,
) -> tuple[list[Block], WitnessError | None]:
    """Check and derive blocks one after the other; returns those before the first that does not hold, and what is wrong with it."""
    done: list[Block] = []
    for block in blocks:
        if is_ending():
            break
        try:
            done.append(preparing(chain, block))
        except WitnessError as error:
            return done, error
        chain = done[-1].checked.after
    return done, None


class _BlockQueue:
    """Blocks in order, bounded in number and bytes."""

    def __init__(self) -> None:
        self._blocks: deque[common_pb2.Block] = deque()
        self._bytes = 0
        self._changed = asyncio.Condition()

    async def put(self, block: common_pb2.Block) -> None:
        """Add a block, once there is room."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._blocks) < MAX_BLOCKS and self._bytes < MAX_BYTES)
            self._blocks.append(block)
            self._bytes += block.ByteSize()
            self._changed.notify_all()

    async def take(self) -> list[common_pb2.Block]:
        """Take all that are there, at least one."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._blocks))
            blocks = list(self._blocks)
            self._blocks.clear()
            self._bytes = 0
            self._changed.notify_all()
            return blocks
