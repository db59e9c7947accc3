"""Running profiles: one that cannot be measured is noted, and the others are measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.benchmarks.reports import one_of

from shirushi_benchmarks.measurement import Measurement
from shirushi_benchmarks.registry import Profile, Stage
from shirushi_benchmarks.report import Problem
from shirushi_benchmarks.runner import Run
from shirushi_benchmarks.settings import SHORT, Advance, Settings
from shirushi_core.errors import ShirushiError

FOUND = one_of("pipeline", 10)


async def found(folder: Path, settings: Settings, advance: Advance) -> list[Measurement]:
    assert list(folder.iterdir()) == []
    (folder / "of this profile").touch()
    return [FOUND]


def broken_halfway(folder: Path, settings: Settings, advance: Advance) -> Iterator[Measurement]:
    yield FOUND
    raise ShirushiError("the other program ended")


async def broken_in_a_group(folder: Path, settings: Settings, advance: Advance) -> list[Measurement]:
    raise ExceptionGroup("tasks", [ShirushiError("one"), ExceptionGroup("more", [OSError("two")])])


async def mistaken(folder: Path, settings: Settings, advance: Advance) -> list[Measurement]:
    raise KeyError("a mistake of ours")


def run(folder: Path, *profiles: Profile) -> Run:
    made = Run(folder, SHORT, lambda _: None, lambda *_: None)
    made.measure([Stage(None, True, profiles)], member_down=True)
    return made


def test_what_was_found_before_a_profile_broke_is_kept_and_the_next_is_measured(tmp_path: Path) -> None:
    made = run(tmp_path, Profile("peer", "?", alone=broken_halfway), Profile("after", "?", alone=found))
    assert made.measurements == [FOUND, FOUND]
    assert made.problems == [Problem("peer", "", "the other program ended")]


def test_errors_of_several_tasks_are_all_said(tmp_path: Path) -> None:
    assert run(tmp_path, Profile("peer", "?", alone=broken_in_a_group)).problems == [
        Problem("peer", "", "one; two")
    ]


def test_each_profile_has_an_empty_folder(tmp_path: Path) -> None:
    assert run(tmp_path, *(Profile(name, "?", alone=found) for name in "ab")).problems == []


def test_a_mistake_of_ours_is_not_taken_for_a_finding(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        run(tmp_path, Profile("mistaken", "?", alone=mistaken))
