"""Fabric's own `peer` command, pointed at the embedded node's endpoints."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fabric_protos.common import common_pb2
from tests.support.basic_chaincode import BasicChaincode
from tests.support.fabric_binaries import fabric_binary
from tests.support.running_network import RunningNetwork

from shirushi_core.fabric.block import header_hash
from shirushi_node.ledger.definitions import ChaincodeDefinition

CORE_YAML = """
peer:
  BCCSP:
    Default: SW
    SW:
      Hash: SHA2
      Security: 256
"""


class PeerCommand:
    """Runs `peer` as one member's admin."""

    def __init__(self, program: str, network: RunningNetwork, folder: Path) -> None:
        self.network = network
        self.channel = network.topology.channel
        self._program = program
        member = network.topology.members[0]
        home = network.layout.members / member.id
        (folder / "core.yaml").write_text(CORE_YAML, encoding="utf-8")
        self._environment = {
            **os.environ,
            "FABRIC_CFG_PATH": str(folder),
            "FABRIC_LOGGING_SPEC": "error",
            "CORE_PEER_TLS_ENABLED": "true",
            "CORE_PEER_LOCALMSPID": member.msp_id,
            "CORE_PEER_MSPCONFIGPATH": str(home / "users" / "admin" / "msp"),
            "CORE_PEER_ADDRESS": f"{member.peer.address}",
            "CORE_PEER_TLS_ROOTCERT_FILE": str(home / "tlsca" / "cert.pem"),
        }
        self.orderer = [
            "--orderer",
            f"{member.orderer.address}",
            "--tls",
            "--cafile",
            str(home / "tlsca" / "cert.pem"),
        ]

    @property
    def majority(self) -> list[str]:
        """The options that name the peers of three members."""
        options: list[str] = []
        for member in self.network.topology.members[:3]:
            root = self.network.layout.members / member.id / "tlsca" / "cert.pem"
            options += [
                "--peerAddresses",
                f"{member.peer.address}",
                "--tlsRootCertFiles",
                str(root),
            ]
        return options

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it and return how it ended."""
        return subprocess.run(
            [self._program, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def ok(self, *arguments: str) -> str:
        """Run it and return its output; fails if it does."""
        finished = self.run(*arguments)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout + finished.stderr

    def query(self, *args: str, chaincode: str = "basic") -> subprocess.CompletedProcess[str]:
        """Query a chaincode."""
        return self.run("chaincode", "query", "-C", self.channel, "-n", chaincode, "-c", call(*args))


def call(*args: str) -> str:
    """Return a chaincode call as the command takes it."""
    quoted = ",".join(f'"{each}"' for each in args)
    return f'{{"Args":[{quoted}]}}'


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PeerCommand]:
    program = fabric_binary("peer")
    network = RunningNetwork(
        tmp_path_factory.mktemp("network"), [ChaincodeDefinition("basic", BasicChaincode())]
    )
    network.start()
    try:
        yield PeerCommand(program, network, tmp_path_factory.mktemp("configuration"))
    finally:
        network.stop()


def invoke(peer: PeerCommand, *args: str) -> str:
    return peer.ok(
        "chaincode", "invoke", "-C", peer.channel, "-n", "basic", "-c", call(*args),
        "--waitForEvent", *peer.orderer, *peer.majority,
    )  # fmt: skip


def test_invoke_waits_for_its_event_and_query_reads_it(peer: PeerCommand) -> None:
    invoke(peer, "put", "key", "value")
    assert peer.query("get", "key").stdout == "value\n"


def test_an_error_of_the_chaincode_is_shown(peer: PeerCommand) -> None:
    finished = peer.query("fail", "not today")
    assert finished.returncode != 0
    assert "not today" in finished.stderr


def test_an_unknown_chaincode_is_named(peer: PeerCommand) -> None:
    finished = peer.query("get", "key", chaincode="nothing")
    assert "chaincode nothing not found" in finished.stderr


def test_channel_list_and_getinfo(peer: PeerCommand) -> None:
    assert peer.channel in peer.ok("channel", "list")
    assert '"height":' in peer.ok("channel", "getinfo", "-c", peer.channel)


@pytest.mark.parametrize("block", ["0", "newest", "oldest", "config"])
def test_channel_fetch_from_peer_and_orderer(peer: PeerCommand, tmp_path: Path, block: str) -> None:
    invoke(peer, "put", "key", "value")
    sources = {"peer": [], "orderer": peer.orderer}
    fetched = []
    for name, options in sources.items():
        file = tmp_path / name
        peer.ok("channel", "fetch", block, str(file), "-c", peer.channel, *options)
        fetched.append(common_pb2.Block.FromString(file.read_bytes()))
    assert len({header_hash(each.header) for each in fetched}) == 1
    assert (fetched[0].header.number == 0) == (block != "newest")


def test_lifecycle_queries(peer: PeerCommand) -> None:
    lifecycle = ("lifecycle", "chaincode")
    assert "Name: basic, Version: 1.0, Sequence: 1" in peer.ok(
        *lifecycle, "querycommitted", "-C", peer.channel
    )
    one = peer.ok(*lifecycle, "querycommitted", "-C", peer.channel, "-n", "basic")
    assert f"{peer.network.topology.members[0].msp_id}: true" in one
    assert "Label: basic_1.0" in peer.ok(*lifecycle, "queryinstalled")
    assert "sequence: 1" in peer.ok(*lifecycle, "queryapproved", "-C", peer.channel, "-n", "basic")
    readiness = peer.ok(
        *lifecycle, "checkcommitreadiness", "-C", peer.channel, "-n", "basic",
        "--version", "2.0", "--sequence", "2",
    )  # fmt: skip
    assert f"{peer.network.topology.members[0].msp_id}: false" in readiness


def test_fetched_blocks_are_read_by_configtxlator(peer: PeerCommand, tmp_path: Path) -> None:
    program = fabric_binary("configtxlator")
    invoke(peer, "put", "key", "value")
    file = tmp_path / "newest.block"
    peer.ok("channel", "fetch", "newest", str(file), "-c", peer.channel, *peer.orderer)
    decoded = subprocess.run(
        [program, "proto_decode", "--type", "common.Block", "--input", str(file)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert decoded.returncode == 0, decoded.stderr
    assert '"chaincode_id"' in decoded.stdout
