"""Identities, hashes and signers; when and how often something is signed."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fabric_protos.gateway import gateway_pb2

from shirushi_client.gateway import connect, hashes, signers
from shirushi_core.errors import InvalidInputError


@pytest.mark.parametrize(
    ("who", "hash_function"),
    [
        ("p256", hashes.sha256),
        ("p256", hashes.sha384),
        ("p256", hashes.sha3_256),
        ("p384", hashes.sha384),
        ("p384", hashes.sha3_384),
        ("edwards", hashes.none),
        ("edwards", hashes.sha256),
        ("p256", lambda message: hashlib.sha256(hashlib.sha256(message).digest()).digest()),
    ],
)
async def test_every_kind_of_key_signs_with_every_hash_that_suits_it(
    request, channel, peer, who, hash_function
):
    client = request.getfixturevalue(who)
    peer.hash = hash_function
    async with connect(channel, client.identity, client.signer, hash_function) as gateway:
        contract = gateway.get_network("mychannel").get_contract("basic")
        for _ in range(8):  # a high S comes up every second time if it is not made low
            assert await contract.submit_transaction("f") == b"f"


def test_hashes_are_the_ones_they_are_named_for():
    message = b"message"
    assert hashes.none(message) == message
    for name in ("sha256", "sha384", "sha3_256", "sha3_384"):
        assert getattr(hashes, name)(message) == hashlib.new(name.replace("_", "-"), message).digest()


@pytest.mark.parametrize(
    "make", [lambda: ec.generate_private_key(ec.SECP521R1()), lambda: rsa.generate_private_key(65537, 2048)]
)
def test_a_key_that_fabric_does_not_know_is_refused_when_the_signer_is_made(make):
    with pytest.raises(InvalidInputError, match="expected a P-256, P-384 or Ed25519 private key"):
        signers.from_private_key(make())


async def test_a_signer_may_be_awaited(channel, p256):
    async def remote(digest):
        await asyncio.sleep(0)
        return p256.signer(digest)

    async with connect(channel, p256.identity, remote) as gateway:
        assert await gateway.get_network("mychannel").get_contract("basic").submit_transaction("f") == b"f"


async def test_the_signer_gets_the_digest_of_exactly_what_is_sent(channel, p256):
    signed = []

    def signer(digest):
        signed.append(digest)
        return p256.signer(digest)

    async with connect(channel, p256.identity, signer) as gateway:
        proposal = gateway.get_network("mychannel").get_contract("basic").new_proposal("f")
        sent = gateway_pb2.ProposedTransaction.FromString(proposal.bytes).proposal.proposal_bytes
        assert signed == []
        transaction = await proposal.endorse()
        commit = await transaction.submit()
        await commit.get_status()
        assert signed == [proposal.digest, transaction.digest, commit.digest]
        assert proposal.digest == hashlib.sha256(sent).digest()


async def test_each_object_is_signed_once_however_often_and_concurrently_it_is_used(channel, p256):
    signed = []

    async def signer(digest):
        signed.append(digest)
        await asyncio.sleep(0)
        return p256.signer(digest)

    async with connect(channel, p256.identity, signer) as gateway:
        proposal = gateway.get_network("mychannel").get_contract("basic").new_proposal("f")
        await asyncio.gather(*(proposal.evaluate() for _ in range(10)))
        await proposal.endorse()
    assert signed == [proposal.digest]


def test_the_gateway_knows_its_identity(gateway, p256):
    assert gateway.identity == p256.identity
