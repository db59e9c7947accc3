"""Five members on Hyperledger Fabric's own orderers and peers, as `shirushi consortium up --engine native` runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from fabric_protos.common import common_pb2
from tests.support.document_types import DOCUMENT_TYPES
from tests.support.fabric_binaries import fabric_binary
from tests.support.live_consortium import LiveConsortium

from shirushi_core.fabric.channel_config import BatchParameters, from_config_block
from shirushi_network import bring_up
from shirushi_network.engine import EngineChoice, EngineName, write_choice
from shirushi_network.engines import open_engine
from shirushi_network.fabric.engine import FabricEngine
from shirushi_network.fabric.nodes import Node, NodeKind, node_folder
from shirushi_network.layout import Layout
from shirushi_network.lock import lock_holder
from shirushi_network.member_keys import ORDERER, PEER
from shirushi_network.ports import with_ports
from shirushi_network.topology import Member, Topology, default_topology

MakeKeys = Callable[[Path, Member], None]
"""Puts a member's keys into a folder named by its id, below the one given."""

NATIVE = EngineChoice(EngineName.NATIVE)

PATIENCE = 30.0
COMMAND_SECONDS = 30.0
POLL_SECONDS = 0.05

BATCH = BatchParameters(
    max_message_count=100, absolute_max_bytes=10 << 20, preferred_max_bytes=1 << 20, timeout_seconds=0.1
)


class NativeNetworkError(AssertionError):
    """A command that failed, or a state that did not come about; the text shows last words."""


@dataclass(frozen=True)
class NativeNetwork(LiveConsortium):
    """The consortium of one data folder on Fabric's nodes, each of which can be asked, killed and brought back."""

    engine: EngineChoice | None = field(default=NATIVE)

    @classmethod
    def joined(cls, root: Path, topology: Topology | None = None, make_keys: MakeKeys | None = None) -> Self:
        """Start members' nodes, usually five, that have joined a channel and have a leader; no chaincode is installed."""
        network = cls(Layout(root))
        topology = topology or replace(
            with_ports(default_topology().issuing(*DOCUMENT_TYPES), 0), blocks=BATCH
        )
        root.mkdir(parents=True, exist_ok=True)
        for member in topology.members if make_keys else ():
            make_keys(network.layout.members, member)
        bring_up.prepare(network.layout, topology, progress=_quiet)
        write_choice(network.layout.engine, NATIVE)
        network.nodes.join(topology, _quiet)
        network.wait_until(lambda: all(network.leaders()), "a leader")
        return network

    @property
    def members(self) -> tuple[Member, ...]:
        return self.topology.members

    @property
    def nodes(self) -> FabricEngine:
        """The product's own engine of this folder."""
        engine = open_engine(self.layout)
        assert isinstance(engine, FabricEngine)
        return engine

    @property
    def genesis_file(self) -> Path:
        return self.layout.genesis

    def home(self, member: Member) -> Path:
        """Return the folder of a member's keys."""
        return self.layout.members / member.id

    # Single nodes

    def process(self, member: Member, kind: NodeKind) -> int:
        """Return the process id of a member's node."""
        holder = lock_holder(node_folder(self.layout.root, Node(member, kind)) / "lock")
        assert holder, f"no {kind} of {member.id} runs"
        return holder

    def kill(self, member: Member, kind: NodeKind) -> None:
        """End a node as a power cut would, and return when it has ended."""
        process_id = self.process(member, kind)
        os.kill(process_id, signal.SIGKILL)
        self.wait_until(lambda: not self.runs(member, kind), f"the end of process {process_id}")

    def runs(self, member: Member, kind: NodeKind) -> bool:
        return lock_holder(node_folder(self.layout.root, Node(member, kind)) / "lock") is not None

    def pause(self, member: Member, *kinds: NodeKind) -> None:
        """Have a member's nodes stand still: connections stay open, and nothing is answered."""
        for kind in kinds:
            os.kill(self.process(member, kind), signal.SIGSTOP)

    def resume(self, member: Member, *kinds: NodeKind) -> None:
        """Let nodes that stand still go on."""
        for kind in kinds:
            os.kill(self.process(member, kind), signal.SIGCONT)

    def block_source(self, member: Member) -> Member:
        """Return the member whose orderer sends a member's peer its blocks, as that peer logs it."""
        log = self.nodes.log(member.id, "peer", 100_000)[f"peer.{member.id}"]
        address = next(
            line.rpartition("orderer-address=")[2]
            for line in reversed(log)
            if "BlockReceiver starting" in line
        )
        return next(each for each in self.members if each.orderer and each.orderer.address == address)

    def heights(self) -> dict[str, int]:
        """Return how many blocks each peer and orderer has, 0 where it does not say, out of their metrics."""
        ports = {f"peer.{each.id}": each.peer.operations_port for each in self.members}
        ports |= {f"orderer.{each.id}": each.orderer.operations_port for each in self.members if each.orderer}
        return {node: self._metric(port, "ledger_blockchain_height") for node, port in ports.items()}

    @property
    def height(self) -> int:
        return max(self.heights().values())

    def settle(self, seconds: float = PATIENCE) -> int:
        """Wait until every peer and orderer has the same blocks; returns how many."""
        found: set[int] = set()

        def agree() -> bool:
            found.clear()
            found.update(self.heights().values())
            return len(found) == 1 and 0 not in found

        self.wait_until(agree, "the same height everywhere", seconds)
        return found.pop()

    # Orderers

    def participation(self, member: Member) -> dict[str, Any]:
        """Return what a member's orderer says of the channel (osnadmin channel list)."""
        return self.osnadmin(member, "list", "--channelID", self.topology.channel)

    def leaders(self) -> list[int]:
        """Return the consenter id that each orderer holds to be the leader, 0 for none, out of its metrics."""
        return [self.leader_seen_by(member) for member in self.members]

    def leader_seen_by(self, member: Member) -> int:
        """Return the consenter id that a member's orderer holds to be the leader, 0 for none."""
        assert member.orderer is not None
        return self._metric(member.orderer.operations_port, "consensus_BFT_leader_id")

    def leader(self, among: Sequence[Member] | None = None) -> Member:
        """Return the member whose orderer leads, once the orderers (or those of some members) agree on one."""
        asked = list(among or self.members)
        by_id = self.consenters()
        found: list[Member] = []

        def agreed() -> bool:
            ids = {self.leader_seen_by(member) for member in asked}
            found[:] = [each for each in asked if len(ids) == 1 and each.msp_id == by_id.get(*ids)]
            return bool(found)

        self.wait_until(agreed, "one leader")
        return found[0]

    def consenters(self) -> dict[int, str]:
        """Return consenter id → MSP id."""
        return {each.id: each.msp_id for each in from_config_block(self.genesis).consenters}

    def osnadmin(self, member: Member, action: str, *arguments: str) -> dict[str, Any]:
        """Run osnadmin channel at a member's orderer, and return its answer."""
        assert member.orderer is not None
        tls = self.home(member) / "orderers" / ORDERER / "tls"
        options = [
            *(
                "-o",
                f"127.0.0.1:{member.orderer.admin_port}",
                "--no-status",
                "--ca-file",
                str(tls / "ca.crt"),
            ),
            *("--client-cert", str(tls / "server.crt"), "--client-key", str(tls / "server.key")),
        ]
        answer = json.loads(_run([fabric_binary("osnadmin"), "channel", action, *options, *arguments], {}))
        if "error" in answer:
            raise NativeNetworkError(f"osnadmin channel {action} at {member.id}: {answer['error']}")
        return dict(answer)

    # The peer command

    def peer(
        self, member: Member, *arguments: str, user: str = "admin", user_of: Member | None = None
    ) -> str:
        """Run the peer command at a member's peer as one of its users (or another member's), and return its output."""
        owner = user_of or member
        environment = {
            "FABRIC_CFG_PATH": str(node_folder(self.layout.root, Node(member, NodeKind.PEER))),
            "FABRIC_LOGGING_SPEC": "warning",
            "CORE_PEER_LOCALMSPID": owner.msp_id,
            "CORE_PEER_MSPCONFIGPATH": str(self.home(owner) / "users" / user / "msp"),
        }
        return _run([fabric_binary("peer"), *arguments], environment)

    def channel_info(self, member: Member, user: str = "admin") -> dict[str, Any]:
        """Return what a member's peer says of the channel (peer channel getinfo)."""
        output = self.peer(member, "channel", "getinfo", "-c", self.topology.channel, user=user)
        return dict(json.loads(output.partition("Blockchain info: ")[2]))

    def committed_block(self, member: Member, number: int) -> common_pb2.Block:
        """Return a block as a member's peer committed it."""
        return self._fetch(member, number)

    def ordered_block(self, member: Member, number: int) -> common_pb2.Block:
        """Return a block as a member's orderer delivers it."""
        return self._fetch(member, number, *self.orderer_arguments(member))

    def orderer_arguments(self, member: Member) -> list[str]:
        """Return the peer command's options for a member's orderer."""
        assert member.orderer is not None
        authority = self.home(member) / "orderers" / ORDERER / "tls" / "ca.crt"
        return ["-o", member.orderer.address, "--tls", "--cafile", str(authority)]

    def peer_arguments(self, members: Sequence[Member]) -> list[str]:
        """Return the peer command's options for endorsement by these members' peers."""
        options = []
        for member in members:
            authority = self.home(member) / "peers" / PEER / "tls" / "ca.crt"
            options += ["--peerAddresses", member.peer.address, "--tlsRootCertFiles", str(authority)]
        return options

    def wait_until(self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
        """Wait until something has come about; raises NativeNetworkError with the nodes' last words."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                words = "\n".join(
                    f"{node}: {line[:300]}"
                    for node, lines in self.nodes.log(None, None, 3).items()
                    for line in lines
                )
                raise NativeNetworkError(f"waited {seconds} s in vain for {what}\n{words}")
            time.sleep(POLL_SECONDS)

    def _metric(self, port: int, name: str) -> int:
        """Return a node's metric of the channel, 0 if it does not tell."""
        start = f'{name}{{channel="{self.topology.channel}"}} '
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
                for line in answer.read().decode().splitlines():
                    if line.startswith(start):
                        return int(float(line.removeprefix(start)))
        except OSError:
            return 0
        return 0

    def _fetch(self, member: Member, number: int, *options: str) -> common_pb2.Block:
        file = self.root / "fetched.block"
        self.peer(member, "channel", "fetch", str(number), str(file), "-c", self.topology.channel, *options)
        return common_pb2.Block.FromString(file.read_bytes())


def _quiet(_: str) -> None:
    """Say nothing."""


def _run(command: list[str], environment: dict[str, str]) -> str:
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise NativeNetworkError(f"{' '.join(command)} took more than {COMMAND_SECONDS} s") from None
    if done.returncode:
        raise NativeNetworkError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
