"""Chaincode servers over the shim protocol: every call, many transactions at once, and servers that fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import grpc
import pytest
from fabric_protos.peer import chaincode_pb2, proposal_pb2, transaction_pb2
from grpc import StatusCode
from tests.support.raw_client import RawClient, refusal
from tests.support.service_network import Keys, Network, StartNetwork
from tests.support.shim_functions import FUNCTIONS, get
from tests.support.shim_server import Function, ShimServer, ShimTransaction

from shirushi_core.fabric.policy_text import parse_policy_text
from shirushi_node.ledger.definitions import ChaincodeDefinition, ExternalServer
from shirushi_node.ledger.node import Limits

StartServer = Callable[..., Awaitable[ShimServer]]


@pytest.fixture
async def start_server() -> AsyncIterator[StartServer]:
    servers: list[ShimServer] = []

    async def start(functions: Mapping[str, Function] = FUNCTIONS, **options: Any) -> ShimServer:
        servers.append(ShimServer(functions, **options))
        await servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
async def server(start_server: StartServer) -> ShimServer:
    return await start_server()


@pytest.fixture
async def network(start_network: StartNetwork, server: ShimServer):
    definition = ChaincodeDefinition("external", ExternalServer(server.address))
    return await start_network([definition], Limits(execute_timeout=5))


@pytest.fixture
async def client(network: Network) -> RawClient:
    return await network.client()


async def evaluate(client: RawClient, *args: str) -> bytes:
    return bytes((await client.evaluate(*args, chaincode="external")).payload)


async def transact(client: RawClient, *args: str) -> None:
    assert (await client.transact(*args, chaincode="external")).result == transaction_pb2.VALID


async def test_the_peer_offers_write_batches_and_multiple_reads(
    client: RawClient, server: ShimServer
) -> None:
    await evaluate(client, "get", "key")
    (offer,) = server.ready
    assert (offer.use_write_batch, offer.max_size_write_batch) == (True, 1000)
    assert (offer.use_get_multiple_keys, offer.max_size_get_multiple_keys) == (True, 1000)


async def test_state_is_written_read_and_deleted(client: RawClient) -> None:
    await transact(client, "put", "key", "value")
    assert await evaluate(client, "get", "key") == b"value"
    await transact(client, "delete", "key")
    assert await evaluate(client, "get", "key") == b""


async def test_a_chaincode_has_its_own_namespace(client: RawClient) -> None:
    await transact(client, "put", "key", "value")
    assert (await client.evaluate("get", "key", chaincode="basic")).payload == b""


async def test_one_message_writes_and_reads_many_keys(client: RawClient) -> None:
    await transact(client, "batch", "a", "b", "c")
    assert await evaluate(client, "multiple", "c", "nothing", "a") == b"c,,a"


async def test_a_long_range_comes_in_batches_of_a_hundred(client: RawClient) -> None:
    await transact(client, "batch", *(f"k{number:03}" for number in range(250)))
    assert await evaluate(client, "scan") == b"250 in 3"
    assert await evaluate(client, "first_of_range") == b"k000"


async def test_a_range_of_exactly_one_batch_has_no_second(client: RawClient) -> None:
    await transact(client, "batch", *(f"k{number:03}" for number in range(100)))
    assert await evaluate(client, "scan") == b"100 in 1"


async def test_pages_follow_their_bookmarks(client: RawClient) -> None:
    await transact(client, "batch", "k1", "k2", "k3")
    assert await evaluate(client, "page", "2", "") == b"k1,k2|k3"
    assert await evaluate(client, "page", "2", "k3") == b"k3|"


async def test_a_keys_history_is_newest_first(client: RawClient) -> None:
    await transact(client, "put", "key", "one")
    await transact(client, "put", "key", "two")
    await transact(client, "delete", "key")
    assert await evaluate(client, "history", "key") == b"-,two,one"


async def test_a_keys_policy_is_set_and_read(client: RawClient) -> None:
    policy = parse_policy_text("OR('IizukaMSP.peer')")
    await transact(client, "put", "key", "value")
    await transact(client, "protect", "key", policy.hex())
    assert await evaluate(client, "protection", "key") == policy


async def test_it_calls_chaincodes_of_this_process_and_system_chaincodes(client: RawClient) -> None:
    assert await evaluate(client, "call", "basic", "put", "key", "value") == b"200 value"
    definitions = await evaluate(client, "call", "_lifecycle", "QueryChaincodeDefinitions", "")
    assert definitions.startswith(b"200 ")
    assert await evaluate(client, "call", "basic", "fail", "no") == b"500 no"


async def test_a_chaincode_of_this_process_calls_it(client: RawClient) -> None:
    await transact(client, "put", "key", "value")
    result = await client.evaluate("call", "external", "get", "key", chaincode="probing")
    assert result.payload == b"value"


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (
            "nothing",
            "execute failed: invalid invocation: [channel {channel}] failed to get chaincode container info",
        ),
        ("basic/elsewhere", "Failed to get policy manager for channel [elsewhere]"),
        (
            "external",
            "execute failed: error sending: txid: ",
        ),  # one transaction id cannot run twice on one stream
    ],
)
async def test_a_call_that_cannot_be_made_is_an_error_the_chaincode_sees(
    client: RawClient, target: str, text: str
) -> None:
    refused = await refusal(client.evaluate("call", target, "get", "key", chaincode="external"))
    assert "INVOKE_CHAINCODE failed: transaction ID: " in refused.text
    assert text.format(channel=client.channel_id) in refused.text


async def test_its_events_carry_the_chaincode_and_the_transaction(client: RawClient) -> None:
    endorsed = await client.endorse("event", "name", chaincode="external")
    await client.submit(endorsed)
    stream = client.chaincode_events("external", start=1)
    response = await stream.read()
    stream.cancel()
    (found,) = response.events
    assert (found.chaincode_id, found.tx_id, found.event_name, found.payload) == (
        "external",
        endorsed.tx_id,
        "name",
        b"payload",
    )


@pytest.mark.parametrize(
    ("kind", "collection", "text"),
    [
        ("GET_STATE", "secrets", "private data is not supported by the embedded ledger (collection secrets)"),
        ("GET_PRIVATE_DATA_HASH", "secrets", "private data is not supported by the embedded ledger"),
        ("PURGE_PRIVATE_DATA", "secrets", "private data is not supported by the embedded ledger"),
        ("GET_QUERY_RESULT", "", "ExecuteQuery not supported for leveldb"),
        ("QUERY_STATE_NEXT", "", "query iterator not found"),
    ],
)
async def test_what_the_ledger_does_not_do_is_said(
    client: RawClient, kind: str, collection: str, text: str
) -> None:
    refused = await refusal(client.evaluate("ask", kind, collection, chaincode="external"))
    assert f"chaincode response 500, {kind} failed: transaction ID: " in refused.text
    assert refused.text.endswith(text)


async def test_many_transactions_at_one_member_share_one_stream(
    client: RawClient, server: ShimServer
) -> None:
    await asyncio.gather(*(evaluate(client, "put", str(number), "value") for number in range(100)))
    assert server.streams == 1


async def test_members_endorse_one_transaction_at_the_same_time_on_streams_of_their_own(
    network: Network, client: RawClient, server: ShimServer
) -> None:
    options = {"organisations": network.msp_ids, "chaincode": "external"}
    endorsed = [await client.endorse("put", str(number), "value", **options) for number in range(5)]
    assert [len(each.endorsers) for each in endorsed] == [5] * 5
    assert server.streams == 5


async def test_a_crash_fails_its_transactions_and_the_next_one_connects_anew(
    client: RawClient, server: ShimServer
) -> None:
    hanging = asyncio.ensure_future(refusal(client.evaluate("hang", chaincode="external")))
    await evaluate(client, "get", "key")
    crashed = await refusal(client.endorse("crash", chaincode="external"))
    ((_, message),) = crashed.details
    assert message.endswith(": error sending: chaincode stream terminated")
    hanging.cancel()
    await transact(client, "put", "key", "value")
    assert server.streams >= 2


async def test_a_crash_is_tried_on_every_peer(client: RawClient) -> None:
    refused = await refusal(client.evaluate("crash", chaincode="external"))
    assert refused.code is StatusCode.ABORTED
    assert len(refused.details) == 5
    assert all(message.endswith("chaincode stream terminated") for _, message in refused.details)


async def test_a_server_that_is_down_is_said_and_reached_once_it_is_up(start_network: StartNetwork) -> None:
    server = ShimServer(FUNCTIONS)
    address = await server.start()
    await server.stop()
    network = await start_network([ChaincodeDefinition("external", ExternalServer(address))])
    client = await network.client()
    refused = await refusal(client.endorse("get", "key", chaincode="external"))
    ((_, message),) = refused.details
    assert "could not launch chaincode external:1.0: connection to external:1.0 failed: " in message
    assert f"error creating grpc connection to {address}: " in message
    await server.start(address)
    try:
        async with asyncio.timeout(10):
            while not await reached(client):
                pass
    finally:
        await server.stop()


async def test_a_server_is_dialled_with_tls_where_a_root_is_given(
    start_network: StartNetwork, keys: Keys
) -> None:
    home = keys[0].members / keys[1].members[0].id
    tls = home / "peers" / "peer0" / "tls"
    credentials = grpc.ssl_server_credentials(
        [((tls / "server.key").read_bytes(), (tls / "server.crt").read_bytes())]
    )
    server = ShimServer(FUNCTIONS)
    port = (await server.start(credentials=credentials)).rpartition(":")[2]
    root = (home / "tlsca" / "cert.pem").read_bytes()
    stranger = (keys[0].members / keys[1].members[1].id / "tlsca" / "cert.pem").read_bytes()
    try:
        network = await start_network(
            [
                ChaincodeDefinition("external", ExternalServer(f"localhost:{port}", root)),
                ChaincodeDefinition("untrusted", ExternalServer(f"localhost:{port}", stranger)),
            ]
        )
        client = await network.client()
        assert await evaluate(client, "put", "key", "value") == b"value"
        refused = await refusal(client.endorse("get", "key", chaincode="untrusted"))
        assert "could not launch chaincode untrusted:1.0" in refused.details[0][1]
    finally:
        await server.stop()


async def reached(client: RawClient) -> bool:
    endorsed = await client.endorser.ProcessProposal(client.proposal("get", "key", chaincode="external"))
    return bool(endorsed.response.status == 200)


async def test_a_transaction_that_takes_too_long_times_out(
    start_network: StartNetwork, server: ShimServer
) -> None:
    definition = ChaincodeDefinition("external", ExternalServer(server.address))
    network = await start_network([definition], Limits(execute_timeout=0.1))
    client = await network.client()
    refused = await refusal(client.endorse("hang", chaincode="external"))
    ((_, message),) = refused.details
    assert message.endswith(": error sending: timeout expired while executing transaction")


async def test_a_chaincode_without_a_channel_for_the_member_is_not_offered(
    start_network, server: ShimServer, keys: Keys
) -> None:
    only = keys[1].members[2].msp_id
    definition = ChaincodeDefinition("external", {only: ExternalServer(server.address)})
    client = await (await start_network([definition])).client()
    assert await evaluate(client, "get", "key") == b""
    refused = await refusal(client.endorse("get", "key", chaincode="external", organisations=["IizukaMSP"]))
    assert refused.text == "failed to find any endorsing peers for org(s): IizukaMSP"


async def test_members_whose_servers_answer_differently_do_not_endorse_together(
    start_network, start_server: StartServer, keys: Keys
) -> None:
    """Each member's own server is asked, and a deviating answer shows."""

    async def other(transaction: ShimTransaction, args: list[str]) -> bytes:
        await transaction.put("key", b"other")
        return b"other"

    ids = [member.msp_id for member in keys[1].members]
    honest, lying = await start_server(), await start_server({"put": other})
    backing = {msp_id: ExternalServer((lying if msp_id in ids[2:] else honest).address) for msp_id in ids}
    client = await (await start_network([ChaincodeDefinition("external", backing)])).client()
    refused = await refusal(client.endorse("put", "key", "value", chaincode="external"))
    assert refused.code is StatusCode.ABORTED
    assert refused.text == (
        "failed to collect enough transaction endorsements, see attached details for more info"
    )
    assert {msp_id for msp_id, _ in refused.details} == set(ids[2:])
    assert {message for _, message in refused.details} == {"ProposalResponsePayloads do not match"}


async def test_a_minority_that_deviates_is_outvoted(
    start_network: StartNetwork, start_server: StartServer, keys: Keys
) -> None:
    async def other(transaction: ShimTransaction, args: list[str]) -> bytes:
        await transaction.put("key", b"other")
        return b"other"

    ids = [member.msp_id for member in keys[1].members]
    honest, lying = await start_server(), await start_server({"put": other, "get": get})
    backing = {msp_id: ExternalServer((lying if msp_id in ids[3:] else honest).address) for msp_id in ids}
    client = await (await start_network([ChaincodeDefinition("external", backing)])).client()
    await transact(client, "put", "key", "value")
    assert await evaluate(client, "get", "key") == b"value"


def initialising(client: RawClient, *args: str) -> proposal_pb2.SignedProposal:
    """Return a signed proposal that asks for initialisation."""
    proposal = proposal_pb2.Proposal.FromString(client.proposal(*args, chaincode="external").proposal_bytes)
    payload = proposal_pb2.ChaincodeProposalPayload.FromString(proposal.payload)
    invocation = chaincode_pb2.ChaincodeInvocationSpec.FromString(payload.input)
    invocation.chaincode_spec.input.is_init = True
    payload.input = invocation.SerializeToString()
    proposal.payload = payload.SerializeToString()
    data = proposal.SerializeToString()
    return proposal_pb2.SignedProposal(proposal_bytes=data, signature=client.user.sign(data))


async def test_a_definition_may_require_initialisation_exactly_once(
    start_network: StartNetwork, server: ShimServer
) -> None:
    definition = ChaincodeDefinition("external", ExternalServer(server.address), init_required=True)
    client = await (await start_network([definition])).client()
    refused = await refusal(client.endorse("get", "key", chaincode="external"))
    ((_, message),) = refused.details
    assert message.endswith(
        "invalid invocation: chaincode 'external' has not been initialized for this version, must call as init first"
    )
    endorsed = await client.endorse_signed(initialising(client, "put", "key", "first"))
    await client.submit(endorsed)
    assert (await client.commit_status(endorsed.tx_id)).result == transaction_pb2.VALID
    assert await evaluate(client, "get", "key") == b"first"
    refused = await refusal(client.endorse_signed(initialising(client, "put", "key", "second")))
    ((_, message),) = refused.details
    assert message.endswith("chaincode 'external' is already initialized but called as init")


async def test_a_chaincode_without_initialisation_is_not_initialised(client: RawClient) -> None:
    refused = await refusal(client.endorse_signed(initialising(client, "put", "key", "value")))
    ((_, message),) = refused.details
    assert message.endswith("chaincode 'external' does not require initialization but called as init")
