"""Overload is refused with Fabric's text, not queued."""

from __future__ import annotations

import asyncio

import grpc
from tests.support.raw_client import RawClient, refusal
from tests.support.service_network import StartNetwork

from shirushi_node.ledger.node import Limits


async def test_gateway_requests_over_the_limit_are_refused(start_network: StartNetwork) -> None:
    client: RawClient = await (await start_network(limits=Limits(gateway_requests=3))).client()
    calls = [client.evaluate("sleep", "0.3", chaincode="probing") for _ in range(5)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    refused = [each for each in done if isinstance(each, grpc.aio.AioRpcError)]
    assert len(refused) == 2
    for error in refused:
        assert error.code() is grpc.StatusCode.UNKNOWN
        assert error.details() == "too many requests for /gateway.Gateway, exceeding concurrency limit (3)"


async def test_a_place_is_free_again_once_a_request_is_over(start_network: StartNetwork) -> None:
    client: RawClient = await (await start_network(limits=Limits(gateway_requests=1))).client()
    for _ in range(3):
        await client.evaluate("get", "key")


async def test_event_streams_hold_a_place(start_network: StartNetwork) -> None:
    client: RawClient = await (await start_network(limits=Limits(gateway_requests=1))).client()
    stream = client.chaincode_events()
    await stream.wait_for_connection()
    refused = await refusal(client.evaluate("get", "key"))
    assert "exceeding concurrency limit (1)" in refused.text
    stream.cancel()
    async with asyncio.timeout(5):
        while await is_refused(client):
            pass


async def is_refused(client: RawClient) -> bool:
    try:
        await client.evaluate("get", "key")
    except grpc.aio.AioRpcError:
        return True
    return False


async def test_the_default_limits_are_fabrics() -> None:
    limits = Limits()
    assert (limits.gateway_requests, limits.endorser_requests, limits.deliver_streams) == (500, 2500, 2500)


async def test_a_message_of_megabytes_goes_through(client: RawClient) -> None:
    value = "x" * (5 << 20)
    assert (await client.evaluate("put", "key", value)).payload == value.encode()
