"""Following the peer: blocks come in, are derived, committed and signed, many at a time while the witness is behind.

One task reads blocks from the peer into a bounded queue; another takes what is there and has it worked on in a thread of its own.
Nothing ends this but cancellation. A peer that cannot be reached is asked again; what hinders the work on a block is this witness's
own trouble (a full disk, too little memory, a library), is said, and tried again until it is over. A block by rules that this
program does not know waits until the program is updated.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import aclosing

from shirushi_core.fabric.committed import CommittedBlock
from shirushi_node.witness.alarm_checks import PATIENCE, AlarmChecks
from shirushi_node.witness.alarms import Alarm, AlarmBook, AlarmKind
from shirushi_node.witness.block_queue import BlockQueue
from shirushi_node.witness.deliver import Deliverer
from shirushi_node.witness.errors import DeliverError, UnknownRulesError
from shirushi_node.witness.preparing import Derive, derive_at
from shirushi_node.witness.records import Place
from shirushi_node.witness.signer import Signer
from shirushi_node.witness.store import Block, Committed, LogStore

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0
"""Seconds before the peer is asked again, or work that did not succeed tried again; doubled each time until something came."""

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
        checks: AlarmChecks,
        book: AlarmBook,
        deriving: Derive = derive_at,
    ) -> None:
        self._deriving = deriving
        self._deliverer = deliverer
        self._store = store
        self._signer = signer
        self._worker = worker
        self._announce = announce
        self._checks = checks
        self._book = book
        self._queue = BlockQueue()
        self.peer_height: int | None = None
        self.trouble: str | None = None  # why blocks that are here cannot be taken in now
        self._unreachable: str | None = None  # why the peer cannot be followed now
        self._ending = False
        self.live = False  # whether it was level with the peer since it is connected: from then on every head is signed

    @property
    def level(self) -> bool:
        """Whether every block that the peer is known to have is taken in."""
        return self.live and self.peer_height == self._store.place.next_block

    @property
    def behind(self) -> int:
        """How many blocks the peer is known to have that are not taken in."""
        return max(0, (self.peer_height or 0) - self._store.place.next_block)

    @property
    def problem(self) -> str | None:
        """Why the peer cannot be followed now, the gravest reason first."""
        taken_in, height = self._store.place.next_block, self.peer_height
        if self.trouble is not None or self._unreachable is not None:
            return self.trouble or self._unreachable
        if height is not None and height < taken_in:
            return f"the peer has {height} blocks, and {taken_in} were taken in before: it was set back"
        return None

    async def run(self) -> None:
        """Follow the peer until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read())
            tasks.create_task(self._ask())
            tasks.create_task(self._take_in())

    def end_soon(self) -> None:
        """Take in no more than the block that is worked on."""
        self._ending = True

    async def ask_now(self) -> bool:
        """Ask the peer for its newest block, and say whether all up to it is taken in."""
        taken_in = self._store.place.next_block
        try:
            height = await self._deliverer.newest() + 1
        except DeliverError as error:
            self._unreachable = str(error)
            return False
        self._unreachable = None
        self.peer_height = height if height < taken_in else max(height, self.peer_height or 0)
        return self.level

    async def sign_newest(self) -> None:
        """Sign the newest head if it is due."""
        await self._in_worker(self._sign_newest)
        self._announce()

    async def _ask(self) -> None:
        while True:
            await asyncio.sleep(ASK_SECONDS)
            await self.ask_now()

    async def _read(self) -> None:
        """Read blocks into the queue, and connect anew whenever that ends."""
        pause, number = FIRST_PAUSE, self._store.place.next_block
        while True:
            try:
                await self._connect()
                async with aclosing(self._deliverer.blocks(number)) as blocks:
                    async for block in blocks:
                        self.peer_height = max(self.peer_height or 0, number + 1)
                        await self._queue.put(block)
                        number += 1
                        pause = FIRST_PAUSE
            except Exception as error:  # a library's refusal is no reason to follow no more
                reason = str(error) if isinstance(error, DeliverError) else f"{type(error).__name__}: {error}"
                if self._unreachable is None:
                    _log.warning("witness: %s; trying again", ascii(reason)[1:-1])
                self._unreachable = reason
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _connect(self) -> None:
        """Find out how far behind the peer the store is, before the first block comes."""
        self.peer_height = await self._deliverer.newest() + 1
        self._unreachable = None
        self.live = self.behind == 0
        if self.live:
            await self.sign_newest()

    async def _take_in(self) -> None:
        while True:
            blocks = await self._queue.take()
            height = self.peer_height or 0
            await self._until_done(blocks, height)
            self.live = self.live or self._store.place.next_block >= height
            self._announce()

    async def _until_done(self, blocks: Sequence[CommittedBlock], height: int) -> None:
        """Work on blocks until all are taken in and signed, however often that takes; after a failure one block at a time."""
        pause, at_once = FIRST_PAUSE, len(blocks)
        while True:
            left = [block for block in blocks if block.number >= self._store.place.next_block]
            try:
                await self._in_worker(lambda left=left, some=at_once: self._work(left[:some], height))  # type: ignore[misc]
            except Exception as error:
                self._say(error)
                await asyncio.sleep(pause)
                pause, at_once = min(2 * pause, LONGEST_PAUSE), 1
                continue
            if self.trouble is not None:
                _log.warning("witness: it is over: %s", ascii(self.trouble)[1:-1])
            self.trouble, pause = None, FIRST_PAUSE
            if len(left) <= at_once or self._ending:
                return
            self._announce()

    def _say(self, error: Exception) -> None:
        reason = str(error) or type(error).__name__
        if not isinstance(error, UnknownRulesError):
            reason = f"block {self._store.place.next_block} could not be taken in: {reason}; trying again"
        if reason != self.trouble:
            _log.error("witness: %s", ascii(reason)[1:-1])
        self.trouble = reason
        self._announce()

    def _work(self, blocks: Sequence[CommittedBlock], height: int) -> None:
        """Derive and commit blocks, and sign: every head once level with the peer, before that the newest only."""
        is_done = False
        try:
            committed, error = self._commit(blocks)
            if self.live:
                self._signer.sign(committed.heads)
            elif self._store.place.next_block >= height:
                self._sign_newest()
            is_done = True
        finally:
            # What was committed is behind us: if it could not be signed, the newest head is, the next time.
            if not is_done and self._store.place.next_block >= height:
                self.live = False
        if error is not None:
            raise error

    def _commit(self, blocks: Sequence[CommittedBlock]) -> tuple[Committed, Exception | None]:
        """Commit blocks, or those before the first whose rules are not known."""
        ready, error = prepare(self._store, blocks, lambda: self._ending, self._deriving)
        if not ready:
            return Committed(), error
        committed = self._store.commit(ready)
        self._checks.offer(ready, patience=0.0 if self.live else PATIENCE)
        if committed.unjudged:
            self._book.add(
                Alarm(AlarmKind.UNJUDGED, each.block, f"transaction {each.transaction}: {each.reason}")
                for each in committed.unjudged
            )
        return committed, error

    def _sign_newest(self) -> None:
        head = self._store.newest_head()
        if head is not None:
            self._signer.sign([head])

    async def _in_worker(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._worker, work)


def prepare(
    store: LogStore,
    blocks: Sequence[CommittedBlock],
    is_ending: Callable[[], bool],
    deriving: Derive = derive_at,
) -> tuple[list[Block], UnknownRulesError | None]:
    """Derive blocks one after the other; returns those before the first whose rules are not known, and what is said of it."""
    place: Place = store.place
    done: list[Block] = []
    for block in blocks:
        if is_ending():
            break
        try:
            done.append(Block(place, block, deriving(block, store.ledger, place)))
        except UnknownRulesError as error:
            return done, error
        place = done[-1].after
    return done, None
