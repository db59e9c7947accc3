"""The history of benchmarks: like is compared with like, and what became slower is warned of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.benchmarks.reports import MACHINE, bulk, on, one_at_a_time, report, transactions

from shirushi_benchmarks.history import Entry, HistoryError, append, read, slowdowns
from shirushi_benchmarks.settings import Settings


def entry(rate: float, day: int = 1) -> Entry:
    return Entry.of(report([bulk(rate)], at=f"2026-11-{day:02d}T00:00:00+00:00"))


def test_what_takes_more_than_half_as_long_again_as_the_median_of_the_last_five_is_warned_of() -> None:
    before = [entry(rate, day) for day, rate in enumerate((9999, 100, 100, 90, 100, 110), 1)]
    assert slowdowns(entry(67, 9), before) == []
    (slowdown,) = slowdowns(entry(66, 9), before)
    assert slowdown.before_ms == 10.0
    assert str(slowdown).startswith(
        "bulk on embedded, batch 4096, bytes 2048, receipts books: 15.2 ms each, 10 ms in earlier"
    )


def test_the_order_of_the_file_does_not_matter() -> None:
    before = [entry(rate, day) for day, rate in ((9, 10), (8, 10), (7, 10), (6, 10), (5, 10), (1, 1000))]
    assert slowdowns(entry(10, 10), before) == []


def test_runs_on_other_machines_or_with_other_settings_are_not_compared() -> None:
    slow = entry(1)
    for machine in (
        replace(MACHINE, cores=4),
        replace(MACHINE, processor="Another"),
        replace(MACHINE, python="3.12.1"),
    ):
        assert slowdowns(slow, [Entry.of(on(machine, report([bulk(100)])))]) == []
    assert slowdowns(slow, [Entry.of(replace(report([bulk(100)]), settings=Settings()))]) == []
    assert slowdowns(slow, [Entry.of(replace(report([bulk(100)]), files="ext4"))]) == []


def test_a_new_patch_release_of_python_is_still_compared_with() -> None:
    assert slowdowns(entry(1), [Entry.of(on(replace(MACHINE, python="3.11.9"), report([bulk(100)])))])


def test_of_load_at_a_rate_the_wait_is_compared() -> None:
    before, now = Entry.of(report([one_at_a_time(5, 100)])), Entry.of(report([one_at_a_time(5, 160)]))
    assert [each.before_ms for each in slowdowns(now, [before])] == [100]


def test_what_failed_or_was_overloaded_is_not_kept() -> None:
    kept = Entry.of(report([one_at_a_time(5, 100, overloaded=True), transactions(5, failures=1)]))
    assert kept.figures == {}


def test_a_run_that_is_appended_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "history.jsonl"
    assert read(path) == []
    append(path, entry(100))
    append(path, entry(200))
    assert read(path) == [entry(100), entry(200)]


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"at": 1}', '{"at":"","revision":"","on":{},"settings":{},"figures":[]}']
)
def test_a_line_that_is_no_entry_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "history.jsonl"
    append(path, entry(100))
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(HistoryError, match="line 2"):
        read(path)
