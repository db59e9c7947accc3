"""Gateway.CommitStatus: whose question is answered, and when."""

from __future__ import annotations

import asyncio

import pytest
from fabric_protos.gateway import gateway_pb2
from fabric_protos.peer import transaction_pb2
from grpc import StatusCode
from tests.support.raw_client import RawClient, refusal
from tests.support.service_network import Network


async def test_a_committed_transaction_is_answered_at_once(client: RawClient) -> None:
    endorsed = await client.endorse("put", "key", "value")
    await client.submit(endorsed)
    first = await client.commit_status(endorsed.tx_id)
    assert (first.result, first.block_number) == (transaction_pb2.VALID, 1)
    assert await client.commit_status(endorsed.tx_id, timeout=1) == first


async def test_a_transaction_that_is_not_there_yet_is_waited_for(client: RawClient) -> None:
    endorsed = await client.endorse("put", "key", "value")
    waiting = asyncio.ensure_future(client.commit_status(endorsed.tx_id))
    await client.transact("put", "other", "value")
    assert not waiting.done()
    await client.submit(endorsed)
    assert (await waiting).block_number == 2


async def test_the_wait_ends_with_the_callers_deadline(client: RawClient) -> None:
    refused = await refusal(client.commit_status("0" * 64, timeout=0.2))
    assert refused.code is StatusCode.DEADLINE_EXCEEDED


async def test_the_code_of_an_invalid_transaction_is_told(client: RawClient) -> None:
    status = await client.transact("put", "key", "value", organisations=[client.user.identity.msp_id])
    assert status.result == transaction_pb2.ENDORSEMENT_POLICY_FAILURE


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "a commit status request is required"),
        ({"channel_id": "c", "transaction_id": "t"}, "no identity provided"),
        ({"identity": b"i", "transaction_id": "t"}, "no channel ID provided"),
        ({"identity": b"i", "channel_id": "c"}, "transaction ID should not be empty"),
    ],
)
async def test_an_incomplete_request_is_refused(
    client: RawClient, fields: dict[str, object], text: str
) -> None:
    request = gateway_pb2.CommitStatusRequest(**fields)
    refused = await refusal(client.gateway.CommitStatus(client.signed_status(request)))
    assert (refused.code, refused.text) == (StatusCode.INVALID_ARGUMENT, text)


async def test_a_malformed_request_is_refused(client: RawClient) -> None:
    refused = await refusal(
        client.gateway.CommitStatus(gateway_pb2.SignedCommitStatusRequest(request=b"\xff"))
    )
    assert refused.code is StatusCode.INVALID_ARGUMENT
    assert refused.text.startswith("invalid status request: ")


async def test_a_request_that_its_identity_did_not_sign_is_refused(
    network: Network, client: RawClient
) -> None:
    request = gateway_pb2.CommitStatusRequest(
        channel_id=client.channel_id, transaction_id="t", identity=network.user(1).identity.serialized
    )
    refused = await refusal(client.gateway.CommitStatus(client.signed_status(request)))
    assert refused.code is StatusCode.PERMISSION_DENIED
    assert refused.text == (
        f"Failed evaluating policy on signed data during check policy on channel [{client.channel_id}] with policy "
        "[/Channel/Application/Readers]: [implicit policy evaluation failed - 0 sub-policies were satisfied, but this "
        "policy requires 1 of the 'Readers' sub-policies to be satisfied]"
    )


async def test_an_unknown_channel_is_refused(client: RawClient) -> None:
    request = gateway_pb2.CommitStatusRequest(
        channel_id="elsewhere", transaction_id="t", identity=client.user.identity.serialized
    )
    refused = await refusal(client.gateway.CommitStatus(client.signed_status(request)))
    assert refused.code is StatusCode.PERMISSION_DENIED
    assert refused.text == "Failed to get policy manager for channel [elsewhere]"
