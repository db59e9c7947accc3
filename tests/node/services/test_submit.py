"""Gateway.Submit: what reaches the orderers, and what they say."""

from __future__ import annotations

import pytest
from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2
from fabric_protos.peer import transaction_pb2
from grpc import StatusCode
from tests.support.raw_client import RawClient, refusal
from tests.support.service_network import Network

from shirushi_node.ledger.ledger import Channel
from shirushi_node.ledger.ordering import ALREADY_EXISTS, OrderingError

INSUFFICIENT = (
    "insufficient number of orderers could successfully process transaction to satisfy quorum requirement"
)


async def test_a_request_without_a_transaction_is_refused(client: RawClient) -> None:
    refused = await refusal(client.gateway.Submit(gateway_pb2.SubmitRequest()))
    assert (refused.code, refused.text) == (
        StatusCode.INVALID_ARGUMENT,
        "a prepared transaction is required",
    )


async def test_an_unsigned_transaction_is_refused(client: RawClient) -> None:
    endorsed = await client.endorse("put", "key", "value")
    request = gateway_pb2.SubmitRequest(channel_id=client.channel_id, prepared_transaction=endorsed.envelope)
    refused = await refusal(client.gateway.Submit(request))
    assert (refused.code, refused.text) == (
        StatusCode.INVALID_ARGUMENT,
        "prepared transaction must be signed",
    )


async def test_an_unknown_channel_is_refused(client: RawClient) -> None:
    request = gateway_pb2.SubmitRequest(
        channel_id="elsewhere",
        prepared_transaction=common_pb2.Envelope(payload=b"payload", signature=b"signature"),
    )
    refused = await refusal(client.gateway.Submit(request))
    assert refused.code is StatusCode.FAILED_PRECONDITION
    assert refused.text == (
        "failed to get config for channel [elsewhere]: could not get last config for channel elsewhere"
    )


async def test_the_orderers_refusal_is_passed_on_with_their_addresses(
    network: Network, client: RawClient
) -> None:
    endorsed = await client.endorse("put", "key", "value")
    refused = await refusal(client.submit(endorsed, signer=network.user(1)))
    assert (refused.code, refused.text) == (StatusCode.UNAVAILABLE, INSUFFICIENT)
    assert len(refused.details) == 2  # with a second refusal of five no quorum of four is left
    for _, message in refused.details:
        assert message.startswith("received unsuccessful response from orderer: status=FORBIDDEN, info=")
    orderers = {member.orderer_address for member in network.node.status().members}
    assert set(refused.addresses) <= orderers


async def test_garbage_is_refused_by_the_orderers(client: RawClient) -> None:
    request = gateway_pb2.SubmitRequest(
        channel_id=client.channel_id,
        prepared_transaction=common_pb2.Envelope(payload=b"\xff", signature=b"signature"),
    )
    refused = await refusal(client.gateway.Submit(request))
    assert (refused.code, refused.text) == (StatusCode.UNAVAILABLE, INSUFFICIENT)
    assert all("status=BAD_REQUEST" in message for _, message in refused.details)


async def test_one_stopped_orderer_of_five_is_tolerated(network: Network, client: RawClient) -> None:
    await network.node.stop_member(network.msp_ids[4])
    status = await client.transact("put", "key", "value")
    assert status.result == transaction_pb2.VALID


async def test_two_stopped_orderers_of_five_leave_no_quorum(network: Network, client: RawClient) -> None:
    for msp_id in network.msp_ids[3:]:
        await network.node.stop_member(msp_id)
    endorsed = await client.endorse("put", "key", "value")
    refused = await refusal(client.submit(endorsed))
    assert (refused.code, refused.text) == (StatusCode.UNAVAILABLE, INSUFFICIENT)
    assert {msp_id for msp_id, _ in refused.details} == set(network.msp_ids[3:])
    assert all("is stopped" in message for _, message in refused.details)


async def test_a_transaction_that_waits_for_a_block_can_be_submitted_once_more(
    monkeypatch: pytest.MonkeyPatch, client: RawClient
) -> None:
    async def order(channel: Channel, envelope: bytes) -> None:
        raise OrderingError(ALREADY_EXISTS, common_pb2.SERVICE_UNAVAILABLE)

    endorsed = await client.endorse("put", "key", "value")
    monkeypatch.setattr(Channel, "order", order)
    await client.submit(endorsed)


async def test_a_transaction_that_is_committed_is_not_ordered_again(client: RawClient) -> None:
    endorsed = await client.endorse("put", "key", "value")
    await client.submit(endorsed)
    assert (await client.commit_status(endorsed.tx_id)).result == transaction_pb2.VALID
    refused = await refusal(client.submit(endorsed))
    assert (refused.code, refused.text) == (StatusCode.UNAVAILABLE, INSUFFICIENT)
    assert {message for _, message in refused.details} == {
        "received unsuccessful response from orderer: status=SERVICE_UNAVAILABLE, "
        "info=failed to submit request: request already processed"
    }
    assert (await client.commit_status(endorsed.tx_id)).result == transaction_pb2.VALID
