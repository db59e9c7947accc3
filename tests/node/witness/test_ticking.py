"""Ticks by witnesses: one an epoch on a quiet ledger, by the next one if the first is not there, and never by spinning."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from shirushi_core.proofs.epoch import EPOCH_SECONDS
from shirushi_node.witness import ticking
from shirushi_node.witness.errors import TickError
from shirushi_node.witness.ticking import MAX_ATTEMPTS, Ticker, Turns

MEMBERS = ("a", "b", "c", "d", "e")
START = 1_790_000_100  # an epoch's first second
assert START % EPOCH_SECONDS == 0


class Quiet:
    """A ledger on which nothing but ticks happens, five witnesses on it, and a clock that is set."""

    def __init__(self, members: tuple[str, ...] = MEMBERS) -> None:
        self.now = float(START)
        self.log_time: int | None = START - 1
        self.ticks: list[tuple[int, str]] = []
        self.delay = 2.0  # until a tick comes back as a block
        self._coming: list[tuple[float, int]] = []
        self.failing: set[str] = set()
        self.tickers = {member: self._ticker(member, members) for member in members}

    def _ticker(self, member: str, members: tuple[str, ...]) -> Ticker:
        async def submit() -> None:
            if member in self.failing:
                raise TickError("UNKNOWN_FUNCTION: there is no function 'tick'")
            self.ticks.append((int(self.now) // EPOCH_SECONDS, member))
            self._coming.append((self.now + self.delay, int(self.now)))

        return Ticker(
            Turns.of(member, members),
            submit,
            lambda: self.log_time,
            lambda: datetime.fromtimestamp(self.now, UTC),
            lambda: self.now,
        )

    async def run(self, seconds: int, *, without: tuple[str, ...] = ()) -> None:
        for _ in range(seconds):
            self.now += 1
            due = [time for at, time in self._coming if at <= self.now]
            self._coming = [each for each in self._coming if each[0] > self.now]
            if self.log_time is not None:
                self.log_time = max([self.log_time, *due])
            for member, ticker in self.tickers.items():
                if member not in without:
                    await ticker.look()


async def test_five_witnesses_make_one_tick_an_epoch_and_take_turns() -> None:
    quiet = Quiet()
    await quiet.run(10 * EPOCH_SECONDS)
    epochs = [epoch for epoch, _ in quiet.ticks]
    assert epochs == list(range(START // EPOCH_SECONDS, START // EPOCH_SECONDS + 10))
    assert {member for _, member in quiet.ticks} == set(MEMBERS)


async def test_the_next_one_ticks_where_the_first_is_stopped() -> None:
    quiet = Quiet()
    await quiet.run(EPOCH_SECONDS * 5, without=("a", "c"))
    assert len(quiet.ticks) == 5
    assert {member for _, member in quiet.ticks} == {"b", "d", "e"}


async def test_the_log_is_never_older_than_what_is_signed_even_with_two_of_five_stopped() -> None:
    quiet = Quiet()
    oldest = 0.0
    for _ in range(EPOCH_SECONDS * 6):
        await quiet.run(1, without=("b", "c"))
        oldest = max(oldest, quiet.now - (quiet.log_time or 0))
    assert oldest < 600


async def test_a_ledger_in_use_is_left_alone() -> None:
    quiet = Quiet()
    for _ in range(EPOCH_SECONDS // 10 * 4):
        quiet.log_time = int(quiet.now)
        await quiet.run(10)
    assert quiet.ticks == []


async def test_by_version_1_of_the_rules_and_while_not_level_nobody_ticks() -> None:
    quiet = Quiet()
    quiet.log_time = None
    await quiet.run(2 * EPOCH_SECONDS)
    assert quiet.ticks == []


async def test_a_contract_without_ticks_is_said_and_tried_some_times_an_epoch() -> None:
    quiet = Quiet(("a",))
    quiet.failing = {"a"}
    calls = 0
    submit = quiet.tickers["a"]._submit

    async def counted() -> None:
        nonlocal calls
        calls += 1
        await submit()

    quiet.tickers["a"]._submit = counted
    await quiet.run(EPOCH_SECONDS)
    assert calls == MAX_ATTEMPTS
    assert "UNKNOWN_FUNCTION" in (quiet.tickers["a"].problem or "")
    quiet.failing = set()
    await quiet.run(EPOCH_SECONDS)
    assert (len(quiet.ticks), quiet.tickers["a"].problem) == (1, None)


async def test_a_gateway_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticking, "SUBMIT_SECONDS", 0.01)

    async def never() -> None:
        await asyncio.Event().wait()

    ticker = Ticker(Turns.of("a", ()), never, lambda: START, lambda: datetime.fromtimestamp(START + 400, UTC))
    await ticker.look()
    assert "no answer within" in (ticker.problem or "")


@pytest.mark.parametrize("step", [0.0, 1.0, 3600.0])
async def test_however_the_clock_runs_a_witness_waits_by_its_own_time_between_attempts(step: float) -> None:
    now, calls = float(START + 60), 0

    async def submit() -> None:
        nonlocal calls
        calls += 1

    ticker = Ticker(Turns.of("a", ()), submit, lambda: START - 1, lambda: datetime.fromtimestamp(now, UTC))
    for _ in range(200):
        await ticker.look()
        now += step
    assert calls == 1


def test_everybody_has_a_turn_within_three_and_a_half_minutes_however_many_there_are() -> None:
    ids = tuple(f"m{number:02d}" for number in range(64))
    for epoch in (7, 8):
        due = sorted(Turns.of(each, ids).due_at(epoch) - epoch * EPOCH_SECONDS for each in ids)
        assert len(set(due)) == 64
        assert (due[0], due[-1] <= 210) == (30, True)
