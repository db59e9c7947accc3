"""protos.Endorser: what a client that asks peers itself is answered."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from fabric_protos.common import common_pb2
from fabric_protos.peer import proposal_pb2
from google.protobuf.message import Message
from grpc import StatusCode
from tests.support.raw_client import RawClient, refusal
from tests.support.service_network import Network, StartNetwork
from tests.support.throwaway_ca import ThrowawayCa

from shirushi_core.fabric.identity import Identity
from shirushi_node.ledger.node import Limits


async def test_a_proposal_is_endorsed_by_the_members_own_peer(network: Network, client: RawClient) -> None:
    other = await network.client(1, user=client.user)
    response = await other.endorser.ProcessProposal(client.proposal("put", "key", "value"))
    assert (response.version, response.response.status, response.response.payload) == (1, 200, b"value")
    assert Identity.from_serialized(response.endorsement.endorser).msp_id == network.msp_ids[1]


async def test_peers_of_one_height_endorse_the_same_bytes(network: Network, client: RawClient) -> None:
    signed = client.proposal("put", "key", "value")
    responses = [await (await network.client(member)).endorser.ProcessProposal(signed) for member in range(5)]
    assert len({response.payload for response in responses}) == 1
    assert len({response.endorsement.signature for response in responses}) == 5


async def test_a_proposal_is_simulated_anew_on_a_new_height(client: RawClient) -> None:
    signed = client.proposal("get", "key")
    before = await client.endorser.ProcessProposal(signed)
    await client.transact("put", "key", "value")
    after = await client.endorser.ProcessProposal(signed)
    assert (before.response.payload, after.response.payload) == (b"", b"value")


async def test_an_error_of_the_chaincode_is_a_response_without_endorsement(client: RawClient) -> None:
    response = await client.endorser.ProcessProposal(client.proposal("fail", "no"))
    assert (response.response.status, response.response.message) == (500, "no")
    assert response.payload
    assert not response.HasField("endorsement")


async def test_a_status_of_four_hundred_is_not_endorsed_and_has_no_payload(client: RawClient) -> None:
    response = await client.endorser.ProcessProposal(
        client.proposal("answer", "404", "no", chaincode="probing")
    )
    assert (response.response.status, response.payload) == (404, b"")
    assert not response.HasField("endorsement")


async def test_an_unknown_chaincode_is_a_response(client: RawClient) -> None:
    response = await client.endorser.ProcessProposal(client.proposal("get", chaincode="nothing"))
    assert response.response.status == 500
    assert response.response.message == (
        f"make sure the chaincode nothing has been successfully defined on channel {client.channel_id} and try again: "
        "chaincode nothing not found"
    )


async def test_an_unknown_channel_is_a_response(client: RawClient) -> None:
    response = await client.endorser.ProcessProposal(client.proposal("get", channel_id="elsewhere"))
    assert (response.response.status, response.response.message) == (500, "channel 'elsewhere' not found")


async def test_a_chaincode_without_a_channel_is_a_response(client: RawClient) -> None:
    response = await client.endorser.ProcessProposal(client.proposal("get", channel_id=""))
    assert (response.response.status, response.response.message) == (
        500,
        "make sure the chaincode basic has been successfully defined on channel  and try again: "
        "could not get channel config for channel ''",
    )


def changed(signed: proposal_pb2.SignedProposal, **header: object) -> bytes:
    """Return a proposal's bytes with fields of its channel header replaced."""
    proposal = proposal_pb2.Proposal.FromString(signed.proposal_bytes)
    outer = common_pb2.Header.FromString(proposal.header)
    inner = common_pb2.ChannelHeader.FromString(outer.channel_header)
    for name, value in header.items():
        setattr(inner, name, value)
    outer.channel_header = _bytes(inner)
    proposal.header = _bytes(outer)
    return _bytes(proposal)


def _bytes(message: Message) -> bytes:
    return message.SerializeToString()


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ({"tx_id": "mine"}, "error validating proposal: incorrectly computed txid 'mine' -- expected '"),
        ({"epoch": 1}, "error validating proposal: epoch is non-zero"),
        ({"type": 2}, "error validating proposal: invalid header type CONFIG_UPDATE"),
        ({"extension": b""}, "ChaincodeHeaderExtension.ChaincodeId is nil"),
    ],
    ids=["tx-id", "epoch", "type", "extension"],
)
async def test_a_malformed_proposal_is_a_grpc_error(
    client: RawClient, header: dict[str, object], text: str
) -> None:
    data = changed(client.proposal("get", "key"), **header)
    signed = proposal_pb2.SignedProposal(proposal_bytes=data, signature=client.user.sign(data))
    refused = await refusal(client.endorser.ProcessProposal(signed))
    assert refused.code is StatusCode.UNKNOWN
    assert refused.text.startswith(text)


async def test_an_unknown_organisation_is_a_grpc_error(client: RawClient) -> None:
    client.user = ThrowawayCa.root("elsewhere", "ElsewhereMSP").issue("client")
    refused = await refusal(client.endorser.ProcessProposal(client.proposal("get", "key")))
    assert refused.text == (
        f"error validating proposal: access denied: channel [{client.channel_id}] "
        "creator org unknown, creator is malformed"
    )


async def test_a_certificate_of_a_strange_authority_is_a_grpc_error(
    network: Network, client: RawClient
) -> None:
    client.user = ThrowawayCa.root("impostor", network.msp_ids[0]).issue("client")
    refused = await refusal(client.endorser.ProcessProposal(client.proposal("get", "key")))
    assert refused.text == (
        f"error validating proposal: access denied: channel [{client.channel_id}] "
        "creator org unknown, creator is malformed"
    )


async def test_an_expired_client_s_proposal_does_not_come_to_the_endorser(client: RawClient) -> None:
    past = datetime.now(UTC) - timedelta(days=30)
    client.user = ThrowawayCa.root("elsewhere").issue("client", not_after=past)
    refused = await refusal(client.endorser.ProcessProposal(client.proposal("get", "key")))
    assert (refused.code, refused.text) == (StatusCode.UNKNOWN, "proposal client identity expired")


@pytest.mark.parametrize("minutes", [-16, 16])
async def test_a_proposal_of_another_time_does_not_come_to_the_endorser(
    client: RawClient, minutes: int
) -> None:
    at = int(time.time()) + 60 * minutes
    refused = await refusal(client.endorser.ProcessProposal(client.proposal("get", "key", at=at)))
    assert refused.code is StatusCode.UNKNOWN
    assert refused.text.startswith(
        f"request unauthorized due to incorrect timestamp {datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}, peer time "
    )
    assert refused.text.endswith("Z, peer.authentication.timewindow 15m0s")


@pytest.mark.parametrize("seconds", [-(2**62), 2**62])
async def test_a_time_that_is_in_no_calendar_is_another_time(client: RawClient, seconds: int) -> None:
    refused = await refusal(client.endorser.ProcessProposal(client.proposal("get", "key", at=seconds)))
    assert refused.text.startswith("request unauthorized due to incorrect timestamp ")


@pytest.mark.parametrize(
    ("proposal", "text"),
    [
        (b"\xff", "proposal: error unmarshalling Proposal"),
        (_bytes(proposal_pb2.Proposal(header=b"\xff")), "header: error unmarshalling Header"),
        (
            _bytes(proposal_pb2.Proposal(header=_bytes(common_pb2.Header(signature_header=b"\xff")))),
            "signature header: error unmarshalling SignatureHeader",
        ),
        (
            _bytes(proposal_pb2.Proposal(header=_bytes(common_pb2.Header(channel_header=b"\xff")))),
            "channel header: error unmarshalling ChannelHeader",
        ),
    ],
    ids=["proposal", "header", "signature header", "channel header"],
)
async def test_what_cannot_be_taken_apart_does_not_come_to_the_endorser(
    client: RawClient, proposal: bytes, text: str
) -> None:
    signed = proposal_pb2.SignedProposal(proposal_bytes=proposal, signature=b"s")
    refused = await refusal(client.endorser.ProcessProposal(signed))
    assert refused.code is StatusCode.UNKNOWN
    assert refused.text == f"failed parsing {text}: proto: cannot parse invalid wire-format data"


async def test_requests_over_the_limit_are_refused(start_network: StartNetwork) -> None:
    client = await (await start_network(limits=Limits(endorser_requests=2))).client()
    signed = [client.proposal("sleep", "0.3", chaincode="probing") for _ in range(3)]
    calls = [client.endorser.ProcessProposal(each) for each in signed]
    done = await asyncio.gather(*calls, return_exceptions=True)
    refused = [each for each in done if isinstance(each, Exception)]
    assert len(refused) == 1
    assert refused[0].details() == "too many requests for /protos.Endorser, exceeding concurrency limit (2)"
