"""Evaluating and submitting transactions, in all three tiers."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2
from fabric_protos.peer import proposal_response_pb2, transaction_pb2
from tests.client.gateway.stand_in import RefusalError, sha256

from shirushi_client.gateway import CommitError, StatusCode, connect
from shirushi_core.errors import InvalidInputError


async def test_evaluate_returns_the_chaincodes_result_and_changes_nothing(contract, peer):
    assert await contract.evaluate_transaction("echo", "conga", b"\x00\xff") == b"echo,conga,\x00\xff"
    assert peer.endorsed == []
    assert len(peer.blocks) == 1


async def test_submit_returns_the_result_of_the_committed_transaction(contract, peer):
    assert await contract.submit_transaction("put", "key", "価値") == "put,key,価値".encode()
    assert [entry.transaction_id for entry in peer.blocks[1]] == [peer.endorsed[0].transaction_id]


async def test_a_submitted_write_can_be_read(contract, peer):
    state = {}

    def chaincode(invocation):
        match invocation.args:
            case [b"put", key, value]:
                state[key] = value
                return b""
            case [b"get", key]:
                return state[key]

    peer.chaincode = chaincode
    await contract.submit_transaction("put", "k", "v")
    assert await contract.evaluate_transaction("get", "k") == b"v"


async def test_an_empty_result_is_empty_bytes(contract, peer):
    peer.chaincode = lambda invocation: b""
    assert await contract.evaluate_transaction("none") == b""
    assert await contract.submit_transaction("none") == b""


async def test_a_named_contract_of_a_chaincode_qualifies_the_functions_name(network, peer):
    contract = network.get_contract("basic", "assets")
    assert (contract.chaincode_name, contract.contract_name) == ("basic", "assets")
    assert await contract.evaluate_transaction("read") == b"assets:read"
    assert (peer.evaluated[0].channel, peer.evaluated[0].chaincode) == ("mychannel", "basic")


async def test_transient_data_and_endorsing_organizations_reach_the_endorsers(contract, peer):
    given = {
        "arguments": ["a"],
        "transient_data": {"Org1MSP": "value1", "secret": b"\x00"},
        "endorsing_organizations": ["Org1MSP", "Org3MSP"],
    }
    await contract.evaluate("f", **given)
    await contract.submit("f", **given)
    for invocation in (peer.evaluated[0], peer.endorsed[0]):
        assert invocation.transient == {"Org1MSP": b"value1", "secret": b"\x00"}
        assert invocation.organizations == ["Org1MSP", "Org3MSP"]


async def test_transient_data_is_in_nothing_that_goes_to_the_ledger(contract, peer):
    await contract.submit("f", transient_data={"k": b"a resident's name"})
    assert b"a resident's name" not in peer.submitted[0].SerializeToString()


async def test_submit_async_returns_before_the_commit_and_knows_the_outcome_later(contract, peer):
    committed = asyncio.Event()
    peer.before_status = committed.wait
    submitted = await contract.submit_async("f", arguments=["x"])
    assert submitted.result == b"f,x"
    asked = asyncio.create_task(submitted.get_status())
    committed.set()
    status = await asked
    assert status.successful
    assert (status.code, status.transaction_id, status.block_number) == (0, submitted.transaction_id, 1)


async def test_the_steps_can_be_taken_one_by_one(contract, peer):
    proposal = contract.new_proposal("f", arguments=["x"])
    transaction = await proposal.endorse()
    assert transaction.result == b"f,x"
    commit = await transaction.submit()
    status = await commit.get_status()
    assert proposal.transaction_id == transaction.transaction_id == commit.transaction_id
    assert status.transaction_id == proposal.transaction_id


async def test_every_proposal_has_a_transaction_id_of_its_own(contract):
    assert len({contract.new_proposal("f").transaction_id for _ in range(100)}) == 100


async def test_a_transaction_that_is_ordered_but_invalid_raises_commit_error(contract, peer):
    peer.validation_code = lambda transaction_id: StatusCode.MVCC_READ_CONFLICT
    with pytest.raises(CommitError, match=r"status code 11 \(MVCC_READ_CONFLICT\)") as caught:
        await contract.submit_transaction("f")
    assert caught.value.code is StatusCode.MVCC_READ_CONFLICT
    assert caught.value.block_number == 1
    assert caught.value.transaction_id == peer.endorsed[0].transaction_id


async def test_submit_async_reports_an_invalid_transaction_as_a_status_not_an_error(contract, peer):
    peer.validation_code = lambda transaction_id: 10
    status = await (await contract.submit_async("f")).get_status()
    assert not status.successful
    assert status.code is StatusCode.ENDORSEMENT_POLICY_FAILURE


async def test_a_validation_code_of_a_later_fabric_is_kept_as_a_number(contract, peer):
    peer.validation_code = lambda transaction_id: 199
    status = await (await contract.submit_async("f")).get_status()
    assert (status.code, status.code_name, status.successful) == (199, "code 199", False)


def test_status_codes_are_fabrics():
    assert {code.name: code.value for code in StatusCode} == dict(transaction_pb2.TxValidationCode.items())


async def test_a_gateway_that_swaps_the_transaction_gets_no_signature(contract, channel, peer, p256):
    other = (await contract.new_proposal("transfer", arguments=["everything"]).endorse()).bytes
    others_payload = gateway_pb2.PreparedTransaction.FromString(other).envelope.payload

    def swap(envelope):
        envelope.payload = others_payload

    signed = []

    def signer(digest):
        signed.append(digest)
        return p256.signer(digest)

    peer.tamper = swap
    async with connect(channel, p256.identity, signer) as gateway:
        proposal = gateway.get_network("mychannel").get_contract("basic").new_proposal("f")
        with pytest.raises(InvalidInputError, match="another transaction than the proposed one"):
            await proposal.endorse()
    assert signed == [proposal.digest]


async def test_a_gateway_that_swaps_the_arguments_is_found_out_though_the_hash_holds(contract, peer):
    def swap(envelope):
        payload = common_pb2.Payload.FromString(envelope.payload)
        transaction = transaction_pb2.Transaction.FromString(payload.data)
        action = transaction_pb2.ChaincodeActionPayload.FromString(transaction.actions[0].payload)
        endorsed = proposal_response_pb2.ProposalResponsePayload.FromString(
            action.action.proposal_response_payload
        )
        committed = action.chaincode_proposal_payload.replace(b"mine", b"thei")
        header = payload.header
        endorsed.proposal_hash = sha256(header.channel_header + header.signature_header + committed)
        action.chaincode_proposal_payload = committed
        action.action.proposal_response_payload = endorsed.SerializeToString()
        transaction.actions[0].payload = action.SerializeToString()
        payload.data = transaction.SerializeToString()
        envelope.payload = payload.SerializeToString()

    peer.tamper = swap
    with pytest.raises(InvalidInputError, match="not the same chaincode and arguments"):
        await contract.submit_transaction("f", "mine")
    assert peer.submitted == []


@pytest.mark.parametrize("payload", [b"", b"\xff\xff", b"\x12\x00"])
async def test_a_prepared_transaction_that_does_not_decode_is_refused(contract, peer, payload):
    def garble(envelope):
        envelope.payload = payload

    peer.tamper = garble
    with pytest.raises(InvalidInputError, match="prepared transaction"):
        await contract.submit_transaction("f")


async def test_hundreds_of_transactions_in_flight_each_get_their_own_result(contract, peer):
    results = await asyncio.gather(*(contract.submit_transaction("f", str(i)) for i in range(200)))
    assert results == [f"f,{i}".encode() for i in range(200)]


async def test_one_failing_transaction_leaves_the_others_alone(contract, peer):
    def chaincode(invocation):
        if invocation.args[1] == b"3":
            raise RefusalError(grpc.StatusCode.ABORTED, "no")
        return invocation.args[1]

    peer.chaincode = chaincode
    results = await asyncio.gather(
        *(contract.submit_transaction("f", str(i)) for i in range(6)), return_exceptions=True
    )
    assert [r for r in results if isinstance(r, bytes)] == [b"0", b"1", b"2", b"4", b"5"]
