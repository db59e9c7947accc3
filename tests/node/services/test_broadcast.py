"""orderer.AtomicBroadcast Broadcast: one answer for each envelope."""

from __future__ import annotations

import grpc
from fabric_protos.common import common_pb2
from fabric_protos.peer import transaction_pb2
from tests.support.raw_client import RawClient
from tests.support.service_network import Network
from tests.support.transactions import sign_envelope


async def test_each_envelope_is_answered_and_ordered(client: RawClient) -> None:
    call = client.orderer.Broadcast()
    ids = []
    for number in range(3):
        endorsed = await client.endorse("put", str(number), "value")
        await call.write(sign_envelope(endorsed.envelope, client.user))
        assert (await call.read()).status == common_pb2.SUCCESS
        ids.append(endorsed.tx_id)
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    for tx_id in ids:
        assert (await client.commit_status(tx_id)).result == transaction_pb2.VALID


async def test_a_refusal_ends_the_stream_as_fabrics_orderer_does(client: RawClient) -> None:
    call = client.orderer.Broadcast()
    await call.write(common_pb2.Envelope(payload=b"\xff", signature=b"s"))
    answers = [answer async for answer in call]
    assert [answer.status for answer in answers] == [common_pb2.BAD_REQUEST]
    assert answers[0].info


async def test_a_signature_of_another_key_is_forbidden(network: Network, client: RawClient) -> None:
    endorsed = await client.endorse("put", "key", "value")
    call = client.orderer.Broadcast()
    await call.write(sign_envelope(endorsed.envelope, network.user(1)))
    assert (await call.read()).status == common_pb2.FORBIDDEN


async def test_without_a_quorum_of_orderers_nothing_is_taken(network: Network, client: RawClient) -> None:
    endorsed = await client.endorse("put", "key", "value")
    for msp_id in network.msp_ids[3:]:
        await network.node.stop_member(msp_id)
    call = client.orderer.Broadcast()
    await call.write(sign_envelope(endorsed.envelope, client.user))
    assert (await call.read()).status == common_pb2.SERVICE_UNAVAILABLE
