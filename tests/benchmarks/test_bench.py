"""`shirushi bench` measures what it says, on networks of its own that are gone afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.command import Run, shirushi

from shirushi_benchmarks.measurement import quantiles_ms
from shirushi_benchmarks.page import BEGIN, END
from shirushi_benchmarks.processes import watching

LITTLE = (
    *("--engine", "embedded", "--short", "--offered", "5", "--offered", "20", "--step-seconds", "1"),
    *("--in-flight", "5", "--transactions", "20", "--documents", "50x100", "--batch", "20"),
    *("--receipts", "30", "--cold", "12", "--cached", "20", "--online", "5"),
)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """Measure a little of everything, with a member down too."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "page.md").write_text(f"Ours.\n{BEGIN}\n{END}\n", encoding="utf-8")
    outputs = ("--page", folder / "page.md", "--history", folder / "history.jsonl")
    return shirushi("bench", *LITTLE, "--member-down", "--json", *outputs), folder


def of(run: Run, name: str, down: str = "") -> list[dict[str, Any]]:
    return [
        each
        for each in run.json["measurements"]
        if each["name"] == name and each["parameters"].get("member_down", "") == down
    ]


def test_a_short_run_ends_without_failures(everything: tuple[Run, Path]) -> None:
    run, _ = everything
    assert run.exit_code == 0
    assert run.json["problems"] == []
    assert [each["failures"] for each in run.json["measurements"]] == [0] * 14
    assert run.json["machine"]["packages"]["shirushi"]


@pytest.mark.parametrize("down", ["", "gcom"])
def test_one_at_a_time_is_measured_at_each_rate(everything: tuple[Run, Path], down: str) -> None:
    steps = of(everything[0], "one at a time", down)
    assert [each["parameters"]["offered"] for each in steps] == [5, 20]
    assert all(0 < each["quantiles_ms"]["p50"] <= each["quantiles_ms"]["p99"] for each in steps)


@pytest.mark.parametrize("down", ["", "gcom"])
def test_bulk_is_measured_with_its_cost(everything: tuple[Run, Path], down: str) -> None:
    books, files = of(everything[0], "bulk", down)
    assert [
        (each["count"], *(each["parameters"][name] for name in ("bytes", "batch", "receipts")))
        for each in (books, files)
    ] == [(50, 100, 20, "books"), (30, 100, 20, "files")]
    assert all(each["quantiles_ms"]["p50"] <= 1000 * each["seconds"] for each in (books, files))
    for name in (
        "issuer_cpu_seconds_per_thousand",
        "network_cpu_seconds_per_thousand",
        "ledger_bytes_per_thousand",
        "peak_memory_mb_issuer",
        "peak_memory_mb_node",
        "plain_files_per_second",
    ):
        assert all(each["stages"][name] > 0 for each in (books, files)), name


@pytest.mark.parametrize("down", ["", "gcom"])
def test_transactions_are_measured_by_how_many_are_in_flight(everything: tuple[Run, Path], down: str) -> None:
    (step,) = of(everything[0], "transactions", down)
    assert (step["count"], step["unit"]) == (20, "transactions")
    assert (step["parameters"]["in_flight"], step["parameters"]["endorsements"]) == (5, 3)


def test_verifying_is_measured_cold_and_with_a_head_seen_before(everything: tuple[Run, Path]) -> None:
    run, _ = everything
    (cold,), (cached,) = of(run, "verify cold"), of(run, "verify cached")
    assert (cold["count"], cached["count"]) == (12, 20)
    assert cold["stages"]["heads"] > cached["stages"]["heads"] == 1


@pytest.mark.parametrize("down", ["", "gcom"])
def test_verifying_online_asks_all_members(everything: tuple[Run, Path], down: str) -> None:
    (online,) = of(everything[0], "verify online", down)
    assert (online["count"], online["parameters"]["members"]) == (5, 5)


def test_the_page_the_plots_the_raw_report_and_the_history_are_written(everything: tuple[Run, Path]) -> None:
    _, folder = everything
    page = (folder / "page.md").read_text(encoding="utf-8")
    assert page.startswith("Ours.\n")
    assert "shirushi bench --engine embedded --short --member-down --offered 5.0 --offered 20.0" in page
    assert {path.name for path in (folder / "page").iterdir()} == {
        "bulk.svg",
        "one-at-a-time-embedded.svg",
        "report.json",
        "transactions.svg",
    }
    assert len((folder / "history.jsonl").read_text(encoding="utf-8").splitlines()) == 1


def test_a_goal_of_which_nothing_was_measured_is_not_reached() -> None:
    run = shirushi("bench", "verify", *LITTLE, "--goal")
    assert run.exit_code == 1
    assert "not measured" in run.out
    assert "missed" not in run.out


def test_a_profile_that_does_not_exist_is_refused_before_anything_is_started() -> None:
    run = shirushi("bench", "bukl")
    assert run.exit_code == 3
    assert "no profile 'bukl'" in run.err


def test_what_a_process_takes_while_it_is_watched_is_its_own(tmp_path: Path) -> None:
    with watching(tmp_path) as watch:
        held = bytearray(64 << 20)
        sum(range(5_000_000))
        watch.sample()
    del held
    usage = watch.usage()
    assert 0 < usage.issuer_cpu_seconds < 60
    assert usage.network_cpu_seconds == 0
    assert set(usage.peaks_mb) == {"issuer"}
    assert usage.peaks_mb["issuer"] > 64


def test_quantiles_are_of_the_durations_in_milliseconds() -> None:
    assert quantiles_ms([i / 1000 for i in range(1, 101)]) == {"p50": 51.0, "p95": 96.0, "p99": 100.0}
