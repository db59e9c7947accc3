"""Every signable object: bytes and digest out, a signature made elsewhere back in."""

from __future__ import annotations

import contextlib

import pytest
from fabric_protos.common import common_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.client.gateway.stand_in import LedgerEntry

from shirushi_client.gateway import Gateway, GatewayError, NoSignerError, connect, hashes
from shirushi_client.gateway.identity import SigningIdentity
from shirushi_core.errors import InvalidInputError

KINDS = [
    "proposal",
    "transaction",
    "commit",
    "chaincode_events_request",
    "block_events_request",
    "filtered_block_events_request",
    "block_and_private_data_events_request",
]


async def new_signable(gateway, kind):
    network = gateway.get_network("mychannel")
    proposal = network.get_contract("basic").new_proposal("f", arguments=["x"])
    match kind:
        case "proposal":
            return proposal
        case "transaction":
            return await proposal.endorse()
        case "commit":
            return await (await proposal.endorse()).submit()
        case "chaincode_events_request":
            return network.new_chaincode_events_request("basic", start_block=0)
        case _:
            return getattr(network, f"new_{kind}")(start_block=0)


async def use(signable):
    for verb in ("evaluate", "submit", "get_status"):
        if hasattr(signable, verb):
            return await getattr(signable, verb)()
    async with signable.get_events() as events:
        return await anext(events)


@pytest.mark.parametrize("kind", KINDS)
async def test_without_signer_and_signature_it_fails_when_it_is_used(gateway, offline, peer, kind):
    await peer.commit(LedgerEntry("tx", event=("e", b"")))
    unsigned = getattr(offline, f"new_{kind}")(without_signature(await new_signable(gateway, kind)))
    with pytest.raises(NoSignerError, match="nothing to sign with"):
        await use(unsigned)


@pytest.mark.parametrize("kind", KINDS)
async def test_with_a_signature_made_elsewhere_it_works(gateway, offline, peer, p256, kind):
    await peer.commit(LedgerEntry("tx", event=("e", b"")))
    unsigned = getattr(offline, f"new_{kind}")(without_signature(await new_signable(gateway, kind)))
    signature = p256.signer(unsigned.digest)
    signed = getattr(offline, f"new_signed_{kind}")(unsigned.bytes, signature)
    assert signed.digest == unsigned.digest
    assert await use(signed) is not None


@pytest.mark.parametrize("kind", KINDS)
async def test_a_signature_that_is_there_is_kept(gateway, channel, peer, p256, kind):
    await peer.commit(LedgerEntry("tx", event=("e", b"")))
    signable = await new_signable(gateway, kind)

    def unwanted(digest):
        raise AssertionError("signed again")

    async with connect(channel, p256.identity, unwanted) as another:
        signed = getattr(another, f"new_signed_{kind}")(signable.bytes, p256.signer(signable.digest))
        rebuilt = getattr(another, f"new_{kind}")(signed.bytes)
        assert rebuilt.bytes == signed.bytes
        await use(rebuilt)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_wrong_signature_is_refused_by_the_peer(gateway, offline, peer, p256, kind):
    await peer.commit(LedgerEntry("tx", event=("e", b"")))
    signable = await new_signable(gateway, kind)
    signed = getattr(offline, f"new_signed_{kind}")(signable.bytes, p256.signer(bytes(32)))
    with pytest.raises(GatewayError, match="bad signature"):
        await use(signed)


async def test_a_whole_submit_can_be_signed_step_by_step(offline, peer, p256):
    contract = offline.get_network("mychannel").get_contract("basic")
    unsigned = contract.new_proposal("f", arguments=["conga"], endorsing_organizations=["Org1MSP"])
    proposal = offline.new_signed_proposal(unsigned.bytes, p256.signer(unsigned.digest))
    assert await proposal.evaluate() == b"f,conga"
    unsigned = await proposal.endorse()
    transaction = offline.new_signed_transaction(unsigned.bytes, p256.signer(unsigned.digest))
    assert transaction.result == b"f,conga"
    unsigned = await transaction.submit()
    commit = offline.new_signed_commit(unsigned.bytes, p256.signer(unsigned.digest))
    status = await commit.get_status()
    assert status.successful
    assert status.transaction_id == commit.transaction_id == proposal.transaction_id
    assert peer.endorsed[0].organizations == ["Org1MSP"]


async def test_verbs_need_a_signer(offline):
    contract = offline.get_network("mychannel").get_contract("basic")
    for verb in (contract.evaluate_transaction, contract.submit_transaction):
        with pytest.raises(NoSignerError):
            await verb("f")


@pytest.mark.parametrize("kind", KINDS)
async def test_bytes_that_are_no_such_object_are_refused(offline, kind):
    rebuild = getattr(offline, f"new_{kind}")
    for data in (b"", b"\xff", b"\x0a\x05abc", common_pb2.Envelope(payload=b"x").SerializeToString()):
        with pytest.raises(InvalidInputError):
            rebuild(data)


@pytest.mark.parametrize("kind", KINDS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(data=st.binary(max_size=100))
def test_any_bytes_give_an_object_or_a_typed_error(offline_rebuilder, kind, data):
    with contextlib.suppress(InvalidInputError):
        offline_rebuilder(kind, data)


@pytest.fixture
def offline_rebuilder(p256):
    gateway = Gateway(None, SigningIdentity(p256.identity, None, hashes.sha256), None)
    return lambda kind, data: getattr(gateway, f"new_{kind}")(data)


def without_signature(signable):
    signable._set_signature(b"")
    return signable.bytes
