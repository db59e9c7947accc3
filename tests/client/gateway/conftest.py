"""Identities of every supported kind, and a peer that stands in for a real one."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes as crypto_hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from tests.client.gateway.stand_in import StandInPeer

from shirushi_client.gateway import Identity, connect, signers


@dataclass(frozen=True)
class Client:
    """An identity and the key that signs for it."""

    identity: Identity
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

    @property
    def signer(self):
        return signers.from_private_key(self.key)


def new_client(key, msp_id: str = "Org1MSP") -> Client:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "user1")])
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else crypto_hashes.SHA256()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2026, 1, 1))
        .not_valid_after(datetime.datetime(2036, 1, 1))
        .sign(key, algorithm)
    )
    return Client(Identity(msp_id, certificate.public_bytes(serialization.Encoding.PEM)), key)


@pytest.fixture(scope="session")
def p256() -> Client:
    return new_client(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture(scope="session")
def p384() -> Client:
    return new_client(ec.generate_private_key(ec.SECP384R1()))


@pytest.fixture(scope="session")
def edwards() -> Client:
    return new_client(ed25519.Ed25519PrivateKey.generate())


@pytest.fixture
async def peer():
    stand_in = StandInPeer()
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


@pytest.fixture
async def channel(peer):
    async with grpc.aio.insecure_channel(peer.address) as channel:
        yield channel


@pytest.fixture
async def gateway(channel, p256):
    async with connect(channel, p256.identity, p256.signer) as gateway:
        yield gateway


@pytest.fixture
def network(gateway):
    return gateway.get_network("mychannel")


@pytest.fixture
def contract(network):
    return network.get_contract("basic")


@pytest.fixture
async def offline(channel, p256):
    """A gateway that cannot sign."""
    async with connect(channel, p256.identity) as gateway:
        yield gateway
