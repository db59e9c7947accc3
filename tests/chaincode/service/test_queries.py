"""Ranges, rich queries, pages and history through the stub, fetched as they are looked at."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from fabric_protos.ledger.queryresult import kv_query_result_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from tests.chaincode.service.calls import Call, batch, collect, shim, values

from shirushi_chaincode.service.errors import StreamError
from shirushi_chaincode.service.stub import ShimStub
from shirushi_core.fabric.chaincode import KeyModification, KeyValue
from shirushi_core.fabric.composite_key import create_composite_key

Record = shim.WriteRecord


PARTIAL = create_composite_key("type", ["a"])


@pytest.mark.parametrize(
    ("call", "start", "end", "collection"),
    [
        (lambda stub: stub.get_state_by_range("k", "l"), "k", "l", ""),
        (lambda stub: stub.get_state_by_range("", ""), "\x01", "", ""),
        (
            lambda stub: stub.get_state_by_partial_composite_key("type", ["a"]),
            PARTIAL,
            PARTIAL + "\U0010ffff",
            "",
        ),
        (lambda stub: stub.get_private_data_by_range("secrets", "", "l"), "\x01", "l", "secrets"),
        (
            lambda stub: stub.get_private_data_by_partial_composite_key("secrets", "type", ["a"]),
            PARTIAL,
            PARTIAL + "\U0010ffff",
            "secrets",
        ),
    ],
)
async def test_a_range_is_iterated_over(served, call, start, end, collection) -> None:
    async with Call(served, lambda stub: collect(stub, call(stub))) as (peer, tx_id, done):
        question = await peer.expect("GET_STATE_BY_RANGE", shim.GetStateByRange)
        assert question == shim.GetStateByRange(startKey=start, endKey=end, collection=collection)
        await peer.answer(tx_id, batch("q", ["k1", "k2"]))
    assert done.result == values("k1", "k2")


@pytest.mark.parametrize("collection", ["", "secrets"])
async def test_a_rich_query_is_iterated_over(served, collection) -> None:
    async def query(stub: ShimStub) -> list[Any]:
        if collection:
            return await collect(stub, stub.get_private_data_query_result(collection, "{}"))
        return await collect(stub, stub.get_query_result("{}"))

    async with Call(served, query) as (peer, tx_id, done):
        question = await peer.expect("GET_QUERY_RESULT", shim.GetQueryResult)
        assert question == shim.GetQueryResult(query="{}", collection=collection)
        await peer.answer(tx_id, batch("q", ["k1"]))
    assert done.result == values("k1")


async def test_a_keys_history_is_iterated_over(served) -> None:
    change = kv_query_result_pb2.KeyModification(
        tx_id="t", value=b"v", timestamp=Timestamp(seconds=1, nanos=2), is_delete=True
    )
    async with Call(served, lambda stub: collect(stub, stub.get_history_for_key("k"))) as (peer, tx_id, done):
        assert (await peer.expect("GET_HISTORY_FOR_KEY", shim.GetHistoryForKey)).key == "k"
        row = shim.QueryResultBytes(resultBytes=change.SerializeToString())
        await peer.answer(tx_id, shim.QueryResponse(results=[row]))
    assert done.result == [KeyModification("t", 1, 2, b"v", True)]


async def test_further_results_are_fetched_when_they_are_looked_at(served) -> None:
    async def look(stub: ShimStub) -> list[KeyValue]:
        found = []
        async for result in stub.get_state_by_range("", ""):
            found.append(result)
            await stub.get_state(f"about {result.key}")
        return found

    async with Call(served, look) as (peer, tx_id, done):
        await peer.expect("GET_STATE_BY_RANGE", shim.GetStateByRange)
        await peer.answer(tx_id, batch("q", ["a", "b"], has_more=True))
        for key in ("a", "b"):
            assert (await peer.expect("GET_STATE", shim.GetState)).key == f"about {key}"
            await peer.answer(tx_id)
        assert (await peer.expect("QUERY_STATE_NEXT", shim.QueryStateNext)).id == "q"
        await peer.answer(tx_id, batch("q", ["c"]))
        await peer.expect("GET_STATE", shim.GetState)
        await peer.answer(tx_id)
    assert done.result == values("a", "b", "c")


async def test_a_query_that_is_left_early_is_closed_before_the_next_call(served) -> None:
    async def look(stub: ShimStub) -> None:
        async for _ in stub.get_state_by_range("", ""):
            break
        await stub.get_state("next")

    async with Call(served, look) as (peer, tx_id, _):
        await peer.expect("GET_STATE_BY_RANGE", shim.GetStateByRange)
        await peer.answer(tx_id, batch("q", ["a", "b"], has_more=True))
        assert (await peer.expect("QUERY_STATE_CLOSE", shim.QueryStateClose)).id == "q"
        await peer.answer(tx_id, shim.QueryResponse(id="q"))
        assert (await peer.expect("GET_STATE", shim.GetState)).key == "next"
        await peer.answer(tx_id)


async def test_a_query_can_be_closed_at_once(served) -> None:
    async def look(stub: ShimStub) -> KeyValue:
        async with contextlib.aclosing(stub.get_state_by_range("", "")) as results:  # type: ignore[type-var]
            return await anext(results)

    async with Call(served, look) as (peer, tx_id, done):
        await peer.expect("GET_STATE_BY_RANGE", shim.GetStateByRange)
        await peer.answer(tx_id, batch("q", ["a", "b"], has_more=True))
        assert (await peer.expect("QUERY_STATE_CLOSE", shim.QueryStateClose)).id == "q"
        await peer.answer(tx_id, shim.QueryResponse(id="q"))
    assert done.result == KeyValue("a", b"a")


async def test_a_query_that_was_all_sent_is_not_closed(served) -> None:
    async def look(stub: ShimStub) -> None:
        async for _ in stub.get_state_by_range("", ""):
            break
        await stub.get_state("next")

    async with Call(served, look) as (peer, tx_id, _):
        await peer.expect("GET_STATE_BY_RANGE", shim.GetStateByRange)
        await peer.answer(tx_id, batch("q", ["a", "b"]))
        await peer.expect("GET_STATE", shim.GetState)
        await peer.answer(tx_id)


async def test_an_endless_query_without_results_is_refused(served) -> None:
    async def look(stub: ShimStub) -> None:
        with pytest.raises(StreamError, match="expected results and the id of a query that has more"):
            await collect(stub, stub.get_state_by_range("", ""))

    async with Call(served, look) as (peer, tx_id, _):
        await peer.expect("GET_STATE_BY_RANGE", shim.GetStateByRange)
        await peer.answer(tx_id, batch("q", [], has_more=True))


@pytest.mark.parametrize(
    ("call", "start", "end"),
    [
        (lambda stub: stub.get_state_by_range_with_pagination("", "z", 2, "b"), "\x01", "z"),
        (
            lambda stub: stub.get_state_by_partial_composite_key_with_pagination("type", ["a"], 2, "b"),
            PARTIAL,
            PARTIAL + "\U0010ffff",
        ),
        (
            lambda stub: stub.get_all_states_composite_key_with_pagination(2, "b"),
            "\x00",
            "\x00\U0010ffff",
        ),
    ],
)
async def test_a_page_of_a_range_has_the_bookmark_of_the_next(served, call, start, end) -> None:
    async with Call(served, call) as (peer, tx_id, done):
        question = await peer.expect("GET_STATE_BY_RANGE", shim.GetStateByRange)
        assert (question.startKey, question.endKey) == (start, end)
        assert shim.QueryMetadata.FromString(question.metadata) == shim.QueryMetadata(
            pageSize=2, bookmark="b"
        )
        await peer.answer(tx_id, batch("q", ["k1", "k2"], bookmark="k3"))
    assert done.result == (values("k1", "k2"), "k3")


async def test_a_page_of_a_rich_query_has_the_bookmark_of_the_next(served) -> None:
    async with Call(served, lambda stub: stub.get_query_result_with_pagination("{}", 2, "b")) as (
        peer,
        tx_id,
        done,
    ):
        question = await peer.expect("GET_QUERY_RESULT", shim.GetQueryResult)
        assert question.query == "{}"
        assert shim.QueryMetadata.FromString(question.metadata) == shim.QueryMetadata(
            pageSize=2, bookmark="b"
        )
        await peer.answer(tx_id, batch("q", ["k1"]))
    assert done.result == (values("k1"), "")
