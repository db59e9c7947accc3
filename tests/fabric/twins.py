"""Real Fabric and the embedded ledger on one genesis block, with one set of keys and the same blocks.

Real orderers order; the embedded ledger follows: each block that the real peers committed is examined, validated and
committed by the embedded ledger's own code, and what came of it is compared. Both call the same chaincode servers, so that
both can be asked for their state.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import grpc
from fabric_protos.common import common_pb2
from fabric_protos.orderer import ab_pb2
from fabric_protos.peer import events_pb2_grpc
from tests.fabric.native_network import NativeNetwork
from tests.fabric.random_plans import OPEN, STRICT, STRICT_POLICY, VERSION
from tests.support.raw_client import RawClient
from tests.support.service_network import member_nodes

from shirushi_core.fabric.block import block_commit_hash, validation_codes
from shirushi_core.fabric.channel_config import BatchParameters, from_config_block
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.lifecycle import definition
from shirushi_network.fabric.chaincode_package import ccaas_package
from shirushi_network.fabric.deployment import Deployment, deploy
from shirushi_network.member_access import identity_of, tls_roots
from shirushi_network.ports import with_ports
from shirushi_network.topology import Member, Topology, default_topology
from shirushi_node.ledger.committer import commit_block
from shirushi_node.ledger.definitions import ChaincodeDefinition, ExternalServer
from shirushi_node.ledger.examination import VALID, Examined, authenticate, examine
from shirushi_node.ledger.node import LedgerNode
from shirushi_node.ledger.ordering import BlockCutter, OrderingError, check_envelope
from shirushi_node.ledger.store import LedgerStore
from shirushi_node.ledger.validation import Validator

Result = TypeVar("Result")

SECONDS = 60.0
BLOCKS = BatchParameters(
    max_message_count=100, absolute_max_bytes=1 << 20, preferred_max_bytes=1 << 20, timeout_seconds=0.1
)
CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", 100 << 20),
    ("grpc.max_send_message_length", 100 << 20),
)


@dataclass(frozen=True)
class Answer:
    """What an orderer says to an envelope."""

    status: int
    info: str = ""

    def __str__(self) -> str:
        return f"{common_pb2.Status.Name(self.status)} {self.info}".strip()


ACCEPTED = Answer(common_pb2.SUCCESS)
NO_ENVELOPE = Answer(common_pb2.BAD_REQUEST, "malformed envelope")
"""Orderers end the stream of one who sends something else."""

QUEUE = 100_000
LAST = 2**63
"""A block that never comes."""


@dataclass(frozen=True)
class Committed:
    """A block that real peers committed: codes and commit hash, theirs and those of the embedded ledger."""

    block: common_pb2.Block
    theirs: list[int]
    ours: list[int]
    their_hash: bytes
    our_hash: bytes


def twins_topology() -> Topology:
    """Return five members on free ports, whose blocks are cut soon and take no large transactions."""
    return replace(with_ports(default_topology(), 0), blocks=BLOCKS)


class Twins:
    """The two networks: a real one that runs, and the embedded ledger that follows it. `start` and `stop` the latter."""

    store: LedgerStore
    deployed: Sequence[tuple[str, str, str | None]] = (
        (OPEN, VERSION, None),
        (STRICT, VERSION, STRICT_POLICY),
    )
    """Chaincodes, their versions and endorsement policies."""

    def __init__(self, network: NativeNetwork, chaincodes: Mapping[str, str], ledger: Path) -> None:
        """Take over a network that has joined its channel; `chaincodes` are servers by the names OPEN and STRICT."""
        self.network = network
        self.layout, self.topology = network.layout, network.topology
        self.genesis = common_pb2.Block.FromString(self.layout.genesis.read_bytes())
        self.config = from_config_block(self.genesis)
        self.definitions = [
            ChaincodeDefinition(
                name,
                ExternalServer(chaincodes[name]),
                endorsement_policy=definition(name, version, 1, policy).policy if policy else None,
            )
            for name, version, policy in self.deployed
        ]
        self._chaincodes = chaincodes
        self._ledger = ledger
        self._validator = self._new_validator()
        self._cutter = BlockCutter(self.config.batch, QUEUE)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="twins")

    def start(self) -> None:
        """Have the members approve and commit the chaincodes, and the embedded ledger take over what is there."""
        self._thread.start()
        self.store = LedgerStore.open(self._ledger, self.genesis)
        for chaincode in self.deployed:
            self.run(self._deploy(*chaincode))
        self.run(self._take_over())

    def stop(self) -> None:
        """Close the embedded ledger."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=30)
        self._loop.close()
        self.store.close()

    @property
    def client(self) -> SigningIdentity:
        """A client of the first member."""
        return identity_of(self.layout, self.topology.members[0], "client")

    def run(self, coroutine: Coroutine[Any, Any, Result], timeout: float = 600) -> Result:
        """Run a coroutine in the networks' thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout)

    async def hand_in(self, envelopes: Sequence[bytes]) -> list[Answer]:
        """Hand envelopes in at the orderers' leader, one after the other, and return its answers."""
        leader = self.network.leader()
        assert leader.orderer is not None
        answers: list[Answer] = []
        async with self._dial(leader.orderer.address, leader) as channel:
            # as bytes, for a library would refuse some of them, and write others again
            broadcast = channel.stream_stream(
                "/orderer.AtomicBroadcast/Broadcast",
                response_deserializer=ab_pb2.BroadcastResponse.FromString,
            )
            call = broadcast(timeout=SECONDS)
            for envelope in envelopes:
                answer = await _answer(call, envelope)
                answers.append(answer)
                if answer != ACCEPTED:
                    call.cancel()
                    call = broadcast(timeout=SECONDS)
            call.cancel()
        return answers

    def answer_of_ours(self, envelope: bytes) -> Answer:
        """Return what the embedded orderer says."""
        try:
            self._cutter.add(check_envelope(envelope, self.config, datetime.now(UTC)))
        except OrderingError as error:
            return Answer(error.status, str(error))
        return ACCEPTED

    async def follow(self, transactions: int) -> list[Committed]:
        """Wait for blocks with so many transactions more, and have the embedded ledger commit them too."""
        found: list[Committed] = []
        if transactions:
            async for block in self._blocks(self.store.height, LAST):
                found.append(self._commit(block))
                transactions -= len(block.data.data)
                if transactions <= 0:
                    break
        self._forget_waiting()
        return found

    async def follow_until(self, is_last: Callable[[bytes], bool]) -> list[Committed]:
        """Wait for the block with a transaction that is the last one, and have the embedded ledger commit all up to it too."""
        found: list[Committed] = []
        async for block in self._blocks(self.store.height, LAST):
            found.append(self._commit(block))
            if any(map(is_last, block.data.data)):
                break
        self._forget_waiting()
        return found

    def _forget_waiting(self) -> None:
        while len(self._cutter):
            self._cutter.committed(self._cutter.cut())

    @asynccontextmanager
    async def clients(self) -> AsyncIterator[tuple[RawClient, RawClient]]:
        """Give clients of the first member's real nodes and of its embedded ones; the ledger does not grow meanwhile."""
        member = self.topology.members[0]
        assert member.orderer is not None
        self.store.close()
        node = LedgerNode(
            self._ledger,
            self.genesis.SerializeToString(),
            member_nodes((self.layout, self.topology)),
            self.definitions,
        )
        async with AsyncExitStack() as stack:
            await node.start()
            stack.push_async_callback(self._reopen)
            stack.push_async_callback(node.stop)
            ours = node.status().members[0]
            addresses = (
                (member.peer.address, member.orderer.address),
                (ours.peer_address, ours.orderer_address),
            )
            made = []
            for peer, orderer in addresses:
                channels = [
                    await stack.enter_async_context(self._dial(each, member)) for each in (peer, orderer)
                ]
                made.append(RawClient(self.topology.channel, self.client, *channels))
            yield made[0], made[1]

    def reconfigure(self, block: common_pb2.Block) -> None:
        """Judge by a config block from now on."""
        self.config = from_config_block(block)
        self._validator = self._new_validator()

    def blocks_of(self, member: Member, start: int = 0) -> list[common_pb2.Block]:
        """Return the blocks that a member's real peer committed."""

        async def read() -> list[common_pb2.Block]:
            stop = self.store.height - 1
            return [block async for block in self._blocks(start, stop, member)]

        return self.run(read())

    def _new_validator(self) -> Validator:
        return Validator(self.config, {each.name: each for each in self.definitions})

    def take_over_hash(self, committed: Committed) -> None:
        """Go on from real Fabric's commit hash, so that one difference is not told again with every block."""
        self.store._head = replace(self.store._head, commit_hash=committed.their_hash)

    async def _reopen(self) -> None:
        self.store = LedgerStore.open(self._ledger, self.genesis)

    async def _deploy(self, name: str, version: str, endorsement: str | None) -> None:
        package = ccaas_package(f"{name}_{version}", self._chaincodes[name])
        wanted = Deployment(package, definition(name, version, 1, endorsement))
        assert await deploy(self.layout, self.topology, self.topology.members, wanted, lambda _: None)

    def _dial(self, address: str, member: Member) -> grpc.aio.Channel:
        credentials = grpc.ssl_channel_credentials(tls_roots(self.layout, member))
        return grpc.aio.secure_channel(address, credentials, options=CHANNEL_OPTIONS)

    async def _blocks(
        self, start: int | str, stop: int | str, member: Member | None = None
    ) -> AsyncIterator[common_pb2.Block]:
        """Yield blocks that a member's real peer committed, the first's if none is named; fails if one does not come in time."""
        member = member or self.topology.members[0]
        async with self._dial(member.peer.address, member) as channel:
            client = RawClient(self.topology.channel, self.client, channel, channel)
            call = events_pb2_grpc.DeliverStub(channel).Deliver(timeout=SECONDS)
            await call.write(client.seek(start, stop))
            async for answer in call:
                if not answer.HasField("block"):
                    assert answer.status == common_pb2.SUCCESS
                    return
                yield answer.block

    async def _take_over(self) -> None:
        """Commit what real peers committed so far as they judged it; from there on there is something to compare.

        The commit hash goes on from theirs, for theirs covers the state of the lifecycle too.
        """
        async for newest in self._blocks("newest", "newest"):
            last = newest
        async for block in self._blocks(1, last.header.number):
            codes, examined = validation_codes(block), self._examined(block)
            writes = [
                (tx, each.transaction.rw_sets)
                for tx, each in enumerate(examined)
                if codes[tx] == VALID and each.transaction
            ]
            ids = [each.header.tx_id if each.header else "" for each in examined]
            self.store.commit(block, codes, ids, writes, [(0, 0)] * len(codes))
        self.store._head = replace(self.store._head, commit_hash=block_commit_hash(last))

    def _commit(self, block: common_pb2.Block) -> Committed:
        ours = common_pb2.Block.FromString(block.SerializeToString())
        codes = commit_block(self.store, self._validator, ours, self._examined(block))
        return Committed(
            block, validation_codes(block), codes, block_commit_hash(block), block_commit_hash(ours)
        )

    def _examined(self, block: common_pb2.Block) -> list[Examined]:
        return [examine(authenticate(data, self.config), self.config) for data in block.data.data]


async def _answer(call: Any, envelope: bytes) -> Answer:
    try:
        await call.write(envelope)
        answer = await call.read()
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.INTERNAL:
            raise
        return NO_ENVELOPE
    except asyncio.InvalidStateError:  # it ended while this was written
        return NO_ENVELOPE
    assert isinstance(answer, ab_pb2.BroadcastResponse), "the orderer hung up"
    return Answer(answer.status, answer.info.replace("\u00a0", " "))
