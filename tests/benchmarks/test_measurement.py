"""The benchmarks measure what they say, on a consortium of their own."""

from __future__ import annotations

import json

import pytest
from tests.support.command import shirushi

from shirushi_benchmarks.measurement import quantiles_ms


@pytest.mark.parametrize(
    ("profile", "options", "unit", "count"),
    [
        ("transactions", ["--transactions", "20", "--in-flight", "5"], "transactions", 20),
        ("documents", ["--documents", "50", "--batch", "20", "--size", "100"], "documents", 50),
    ],
)
def test_a_short_run_gives_a_report_without_failures(
    profile: str, options: list[str], unit: str, count: int
) -> None:
    run = shirushi("bench", profile, *options, "--json")
    assert run.exit_code == 0
    report = json.loads(run.out)
    (measurement,) = report["measurements"]
    assert (measurement["unit"], measurement["count"], measurement["failures"]) == (unit, count, 0)
    assert measurement["per_second"] > 0
    assert report["machine"]["cores"] > 0
    assert report["machine"]["packages"]["shirushi"]


def test_verifying_is_measured_cold_and_with_a_head_seen_before() -> None:
    run = shirushi("bench", "verify", "--cold", "12", "--cached", "20", "--json")
    assert run.exit_code == 0
    cold, cached = json.loads(run.out)["measurements"]
    assert [(each["count"], each["failures"]) for each in (cold, cached)] == [(12, 0), (20, 0)]
    assert cold["parameters"]["heads"] > cached["parameters"]["heads"] == 1


def test_quantiles_are_of_the_durations_in_milliseconds() -> None:
    assert quantiles_ms([i / 1000 for i in range(1, 101)]) == {"p50": 51.0, "p95": 96.0, "p99": 100.0}
