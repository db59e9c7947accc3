"""What real peers and gateways say to proposals, good and bad, and the embedded ones: the same, word for word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fabric_protos.gateway import gateway_pb2
from tests.fabric.bad_requests import PROPOSALS
from tests.fabric.both import Both, plain
from tests.fabric.twins import Twins
from tests.support.raw_client import RawClient

SECONDS = 20

# A call of the lifecycle without a channel cannot be endorsed, and is not compared.
ENDORSABLE = [
    name for name, each in PROPOSALS.items() if not (each.chaincode == "_lifecycle" and each.channel == "")
]


@pytest.fixture(scope="module")
def both(twins: Twins) -> Iterator[Both]:
    opened = Both(twins)
    yield opened
    opened.close()


@pytest.mark.parametrize("name", PROPOSALS)
def test_evaluating(both: Both, name: str) -> None:
    async def call(client: RawClient) -> Any:
        request = gateway_pb2.EvaluateRequest(
            channel_id=client.channel_id, proposed_transaction=both.proposal(PROPOSALS[name], client)
        )
        result = (await client.gateway.Evaluate(request, timeout=SECONDS)).result
        return result.status, result.message, result.payload

    both.answer(call)


@pytest.mark.parametrize("name", ENDORSABLE)
def test_endorsing(both: Both, name: str) -> None:
    async def call(client: RawClient) -> Any:
        request = gateway_pb2.EndorseRequest(
            channel_id=client.channel_id, proposed_transaction=both.proposal(PROPOSALS[name], client)
        )
        await client.gateway.Endorse(request, timeout=SECONDS)
        return "endorsed"

    both.answer(call)


@pytest.mark.parametrize("name", ENDORSABLE)
def test_endorsing_by_named_members(both: Both, name: str) -> None:
    async def call(client: RawClient) -> Any:
        request = gateway_pb2.EndorseRequest(
            channel_id=client.channel_id,
            proposed_transaction=both.proposal(PROPOSALS[name], client),
            endorsing_organizations=["HawMSP", "GcomMSP"],
        )
        await client.gateway.Endorse(request, timeout=SECONDS)
        return "endorsed"

    both.answer(call)


@pytest.mark.parametrize("name", PROPOSALS)
def test_asking_a_peer(both: Both, name: str) -> None:
    async def call(client: RawClient) -> Any:
        answer = await client.endorser.ProcessProposal(
            both.proposal(PROPOSALS[name], client), timeout=SECONDS
        )
        response = answer.response
        return (
            answer.version,
            response.status,
            plain(response.message),
            response.payload,
            bool(answer.payload),
            answer.HasField("endorsement"),
            answer.interest,
        )

    both.answer(call)
