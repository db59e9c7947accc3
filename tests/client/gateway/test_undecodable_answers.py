"""A peer whose answers are not the messages that the calls ask for."""

from __future__ import annotations

import grpc
import pytest
from fabric_protos.gateway import gateway_pb2
from tests.support.throwaway_ca import ThrowawayCa

from shirushi_client.gateway import (
    CommitStatusError,
    EndorseError,
    GatewayError,
    Identity,
    connect,
    signers,
)

NOISE = b"\x0a\xff\xff\xff\xff\x0fnoise"


class NoisyPeer(grpc.GenericRpcHandler):
    """Answers every method with bytes that no message starts with."""

    def service(self, details):
        async def one(request, context):
            return NOISE

        async def many(requests, context):
            yield NOISE

        if "Deliver" in details.method:
            return grpc.stream_stream_rpc_method_handler(many)
        if details.method.endswith("ChaincodeEvents"):
            return grpc.unary_stream_rpc_method_handler(many)
        return grpc.unary_unary_rpc_method_handler(one)


@pytest.fixture
async def gateway():
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([NoisyPeer()])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    ca = ThrowawayCa.root()
    signing = ca.issue("client")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        identity = Identity("Org1MSP", signing.identity.certificate_pem)
        async with connect(channel, identity, signers.from_private_key(signing.key)) as connected:
            yield connected
    await server.stop(None)


@pytest.fixture
def network(gateway):
    return gateway.get_network("channel")


async def test_evaluate_names_the_peers_fault(network):
    with pytest.raises(GatewayError) as caught:
        await network.get_contract("basic").evaluate_transaction("get")
    assert caught.value.code is grpc.StatusCode.INTERNAL


async def test_endorse_names_the_peers_fault(network):
    with pytest.raises(EndorseError) as caught:
        await network.get_contract("basic").submit_transaction("put")
    assert caught.value.transaction_id


async def test_commit_status_names_the_peers_fault(gateway):
    request = gateway_pb2.CommitStatusRequest(transaction_id="ab" * 32, channel_id="channel")
    signed = gateway_pb2.SignedCommitStatusRequest(request=request.SerializeToString())
    with pytest.raises(CommitStatusError):
        await gateway.new_commit(signed.SerializeToString()).get_status()


@pytest.mark.parametrize("kind", ["chaincode", "block", "filtered"])
async def test_event_streams_name_the_peers_fault(network, kind):
    opened = {
        "chaincode": lambda: network.get_chaincode_events("basic"),
        "block": network.get_block_events,
        "filtered": network.get_filtered_block_events,
    }[kind]()
    with pytest.raises(GatewayError):  # when the stream is opened or when it is read: whichever is first
        async with opened as events:
            await anext(events)
