"""The page and the plots: what was measured, the same for the same figures, and nothing else touched."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.benchmarks.reports import one_at_a_time, report, transactions

from shirushi_benchmarks.bars import judge_all
from shirushi_benchmarks.page import BEGIN, END, PageError, render, with_measured, write_page, write_report
from shirushi_benchmarks.plots import draw_all
from shirushi_benchmarks.report import Problem

PAGE = f"# Performance\n\nBefore.\n\n{BEGIN}\n\nold figures\n\n{END}\n\nAfter.\n"


def test_what_people_wrote_is_left_alone() -> None:
    assert (
        with_measured(PAGE, "\nnew figures\n", "page")
        == f"# Performance\n\nBefore.\n\n{BEGIN}\n\nnew figures\n\n{END}\n\nAfter.\n"
    )


def test_writing_the_same_again_changes_nothing() -> None:
    once = with_measured(PAGE, "figures", "page")
    assert with_measured(once, "figures", "page") == once


@pytest.mark.parametrize(
    "page", ["no markers", BEGIN, f"{END} {BEGIN}", f"{BEGIN} {BEGIN} {END}", f"{BEGIN} {END} {END}"]
)
def test_a_page_without_one_place_for_it_is_refused(page: str) -> None:
    with pytest.raises(PageError, match="expected one line"):
        with_measured(page, "figures", "page")


def test_the_page_says_what_was_measured_on_what_and_links_the_rest(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE, encoding="utf-8")
    made = report()
    raw = write_report(made, judge_all(made.measurements), tmp_path / "performance")
    write_page(page, made, draw_all(made, tmp_path / "performance"), raw)
    text = page.read_text(encoding="utf-8")
    for expected in (
        "Made-up processor, 2 cores, 8 GB",
        "    shirushi bench --short\n",
        "[report.json](performance/report.json)",
        "| bulk, embedded, 2 KB documents to receipts on disk | ≥ 50,000/s | 60,000/s | held |",
        "| bulk, five-member BFT Fabric, 2 KB documents | ≥ 20,000/s | 15,000/s | missed |",
        "(performance/one-at-a-time-fabric-bft.svg)",
        "(performance/growth.svg)",
        "transactions, embedded, in flight 200",
        "3 failed (3 LedgerRefusedError)",
        "*overloaded*",
    ):
        assert expected in text
    assert text.startswith("# Performance\n\nBefore.\n")
    assert text.endswith("\n\nAfter.\n")
    assert json.loads(raw.read_text(encoding="utf-8"))["bars"][0]["outcome"] == "held"


def test_the_best_is_the_highest_rate_that_was_held() -> None:
    made = report([one_at_a_time(5, 100), one_at_a_time(20, 120), one_at_a_time(50, 900, overloaded=True)])
    rows = [line for line in render(made, [], Path("raw"), Path()).splitlines() if "| offered" in line]
    assert ["**best**" in row for row in rows] == [False, True, False]


def test_the_best_of_several_in_flight_is_the_fastest_without_failures() -> None:
    made = report(
        [
            transactions(100, in_flight=10),
            transactions(200, in_flight=50),
            transactions(300, in_flight=99, failures=1),
        ]
    )
    rows = [line for line in render(made, [], Path("raw"), Path()).splitlines() if "| in flight" in line]
    assert ["**best**" in row for row in rows] == [False, True, False]


def test_what_could_not_be_measured_is_said() -> None:
    made = replace(
        report([]), problems=[Problem("bulk", "embedded", "no space")], left_out={"fabric-bft": "no peer"}
    )
    text = render(made, [], Path("raw"), Path())
    assert "bulk, embedded: not measured: no space" in text
    assert "fabric-bft was left out: no peer" in text
    assert "Nothing failed" not in text


def test_there_is_a_plot_of_everything_and_it_is_the_same_for_the_same_figures(tmp_path: Path) -> None:
    first, second = (draw_all(report(), tmp_path / name) for name in ("first", "second"))
    assert {path.name for path in first} == {
        "bulk.svg",
        "growth.svg",
        "one-at-a-time-embedded.svg",
        "one-at-a-time-fabric-bft.svg",
        "peers.svg",
        "transactions.svg",
    }
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_nothing_measured_is_nothing_drawn(tmp_path: Path) -> None:
    assert draw_all(report([]), tmp_path) == []
