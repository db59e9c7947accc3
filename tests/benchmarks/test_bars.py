"""Bars: what a run says of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.benchmarks.reports import EVERYTHING, bulk, growing, one_at_a_time, one_of, transactions

from shirushi_benchmarks.bars import BARS, Judged, Outcome, goal_is_reached, judge, judge_all
from shirushi_benchmarks.measurement import Measurement


def judged(what: str, *measurements: Measurement) -> Judged:
    (bar,) = [bar for bar in BARS if what in bar.what]
    return judge(bar, measurements)


def test_a_bar_is_held_at_its_limit_and_missed_below() -> None:
    assert judged("bulk, embedded", bulk(50_000)).outcome is Outcome.HELD
    missed = judged("bulk, embedded", bulk(49_000))
    assert (missed.outcome, missed.said) == (Outcome.MISSED, "49,000/s")


def test_a_wait_has_to_be_shorter_than_its_limit() -> None:
    at_limit = replace(one_at_a_time(20, 100, engine="fabric-bft"), quantiles_ms={"p95": 500.0})
    below = replace(at_limit, quantiles_ms={"p95": 499.9})
    assert judged("one at a time", at_limit).outcome is Outcome.MISSED
    assert judged("one at a time", below).outcome is Outcome.HELD


def test_a_bar_speaks_of_one_engine_one_rate_and_all_members() -> None:
    others = [
        one_at_a_time(20, 100),
        one_at_a_time(10, 100, engine="fabric-bft"),
        one_at_a_time(20, 100, engine="fabric-bft", down="gcom"),
    ]
    assert judged("one at a time", *others).outcome is Outcome.NOT_MEASURED


def test_a_few_documents_do_not_speak_for_bulk() -> None:
    assert judged("bulk, embedded", bulk(60_000, count=2000)).outcome is Outcome.NOT_MEASURED


def test_an_overloaded_run_is_not_quoted_and_misses_the_bar() -> None:
    run = one_at_a_time(20, 100, engine="fabric-bft", overloaded=True)
    found = judged("one at a time", run)
    assert (found.outcome, found.found) == (Outcome.MISSED, None)
    assert "overloaded" in found.said


def test_a_ratio_takes_the_best_without_failures_on_both_sides() -> None:
    found = judged(
        "transactions",
        transactions(200, in_flight=50),
        transactions(300, in_flight=100),
        transactions(900, in_flight=200, failures=1),
        transactions(100, engine="fabric-raft", in_flight=10),
        transactions(150, engine="fabric-raft", in_flight=50),
    )
    assert (found.outcome, found.found) == (Outcome.HELD, pytest.approx(2.0))


def test_a_ratio_without_its_other_side_is_not_measured() -> None:
    assert judged("Gateway", one_of("our Gateway client", 200, "fabric-raft")).outcome is Outcome.NOT_MEASURED


def test_memory_is_that_of_the_largest_process_while_a_million_is_issued() -> None:
    assert judged("memory", bulk(1, count=1_000_000, memory=310.0)).found == 310.0
    assert judged("memory", bulk(1, count=1_000_000, memory=310.0)).outcome is Outcome.MISSED
    assert judged("memory", bulk(1, count=100_000)).outcome is Outcome.NOT_MEASURED


def test_the_cost_of_a_document_may_grow_by_a_fifth() -> None:
    assert judged("cost", growing(1_000, 50), growing(1_000_000, 60)).outcome is Outcome.HELD
    assert judged("cost", growing(1_000, 50), growing(1_000_000, 61)).outcome is Outcome.MISSED


def test_the_goal_is_reached_when_nothing_measured_misses_and_something_was_measured() -> None:
    assert goal_is_reached(judge_all([bulk(60_000)]))
    assert not goal_is_reached(judge_all([bulk(60_000), bulk(15_000, engine="fabric-bft")]))
    assert not goal_is_reached(judge_all([]))


def test_a_run_of_everything_is_held_to_every_bar_that_it_measures() -> None:
    outcomes = [each.outcome for each in judge_all(EVERYTHING)]
    assert outcomes.count(Outcome.NOT_MEASURED) == 2  # the echoes, and a million documents
