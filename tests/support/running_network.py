"""A five-member network on free ports, running in a thread of the test process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from fabric_protos.common import common_pb2

from shirushi_core.fabric.channel_config import BatchParameters, from_config_block
from shirushi_core.fabric.genesis import genesis_block
from shirushi_network.embedded import member_node
from shirushi_network.layout import Layout
from shirushi_network.member_keys import create_member, load_bundle
from shirushi_network.ports import with_ports
from shirushi_network.topology import Topology, default_topology
from shirushi_network.topology_file import write_topology
from shirushi_node.ledger.clock import system_clock
from shirushi_node.ledger.definitions import ChaincodeDefinition
from shirushi_node.ledger.node import LedgerNode

Result = TypeVar("Result")

BATCH = BatchParameters(
    max_message_count=100, absolute_max_bytes=10 << 20, preferred_max_bytes=1 << 20, timeout_seconds=0.1
)


def prepare(root: Path) -> tuple[Layout, Topology]:
    """Make the keys and the genesis block of five members on free ports."""
    layout = Layout(root)
    topology = with_ports(default_topology(), 0)
    for member in topology.members:
        create_member(layout.members, member, now=datetime.now(UTC))
    bundles = [load_bundle(layout.members, member) for member in topology.members]
    layout.genesis.write_bytes(
        genesis_block(topology.channel, bundles, BATCH).SerializeToString(deterministic=True)
    )
    write_topology(layout.topology, topology)
    return layout, topology


def new_node(layout: Layout, topology: Topology, definitions: Sequence[ChaincodeDefinition]) -> LedgerNode:
    """Return a node for a prepared network, not yet started."""
    genesis = layout.genesis.read_bytes()
    consenters = from_config_block(common_pb2.Block.FromString(genesis)).consenters
    members = [member_node(layout, member, consenters) for member in topology.members]
    return LedgerNode(layout.ledger, genesis, members, definitions, clock=system_clock)


class RunningNetwork:
    """A network that runs in a thread of its own until it is stopped."""

    def __init__(self, root: Path, definitions: Sequence[ChaincodeDefinition]) -> None:
        self.layout, self.topology = prepare(root)
        self._definitions = definitions
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network")
        self.node: LedgerNode | None = None

    def start(self) -> None:
        """Start the node; raises what the node raises."""
        self._thread.start()
        self.node = self.run(self._new_node())
        self.run(self.node.start())

    def stop(self) -> None:
        """Stop the node and its thread."""
        try:
            if self.node is not None:
                self.run(self.node.stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=30)
            self._loop.close()

    def run(self, coroutine: Coroutine[Any, Any, Result], timeout: float = 60) -> Result:
        """Run a coroutine in the network's thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout)

    async def _new_node(self) -> LedgerNode:
        return new_node(self.layout, self.topology, self._definitions)
