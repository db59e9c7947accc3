"""Members that stop and come back, and addresses that cannot be served."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from fabric_protos.peer import transaction_pb2
from grpc import StatusCode
from tests.support.basic_chaincode import BasicChaincode
from tests.support.raw_client import RawClient, refusal
from tests.support.service_network import Keys, Network, member_nodes

from shirushi_node.ledger.definitions import ChaincodeDefinition
from shirushi_node.ledger.node import EndpointError, LedgerNode, NodeError


async def test_each_member_has_addresses_and_a_certificate_of_its_own(network: Network) -> None:
    members = network.node.status().members
    assert (
        len({member.peer_address for member in members} | {member.orderer_address for member in members})
        == 10
    )
    for number, member in enumerate(members):
        async with network.connect(member.peer_address, number) as channel:
            await asyncio.wait_for(channel.channel_ready(), 5)
    async with network.connect(members[0].peer_address, 1) as wrong:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(wrong.channel_ready(), 0.3)


async def test_a_stopped_member_answers_nothing(network: Network, client: RawClient) -> None:
    await network.node.stop_member(network.msp_ids[0])
    refused = await refusal(client.evaluate("get", "key"))
    assert refused.code is StatusCode.UNAVAILABLE


async def test_a_stopped_member_is_not_there_for_the_others(network: Network, client: RawClient) -> None:
    gone = network.msp_ids[1]
    await network.node.stop_member(gone)
    refused = await refusal(client.endorse("put", "key", "value", organisations=[gone]))
    assert refused.text == f"failed to find any endorsing peers for org(s): {gone}"
    refused = await refusal(client.evaluate("crash", chaincode="probing"))
    assert gone not in [msp_id for msp_id, _ in refused.details]
    for number in range(6):
        status = await client.transact("put", str(number), "value")
        assert status.result == transaction_pb2.VALID


async def test_three_stopped_members_leave_no_majority(network: Network, client: RawClient) -> None:
    for msp_id in network.msp_ids[2:]:
        await network.node.stop_member(msp_id)
    refused = await refusal(client.endorse("put", "key", "value"))
    assert refused.code is StatusCode.FAILED_PRECONDITION
    assert refused.text.startswith("no combination of peers can be derived")


async def test_a_member_that_comes_back_is_where_it_was_and_takes_part(
    network: Network, client: RawClient
) -> None:
    other = network.msp_ids[1]
    before = network.node.status().members[1]
    await network.node.stop_member(other)
    assert not network.node.status().members[1].running
    await client.transact("put", "key", "value")
    await network.node.start_member(other)
    assert network.node.status().members[1] == before
    returned = await network.client(1)
    assert (await returned.evaluate("get", "key")).payload == b"value"
    await client.endorse("put", "key", "again", organisations=[other])


async def test_stopping_and_starting_twice_changes_nothing(network: Network, client: RawClient) -> None:
    other = network.msp_ids[1]
    for _ in range(2):
        await network.node.stop_member(other)
    for _ in range(2):
        await network.node.start_member(other)
    await client.endorse("put", "key", "value", organisations=[other])


async def test_an_unknown_member_is_named_with_those_there_are(network: Network) -> None:
    with pytest.raises(NodeError, match=f"no member 'NobodyMSP'; the members are {network.msp_ids[0]}"):
        await network.node.stop_member("NobodyMSP")


async def test_event_streams_end_when_their_member_stops(network: Network, client: RawClient) -> None:
    stream = client.chaincode_events()
    await stream.wait_for_connection()
    await network.node.stop_member(network.msp_ids[0])
    with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
        await asyncio.wait_for(stream.read(), 5)


def _node(keys: Keys, folder: Path, **first: object) -> LedgerNode:
    members = member_nodes(keys)
    members[0] = replace(members[0], **first)
    definitions = [ChaincodeDefinition("basic", BasicChaincode())]
    return LedgerNode(folder, keys[0].genesis.read_bytes(), members, definitions)


@pytest.mark.parametrize("role", ["peer", "orderer"])
async def test_an_address_in_use_is_one_error_and_leaves_nothing_open(
    keys: Keys, tmp_path: Path, role: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        node = _node(keys, tmp_path / "ledger", **{f"{role}_address": address})
        msp_id = keys[1].members[0].msp_id
        with pytest.raises(EndpointError, match=f"the {role} of {msp_id} cannot be served at {address}"):
            await node.start()
        with pytest.raises(NodeError):
            node.status()
    await node.start()
    await node.stop()


async def test_a_node_starts_again_over_its_ledger(keys: Keys, tmp_path: Path) -> None:
    node = _node(keys, tmp_path / "ledger")
    for height in (1, 1):
        await node.start()
        assert node.status().height == height
        await node.stop()


async def test_an_address_with_another_node_on_it_is_in_use(
    network: Network, keys: Keys, tmp_path: Path
) -> None:
    """Two nodes never share a port, as gRPC servers otherwise may."""
    address = network.node.status().members[0].peer_address
    with pytest.raises(EndpointError):
        await _node(keys, tmp_path / "second", peer_address=address).start()
