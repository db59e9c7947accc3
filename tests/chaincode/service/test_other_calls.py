"""Calls of other chaincodes, and events."""

from __future__ import annotations

from typing import Any

import pytest
from fabric_protos.peer import chaincode_pb2, proposal_response_pb2
from tests.chaincode.service.calls import Call, shim
from tests.support.scripted_peer import ChaincodeMessage

from shirushi_chaincode.service.stub import ShimStub
from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.chaincode import Response

Record = shim.WriteRecord


def nested(kind: int, payload: bytes) -> Any:
    return ChaincodeMessage(type=kind, payload=payload)


@pytest.mark.parametrize(
    ("answer", "response"),
    [
        (
            nested(
                ChaincodeMessage.COMPLETED,
                proposal_response_pb2.Response(status=201, message="m", payload=b"p").SerializeToString(),
            ),
            Response(201, "m", b"p"),
        ),
        (nested(ChaincodeMessage.ERROR, b"crashed"), Response(500, "crashed")),
    ],
)
async def test_another_chaincode_is_called(served, answer, response) -> None:
    async with Call(served, lambda stub: stub.invoke_chaincode("other", [b"f", b"x"], "channel2")) as (
        peer,
        tx_id,
        done,
    ):
        question = await peer.expect("INVOKE_CHAINCODE", chaincode_pb2.ChaincodeSpec)
        assert question.chaincode_id.name == "other/channel2"
        assert list(question.input.args) == [b"f", b"x"]
        await peer.answer(tx_id, answer)
    assert done.result == response


async def test_a_chaincode_that_cannot_be_called_is_an_error_response_as_in_process(served) -> None:
    async with Call(served, lambda stub: stub.invoke_chaincode("other", [])) as (peer, tx_id, done):
        question = await peer.expect("INVOKE_CHAINCODE", chaincode_pb2.ChaincodeSpec)
        assert question.chaincode_id.name == "other"
        await peer.refuse(tx_id, "INVOKE_CHAINCODE failed: no such chaincode")
    assert done.result == Response(500, "INVOKE_CHAINCODE failed: no such chaincode")


async def test_the_last_event_goes_with_the_answer(served) -> None:
    async def events(stub: ShimStub) -> None:
        stub.set_event("first", b"1")
        stub.set_event("second", b"2")

    peer = await served.peer(events)
    await peer.propose()
    event = (await peer.read()).chaincode_event
    assert (event.event_name, event.payload) == ("second", b"2")


async def test_an_event_needs_a_name(served) -> None:
    async def attempt(stub: ShimStub) -> None:
        with pytest.raises(InvalidInputError, match="event name can not be empty string"):
            stub.set_event("", b"")

    async with Call(served, attempt):
        pass
