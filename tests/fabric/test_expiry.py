"""Real peers refuse what was held back: by Fabric's own check for phantoms, and all of them alike."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import grpc.aio
import pytest
from fabric_protos.peer import transaction_pb2
from tests.fabric.chaincode_thread import served
from tests.fabric.native_network import NativeNetwork
from tests.support.held_back import VALID, WRITING, MovedClock, Stage, last_second_before_expiry
from tests.support.raw_client import Endorsed, RawClient, refusal

from shirushi_chaincode.shell import AnchorsChaincode
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_network.layout import Layout
from shirushi_network.member_keys import load_signing_identity

PHANTOM = int(transaction_pb2.PHANTOM_READ_CONFLICT)
CHAINCODE = "timed"
"""The anchors contract once more, on a clock that the test moves; the one in use goes by the machine's."""

EARLIER = -300
"""Seconds between this machine's clock and the held-back transactions: peers take what is within 900 s of theirs."""


@pytest.fixture(scope="module")
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture(scope="module")
def consortium(
    fabric: None, clock: MovedClock, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NativeNetwork]:
    """A consortium on Fabric's nodes, with the contract on the moved clock beside its own."""
    with served({CHAINCODE: lambda: AnchorsChaincode(clock)}) as running:
        addresses = {name: each.address for name, each in running.items()}
        live = NativeNetwork(Layout(tmp_path_factory.mktemp("expiry") / "consortium"), chaincodes=addresses)
        live.up()
        yield live
        live.down()


@asynccontextmanager
async def on_stage(consortium: NativeNetwork, clock: MovedClock) -> AsyncIterator[Stage]:
    """Open connections to the first member's peer and orderer for whoever acts."""
    topology = consortium.topology
    first = topology.members[0]
    assert first.orderer is not None
    root = (consortium.layout.members / first.id / "tlsca" / "cert.pem").read_bytes()
    credentials = grpc.ssl_channel_credentials(root)
    async with AsyncExitStack() as stack:
        peer, orderer = [
            await stack.enter_async_context(grpc.aio.secure_channel(address, credentials))
            for address in (first.peer.address, first.orderer.address)
        ]

        def user(member: int, name: str) -> SigningIdentity:
            chosen = topology.members[member]
            home = consortium.layout.members / chosen.id / "users" / name / "msp"
            return load_signing_identity(home, chosen.msp_id)

        async def connect(who: SigningIdentity) -> RawClient:
            return RawClient(topology.channel, who, peer, orderer)

        async def settled() -> None:
            await asyncio.to_thread(consortium.settle)

        yield Stage(connect, user, clock, settled, CHAINCODE)


async def codes_at_every_peer(
    consortium: NativeNetwork, held_back: Mapping[str, Endorsed]
) -> dict[str, set[int]]:
    """Return, by function, what the members' peers say became of it."""
    channel, found = consortium.topology.channel, {function: set[int]() for function in held_back}
    await asyncio.to_thread(consortium.settle)
    for member in consortium.members:
        async with consortium.gateway(member.id) as gateway:
            qscc = gateway.get_network(channel).get_contract("qscc")
            for function, endorsed in held_back.items():
                answer = await qscc.evaluate(
                    "GetTransactionByID",
                    arguments=[channel, endorsed.tx_id],
                    endorsing_organizations=[member.msp_id],
                )
                found[function].add(transaction_pb2.ProcessedTransaction.FromString(answer).validationCode)
    return found


async def test_a_held_back_transaction_of_each_function_is_refused_by_all_peers_alike(
    consortium: NativeNetwork, clock: MovedClock
) -> None:
    async with on_stage(consortium, clock) as stage:
        now = int(time.time()) + EARLIER
        later = last_second_before_expiry(now) + 1
        clock.set(now)
        await stage.found()
        held_back = await stage.hold_back()
        in_time = {"issue": await stage.hold_back_issuance(5)}

        await stage.tick(last_second_before_expiry(now))
        assert await stage.hand_in(in_time) == {"issue": VALID}, "what is held back for less is taken"

        await stage.tick(later)
        assert await stage.hand_in(held_back) == dict.fromkeys(WRITING, PHANTOM)
        every_peers = await codes_at_every_peer(consortium, held_back)
        assert every_peers == {function: {PHANTOM} for function in WRITING}

        clock.set(now)
        refused = await refusal(stage.hold_back_issuance(6))
        assert "TRANSACTION_EXPIRED" in refused.details[0][1]
        clock.set(later)
        assert (await stage.ask("get_time", {}))["time"] == later
