"""Preparing a block once for witnesses that share a process: only for the same bytes at the same place."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fabric_protos.common import common_pb2
from tests.node.witness.test_block_check import follow
from tests.support.anchored_chain import AnchoredChain

from shirushi_node.witness import preparing
from shirushi_node.witness.block_check import ChainState
from shirushi_node.witness.derivation import derive
from shirushi_node.witness.errors import BlockCheckError
from shirushi_node.witness.preparing import SharedPreparing, prepare_block


def at(number: int, header_hash: bytes = b"h", commit_hash: bytes = b"c") -> ChainState:
    state = SimpleNamespace(next_number=number, header_hash=header_hash, commit_hash=commit_hash)
    return cast(ChainState, state)


def a_block(content: bytes = b"x", metadata: bytes = b"") -> common_pb2.Block:
    return common_pb2.Block(
        data=common_pb2.BlockData(data=[content]), metadata=common_pb2.BlockMetadata(metadata=[metadata])
    )


class Work:
    """Stands for the work, and counts it."""

    def __init__(self) -> None:
        self.done: list[tuple[int, bytes]] = []
        self.hold = threading.Event()
        self.hold.set()
        self.error: BaseException | None = None

    def __call__(self, chain: ChainState, block: common_pb2.Block) -> Any:
        self.hold.wait(10)
        self.done.append((chain.next_number, block.SerializeToString()))
        if self.error is not None:
            raise self.error
        return object()


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    work = Work()
    monkeypatch.setattr(preparing, "prepare_block", work)
    return work


def test_five_threads_with_the_same_block_make_one_do_the_work(work: Work) -> None:
    shared = SharedPreparing()
    work.hold.clear()
    with ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(shared, at(1), a_block()) for _ in range(5)]
        work.hold.set()
        assert len({id(each.result(10)) for each in asked}) == 1
    assert len(work.done) == 1


@pytest.mark.parametrize(
    ("chain", "block"),
    [
        (at(2), a_block()),
        (at(1, header_hash=b"other"), a_block()),
        (at(1, commit_hash=b"other"), a_block()),
        (at(1), a_block(b"other")),
        (at(1), a_block(metadata=b"other")),
    ],
)
def test_another_place_or_other_bytes_are_work_of_their_own(
    work: Work, chain: ChainState, block: common_pb2.Block
) -> None:
    shared = SharedPreparing()
    assert shared(at(1), a_block()) is not shared(chain, block)
    assert len(work.done) == 2


def test_what_does_not_hold_is_refused_to_all(work: Work) -> None:
    shared = SharedPreparing()
    work.error = BlockCheckError("no")
    for _ in range(2):
        with pytest.raises(BlockCheckError):
            shared(at(1), a_block())
    assert len(work.done) == 1


def test_only_the_newest_blocks_are_remembered(work: Work) -> None:
    shared = SharedPreparing()
    for number in range(preparing.KEPT + 1):
        shared(at(number), a_block())
    shared(at(0), a_block())
    assert len(work.done) == preparing.KEPT + 2


def test_what_is_kept_of_a_block_until_it_is_committed_is_what_it_adds_and_not_its_transactions(
    issued: AnchoredChain,
) -> None:
    before, checked = follow(issued.blocks)[-2:]
    prepared = prepare_block(before.after, issued.block(checked.number))
    assert checked.transactions
    assert prepared.checked.transactions == ()
    assert (prepared.checked.after, prepared.derived) == (checked.after, derive(checked))
