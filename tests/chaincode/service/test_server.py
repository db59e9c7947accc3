"""The chaincode's server: draining, TLS, addresses."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import grpc
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import DNSName, SubjectAlternativeName
from fabric_protos.peer import chaincode_shim_pb2
from tests.chaincode.service.conftest import PACKAGE_ID, Served
from tests.support.scripted_peer import ScriptedPeer
from tests.support.throwaway_ca import ThrowawayCa, pem

from shirushi_chaincode.service.errors import AddressError
from shirushi_chaincode.service.server import ChaincodeServer, Tls
from shirushi_chaincode.service.stream import Limits
from shirushi_chaincode.service.stub import ShimStub

GetState = chaincode_shim_pb2.GetState


async def read_key(stub: ShimStub) -> bytes:
    return await stub.get_state("key") or b""


async def test_draining_lets_running_proposals_end_and_rejects_new_ones(served: Served) -> None:
    peer = await served.peer(read_key)
    tx_id = await peer.propose("running")
    await peer.expect("GET_STATE", GetState, tx_id)
    assert served.server is not None
    draining = asyncio.create_task(served.server.drain(10))
    rejected = await peer.completed(await peer.propose("new"))
    assert rejected.status == 503
    assert rejected.message == (
        "the chaincode service did not run the proposal: it is shutting down; send it to another peer, or again later"
    )
    assert served.server.is_draining
    await peer.answer(tx_id, b"value")
    assert (await peer.completed(tx_id)).payload == b"value"
    assert await peer.read() is grpc.aio.EOF
    assert await peer.call.code() is grpc.StatusCode.OK
    assert await draining is True


async def test_draining_rejects_proposals_that_wait_for_their_turn(served: Served) -> None:
    peer = await served.peer(read_key, Limits(running=1))
    running, waiting = await peer.propose("running"), await peer.propose("waiting")
    await peer.expect("GET_STATE", GetState, running)
    await peer.send("KEEPALIVE")
    await peer.read()  # so that the other one waits by now
    assert served.server is not None
    draining = asyncio.create_task(served.server.drain(10))
    assert (await peer.completed(waiting)).status == 503
    await peer.answer(running, b"value")
    assert (await peer.completed(running)).payload == b"value"
    assert await draining is True


async def test_a_peer_that_dials_while_it_drains_is_told(served: Served) -> None:
    peer = await served.peer(read_key)
    await peer.propose("running")
    await peer.expect("GET_STATE", GetState)
    assert served.server is not None
    draining = asyncio.create_task(served.server.drain(10))
    assert (await peer.completed(await peer.propose("new"))).status == 503
    late = await served.dial()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await late.dial()
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert refused.value.details() == "the chaincode service is shutting down"
    peer.call.cancel()
    await draining


async def test_draining_ends_after_its_time_whatever_runs(served: Served) -> None:
    peer = await served.peer(read_key)
    await peer.propose("running")
    await peer.expect("GET_STATE", GetState)
    assert served.server is not None
    assert await asyncio.wait_for(served.server.drain(0.05), 5) is False
    assert served.metric('proposals_total{outcome="abandoned"}') == 1


async def test_draining_a_server_without_peers_ends_at_once(served: Served) -> None:
    await served.start(read_key)
    assert served.server is not None
    assert await asyncio.wait_for(served.server.drain(60), 5) is True


async def test_an_address_in_use_is_an_error_that_names_it(served: Served) -> None:
    await served.start(read_key)
    other = ChaincodeServer(served, PACKAGE_ID)  # type: ignore[arg-type]
    with pytest.raises(AddressError, match=f"cannot be served at {served.address}: the address is in use"):
        await other.start(served.address)


@dataclass
class Pair:
    """A certificate and its key, PEM."""

    certificate: bytes
    key: bytes


def issue(authority: ThrowawayCa) -> Pair:
    extensions = [(SubjectAlternativeName([DNSName("localhost")]), False)]
    identity = authority.issue(name="localhost", extensions=extensions)
    key = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Pair(identity.identity.certificate_pem, key)


def credentials(root: ThrowawayCa, own: Pair | None = None) -> grpc.ChannelCredentials:
    if own is None:
        return grpc.ssl_channel_credentials(pem(root.certificate))
    return grpc.ssl_channel_credentials(pem(root.certificate), own.key, own.certificate)


async def test_with_tls_a_peer_checks_the_server_and_with_mutual_tls_the_server_checks_it_too(
    served: Served,
) -> None:
    authority, stranger = ThrowawayCa.root("authority"), ThrowawayCa.root("stranger")
    own, peers = issue(authority), issue(authority)
    for client_ca, wrong, right in (
        (None, credentials(stranger), credentials(authority)),
        (authority, credentials(authority), credentials(authority, peers)),
        (authority, credentials(authority, issue(stranger)), credentials(authority, peers)),
    ):
        tls = Tls(own.certificate, own.key, None if client_ca is None else pem(client_ca.certificate))
        server = ChaincodeServer(served, PACKAGE_ID, tls=tls)  # type: ignore[arg-type]
        port = (await server.start("127.0.0.1:0")).rpartition(":")[2]
        try:
            async with ScriptedPeer(f"localhost:{port}", wrong) as refused:
                with pytest.raises(grpc.aio.AioRpcError):
                    await refused.register()
            async with ScriptedPeer(f"localhost:{port}", right) as peer:
                assert await peer.register() == PACKAGE_ID
        finally:
            await server.stop()
