"""Hyperledger Fabric's own orderers and peers, five of each, as processes of this machine with one channel."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fabric_protos.common import common_pb2
from tests.fabric.configuration import orderer_configuration, peer_configuration
from tests.support.fabric_binaries import fabric_binary

from shirushi_core.fabric.channel_config import BatchParameters
from shirushi_core.fabric.genesis import genesis_block
from shirushi_network.member_keys import ORDERER, PEER, create_member, load_bundle
from shirushi_network.ports import with_ports
from shirushi_network.topology import Member, Topology, default_topology

START_SECONDS = 30.0
STOP_SECONDS = 10.0
COMMAND_SECONDS = 30.0
SERVING = ("Beginning to serve requests", "Started peer with ID")
"""What an orderer and a peer log once they answer."""

MakeKeys = Callable[[Path, Member], None]
"""Puts a member's keys into a folder named by its id, below the one given."""

LOG_FORMAT = "%{time:15:04:05.000} %{level:.4s} [%{module}] %{message}"

BATCH = BatchParameters(
    max_message_count=100, absolute_max_bytes=10 << 20, preferred_max_bytes=1 << 20, timeout_seconds=0.1
)


class NativeNetworkError(AssertionError):
    """A node that ended or did not get ready, or a command that failed; the text shows its last words."""


@dataclass(frozen=True)
class _Node:
    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def serves(self) -> bool:
        return any(line in self.log.read_text(errors="replace") for line in SERVING)

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:])


def create_now(root: Path, member: Member) -> None:
    """Make a member's keys with CAs of its own."""
    create_member(root, member, now=datetime.now(UTC))


class NativeNetwork:
    """Members' orderers and peers, usually five of each: `start` them, then `stop` them, whatever happened."""

    def __init__(
        self, root: Path, topology: Topology | None = None, make_keys: MakeKeys = create_now
    ) -> None:
        self._programs = {name: fabric_binary(name) for name in ("orderer", "peer", "osnadmin")}
        self._root = root
        self._nodes: list[_Node] = []
        self.topology = topology or with_ports(default_topology(), 0)
        self.members = self.topology.members
        for member in self.members:
            make_keys(root, member)
        bundles = [load_bundle(root, member) for member in self.members]
        self.genesis = genesis_block(self.topology.channel, bundles, BATCH)
        self.genesis_file = root / "genesis.block"
        self.genesis_file.write_bytes(self.genesis.SerializeToString(deterministic=True))

    def start(self) -> None:
        """Start all nodes and let every one join the channel; returns when the orderers have a leader."""
        for member in self.members:
            self._start_orderer(member)
            self._start_peer(member)
        for node in self._nodes:
            self._wait_until(node.serves, f"the {node.name}")
        for member in self.members:
            channel, block = self.topology.channel, str(self.genesis_file)
            self._osnadmin(member, "join", "--channelID", channel, "--config-block", block)
            self.peer(member, "channel", "join", "-b", block)
        self._wait_until(lambda: all(self.leaders()), "a leader")

    def stop(self) -> None:
        """End every process that was started, gently and then not."""
        for node in self._nodes:
            node.process.terminate()
        for node in self._nodes:
            try:
                node.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                node.process.kill()
                node.process.wait()

    def participation(self, member: Member) -> dict[str, Any]:
        """Return what a member's orderer says of the channel (osnadmin channel list)."""
        return self._osnadmin(member, "list", "--channelID", self.topology.channel)

    def leaders(self) -> list[int]:
        """Return the consenter id that each orderer holds to be the leader, 0 for none, out of its metrics."""
        return [self._metric(member, "consensus_BFT_leader_id") for member in self.members]

    def peer(
        self, member: Member, *arguments: str, user: str = "admin", user_of: Member | None = None
    ) -> str:
        """Run the peer command at a member's peer as one of its users (or another member's), and return its output."""
        owner = user_of or member
        environment = {
            "FABRIC_CFG_PATH": str(self._configuration(member, "peers")),
            "FABRIC_LOGGING_SPEC": "warning",
            "CORE_PEER_LOCALMSPID": owner.msp_id,
            "CORE_PEER_MSPCONFIGPATH": str(self._root / owner.id / "users" / user / "msp"),
        }
        return _run([self._programs["peer"], *arguments], environment)

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
        authority = self._root / member.id / "orderers" / ORDERER / "tls" / "ca.crt"
        return ["-o", f"{member.orderer.address}", "--tls", "--cafile", str(authority)]

    def peer_arguments(self, members: Sequence[Member]) -> list[str]:
        """Return the peer command's options for endorsement by these members' peers."""
        options = []
        for member in members:
            authority = self._root / member.id / "peers" / PEER / "tls" / "ca.crt"
            options += ["--peerAddresses", f"{member.peer.address}"]
            options += ["--tlsRootCertFiles", str(authority)]
        return options

    def _fetch(self, member: Member, number: int, *options: str) -> common_pb2.Block:
        file = self._root / "fetched.block"
        self.peer(member, "channel", "fetch", str(number), str(file), "-c", self.topology.channel, *options)
        return common_pb2.Block.FromString(file.read_bytes())

    def _configuration(self, member: Member, kind: str) -> Path:
        folder = self._root / "configuration" / f"{kind}-{member.id}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _start_orderer(self, member: Member) -> None:
        folder = self._configuration(member, "orderers")
        content = orderer_configuration(
            member,
            self._root / member.id,
            folder,
        )
        (folder / "orderer.yaml").write_bytes(content)
        self._start(f"orderer of {member.id}", [self._programs["orderer"]], folder)

    def _start_peer(self, member: Member) -> None:
        folder = self._configuration(member, "peers")
        (folder / "core.yaml").write_bytes(peer_configuration(member, self._root / member.id, folder))
        self._start(f"peer of {member.id}", [self._programs["peer"], "node", "start"], folder)

    def _start(self, name: str, command: list[str], folder: Path) -> None:
        log = folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                env={"FABRIC_CFG_PATH": str(folder), "FABRIC_LOGGING_FORMAT": LOG_FORMAT},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._nodes.append(_Node(name, process, log))

    def _osnadmin(self, member: Member, action: str, *arguments: str) -> dict[str, Any]:
        tls = self._root / member.id / "orderers" / ORDERER / "tls"
        endpoint = f"{member.orderer.host}:{member.orderer.admin_port}"
        options = [
            *("-o", endpoint, "--no-status", "--ca-file", str(tls / "ca.crt")),
            *("--client-cert", str(tls / "server.crt"), "--client-key", str(tls / "server.key")),
        ]
        answer = json.loads(_run([self._programs["osnadmin"], "channel", action, *options, *arguments], {}))
        if "error" in answer:
            raise NativeNetworkError(f"osnadmin channel {action} at {member.id}: {answer['error']}")
        return dict(answer)

    def _metric(self, member: Member, name: str) -> int:
        url = f"http://{member.orderer.host}:{member.orderer.operations_port}/metrics"
        with urllib.request.urlopen(url, timeout=COMMAND_SECONDS) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(f'{name}{{channel="{self.topology.channel}"}} '):
                    return int(float(line.rpartition(" ")[2]))
        return 0

    def _wait_until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            for node in self._nodes:
                if node.process.poll() is not None:
                    raise NativeNetworkError(f"the {node.name} ended:\n{node.last_words()}")
            if time.monotonic() > deadline:
                raise NativeNetworkError(f"waited {START_SECONDS} s in vain for {what}")
            time.sleep(0.05)


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
