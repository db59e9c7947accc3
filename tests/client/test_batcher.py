from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from shirushi_client.issuer.batcher import Batcher, BatcherClosedError


class Recorder:
    """Processes a batch by remembering it, once it may."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.started = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def process(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.started.set()
        await self.may_go_on.wait()
        return [item * 10 for item in items]


async def test_items_that_come_together_are_one_batch_and_each_gets_its_own_answer() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.process, max_count=10, max_wait=0.01)
    assert await asyncio.gather(*(batcher.add(n) for n in range(3))) == [0, 10, 20]
    assert recorder.batches == [[0, 1, 2]]


async def test_a_full_batch_does_not_wait() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.process, max_count=2, max_wait=3600)
    assert await asyncio.wait_for(asyncio.gather(*(batcher.add(n) for n in range(4))), 5) == [0, 10, 20, 30]
    assert recorder.batches == [[0, 1], [2, 3]]


async def test_a_lone_item_waits_no_longer_than_the_time_set() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.process, max_count=100, max_wait=0.01)
    assert await asyncio.wait_for(batcher.add(7), 5) == 70


async def test_above_the_bound_adding_waits_for_room() -> None:
    recorder = Recorder()
    recorder.may_go_on.clear()
    batcher = Batcher(recorder.process, max_count=1, max_wait=0.01, max_pending=2)
    adding = [asyncio.create_task(batcher.add(n)) for n in range(5)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(recorder.batches) == 2
    recorder.may_go_on.set()
    assert await asyncio.gather(*adding) == [0, 10, 20, 30, 40]


async def test_a_failed_batch_fails_its_items_and_no_others() -> None:
    async def process(items: Sequence[int]) -> list[int]:
        if 13 in items:
            raise ValueError("unlucky")
        return list(items)

    batcher = Batcher(process, max_count=1, max_wait=0.01)
    answers = await asyncio.gather(*(batcher.add(n) for n in (12, 13, 14)), return_exceptions=True)
    assert [answers[0], answers[2]] == [12, 14]
    assert isinstance(answers[1], ValueError)


async def test_giving_up_on_one_item_leaves_its_batch_alone() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.process, max_count=100, max_wait=0.02)
    impatient = asyncio.create_task(batcher.add(1))
    patient = asyncio.create_task(batcher.add(2))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == 20


async def test_closing_processes_what_waits_and_takes_nothing_more() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.process, max_count=100, max_wait=3600)
    adding = asyncio.create_task(batcher.add(1))
    await asyncio.sleep(0)
    await batcher.close()
    assert await adding == 10
    with pytest.raises(BatcherClosedError):
        await batcher.add(2)


async def test_abandoning_cancels_whoever_waits() -> None:
    recorder = Recorder()
    recorder.may_go_on.clear()
    batcher = Batcher(recorder.process, max_count=1, max_wait=3600)
    adding = asyncio.create_task(batcher.add(1))
    await recorder.started.wait()
    batcher.abandon()
    await asyncio.wait_for(batcher.close(), 5)
    with pytest.raises(asyncio.CancelledError):
        await adding
