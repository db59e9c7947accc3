"""Gateway.ChaincodeEvents: which events, in what order, from where."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fabric_protos.gateway import gateway_pb2
from fabric_protos.orderer import ab_pb2
from grpc import StatusCode
from tests.support.raw_client import Endorsed, RawClient, refusal


async def take(stream: Any, count: int = 1) -> list[Any]:
    """Read responses and end the stream."""
    responses = [await stream.read() for _ in range(count)]
    stream.cancel()
    return responses


def names(responses: list[Any]) -> list[str]:
    return [event.event_name for response in responses for event in response.events]


async def burst(client: RawClient, *event_names: str) -> list[Endorsed]:
    """Emit events with transactions that end up in as few blocks as possible, in order."""
    endorsed = [await client.endorse("event", name, "payload") for name in event_names]
    for each in endorsed:
        await client.submit(each)
    await asyncio.gather(*(client.commit_status(each.tx_id) for each in endorsed))
    return endorsed


async def test_by_default_events_come_from_the_next_block_on(client: RawClient) -> None:
    await client.transact("event", "before", "")
    stream = client.chaincode_events()
    await stream.wait_for_connection()
    await client.transact("event", "after", "payload")
    (response,) = await take(stream)
    (event,) = response.events
    assert (event.event_name, event.payload, event.chaincode_id) == ("after", b"payload", "basic")
    assert response.block_number == 2


async def test_events_are_replayed_from_a_block(client: RawClient) -> None:
    for name in ("one", "two", "three"):
        await client.transact("event", name, "")
    responses = await take(client.chaincode_events(start=2), 2)
    assert names(responses) == ["two", "three"]
    assert [response.block_number for response in responses] == [2, 3]


async def test_one_response_has_all_events_of_its_block_in_order(client: RawClient) -> None:
    await burst(client, *"abcdef")
    seen: list[Any] = []
    stream = client.chaincode_events(start=1)
    while len(names(seen)) < 6:
        seen.append(await stream.read())
    stream.cancel()
    assert names(seen) == list("abcdef")
    assert len({response.block_number for response in seen}) == len(seen)


async def test_events_resume_after_a_transaction_within_its_block(client: RawClient) -> None:
    endorsed = await burst(client, *"abcdef")
    seen: list[Any] = []
    stream = client.chaincode_events(after=endorsed[2].tx_id)
    while len(names(seen)) < 3:
        seen.append(await stream.read())
    stream.cancel()
    assert names(seen) == list("def")


async def test_after_an_unknown_transaction_the_start_position_counts(client: RawClient) -> None:
    """As in Fabric the transaction to pass is still waited for, so nothing before it is shown."""
    await client.transact("event", "one", "")
    stream = client.chaincode_events(start=1, after="0" * 64)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(stream.read(), 0.3)


async def test_other_chaincodes_and_blocks_without_events_are_passed_over(client: RawClient) -> None:
    await client.transact("put", "key", "value")
    await client.transact("event", "mine", "")
    assert names(await take(client.chaincode_events(start=0))) == ["mine"]
    quiet = client.chaincode_events("probing", start=0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(quiet.read(), 0.3)


async def test_events_of_invalid_transactions_are_not_shown(client: RawClient) -> None:
    await client.transact("event", "invalid", "", organisations=[client.user.identity.msp_id])
    await client.transact("event", "valid", "")
    assert names(await take(client.chaincode_events(start=1))) == ["valid"]


async def test_closing_one_listener_leaves_the_other(client: RawClient) -> None:
    first, second = client.chaincode_events(start=1), client.chaincode_events(start=1)
    await first.wait_for_connection()
    first.cancel()
    await client.transact("event", "name", "")
    assert names(await take(second)) == ["name"]


@pytest.mark.parametrize("kind", ["oldest", "newest"])
async def test_other_start_positions_are_refused(client: RawClient, kind: str) -> None:
    position = ab_pb2.SeekPosition()
    getattr(position, kind).SetInParent()
    refused = await refusal(client.chaincode_events(start_position=position).read())
    assert refused.code is StatusCode.INVALID_ARGUMENT
    assert refused.text == f"invalid start position type: *orderer.SeekPosition_{kind.capitalize()}"


async def test_an_empty_request_is_refused(client: RawClient) -> None:
    stream = client.gateway.ChaincodeEvents(gateway_pb2.SignedChaincodeEventsRequest())
    refused = await refusal(stream.read())
    assert refused.code is StatusCode.INVALID_ARGUMENT
    assert refused.text == "a chaincode events request is required"


async def test_a_request_that_its_identity_did_not_sign_is_refused(client: RawClient) -> None:
    request = gateway_pb2.ChaincodeEventsRequest(
        channel_id=client.channel_id, chaincode_id="basic", identity=client.user.identity.serialized
    ).SerializeToString()
    signed = gateway_pb2.SignedChaincodeEventsRequest(request=request, signature=b"no signature")
    refused = await refusal(client.gateway.ChaincodeEvents(signed).read())
    assert refused.code is StatusCode.PERMISSION_DENIED
