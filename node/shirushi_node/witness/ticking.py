"""Keeping the ledger's time going while nobody else writes: one tick an epoch, by one member's witness.

A witness cannot know whether another has called already before that comes as a block. So they take turns: in each epoch another
member's is the first, and the next one waits some seconds longer. Whoever sees a tick of this epoch in its log has nothing to do. A
ledger on which something is issued has its ticks from that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from shirushi_core.proofs.epoch import EPOCH_SECONDS
from shirushi_node.ledger.clock import Clock

FIRST_SECONDS = 30
"""How far into an epoch the first one calls: on a ledger that is used something else comes before that."""

STEP_SECONDS = 15
"""How much later the next one calls: more than a transaction takes."""

ALL_SECONDS = 180
"""Within this every witness has had its turn; where there are many, the steps are shorter."""

LOOK_SECONDS = 1.0
SUBMIT_SECONDS = 20.0
RETRY_SECONDS = 20.0
MAX_ATTEMPTS = 4
"""In one epoch, by one witness."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Turns:
    """The turns of one member's witness among all members that run one."""

    member_id: str
    all_ids: tuple[str, ...]

    @classmethod
    def of(cls, member_id: str, others: Iterable[str]) -> Turns:
        """Return the turns of a member's witness."""
        return cls(member_id, tuple(sorted({member_id, *others})))

    def due_at(self, epoch: int) -> float:
        """Return when (unix s) it is this one's turn to tick, if there is no tick of this epoch yet."""
        count = len(self.all_ids)
        rank = (self.all_ids.index(self.member_id) - epoch) % count
        return epoch * EPOCH_SECONDS + FIRST_SECONDS + rank * min(STEP_SECONDS, ALL_SECONDS / count)


class Ticker:
    """Ticks when it is a witness's turn. Nothing that goes wrong ends it; `problem` says what last did."""

    def __init__(
        self,
        turns: Turns,
        submit: Callable[[], Awaitable[None]],
        log_time: Callable[[], int | None],
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take a function that has a tick committed, and one that gives the log's time, None while nobody is to tick.

        `clock` says which epoch it is, `monotonic` how long ago the last attempt was: however the clock runs, nothing spins.
        """
        self._turns = turns
        self._submit = submit
        self._log_time = log_time
        self._clock = clock
        self._epoch = -1
        self._attempts = 0
        self._monotonic = monotonic
        self._again_at: float | None = None
        self.problem: str | None = None

    async def run(self) -> None:
        """Look every second, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Tick if it is time."""
        now = self._clock().timestamp()
        epoch, log_time = int(now) // EPOCH_SECONDS, self._log_time()
        if log_time is None or log_time // EPOCH_SECONDS >= epoch:
            self.problem = None
            return
        if epoch != self._epoch:
            self._epoch, self._attempts = epoch, 0
        waits = self._again_at is not None and self._monotonic() < self._again_at
        if waits or now < self._turns.due_at(epoch) or self._attempts >= MAX_ATTEMPTS:
            return
        self._attempts += 1
        try:
            async with asyncio.timeout(SUBMIT_SECONDS):
                await self._submit()
            self.problem = None
        except Exception as error:
            reason = (
                f"no answer within {SUBMIT_SECONDS:.0f} s" if isinstance(error, TimeoutError) else str(error)
            )
            self.problem = f"a tick did not go through: {reason or type(error).__name__}"
            _log.warning("witness of %s: %s", self._turns.member_id, ascii(self.problem)[1:-1])
        self._again_at = self._monotonic() + RETRY_SECONDS
