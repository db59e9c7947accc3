"""Deriving and checking a block once for witnesses that share a process: only for the same bytes at the same place."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from fabric_protos.common import common_pb2
from tests.support.derived_chain import committed

from shirushi_core.fabric.committed import CommittedBlock
from shirushi_node.witness import preparing
from shirushi_node.witness.block_check import Configuration
from shirushi_node.witness.errors import UnknownRulesError
from shirushi_node.witness.preparing import SharedPreparing
from shirushi_node.witness.records import Place
from shirushi_node.witness.rules import Rules

PLACE = Place(1, bytes(32), bytes(32), 0, Rules())
CONFIGURATION = Configuration(b"c", None)


def a_block(content: bytes = b"x", metadata: bytes = b"") -> CommittedBlock:
    return committed(
        common_pb2.Block(
            data=common_pb2.BlockData(data=[content]), metadata=common_pb2.BlockMetadata(metadata=[metadata])
        )
    )


class Work:
    """Stands for the work, and counts it."""

    def __init__(self) -> None:
        self.done = 0
        self.hold = threading.Event()
        self.hold.set()
        self.error: BaseException | None = None

    def __call__(self, *_: object) -> Any:
        self.hold.wait(10)
        self.done += 1
        if self.error is not None:
            raise self.error
        return object()


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    work = Work()
    monkeypatch.setattr(preparing, "derive_at", work)
    monkeypatch.setattr(preparing, "check_block", work)
    return work


def test_five_threads_with_the_same_block_make_one_do_the_work(work: Work) -> None:
    shared = SharedPreparing()
    work.hold.clear()
    with ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(shared.derive, a_block(), "l", PLACE) for _ in range(5)]
        work.hold.set()
        assert len({id(each.result(10)) for each in asked}) == 1
    assert work.done == 1


@pytest.mark.parametrize(
    ("place", "block"),
    [
        (replace(PLACE, next_block=2), a_block()),
        (replace(PLACE, rules=Rules(2, "2.0")), a_block()),
        (PLACE, a_block(b"other")),
        (PLACE, a_block(metadata=b"other")),
    ],
)
def test_another_place_or_other_bytes_are_work_of_their_own(
    work: Work, place: Place, block: CommittedBlock
) -> None:
    shared = SharedPreparing()
    assert shared.derive(a_block(), "l", PLACE) is not shared.derive(block, "l", place)
    assert work.done == 2


@pytest.mark.parametrize(
    ("place", "configuration"),
    [
        (replace(PLACE, header_hash=b"o" * 32), CONFIGURATION),
        (replace(PLACE, commit_hash=b"o" * 32), CONFIGURATION),
        (PLACE, Configuration(b"other", None)),
    ],
)
def test_a_check_after_another_block_or_by_another_configuration_is_work_of_its_own(
    work: Work, place: Place, configuration: Configuration
) -> None:
    shared = SharedPreparing()
    first = shared.check(a_block(), PLACE, CONFIGURATION)
    assert first is shared.check(a_block(), PLACE, CONFIGURATION)
    assert first is not shared.check(a_block(), place, configuration)
    assert work.done == 2


def test_what_fails_is_tried_again_by_the_next(work: Work) -> None:
    shared = SharedPreparing()
    work.error = UnknownRulesError("no")
    for _ in range(2):
        with pytest.raises(UnknownRulesError):
            shared.derive(a_block(), "l", PLACE)
    work.error = None
    shared.derive(a_block(), "l", PLACE)
    assert work.done == 3


def test_only_the_newest_blocks_are_remembered(work: Work) -> None:
    shared = SharedPreparing()
    for number in range(preparing.KEPT + 1):
        shared.derive(a_block(), "l", replace(PLACE, next_block=number))
    shared.derive(a_block(), "l", replace(PLACE, next_block=0))
    assert work.done == preparing.KEPT + 2
