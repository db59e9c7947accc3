"""Gateway.Evaluate: one peer's answer, and what a caller is told when there is none."""

from __future__ import annotations

import pytest
from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2
from fabric_protos.peer import chaincode_pb2, proposal_pb2
from grpc import StatusCode
from tests.support.probing_chaincode import ProbingChaincode
from tests.support.raw_client import RawClient, refusal
from tests.support.service_network import Keys, Network, StartNetwork

from shirushi_node.ledger.definitions import ChaincodeDefinition, ExternalServer
from shirushi_node.ledger.node import Limits


async def test_the_result_is_the_chaincodes(client: RawClient) -> None:
    await client.transact("put", "key", "value")
    result = await client.evaluate("get", "key")
    assert (result.status, result.payload) == (200, b"value")


async def test_a_response_below_400_is_a_result_with_its_status_and_message(client: RawClient) -> None:
    result = await client.evaluate("answer", "202", "accepted", chaincode="probing")
    assert (result.status, result.message, result.payload) == (202, "accepted", b"payload")


async def test_evaluating_writes_nothing(network: Network, client: RawClient) -> None:
    await client.evaluate("put", "key", "value")
    assert (await client.evaluate("get", "key")).payload == b""
    assert network.node.status().height == 1


def _proposal(*, channel_id: str = "c", spec: chaincode_pb2.ChaincodeSpec | None = None) -> bytes:
    invocation = chaincode_pb2.ChaincodeInvocationSpec(chaincode_spec=spec)
    payload = proposal_pb2.ChaincodeProposalPayload(input=invocation.SerializeToString())
    header = common_pb2.Header(
        channel_header=common_pb2.ChannelHeader(channel_id=channel_id).SerializeToString()
    )
    message = proposal_pb2.Proposal(header=header.SerializeToString(), payload=payload.SerializeToString())
    return bytes(message.SerializeToString())


@pytest.mark.parametrize(
    ("proposal", "text"),
    [
        (b"", "a signed proposal is required"),
        (b"\xff", "error unmarshalling Proposal: proto: cannot parse invalid wire-format data"),
        (_proposal(channel_id="", spec=chaincode_pb2.ChaincodeSpec()), "no channel id provided"),
        (_proposal(), "no chaincode spec is provided, channel id [c]"),
        (_proposal(spec=chaincode_pb2.ChaincodeSpec()), "no chaincode id is provided, channel id [c]"),
        (
            _proposal(spec=chaincode_pb2.ChaincodeSpec(chaincode_id=chaincode_pb2.ChaincodeID())),
            "no chaincode name is provided, channel id [c]",
        ),
    ],
    ids=["none", "garbage", "no-channel", "no-spec", "no-chaincode", "no-name"],
)
async def test_a_request_without_a_whole_proposal_is_refused(
    client: RawClient, proposal: bytes, text: str
) -> None:
    request = gateway_pb2.EvaluateRequest()
    request.proposed_transaction.proposal_bytes = proposal
    refused = await refusal(client.gateway.Evaluate(request))
    assert refused.code is StatusCode.INVALID_ARGUMENT
    assert refused.text == f"failed to unpack transaction proposal: {text}"


async def test_an_unknown_channel_is_refused(client: RawClient) -> None:
    refused = await refusal(client.evaluate("get", "key", channel_id="elsewhere"))
    assert refused.code is StatusCode.UNAVAILABLE
    assert refused.text == (
        "failed to get config for channel [elsewhere]: could not get last config for channel elsewhere"
    )


async def test_an_unknown_chaincode_has_no_peers(client: RawClient) -> None:
    refused = await refusal(client.evaluate("get", "key", chaincode="nothing"))
    assert refused.code is StatusCode.FAILED_PRECONDITION
    assert refused.text == f"no peers available to evaluate chaincode nothing in channel {client.channel_id}"


@pytest.mark.parametrize("status", ["400", "404", "500"])
async def test_a_chaincodes_error_is_an_answer_and_not_tried_elsewhere(
    client: RawClient, status: str
) -> None:
    refused = await refusal(client.evaluate("answer", status, "no such thing", chaincode="probing"))
    assert refused.code is StatusCode.UNKNOWN
    message = f"chaincode response {status}, no such thing"
    assert refused.text == f"evaluate call to endorser returned error: {message}"
    assert refused.details == ((client.user.identity.msp_id, message),)


async def test_a_crash_is_tried_on_every_peer_the_own_one_first(network: Network, client: RawClient) -> None:
    refused = await refusal(client.evaluate("crash", chaincode="probing"))
    assert refused.code is StatusCode.ABORTED
    assert refused.text == "failed to evaluate transaction, see attached details for more info"
    assert [msp_id for msp_id, _ in refused.details] == network.msp_ids
    assert all(
        message.endswith("error sending: chaincode stream terminated") for _, message in refused.details
    )
    assert list(refused.addresses) == [member.peer_address for member in network.node.status().members]


async def test_a_signature_of_another_key_is_refused(network: Network, client: RawClient) -> None:
    refused = await refusal(client.evaluate("get", "key", signer=network.user(1)))
    msp_id = client.user.identity.msp_id
    message = (
        f"error validating proposal: access denied: channel [{client.channel_id}] creator org [{msp_id}]"
    )
    assert refused.code is StatusCode.FAILED_PRECONDITION
    assert refused.text == f"evaluate call to endorser returned error: {message}"
    assert refused.details == ((msp_id, message),)


async def test_a_proposal_of_another_time_is_kept_from_every_endorser(
    network: Network, client: RawClient
) -> None:
    refused = await refusal(client.evaluate("get", "key", at=1_770_000_000))
    assert (refused.code, refused.text) == (
        StatusCode.UNAVAILABLE,
        "failed to evaluate transaction, see attached details for more info",
    )
    assert [msp_id for msp_id, _ in refused.details] == network.msp_ids
    (_, own), *others = refused.details
    assert own.startswith("request unauthorized due to incorrect timestamp ")
    assert all(
        text.startswith("rpc error: code = Unknown desc = request unauthorized due") for _, text in others
    )


async def test_the_error_of_a_peer_elsewhere_is_grpcs(network: Network, client: RawClient) -> None:
    """Fabric's gateway cannot tell a refusal by another member's peer from a peer that is not there."""
    other = network.msp_ids[1]
    refused = await refusal(client.evaluate("get", "key", targets=[other], signer=network.user(1)))
    assert refused.code is StatusCode.UNAVAILABLE
    assert refused.text == "failed to evaluate transaction, see attached details for more info"
    ((msp_id, message),) = refused.details
    assert msp_id == other
    assert message.startswith("rpc error: code = Unknown desc = error validating proposal: access denied")


async def test_named_organisations_are_the_only_ones_tried(network: Network, client: RawClient) -> None:
    targets = [network.msp_ids[3], network.msp_ids[1]]
    refused = await refusal(client.evaluate("crash", chaincode="probing", targets=targets))
    assert [msp_id for msp_id, _ in refused.details] == targets


async def test_a_named_organisation_that_is_unknown_has_no_peers(client: RawClient) -> None:
    refused = await refusal(client.evaluate("get", "key", targets=["NobodyMSP"]))
    assert refused.code is StatusCode.FAILED_PRECONDITION
    assert refused.text == f"no peers available to evaluate chaincode basic in channel {client.channel_id}"


async def test_transient_data_reaches_the_chaincode(client: RawClient) -> None:
    result = await client.evaluate("transient", "secret", transient={"secret": b"whisper"})
    assert result.payload == b"whisper"


async def test_transient_data_stays_in_the_own_organisation(network: Network, client: RawClient) -> None:
    refused = await refusal(client.evaluate("crash", chaincode="probing", transient={"secret": b"whisper"}))
    assert [msp_id for msp_id, _ in refused.details] == [network.msp_ids[0]]


async def test_transient_data_is_not_sent_on_when_the_own_organisation_has_no_peer_for_it(
    start_network, keys: Keys
) -> None:
    others = {keys[1].members[1].msp_id: ExternalServer("127.0.0.1:1")}
    network = await start_network([ChaincodeDefinition("elsewhere", others)])
    client = await network.client()
    refused = await refusal(client.evaluate("get", chaincode="elsewhere", transient={"secret": b"whisper"}))
    assert refused.code is StatusCode.FAILED_PRECONDITION
    assert refused.text == (
        "no endorsers found in the gateway's organization; retry specifying target organization(s) to protect "
        f"transient data: no peers available to evaluate chaincode elsewhere in channel {client.channel_id}"
    )


async def test_a_chaincode_that_takes_too_long_times_out_on_every_peer(start_network: StartNetwork) -> None:
    network = await start_network(
        [ChaincodeDefinition("slow", ProbingChaincode())], Limits(execute_timeout=0.05)
    )
    client = await network.client()
    refused = await refusal(client.evaluate("sleep", "5", chaincode="slow"))
    assert refused.code is StatusCode.ABORTED
    assert len(refused.details) == 5
    assert all(
        message.endswith("error sending: timeout expired while executing transaction")
        for _, message in refused.details
    )
