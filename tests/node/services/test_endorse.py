"""Gateway.Endorse: who is asked, what is built, and what a caller is told when endorsements are missing."""

from __future__ import annotations

import pytest
from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2
from fabric_protos.peer import policy_pb2, transaction_pb2
from grpc import StatusCode
from tests.support.basic_chaincode import BasicChaincode
from tests.support.raw_client import Endorsed, RawClient, refusal
from tests.support.service_network import Keys, Network, StartNetwork

from shirushi_core.fabric.identity import Identity
from shirushi_core.fabric.policy_text import parse_policy_text
from shirushi_core.fabric.signing import signing_key, verify
from shirushi_network.member_keys import load_signing_identity
from shirushi_node.ledger.definitions import ChaincodeDefinition


def endorsing(endorsed: Endorsed) -> list[str]:
    """Return the MSP ids of those who endorsed."""
    return [Identity.from_serialized(each).msp_id for each in endorsed.endorsers]


def policy(text: str) -> bytes:
    """Return a definition's endorsement policy out of its text form."""
    message = policy_pb2.ApplicationPolicy()
    message.signature_policy.ParseFromString(parse_policy_text(text))
    return bytes(message.SerializeToString())


async def test_a_majority_with_the_own_organisation_endorses(network: Network, client: RawClient) -> None:
    endorsed = await client.endorse("put", "key", "value")
    assert endorsed.result == b"value"
    assert len(endorsing(endorsed)) == 3
    assert network.msp_ids[0] in endorsing(endorsed)


async def test_the_work_is_spread_over_the_other_organisations(network: Network, client: RawClient) -> None:
    asked = {
        msp_id for number in range(12) for msp_id in endorsing(await client.endorse("put", str(number), "v"))
    }
    assert asked == set(network.msp_ids)


async def test_the_transaction_commits(client: RawClient) -> None:
    status = await client.transact("put", "key", "value")
    assert (status.result, status.block_number) == (transaction_pb2.VALID, 1)


async def test_the_transaction_carries_no_transient_data(client: RawClient) -> None:
    endorsed = await client.endorse("transient", "secret", transient={"secret": b"whisper-unique"})
    assert endorsed.result == b"whisper-unique"
    assert b"whisper-unique" not in endorsed.action.chaincode_proposal_payload


async def test_the_prepared_transaction_is_unsigned(client: RawClient) -> None:
    assert (await client.endorse("put", "key", "value")).envelope.signature == b""


async def test_named_organisations_all_endorse(network: Network, client: RawClient) -> None:
    wanted = sorted(network.msp_ids[1:3])
    assert endorsing(await client.endorse("put", "key", "value", organisations=wanted)) == wanted


async def test_a_named_organisation_without_a_peer_is_said(client: RawClient) -> None:
    refused = await refusal(
        client.endorse("put", "key", "value", organisations=["Msp4", client.user.identity.msp_id, "Msp5"])
    )
    assert refused.code is StatusCode.UNAVAILABLE
    assert refused.text == "failed to find any endorsing peers for org(s): Msp4, Msp5"


async def test_a_request_without_a_proposal_is_refused(client: RawClient) -> None:
    refused = await refusal(client.gateway.Endorse(gateway_pb2.EndorseRequest()))
    assert refused.code is StatusCode.INVALID_ARGUMENT
    assert refused.text == "the proposed transaction must contain a signed proposal"


async def test_a_malformed_proposal_is_refused(client: RawClient) -> None:
    request = gateway_pb2.EndorseRequest()
    request.proposed_transaction.proposal_bytes = b"\xff"
    refused = await refusal(client.gateway.Endorse(request))
    assert refused.code is StatusCode.INVALID_ARGUMENT
    assert refused.text == "error unmarshalling Proposal: proto: cannot parse invalid wire-format data"


@pytest.mark.parametrize("where", [{"chaincode": "nothing"}, {"channel_id": "elsewhere"}])
async def test_an_unknown_chaincode_has_no_endorsers(client: RawClient, where: dict[str, str]) -> None:
    refused = await refusal(client.endorse("put", "key", "value", **where))
    chaincode, channel = where.get("chaincode", "basic"), where.get("channel_id", client.channel_id)
    assert refused.code is StatusCode.FAILED_PRECONDITION
    assert refused.text == (
        "no combination of peers can be derived which satisfy the endorsement policy: "
        f"No metadata was found for chaincode {chaincode} in channel {channel}"
    )


async def test_the_first_endorsers_refusal_ends_it_with_its_answer(client: RawClient) -> None:
    refused = await refusal(client.endorse("fail", "not today"))
    assert refused.code is StatusCode.ABORTED
    assert refused.text == "failed to endorse transaction, see attached details for more info"
    assert refused.details == ((client.user.identity.msp_id, "chaincode response 500, not today"),)


async def test_a_crash_is_the_first_endorsers_answer(client: RawClient) -> None:
    refused = await refusal(client.endorse("crash", chaincode="probing"))
    assert refused.code is StatusCode.ABORTED
    ((_, message),) = refused.details
    assert message.startswith("error in simulation: failed to execute transaction ")
    assert message.endswith(": error sending: chaincode stream terminated")


async def test_what_the_ledger_refuses_a_chaincode_is_an_error_response(client: RawClient) -> None:
    refused = await refusal(client.endorse("bad_key", chaincode="probing"))
    ((_, message),) = refused.details
    assert message.startswith("chaincode response 500, ")


async def test_a_signature_of_another_key_is_refused(network: Network, client: RawClient) -> None:
    refused = await refusal(client.endorse("put", "key", "value", signer=network.user(1)))
    msp_id = client.user.identity.msp_id
    assert refused.code is StatusCode.ABORTED
    assert refused.details == (
        (
            msp_id,
            f"error validating proposal: access denied: channel [{client.channel_id}] creator org [{msp_id}]",
        ),
    )


async def test_an_identity_that_may_not_write_is_refused(network: Network, keys: Keys) -> None:
    """A peer's identity is of the channel's readers, not of its writers."""
    member = keys[1].members[0]
    peer = load_signing_identity(keys[0].members / member.id / "peers" / "peer0" / "msp", member.msp_id)
    client = await network.client(user=peer)
    refused = await refusal(client.endorse("put", "key", "value"))
    ((_, message),) = refused.details
    assert message.startswith(
        f"Failed evaluating policy on signed data during check policy on channel [{client.channel_id}] "
        "with policy [/Channel/Application/Writers]: [implicit policy evaluation failed - 0 sub-policies were satisfied"
    )


async def test_a_transaction_that_is_on_the_ledger_is_not_endorsed_again(client: RawClient) -> None:
    signed = client.proposal("put", "key", "value")
    endorsed = await client.endorse_signed(signed)
    await client.submit(endorsed)
    await client.commit_status(endorsed.tx_id)
    refused = await refusal(client.endorse_signed(signed))
    ((_, message),) = refused.details
    creator = client.user.identity.serialized.hex()
    assert message == f"duplicate transaction found [{endorsed.tx_id}]. Creator [{creator}]"


async def test_a_definitions_own_policy_decides_who_endorses(start_network: StartNetwork, keys: Keys) -> None:
    ids = [member.msp_id for member in keys[1].members]
    own = ChaincodeDefinition(
        "own", BasicChaincode(), endorsement_policy=policy(f"AND('{ids[3]}.peer', '{ids[4]}.peer')")
    )
    network = await start_network([own])
    client = await network.client()
    endorsed = await client.endorse("put", "key", "value", chaincode="own")
    assert set(endorsing(endorsed)) == set(ids[3:])
    await client.submit(endorsed)
    assert (await client.commit_status(endorsed.tx_id)).result == transaction_pb2.VALID


async def test_a_keys_own_policy_takes_the_place_of_the_chaincodes(
    network: Network, client: RawClient
) -> None:
    wanted = network.msp_ids[4]
    await client.transact("put", "key", "value")
    await client.transact("require", "key", parse_policy_text(f"OR('{wanted}.peer')").hex())
    endorsed = await client.endorse("put", "key", "again")
    assert endorsing(endorsed) == [wanted]
    await client.submit(endorsed)
    assert (await client.commit_status(endorsed.tx_id)).result == transaction_pb2.VALID


async def test_organisations_that_a_keys_policy_does_not_name_fail_validation(
    network, client: RawClient
) -> None:
    await client.transact("put", "key", "value")
    await client.transact("require", "key", parse_policy_text(f"OR('{network.msp_ids[4]}.peer')").hex())
    status = await client.transact("put", "key", "again", organisations=network.msp_ids[:3])
    assert status.result == transaction_pb2.ENDORSEMENT_POLICY_FAILURE


async def test_a_chaincode_that_calls_another_needs_both_policies(
    start_network: StartNetwork, keys: Keys
) -> None:
    ids = [member.msp_id for member in keys[1].members]
    other = ChaincodeDefinition("other", BasicChaincode(), endorsement_policy=policy(f"OR('{ids[4]}.peer')"))
    network = await start_network([other])
    client = await network.client()
    endorsed = await client.endorse("put_and_call", "other", "key", "value", chaincode="probing")
    assert ids[4] in endorsing(endorsed)
    assert len(endorsing(endorsed)) == 3
    await client.submit(endorsed)
    assert (await client.commit_status(endorsed.tx_id)).result == transaction_pb2.VALID
    assert (await client.evaluate("get", "key", chaincode="other")).payload == b"value"


async def test_a_policy_that_no_peers_can_satisfy_is_said(start_network: StartNetwork, keys: Keys) -> None:
    nobody = ChaincodeDefinition(
        "nobody", BasicChaincode(), endorsement_policy=policy("OR('IizukaMSP.admin')")
    )
    client = await (await start_network([nobody])).client()
    refused = await refusal(client.endorse("put", "key", "value", chaincode="nobody"))
    assert refused.code is StatusCode.FAILED_PRECONDITION
    assert refused.text.startswith(
        "no combination of peers can be derived which satisfy the endorsement policy: "
    )


async def test_endorsements_are_of_the_members_own_peers(network: Network, client: RawClient) -> None:
    """Each endorsement verifies under the certificate it names."""
    endorsed = await client.endorse("put", "key", "value")
    action = endorsed.action.action
    for each in action.endorsements:
        key = signing_key(Identity.from_serialized(each.endorser).certificate.key)
        verify(key, each.signature, action.proposal_response_payload + each.endorser)
    assert isinstance(endorsed.envelope, common_pb2.Envelope)
