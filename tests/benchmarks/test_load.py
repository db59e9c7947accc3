"""Open-loop load: requests come when they are due, and their time counts from then."""

from __future__ import annotations

import asyncio
import itertools
import statistics
from collections.abc import Callable

import pytest
from tests.benchmarks.reports import one_at_a_time
from tests.benchmarks.virtual_time import run_in_virtual_time

from shirushi_benchmarks.load import Offered, knee, offer, schedule
from shirushi_client.ledger_errors import LedgerRefusedError, LedgerUnreachableError


def test_the_schedule_is_the_same_for_the_same_seed() -> None:
    assert schedule(20, 10, seed=7) == schedule(20, 10, seed=7) != schedule(20, 10, seed=8)


def test_requests_come_at_the_rate_with_exponential_gaps() -> None:
    due = schedule(50, 200, seed=1)
    gaps = [later - earlier for earlier, later in itertools.pairwise(due)]
    assert due == sorted(due)
    assert due[-1] < 200
    assert len(due) == pytest.approx(10_000, rel=0.05)
    assert statistics.stdev(gaps) == pytest.approx(statistics.mean(gaps), rel=0.05)


def test_a_schedule_has_one_request_at_least() -> None:
    assert len(schedule(0.001, 1, seed=1)) == 1


def _offered(
    rate: float, seconds: float, serve: Callable[[int], float], **options: float
) -> tuple[Offered, list[float]]:
    """Offer requests that take as long as `serve` says, and return what came of it and when each was sent."""
    sent: list[float] = []

    async def run(now: Callable[[], float]) -> Offered:
        async def request(number: int) -> None:
            sent.append(now())
            await asyncio.sleep(serve(number))

        return await offer(rate, seconds, request, 3, now=now, **options)  # type: ignore[arg-type]

    return run_in_virtual_time(run), sent


def test_requests_are_sent_when_they_are_due_however_slow_the_answers() -> None:
    offered, sent = _offered(10, 20, lambda _: 5.0)
    assert sent == pytest.approx(schedule(10, 20, seed=3))
    assert offered.durations == pytest.approx([5.0] * len(sent))
    assert offered.failed == 0


def test_waiting_for_room_counts_as_part_of_what_a_request_takes() -> None:
    """One at a time, a second each, offered at two a second: the last has waited for all before it."""
    offered, sent = _offered(2, 10, lambda _: 1.0, max_under_way=1)
    due = schedule(2, 10, seed=3)
    assert sent[-1] - due[-1] > 1
    assert offered.durations == pytest.approx([at + 1 - when for at, when in zip(sent, due, strict=True)])


def test_a_stall_of_the_load_itself_is_not_left_out() -> None:
    """A request that keeps the whole process busy delays the others, and that shows in their durations."""

    async def run(_: Callable[[], float]) -> Offered:
        moment = [0.0]

        async def request(number: int) -> None:
            if number == 0:
                moment[0] += 3.0

        return await offer(100, 1, request, 3, now=lambda: moment[0])

    offered = run_in_virtual_time(run)
    due = schedule(100, 1, seed=3)
    assert offered.durations[1:] == pytest.approx([3.0 - when for when in due[1:]])


def test_failures_are_counted_by_their_type_and_the_others_are_measured() -> None:
    async def run(now: Callable[[], float]) -> Offered:
        async def request(number: int) -> None:
            if number % 4 == 1:
                raise LedgerRefusedError("no")
            if number % 4 == 2:
                raise LedgerUnreachableError("nobody")
            if number == 3:
                await asyncio.sleep(100)

        return await offer(1, 20, request, 3, patience=30, now=now)

    offered = run_in_virtual_time(run)
    total = len(schedule(1, 20, seed=3))
    assert offered.failures["TimeoutError"] == 1
    assert set(offered.failures) == {"LedgerRefusedError", "LedgerUnreachableError", "TimeoutError"}
    assert offered.failed + len(offered.durations) == total


def test_a_mistake_in_the_request_ends_the_load() -> None:
    async def run(now: Callable[[], float]) -> Offered:
        async def request(number: int) -> None:
            raise KeyError(number)

        return await offer(10, 1, request, 3, now=now)

    with pytest.raises(ExceptionGroup) as raised:
        run_in_virtual_time(run)
    assert raised.value.subgroup(KeyError) is not None


def test_each_request_is_told_of_as_it_ends() -> None:
    ended: list[None] = []

    async def run(now: Callable[[], float]) -> Offered:
        return await offer(10, 2, lambda _: asyncio.sleep(0), 3, answered=lambda: ended.append(None), now=now)

    assert len(run_in_virtual_time(run).durations) == len(ended)


def step(rate: float, *, duration: float = 0.1, share: float = 1.0, failures: int = 0) -> Offered:
    """Make a step of 100 requests, whose answers came at a share of the rate at which they were due."""
    arrivals = [number / rate for number in range(100)]
    completions = [number / rate / share + duration for number in range(100)]
    return Offered(rate, arrivals, completions, {"LedgerRefusedError": failures} if failures else {})


def test_a_rate_is_held_when_answers_keep_up_none_fails_and_the_wait_is_short() -> None:
    assert step(20).is_held(500)
    assert step(20, share=0.96, duration=0.01).is_held(500)


@pytest.mark.parametrize(
    "overloaded", [step(20, share=0.9), step(20, failures=1), step(20, duration=0.5), Offered(20, [], [], {})]
)
def test_a_rate_is_not_held_when_a_queue_grows_a_request_fails_or_the_wait_is_long(
    overloaded: Offered,
) -> None:
    assert not overloaded.is_held(500)


def test_the_knee_is_the_highest_rate_that_was_held() -> None:
    steps = [
        one_at_a_time(5, 1),
        one_at_a_time(20, 1),
        one_at_a_time(10, 1),
        one_at_a_time(50, 1, overloaded=True),
    ]
    assert knee(steps) is steps[1]


def test_there_is_no_knee_where_nothing_was_held() -> None:
    assert knee([one_at_a_time(5, 1, overloaded=True)]) is None
    assert knee([]) is None
