"""Checkpointers: where listening resumes, also after a crash."""

from __future__ import annotations

import asyncio
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shirushi_client.gateway import (
    ChaincodeEvent,
    Checkpointer,
    CheckpointError,
    FileCheckpointer,
    InMemoryCheckpointer,
)
from shirushi_client.gateway.checkpoint import CheckpointState
from shirushi_client.gateway.checkpoint_file import CheckpointFile, _parse, _serialize

EVENT = ChaincodeEvent(12, "tx", "basic", "event", b"")


@pytest.fixture(params=["memory", "file"])
async def checkpointer(request, tmp_path):
    if request.param == "memory":
        yield InMemoryCheckpointer()
    else:
        async with await FileCheckpointer.open(tmp_path / "checkpoint.json") as opened:
            yield opened


def position(checkpointer: Checkpointer):
    return checkpointer.block_number, checkpointer.transaction_id


async def test_a_fresh_checkpointer_has_no_position(checkpointer):
    assert position(checkpointer) == (None, None)


async def test_after_a_block_comes_the_next_one(checkpointer):
    await checkpointer.checkpoint_transaction(11, "tx")
    await checkpointer.checkpoint_block(11)
    assert position(checkpointer) == (12, None)


async def test_after_a_transaction_comes_the_rest_of_its_block(checkpointer):
    await checkpointer.checkpoint_transaction(0, "tx")
    assert position(checkpointer) == (0, "tx")


async def test_an_event_stands_for_its_transaction(checkpointer):
    await checkpointer.checkpoint_chaincode_event(EVENT)
    assert position(checkpointer) == (12, "tx")


async def test_a_position_in_a_file_is_there_for_the_next_one_who_opens_it(tmp_path):
    path = tmp_path / "checkpoint.json"
    async with await FileCheckpointer.open(path) as first:
        await first.checkpoint_chaincode_event(EVENT)
    assert position(await FileCheckpointer.open(path)) == (12, "tx")
    assert json.loads(path.read_bytes()) == {"blockNumber": "12", "transactionId": "tx"}


async def test_a_file_of_the_node_client_can_be_taken_over(tmp_path):
    path = tmp_path / "checkpoint.json"
    path.write_text('{"blockNumber":"18446744073709551615","transactionId":"abc"}')
    assert position(await FileCheckpointer.open(path)) == (2**64 - 1, "abc")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b'{"blockNumber":"1', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "expected an object"),
        (b'{"blockNumber":"1","extra":1}', "expected an object"),
        (b'{"blockNumber":1}', "decimal digits"),
        (b'{"blockNumber":"-1"}', "decimal digits"),
        ('{"blockNumber":"１"}'.encode(), "decimal digits"),
        (b'{"blockNumber":"18446744073709551616"}', "beyond"),
        (b'{"transactionId":"tx"}', "no blockNumber"),
        (b'{"blockNumber":"1","transactionId":""}', "non-empty"),
        (b'{"blockNumber":"1","transactionId":7}', "non-empty"),
        (b'{"blockNumber":"1","transactionId":"\\ud800"}', "non-empty"),
        (b"[" * 4000, "not JSON"),
        (b" " * 5000, "longer than"),
    ],
)
async def test_a_corrupt_file_is_refused_and_left_as_it_is(tmp_path, content, reason):
    path = tmp_path / "checkpoint.json"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=reason) as caught:
        await FileCheckpointer.open(path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content


async def test_a_folder_that_is_not_there_is_found_out_at_once(tmp_path):
    with pytest.raises(CheckpointError, match="cannot write the checkpoint file"):
        await FileCheckpointer.open(tmp_path / "nowhere" / "checkpoint.json")


async def test_a_folder_in_place_of_the_file_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="cannot read the checkpoint file"):
        await FileCheckpointer.open(tmp_path)


async def test_a_position_that_cannot_be_written_is_not_taken(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.json"
    checkpointer = await FileCheckpointer.open(path)
    await checkpointer.checkpoint_block(1)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="No space left"):
        await checkpointer.checkpoint_block(2)
    monkeypatch.undo()
    assert position(checkpointer) == position(await FileCheckpointer.open(path)) == (2, None)


async def test_a_crash_before_the_replacement_leaves_the_old_position(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.json"
    checkpointer = await FileCheckpointer.open(path)
    await checkpointer.checkpoint_transaction(1, "old")

    class Crash(BaseException):
        pass

    def crash(source, target):
        raise Crash

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(Crash):
        await checkpointer.checkpoint_transaction(2, "new")
    monkeypatch.undo()
    resumed = await FileCheckpointer.open(path)
    assert position(resumed) == (1, "old")
    await resumed.checkpoint_transaction(2, "new")
    assert position(await FileCheckpointer.open(path)) == (2, "new")


async def test_saves_at_the_same_time_leave_one_of_the_positions(tmp_path):
    path = tmp_path / "checkpoint.json"
    async with await FileCheckpointer.open(path) as checkpointer:
        await asyncio.gather(*(checkpointer.checkpoint_transaction(i, "t" * i) for i in range(1, 30)))
        last = position(checkpointer)
    assert last == position(await FileCheckpointer.open(path))
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.json"]


async def test_a_closed_checkpointer_refuses_to_move(tmp_path):
    checkpointer = await FileCheckpointer.open(tmp_path / "checkpoint.json")
    await checkpointer.close()
    with pytest.raises(CheckpointError, match="is closed"):
        await checkpointer.checkpoint_block(1)


def test_a_link_to_a_file_stays_a_link(tmp_path):
    (tmp_path / "data").mkdir()
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "data" / "checkpoint.json")
    CheckpointFile.open(link).save(CheckpointState(3))
    assert link.is_symlink()
    assert CheckpointFile.open(tmp_path / "data" / "checkpoint.json").state == CheckpointState(3)


@given(st.integers(0, 2**64 - 1), st.none() | st.text(min_size=1, max_size=128))
def test_every_position_comes_back_from_its_file(tmp_path_factory, block_number, transaction_id):
    state = CheckpointState(block_number, transaction_id)
    assert _parse(_serialize(state), tmp_path_factory.getbasetemp()) == state


@given(st.binary(max_size=200))
def test_any_bytes_give_a_position_or_a_typed_error(tmp_path_factory, data):
    try:
        state = _parse(data, tmp_path_factory.getbasetemp())
    except CheckpointError:
        return
    assert isinstance(state, CheckpointState)
