"""Open-loop load: requests come when they are due, whether or not earlier ones have been answered, as citizens do.

What a request takes is counted from the moment it was due, not from when it was sent: a system that makes others wait does
not look the faster for it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from shirushi_benchmarks.measurement import Measurement, quantiles_ms
from shirushi_core.errors import ShirushiError

MAX_UNDER_WAY = 1000
"""Requests under way at once; those due beyond it wait, and their wait counts."""

PATIENCE_SECONDS = 30.0
"""How long after it was due a request may be answered; later it has failed."""

HELD_SHARE = 0.95
"""How much of the offered rate has to be achieved for a step to be held."""

Request = Callable[[int], Awaitable[object]]
"""Makes the request of a number, and returns when it is answered."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What came of offering requests at a rate (a second).

    `arrivals` and `completions` are seconds since the beginning, in order of the arrivals, of the requests that were answered;
    `failures` counts the others by the name of their error.
    """

    rate: float
    arrivals: Sequence[float]
    completions: Sequence[float]
    failures: Mapping[str, int]

    @property
    def durations(self) -> list[float]:
        """Seconds from when each request was due until it was answered."""
        return [done - due for due, done in zip(self.arrivals, self.completions, strict=True)]

    @property
    def failed(self) -> int:
        """How many requests failed."""
        return sum(self.failures.values())

    @property
    def seconds(self) -> float:
        """From the beginning until the last request was answered."""
        return max(self.completions, default=0.0)

    @property
    def achieved_share(self) -> float:
        """How fast answers came in proportion to how fast requests came, at most 1: below it, a queue grew."""
        if len(self.arrivals) < 2:
            return 1.0
        came = max(self.arrivals) - min(self.arrivals)
        answered = max(self.completions) - min(self.completions)
        return 1.0 if answered <= came else came / answered

    def is_held(self, p95_ms: float) -> bool:
        """Say whether the rate was kept up with: at least HELD_SHARE achieved, no failures, p95 below a limit."""
        return (
            bool(self.arrivals)
            and not self.failures
            and self.achieved_share >= HELD_SHARE
            and quantiles_ms(self.durations)["p95"] < p95_ms
        )


def schedule(rate: float, seconds: float, seed: int) -> list[float]:
    """Return when requests are due: a Poisson process of `rate` a second, the same for the same seed; at least one."""
    chance = random.Random(seed)  # noqa: S311 - arrivals, not secrets
    due = [chance.expovariate(rate)]
    while (following := due[-1] + chance.expovariate(rate)) < seconds:
        due.append(following)
    return due


async def offer(
    rate: float,
    seconds: float,
    request: Request,
    seed: int,
    *,
    max_under_way: int = MAX_UNDER_WAY,
    patience: float = PATIENCE_SECONDS,
    answered: Callable[[], None] = lambda: None,
    now: Callable[[], float] = time.perf_counter,
) -> Offered:
    """Make requests when they are due, and return when all of them were answered or have failed.

    ShirushiError, OSError and running out of patience are failures of a request; any other exception ends the load.
    `answered` is called after each; `now` are seconds that only go on.
    """
    due = schedule(rate, seconds, seed)
    room = asyncio.Semaphore(max_under_way)
    done: dict[int, float] = {}
    failures: Counter[str] = Counter()
    started = now()

    async def make(number: int) -> None:
        try:
            async with asyncio.timeout(due[number] - (now() - started) + patience):
                async with room:
                    await request(number)
        except (ShirushiError, OSError) as error:  # TimeoutError is an OSError
            failures[type(error).__name__] += 1
        else:
            done[number] = now() - started
        answered()

    async with asyncio.TaskGroup() as tasks:
        for number, moment in enumerate(due):
            if (early := moment - (now() - started)) > 0:
                await asyncio.sleep(early)
            tasks.create_task(make(number))
    numbers = sorted(done)
    return Offered(
        rate, [due[number] for number in numbers], [done[number] for number in numbers], dict(failures)
    )


def knee(steps: Iterable[Measurement]) -> Measurement | None:
    """Return the step of the highest rate "offered" that was held; None if none was."""
    return max(
        (step for step in steps if step.counts),
        key=lambda step: float(step.parameters["offered"]),
        default=None,
    )
