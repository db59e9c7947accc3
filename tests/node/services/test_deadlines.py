"""What a gateway's calls say when the caller's time is over; on the wire the caller's own clock is mostly quicker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fabric_protos.gateway import gateway_pb2
from grpc import StatusCode
from tests.support.consortium import CHANNEL, Consortium
from tests.support.probing_chaincode import ProbingChaincode
from tests.support.throwaway_ca import NOW
from tests.support.transactions import sign_envelope, signed_proposal

from shirushi_core.fabric.chaincode import OK, Response, Stub
from shirushi_node.ledger.blocks import EventReader
from shirushi_node.ledger.chaincodes import Chaincodes
from shirushi_node.ledger.definitions import ChaincodeDefinition
from shirushi_node.ledger.endorser import Endorser, Simulations
from shirushi_node.ledger.gateway.endorse import endorse
from shirushi_node.ledger.gateway.errors import GatewayError
from shirushi_node.ledger.gateway.evaluate import evaluate
from shirushi_node.ledger.gateway.planning import Planner
from shirushi_node.ledger.gateway.server import Gateway
from shirushi_node.ledger.gateway.submit import submit
from shirushi_node.ledger.ledger import Channel
from shirushi_node.ledger.limits import Limits
from shirushi_node.ledger.members import Member, Members
from shirushi_node.ledger.proposals import ProposalChecker


class QuickOnce:
    """Answers the first call at once, and no other."""

    def __init__(self) -> None:
        self.calls = 0

    async def invoke(self, stub: Stub) -> Response:
        self.calls += 1
        if self.calls > 1:
            await asyncio.Event().wait()
        # A call to a chaincode of no process makes the answer one that members do not share.
        await stub.invoke_chaincode("_lifecycle", [b"QueryChaincodeDefinitions", b""])
        return Response(OK)


@pytest.fixture(scope="module")
def consortium() -> Consortium:
    return Consortium()


@pytest.fixture
async def gateway(consortium: Consortium, tmp_path: Path) -> AsyncIterator[Gateway]:
    definitions = [
        ChaincodeDefinition("probing", ProbingChaincode()),
        ChaincodeDefinition("quick-once", QuickOnce()),
    ]
    channel = Channel(
        tmp_path / "ledger", consortium.genesis, consortium.orderers, definitions, clock=lambda: NOW
    )
    await channel.start()
    checker = ProposalChecker(channel, lambda: NOW, Limits().proposal_time_window)
    chaincodes = Chaincodes(channel.definitions, [], execute_timeout=30)
    simulations = Simulations(channel, chaincodes)
    members = Members(
        [
            Member(
                each.ca.msp_id,
                f"peer of {each.ca.msp_id}",
                f"orderer of {each.ca.msp_id}",
                Endorser(each.ca.msp_id, each.peer, channel, checker, simulations),
                running=True,
            )
            for each in consortium.members
        ],
        channel.definitions,
    )
    yield Gateway(
        own=members["Org1MSP"],
        members=members,
        channel=channel,
        planner=Planner(channel, members),
        checker=checker,
        events=EventReader(channel.store),
        clock=lambda: NOW,
        limits=Limits(endorsement_timeout=0.1),
    )
    await chaincodes.close()
    await channel.stop()


def proposed(consortium: Consortium, chaincode: str, *args: bytes) -> dict[str, object]:
    seconds = int(NOW.timestamp())
    signed = signed_proposal(
        consortium.client, channel_id=CHANNEL, chaincode=chaincode, args=args, seconds=seconds
    )
    return {"channel_id": CHANNEL, "proposed_transaction": signed}


async def test_evaluating(gateway: Gateway, consortium: Consortium) -> None:
    request = gateway_pb2.EvaluateRequest(**proposed(consortium, "probing", b"sleep", b"5"))
    with pytest.raises(GatewayError, match=r"^evaluate timeout expired$") as failed:
        await evaluate(gateway, request, 0.05)
    assert failed.value.code is StatusCode.DEADLINE_EXCEEDED


async def test_collecting_the_first_endorsement(gateway: Gateway, consortium: Consortium) -> None:
    request = gateway_pb2.EndorseRequest(**proposed(consortium, "probing", b"sleep", b"5"))
    text = "endorsement timeout expired while collecting first endorsement"
    with pytest.raises(GatewayError, match=f"^{text}$") as failed:
        await endorse(gateway, request, 0.05)
    assert failed.value.code is StatusCode.DEADLINE_EXCEEDED


async def test_collecting_further_endorsements(gateway: Gateway, consortium: Consortium) -> None:
    request = gateway_pb2.EndorseRequest(**proposed(consortium, "quick-once", b"go"))
    text = "endorsement timeout expired while collecting endorsements"
    with pytest.raises(GatewayError, match=f"^{text}$") as failed:
        await endorse(gateway, request, 0.05)
    assert failed.value.code is StatusCode.DEADLINE_EXCEEDED


async def test_one_endorser_that_is_too_slow_is_given_up_on(gateway: Gateway, consortium: Consortium) -> None:
    request = gateway_pb2.EvaluateRequest(**proposed(consortium, "probing", b"sleep", b"5"))
    request.target_organizations.append("Org2MSP")
    with pytest.raises(GatewayError) as failed:
        await evaluate(gateway, request, None)
    assert failed.value.code is StatusCode.UNAVAILABLE
    (detail,) = failed.value.details
    assert detail.message == "rpc error: code = DeadlineExceeded desc = context deadline exceeded"


async def test_submitting(gateway: Gateway, consortium: Consortium, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_: bytes) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(gateway.channel, "order", never)
    request = gateway_pb2.EndorseRequest(**proposed(consortium, "probing", b"answer", b"200", b""))
    transaction = (await endorse(gateway, request, None)).prepared_transaction
    signed = gateway_pb2.SubmitRequest(
        channel_id=CHANNEL, prepared_transaction=sign_envelope(transaction, consortium.client)
    )
    text = "submit timeout expired while broadcasting to ordering service"
    with pytest.raises(GatewayError, match=f"^{text}$") as failed:
        await submit(gateway, signed, 0.05)
    assert failed.value.code is StatusCode.DEADLINE_EXCEEDED
