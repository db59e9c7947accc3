"""Our chaincode service under the embedded node's peers: the same contracts, the same answers as in process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.support.basic_chaincode import BasicChaincode
from tests.support.issuing import issue
from tests.support.probing_chaincode import ProbingChaincode
from tests.support.raw_client import RawClient, refusal
from tests.support.running_network import new_node, prepare
from tests.support.service_network import Keys, StartNetwork

from shirushi_chaincode.service.metrics import Metrics
from shirushi_chaincode.service.server import ChaincodeServer, Tls
from shirushi_chaincode.shell import AnchorsChaincode
from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.sources import files_to_issue
from shirushi_client.session import VERIFIER, open_session
from shirushi_client.verifier.verifier import Verifier
from shirushi_core.fabric.chaincode import Chaincode, Response
from shirushi_core.fabric.policy_text import parse_policy_text
from shirushi_core.proofs.report import Verdict
from shirushi_network.connection_files import write_connection, write_profiles
from shirushi_network.layout import Layout
from shirushi_network.registration import register_city
from shirushi_network.topology import Member
from shirushi_node.ledger.definitions import ChaincodeDefinition, ExternalServer

Serve = Callable[..., Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serve a chaincode and return the address; it is stopped with the test."""
    servers: list[ChaincodeServer] = []

    async def start(chaincode: Chaincode, name: str = "served", **options) -> str:
        servers.append(ChaincodeServer(chaincode, f"{name}:1.0", **options))
        return await servers[-1].start("127.0.0.1:0")

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
async def client(start_network: StartNetwork, serve: Serve) -> RawClient:
    """A client of a network that has the basic and the probing chaincode in process, and each as a service too."""
    network = await start_network(
        [
            ChaincodeDefinition("served", ExternalServer(await serve(BasicChaincode()))),
            ChaincodeDefinition("probed", ExternalServer(await serve(ProbingChaincode(), "probed"))),
        ]
    )
    return await network.client()


@pytest.mark.parametrize("chaincode", ["basic", "served"])
async def test_a_contract_does_the_same_in_process_and_as_a_service(
    client: RawClient, chaincode: str
) -> None:
    async def evaluate(*args: str, **options) -> bytes:
        return bytes((await client.evaluate(*args, chaincode=chaincode, **options)).payload)

    for args in (("put", "a", "1"), ("put", "b", "2"), ("put", "a", "3"), ("delete", "b")):
        assert (await client.transact(*args, chaincode=chaincode)).result == 0
    assert await evaluate("get", "a") == b"3"
    assert await evaluate("get", "b") == b""
    assert await evaluate("keys", "", "") == b"a"
    assert await evaluate("history", "a") == b"3,1"
    policy = parse_policy_text("OR('IizukaMSP.peer')")
    assert (await client.transact("require", "a", policy.hex(), chaincode=chaincode)).result == 0
    refused = await refusal(client.evaluate("fail", "because", chaincode=chaincode))
    assert refused.text.endswith("chaincode response 500, because")


@pytest.mark.parametrize("chaincode", ["probing", "probed"])
async def test_what_the_ledger_refuses_reads_the_same_in_process_and_as_a_service(
    client: RawClient, chaincode: str
) -> None:
    refused = await refusal(client.evaluate("bad_key", chaincode=chaincode))
    assert refused.text.endswith("chaincode response 500, key must not be an empty string")
    answer = await client.evaluate("page", "10", "", chaincode=chaincode)
    assert (answer.message, answer.payload) == ("", b"")


async def test_a_crash_is_an_answer_and_the_service_goes_on(client: RawClient) -> None:
    refused = await refusal(client.evaluate("crash", chaincode="probed"))
    assert refused.text.endswith(
        "chaincode response 500, the chaincode failed with RuntimeError; its log says where"
    )
    assert (await client.evaluate("answer", "200", "well", chaincode="probed")).message == "well"


async def test_chaincodes_call_each_other_in_and_out_of_process(client: RawClient) -> None:
    result = await client.transact("put_and_call", "basic", "key", "value", chaincode="probed")
    assert result.result == 0
    assert (await client.evaluate("get", "key", chaincode="basic")).payload == b"value"
    assert (await client.transact("put_and_call", "served", "key", "other", chaincode="probing")).result == 0
    answer = await client.evaluate("call", "served", "get", "key", chaincode="probed")
    assert answer.payload == b"other"
    refused = await refusal(client.evaluate("call", "nothing", "f", chaincode="probed"))
    assert "INVOKE_CHAINCODE failed: transaction ID: " in refused.text


async def test_a_hundred_transactions_at_once_are_all_answered(client: RawClient) -> None:
    answers = await asyncio.gather(
        *(client.evaluate("put", f"k{number}", str(number), chaincode="served") for number in range(100))
    )
    assert [answer.payload for answer in answers] == [str(number).encode() for number in range(100)]


class LargeRange:
    """Writes many keys, and looks at them in several ways."""

    async def invoke(self, stub) -> Response:
        function, _ = stub.get_function_and_parameters()
        if function == "write":
            for number in range(2500):
                await stub.put_state(f"k{number:04}", b"%d" % number)
            return Response(200)
        if function == "count":
            count = 0
            async for _ in stub.get_state_by_range("", ""):
                count += 1
            return Response(200, payload=b"%d" % count)
        if function == "first":
            for _ in range(300):  # the node has at most 256 queries open
                first = await anext(stub.get_state_by_range("", ""))
            return Response(200, payload=first.value)
        values = await stub.get_multiple_states([f"k{number:04}" for number in range(2600)])
        return Response(200, payload=b"%d" % sum(value is not None for value in values))


async def test_batches_and_long_ranges_are_split_and_joined(
    start_network: StartNetwork, serve: Serve
) -> None:
    definition = ChaincodeDefinition("served", ExternalServer(await serve(LargeRange())))
    client = await (await start_network([definition])).client()
    assert (await client.transact("write", chaincode="served")).result == 0
    for function, result in (("count", b"2500"), ("first", b"0"), ("multiple", b"2500")):
        assert (await client.evaluate(function, chaincode="served")).payload == result


def peer_tls(layout: Layout, member: Member, kind: str = "peers/peer0") -> tuple[bytes, bytes, bytes]:
    """Return a member's TLS certificate, its key and its root."""
    home = layout.members / member.id
    tls = home / kind / "tls"
    return (
        (tls / "server.crt").read_bytes(),
        (tls / "server.key").read_bytes(),
        (home / "tlsca" / "cert.pem").read_bytes(),
    )


@pytest.mark.parametrize("mutual", [False, True])
async def test_it_is_dialled_with_tls_and_mutual_tls(
    start_network: StartNetwork, serve: Serve, keys: Keys, mutual: bool
) -> None:
    certificate, key, root = peer_tls(keys[0], keys[1].members[0])
    tls = Tls(certificate, key, root if mutual else None)
    address = f"localhost:{(await serve(BasicChaincode(), tls=tls)).rpartition(':')[2]}"
    network = await start_network(
        [
            ChaincodeDefinition("known", ExternalServer(address, root, key, certificate)),
            ChaincodeDefinition("anonymous", ExternalServer(address, root)),
        ]
    )
    client = await network.client()
    assert (await client.evaluate("put", "key", "value", chaincode="known")).payload == b"value"
    if mutual:
        refused = await refusal(client.endorse("get", "key", chaincode="anonymous"))
        assert "could not launch chaincode anonymous:1.0" in refused.details[0][1]
    else:
        assert (await client.evaluate("get", "key", chaincode="anonymous")).payload == b""


async def test_each_member_serves_the_anchors_contract_to_its_own_peer(tmp_path: Path, serve: Serve) -> None:
    """Registering an issuer, issuing and verifying, with five services over mutual TLS."""
    layout, topology = prepare(tmp_path)
    metrics = Metrics()
    backing = {}
    for member in topology.members:
        certificate, key, root = peer_tls(layout, member)
        tls = Tls(certificate, key, root)
        address = await serve(AnchorsChaincode(time.time), "anchors", tls=tls, metrics=metrics)
        port = address.rpartition(":")[2]
        backing[member.msp_id] = ExternalServer(f"localhost:{port}", root, key, certificate)
    node = new_node(layout, topology, [ChaincodeDefinition("anchors", backing)])
    await node.start()
    try:
        await register_city(layout, topology)
        write_connection(layout, topology)
        write_profiles(layout, topology)
        certificate_file = tmp_path / "certificate.txt"
        certificate_file.write_bytes(b"a sample")
        await issue(tmp_path, files_to_issue([certificate_file], None), Order("income-certificate"))
        async with open_session(tmp_path, VERIFIER) as session:
            verifier = Verifier(session.consortium, session.members)
            report = await verifier.verify(certificate_file, tmp_path / "certificate.txt.receipt.json")
        assert report.verdict is Verdict.VALID
    finally:
        await node.stop()
    assert b"shirushi_chaincode_peer_errors_total 0.0" in metrics.text()
