"""Nodes and members that are gone while certificates are issued and verified: four of five go on, and nothing is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.fabric.native_network import NativeNetwork
from tests.support.chain import anchors, check_chain
from tests.support.load import Load

from shirushi_client.hashing import digest_bytes
from shirushi_client.session import VERIFIER, open_session
from shirushi_client.verifier.verifier import Verifier
from shirushi_core.fabric.block import header_hash
from shirushi_core.proofs.report import Verdict
from shirushi_network.fabric.nodes import NodeKind
from shirushi_network.layout import Layout
from shirushi_network.topology import Member

WARM_UP = 30.0
CATCH_UP = 60.0
"""Seconds until a node that came back has what the others have."""


@pytest.fixture(scope="module")
def consortium(fabric: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeNetwork]:
    live = NativeNetwork(Layout(tmp_path_factory.mktemp("faults") / "consortium"))
    live.up()
    yield live
    live.down()


@dataclass(frozen=True)
class Fault:
    """What happens to some of a member's nodes; `pause` is the longest time in seconds in which nothing may be issued."""

    victim: Callable[[NativeNetwork], Member]
    kinds: Sequence[NodeKind]
    pause: float
    killed: bool = True  # else they stand still, and go on later

    def strike(self, network: NativeNetwork) -> Member:
        member = self.victim(network)
        if self.killed:
            for kind in self.kinds:
                network.kill(member, kind)
        else:
            network.pause(member, *self.kinds)
        return member

    def end(self, network: NativeNetwork, member: Member) -> None:
        if self.killed:
            for kind in self.kinds:
                network.nodes.start_member(member.id, kind)
        else:
            network.resume(member, *self.kinds)


def issuer_s_own(network: NativeNetwork) -> Member:
    """The member whose peer the issuer prefers."""
    return network.member(network.topology.issuer.member)


def leading(network: NativeNetwork) -> Member:
    return network.leader()


def another(network: NativeNetwork) -> Member:
    """A member that neither leads nor is the issuer's own."""
    return next(each for each in network.members if each not in (issuer_s_own(network), leading(network)))


def block_source(network: NativeNetwork) -> Member:
    """The member whose orderer sends the issuer's own peer its blocks."""
    return network.block_source(issuer_s_own(network))


FAULTS = {
    "the issuer's own peer is killed": Fault(issuer_s_own, [NodeKind.PEER], 10.0),
    "another peer is killed": Fault(another, [NodeKind.PEER], 10.0),
    "the issuer's own chaincode service is killed": Fault(issuer_s_own, [NodeKind.CHAINCODE], 10.0),
    "another chaincode service is killed": Fault(another, [NodeKind.CHAINCODE], 10.0),
    "an orderer is killed": Fault(another, [NodeKind.ORDERER], 10.0),
    "the leading orderer is killed": Fault(leading, [NodeKind.ORDERER], 30.0),
    "the orderer that the issuer's own peer listens to is silent": Fault(
        block_source, [NodeKind.ORDERER], 25.0, killed=False
    ),
    "a member is cut off": Fault(another, list(NodeKind), 25.0, killed=False),
    "the issuer's own member is cut off": Fault(issuer_s_own, list(NodeKind), 30.0, killed=False),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_issuing_and_verifying_go_on(consortium: NativeNetwork, tmp_path: Path, name: str) -> None:
    fault = FAULTS[name]
    async with Load(consortium.root, tmp_path / "journal.db", f"fault-{list(FAULTS).index(name)}") as load:
        await load.more(issued=5, valid=2, within=WARM_UP)
        struck = time.monotonic()
        member = await asyncio.to_thread(fault.strike, consortium)
        try:
            await load.more(issued=12, valid=2, within=2 * fault.pause)
        finally:
            await asyncio.to_thread(fault.end, consortium, member)
        await load.more(issued=5, valid=2, within=fault.pause)
    await asyncio.to_thread(consortium.settle, CATCH_UP)
    assert load.longest_pause(struck) < fault.pause, load.troubles
    assert Verdict.NOT_VALID not in load.verdicts, load.troubles
    await check_that_nothing_is_lost_or_doubled(consortium, load)


async def check_that_nothing_is_lost_or_doubled(consortium: NativeNetwork, load: Load) -> None:
    """Every receipt verifies, every anchor is on the ledger once, and all nodes have the same chain."""
    async with open_session(consortium.root, VERIFIER) as session:
        verifier = Verifier(session.consortium, session.members)
        for each in load.issued:
            report = await verifier.verify_digest(digest_bytes(each.content), each.receipt)
            assert report.verdict is Verdict.VALID
            assert all(member.agrees for member in report.members)
    batches = {each.receipt.anchor.statement.batch_id.hex(): each.receipt.anchor for each in load.issued}
    blocks = await consortium.blocks()
    check_chain(blocks, consortium.genesis)
    counted = anchors(blocks)
    assert set(counted.values()) == {1}
    listed = await consortium.batches(load.document_type)
    assert {each.statement.batch_id.hex() for each in listed} == batches.keys() <= counted.keys()
    assert set(listed) == set(batches.values())
    assert sum(each.statement.size for each in listed) == len(load.issued)
    last = blocks[-1].header
    for member in consortium.members:
        for block in (
            consortium.committed_block(member, last.number),
            consortium.ordered_block(member, last.number),
        ):
            assert header_hash(block.header) == header_hash(last)
