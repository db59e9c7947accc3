"""One organisation on Hyperledger Fabric with Raft ordering: the smallest real network that a user would compare with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from fabric_protos.common import common_pb2

from shirushi_benchmarks import document_types
from shirushi_benchmarks.peers.raft_genesis import with_raft
from shirushi_core.fabric.channel_config import BatchParameters
from shirushi_core.fabric.config_groups import encoded
from shirushi_network import bring_up
from shirushi_network.engine import EngineChoice, EngineName
from shirushi_network.engines import make_engine
from shirushi_network.files import write_atomically
from shirushi_network.layout import Layout
from shirushi_network.ports import with_ports
from shirushi_network.topology import DEFAULT_BLOCKS, Topology, default_topology

CHANNEL = "shirushi-raft"


@contextmanager
def raft_network(
    root: Path, progress: Callable[[str], None], *, blocks: BatchParameters = DEFAULT_BLOCKS
) -> Iterator[Layout]:
    """Bring up one member's peer, Raft orderer and chaincode service with the anchors contract; raises ConsortiumError.

    The city is its only member and the registered issuer; there is no witness. Blocks are cut as on the default topology:
    Raft's BatchTimeout is what BFT's orderers wait.
    """
    layout = Layout(root.absolute())
    engine = EngineChoice(EngineName.NATIVE)
    make_engine(layout, engine, progress).check()
    topology = one_member(blocks)
    layout.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    bring_up.prepare(layout, topology, progress=progress)
    genesis = common_pb2.Block.FromString(layout.genesis.read_bytes())
    write_atomically(layout.genesis, encoded(with_raft(genesis)))
    bring_up.up(layout, base_port=None, progress=progress, engine=engine, topology=topology)
    try:
        yield layout
    finally:
        bring_up.down(layout)


def one_member(blocks: BatchParameters) -> Topology:
    """Return the city as the only member of a channel of its own, on free ports, without a witness."""
    five = default_topology().issuing(*document_types.ALL)
    city = replace(five.member(five.issuer.member), witness=None)
    return with_ports(replace(five, channel=CHANNEL, members=(city,), quorum=1, blocks=blocks), 0)
