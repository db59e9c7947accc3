"""Reading and writing through the stub: what goes over the wire, and what the contract gets."""

from __future__ import annotations

import pytest
from tests.chaincode.service.calls import NO_OFFER, SMALL_OFFER, Call, batch, collect, metadata, shim
from tests.support.scripted_peer import ChaincodeMessage

from shirushi_chaincode.service import writes as service_writes
from shirushi_chaincode.service.errors import StreamError
from shirushi_chaincode.service.stub import ShimStub
from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.chaincode import Response

Record = shim.WriteRecord


@pytest.mark.parametrize(("payload", "result"), [(b"value", b"value"), (b"", None)])
@pytest.mark.parametrize(
    ("call", "kind", "collection"),
    [
        (lambda stub: stub.get_state("key"), "GET_STATE", ""),
        (lambda stub: stub.get_private_data("secrets", "key"), "GET_STATE", "secrets"),
        (lambda stub: stub.get_private_data_hash("secrets", "key"), "GET_PRIVATE_DATA_HASH", "secrets"),
    ],
)
async def test_one_value_is_read(served, call, kind, collection, payload, result) -> None:
    async with Call(served, call) as (peer, tx_id, done):
        assert await peer.expect(kind, shim.GetState) == shim.GetState(key="key", collection=collection)
        await peer.answer(tx_id, payload)
    assert done.result == result


@pytest.mark.parametrize("collection", ["", "secrets"])
async def test_many_values_are_read_at_once_in_as_many_calls_as_the_peer_wants(served, collection) -> None:
    async def read(stub: ShimStub) -> list[bytes | None]:
        if collection:
            return await stub.get_multiple_private_data(collection, ["a", "b", "c"])
        return await stub.get_multiple_states(["a", "b", "c"])

    async with Call(served, read, **SMALL_OFFER) as (peer, tx_id, done):
        for keys, found in ((["a", "b"], [b"1", b""]), (["c"], [b"3"])):
            question = await peer.expect("GET_STATE_MULTIPLE", shim.GetStateMultiple)
            assert (question.keys, question.collection) == (keys, collection)
            await peer.answer(tx_id, shim.GetStateMultipleResult(values=found))
    assert done.result == [b"1", None, b"3"]


async def test_many_values_are_read_one_by_one_from_a_peer_that_offers_no_more(served) -> None:
    async with Call(served, lambda stub: stub.get_multiple_states(["a", "b"]), **NO_OFFER) as (
        peer,
        tx_id,
        done,
    ):
        for key in ("a", "b"):
            assert (await peer.expect("GET_STATE", shim.GetState)).key == key
            await peer.answer(tx_id, key.encode())
    assert done.result == [b"a", b"b"]


async def test_no_keys_are_no_call(served) -> None:
    async with Call(served, lambda stub: stub.get_multiple_states([])) as (_, _, done):
        pass
    assert done.result == []


async def test_fewer_values_than_keys_are_never_taken_for_state(served) -> None:
    async def read(stub: ShimStub) -> None:
        with pytest.raises(StreamError, match="expected 2 values from the peer, found 1"):
            await stub.get_multiple_states(["a", "b"])

    async with Call(served, read) as (peer, tx_id, _):
        await peer.expect("GET_STATE_MULTIPLE", shim.GetStateMultiple)
        await peer.answer(tx_id, shim.GetStateMultipleResult(values=[b"1"]))


async def write_everything(stub: ShimStub) -> None:
    await stub.put_state("a", b"overwritten")
    await stub.del_state("b")
    await stub.set_state_validation_parameter("a", b"policy")
    await stub.put_private_data("secrets", "a", b"secret")
    await stub.purge_private_data("secrets", "b")
    await stub.set_private_data_validation_parameter("secrets", "a", b"private policy")
    await stub.del_private_data("secrets", "c")
    await stub.put_state("a", b"1")


async def test_writes_go_in_one_batch_before_the_answer_and_the_last_of_a_key_counts(served) -> None:
    async with Call(served, write_everything) as (peer, tx_id, _):
        question = await peer.expect("WRITE_BATCH_STATE", shim.WriteBatchState)
        assert list(question.rec) == [
            Record(type=Record.PUT_STATE, key="a", value=b"1"),
            Record(type=Record.DEL_STATE, key="b"),
            Record(type=Record.PUT_STATE_METADATA, key="a", metadata=metadata(b"policy")),
            Record(type=Record.PUT_STATE, key="a", value=b"secret", collection="secrets"),
            Record(type=Record.PURGE_PRIVATE_DATA, key="b", collection="secrets"),
            Record(
                type=Record.PUT_STATE_METADATA,
                key="a",
                collection="secrets",
                metadata=metadata(b"private policy"),
            ),
            Record(type=Record.DEL_STATE, key="c", collection="secrets"),
        ]
        await peer.answer(tx_id)


async def test_a_peer_without_batches_gets_each_write(served) -> None:
    async with Call(served, write_everything, **NO_OFFER) as (peer, tx_id, _):
        for kind, question in (
            ("PUT_STATE", shim.PutState(key="a", value=b"1")),
            ("DEL_STATE", shim.DelState(key="b")),
            ("PUT_STATE_METADATA", shim.PutStateMetadata(key="a", metadata=metadata(b"policy"))),
            ("PUT_STATE", shim.PutState(key="a", value=b"secret", collection="secrets")),
            ("PURGE_PRIVATE_DATA", shim.DelState(key="b", collection="secrets")),
            (
                "PUT_STATE_METADATA",
                shim.PutStateMetadata(key="a", collection="secrets", metadata=metadata(b"private policy")),
            ),
            ("DEL_STATE", shim.DelState(key="c", collection="secrets")),
        ):
            assert await peer.expect(kind, type(question)) == question
            await peer.answer(tx_id)


async def test_a_batch_has_no_more_records_than_the_peer_takes(served) -> None:
    async def write(stub: ShimStub) -> None:
        for key in "abcde":
            await stub.put_state(key, b"value")

    async with Call(served, write, **SMALL_OFFER) as (peer, tx_id, _):
        for keys in ("ab", "cd", "e"):
            question = await peer.expect("WRITE_BATCH_STATE", shim.WriteBatchState)
            assert "".join(record.key for record in question.rec) == keys
            await peer.answer(tx_id)


async def test_a_batch_has_no_more_bytes_than_a_message_carries(served, monkeypatch) -> None:
    monkeypatch.setattr(service_writes, "MAX_BATCH_BYTES", 1000)

    async def write(stub: ShimStub) -> None:
        for key, size in (("a", 400), ("b", 400), ("c", 400), ("d", 2000), ("e", 1)):
            await stub.put_state(key, bytes(size))

    async with Call(served, write) as (peer, tx_id, _):
        for keys in ("ab", "c", "d", "e"):
            question = await peer.expect("WRITE_BATCH_STATE", shim.WriteBatchState)
            assert "".join(record.key for record in question.rec) == keys
            await peer.answer(tx_id)


async def test_a_refused_write_fails_the_proposal(served) -> None:
    async def write(stub: ShimStub) -> bytes:
        await stub.put_state("key", b"value")
        return b"well"

    peer = await served.peer(write)
    tx_id = await peer.propose()
    await peer.expect("WRITE_BATCH_STATE", shim.WriteBatchState)
    await peer.refuse(tx_id, "WRITE_BATCH_STATE failed: not here")
    response = await peer.completed(tx_id)
    assert (response.status, response.message) == (500, "WRITE_BATCH_STATE failed: not here")


async def test_an_error_response_keeps_its_writes_as_in_fabric(served) -> None:
    """A chaincode that called this one and goes on has them in its transaction."""

    async def write(stub: ShimStub) -> Response:
        await stub.put_state("key", b"value")
        return Response(500, "no")

    peer = await served.peer(write)
    tx_id = await peer.propose()
    await peer.expect("WRITE_BATCH_STATE", shim.WriteBatchState)
    await peer.answer(tx_id)
    assert (await peer.completed(tx_id)).status == 500


@pytest.mark.parametrize(
    ("call", "kind", "answer"),
    [
        (lambda stub: stub.invoke_chaincode("other", [b"f"]), "INVOKE_CHAINCODE", ChaincodeMessage()),
        (
            lambda stub: stub.get_state_by_range_with_pagination("", "", 1, ""),
            "GET_STATE_BY_RANGE",
            batch("1", []),
        ),
        (
            lambda stub: stub.get_query_result_with_pagination("{}", 1, ""),
            "GET_QUERY_RESULT",
            batch("1", []),
        ),
        (
            lambda stub: collect(stub, stub.get_private_data_by_range("secrets", "", "")),
            "GET_STATE_BY_RANGE",
            batch("1", []),
        ),
        (
            lambda stub: collect(stub, stub.get_private_data_query_result("secrets", "{}")),
            "GET_QUERY_RESULT",
            batch("1", []),
        ),
    ],
)
async def test_writes_go_before_calls_whose_outcome_they_change(served, call, kind, answer) -> None:
    async def write_and_call(stub: ShimStub) -> None:
        await stub.put_state("key", b"value")
        await call(stub)

    async with Call(served, write_and_call) as (peer, tx_id, _):
        await peer.expect("WRITE_BATCH_STATE", shim.WriteBatchState)
        await peer.answer(tx_id)
        await peer.expect(kind, shim.GetState if kind == "INVOKE_CHAINCODE" else shim.GetStateByRange)
        await peer.answer(tx_id, answer)


@pytest.mark.parametrize("collection", ["", "secrets"])
async def test_a_keys_validation_parameter_is_read(served, collection) -> None:
    async def read(stub: ShimStub) -> bytes | None:
        if collection:
            return await stub.get_private_data_validation_parameter(collection, "key")
        return await stub.get_state_validation_parameter("key")

    async with Call(served, read) as (peer, tx_id, done):
        question = await peer.expect("GET_STATE_METADATA", shim.GetStateMetadata)
        assert question == shim.GetStateMetadata(key="key", collection=collection)
        other = shim.StateMetadata(metakey="other", value=b"x")
        await peer.answer(tx_id, shim.StateMetadataResult(entries=[other, metadata(b"policy")]))
    assert done.result == b"policy"


async def test_a_key_without_validation_parameter_has_none(served) -> None:
    async with Call(served, lambda stub: stub.get_state_validation_parameter("key")) as (peer, tx_id, done):
        await peer.expect("GET_STATE_METADATA", shim.GetStateMetadata)
        await peer.answer(tx_id, shim.StateMetadataResult())
    assert done.result is None


async def test_flushed_writes_are_refused_where_the_contract_can_deal_with_it(served) -> None:
    async def write(stub: ShimStub) -> bytes:
        await stub.put_state("key", b"value")
        await stub.flush_writes()
        return b"flushed"

    peer = await served.peer(write)
    tx_id = await peer.propose()
    await peer.expect("WRITE_BATCH_STATE", shim.WriteBatchState)
    await peer.answer(tx_id)
    assert (await peer.completed(tx_id)).payload == b"flushed"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda stub: stub.put_state("", b"v"), "key must not be an empty string"),
        (lambda stub: stub.del_state(""), "key must not be an empty string"),
        (lambda stub: stub.set_state_validation_parameter("", b"p"), "key must not be an empty string"),
        (lambda stub: stub.put_private_data("", "k", b"v"), "collection must not be an empty string"),
        (lambda stub: stub.get_private_data("", "k"), "collection must not be an empty string"),
        (lambda stub: stub.purge_private_data("c", ""), "key must not be an empty string"),
        (lambda stub: stub.put_state("\ud800", b"v"), "valid UTF-8"),
        (lambda stub: stub.get_state("\ud800"), "valid UTF-8"),
        (lambda stub: collect(stub, stub.get_state_by_range("\0a", "")), "contains a null character"),
        (lambda stub: collect(stub, stub.get_state_by_range("", "\0a")), "contains a null character"),
        (
            lambda stub: stub.get_state_by_range_with_pagination("", "", 0, ""),
            "a page of 0 results was asked for",
        ),
        (lambda stub: collect(stub, stub.get_private_data_query_result("", "{}")), "collection must not be"),
    ],
)
async def test_what_no_peer_would_take_is_refused_before_it_is_sent(served, call, text) -> None:
    async def attempt(stub: ShimStub) -> None:
        with pytest.raises(InvalidInputError, match=text):
            await call(stub)

    async with Call(served, attempt):
        pass


async def test_an_empty_value_is_passed_on_as_fabrics_shim_does(served) -> None:
    """The peer takes it for a deletion."""
    async with Call(served, lambda stub: stub.put_state("key", b"")) as (peer, tx_id, _):
        (record,) = (await peer.expect("WRITE_BATCH_STATE", shim.WriteBatchState)).rec
        assert record == Record(type=Record.PUT_STATE, key="key")
        await peer.answer(tx_id)
