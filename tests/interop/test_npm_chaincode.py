"""A chaincode written with the official npm library, unmodified, run as a server by Node and called by the node."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest
from fabric_protos.peer import transaction_pb2
from tests.support.basic_chaincode import BasicChaincode
from tests.support.node_packages import installed_project
from tests.support.raw_client import RawClient, refusal
from tests.support.running_network import RunningNetwork

from shirushi_core.fabric.policy_text import parse_policy_text
from shirushi_network.member_keys import load_signing_identity
from shirushi_network.ports import free_ports
from shirushi_node.ledger.definitions import ChaincodeDefinition, ExternalServer

HERE = Path(__file__).parent / "node_chaincode"


class NodeServer:
    """The chaincode's process."""

    def __init__(self, project: Path) -> None:
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        self._project = project
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        self._process = subprocess.Popen(
            ["node", "chaincode.js", self.address],
            cwd=self._project,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line == "listening\n":
                return
        raise AssertionError(f"the chaincode ended with {self._process.wait()}")

    def stop(self) -> None:
        """End it, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=10)


@pytest.fixture(scope="module")
def server() -> Iterator[NodeServer]:
    running = NodeServer(installed_project(HERE))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def network(server: NodeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNetwork]:
    running = RunningNetwork(
        tmp_path_factory.mktemp("network"),
        [
            ChaincodeDefinition("npm", ExternalServer(server.address)),
            ChaincodeDefinition("basic", BasicChaincode()),
        ],
    )
    running.start()
    yield running
    running.stop()


@pytest.fixture
async def client(network: RunningNetwork) -> AsyncIterator[RawClient]:
    member = network.topology.members[0]
    home = network.layout.members / member.id
    user = load_signing_identity(home / "users" / "client" / "msp", member.msp_id)
    credentials = grpc.ssl_channel_credentials((home / "tlsca" / "cert.pem").read_bytes())
    async with (
        grpc.aio.secure_channel(f"{member.peer.address}", credentials) as peer,
        grpc.aio.secure_channel(f"{member.orderer.address}", credentials) as orderer,
    ):
        yield RawClient(network.topology.channel, user, peer, orderer)


async def evaluate(client: RawClient, *args: str, **options: object) -> str:
    return str((await client.evaluate(*args, chaincode="npm", **options)).payload.decode())


async def transact(client: RawClient, *args: str) -> None:
    assert (await client.transact(*args, chaincode="npm")).result == transaction_pb2.VALID


async def test_state(client: RawClient) -> None:
    await transact(client, "put", "state", "value")
    assert await evaluate(client, "get", "state") == "value"
    await transact(client, "remove", "state")
    assert await evaluate(client, "get", "state") == ""


async def test_many_writes_in_one_transaction_and_a_long_range(client: RawClient) -> None:
    await transact(client, "putMany", "many", "250")
    keys = (await evaluate(client, "range", "many", "many9")).split(",")
    assert keys == [f"many{number:04}" for number in range(250)]


async def test_pages(client: RawClient) -> None:
    await transact(client, "putMany", "a-page", "5")
    first = json.loads(await evaluate(client, "page", "3", ""))
    assert first == {"keys": [f"a-page000{n}" for n in range(3)], "bookmark": "a-page0003", "count": 3}
    second = json.loads(await evaluate(client, "page", "2", first["bookmark"]))
    assert second["keys"] == ["a-page0003", "a-page0004"]


async def test_history(client: RawClient) -> None:
    await transact(client, "put", "past", "one")
    await transact(client, "put", "past", "two")
    await transact(client, "remove", "past")
    assert await evaluate(client, "history", "past") == "-,two,one"


async def test_composite_keys(client: RawClient) -> None:
    await transact(client, "composite", "x", "1")
    await transact(client, "composite", "x", "2")
    assert await evaluate(client, "composite", "x", "3") == "x/1,x/2"


async def test_events(client: RawClient) -> None:
    endorsed = await client.endorse("event", "happened", "payload", chaincode="npm")
    await client.submit(endorsed)
    status = await client.commit_status(endorsed.tx_id)
    stream = client.chaincode_events("npm", start=status.block_number)
    (event,) = (await stream.read()).events
    stream.cancel()
    assert (event.event_name, event.payload, event.tx_id) == ("happened", b"payload", endorsed.tx_id)


async def test_calls_to_other_chaincodes(client: RawClient) -> None:
    assert await evaluate(client, "call", "basic", "put", "k", "v") == "200  v"
    assert await evaluate(client, "call", "basic", "fail", "no") == "500 no "


async def test_key_level_policies(client: RawClient) -> None:
    policy = parse_policy_text(f"OR('{client.user.identity.msp_id}.peer')").hex()
    await transact(client, "put", "guarded", "value")
    await transact(client, "protect", "guarded", policy)
    assert await evaluate(client, "protection", "guarded") == policy
    endorsed = await client.endorse("put", "guarded", "again", chaincode="npm")
    assert len(endorsed.endorsers) == 1


async def test_creator_transient_data_and_timestamp(client: RawClient) -> None:
    assert await evaluate(client, "who") == client.user.identity.msp_id
    assert await evaluate(client, "transient", "s", transient={"s": b"whisper"}) == "whisper"
    now = int(time.time())
    assert int(await evaluate(client, "time", at=now)) == now * 1000


@pytest.mark.parametrize(
    ("function", "text"),
    [
        ("secret", "private data is not supported by the embedded ledger"),
        ("query", "ExecuteQuery not supported for leveldb"),
        ("fail", "chaincode response 500, secrets"),
    ],
)
async def test_what_fails_is_said(client: RawClient, function: str, text: str) -> None:
    refused = await refusal(client.evaluate(function, "secrets", chaincode="npm"))
    assert refused.code is grpc.StatusCode.UNKNOWN
    assert text in refused.text


async def test_many_transactions_at_once(client: RawClient) -> None:
    endorsed = await asyncio.gather(
        *(client.endorse("put", f"at-once-{number}", "value", chaincode="npm") for number in range(50))
    )
    assert {each.result for each in endorsed} == {b"value"}


async def test_a_crash_is_told_and_the_chaincode_reached_again(client: RawClient, server: NodeServer) -> None:
    refused = await refusal(client.endorse("crash", chaincode="npm"))
    ((_, message),) = refused.details
    assert message.endswith("error sending: chaincode stream terminated")
    server.stop()
    server.start()
    async with asyncio.timeout(15):
        while await is_out_of_reach(client):
            pass
    await transact(client, "put", "after", "value")


async def is_out_of_reach(client: RawClient) -> bool:
    signed = client.proposal("get", "after", chaincode="npm")
    return bool((await client.endorser.ProcessProposal(signed)).response.status != 200)
