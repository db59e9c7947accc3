"""`shirushi consortium` on real Fabric: up again and again, down, and what is said when it cannot be."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.fabric.native_network import NativeNetwork
from tests.network.test_bring_up import UP, is_running
from tests.support.command import shirushi

from shirushi_network.fabric import native
from shirushi_network.fabric.nodes import NodeKind, nodes_of
from shirushi_network.layout import Layout
from shirushi_network.lock import lock_holder
from shirushi_network.member_keys import create_member
from shirushi_network.ports import free_ports, with_ports
from shirushi_network.topology import default_topology
from shirushi_network.topology_file import write_topology

NATIVE = ("--engine", "native", "--base-port", "0")


@pytest.fixture
def data(fabric: None, tmp_path: Path) -> Iterator[Path]:
    """A data folder that is not there yet; whatever runs in it afterwards is stopped."""
    folder = tmp_path / "data"
    yield folder
    shirushi("consortium", "down", data=folder)


@pytest.fixture(scope="module")
def running(fabric: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeNetwork]:
    live = NativeNetwork(Layout(tmp_path_factory.mktemp("running") / "consortium"))
    live.up()
    yield live
    live.down()


def processes(network: NativeNetwork) -> dict[str, str]:
    """Return node → "process N", as status shows it."""
    members = network.status()["members"]
    return {f"{kind}.{each['id']}": detail for each in members for kind, detail in each["nodes"].items()}


def nothing_runs(folder: Path) -> bool:
    return all(lock_holder(lock) is None for lock in folder.rglob("lock"))


def up_killed_at(data: Path, line: str) -> None:
    """Kill `shirushi consortium up` when it says a line; what it has started goes on."""
    with subprocess.Popen([*UP, "--data", str(data), *NATIVE], stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert any(line in said.decode() for said in process.stderr)
        process.kill()


def test_up_finishes_what_was_left_however_often_it_was_killed(data: Path, tmp_path: Path) -> None:
    for line in (
        "making the keys of Kaguya",
        "starting the chaincode service of Kaguya",
        "the orderer of Haw International joins",
        "approved anchors",
        "registering the city",
    ):
        up_killed_at(data, line)
        assert not (data / "consortium.json").exists()
    run = shirushi("consortium", "up", "--json", data=data)
    assert run.exit_code == 0, run.err
    assert all(member["running"] for member in run.json["members"])
    certificate = tmp_path / "certificate.txt"
    certificate.write_text("certificate")
    assert shirushi("issue", certificate, "--type", "residence", data=data).exit_code == 0
    assert shirushi("verify", certificate, data=data).exit_code == 0


def test_what_a_killed_up_began_can_be_brought_down(data: Path) -> None:
    up_killed_at(data, "starting the peer of Kaguya")
    assert not nothing_runs(data)
    assert shirushi("consortium", "down", data=data).exit_code == 0
    assert nothing_runs(data)


def test_a_second_up_leaves_a_running_consortium_as_it_is(running: NativeNetwork) -> None:
    before, topology = processes(running), running.layout.topology.read_bytes()
    height = running.settle()
    for options in ([], ["--base-port", "0"], ["--engine", "native"]):
        run = shirushi("consortium", "up", *options, "--json", data=running.root)
        assert run.exit_code == 0, run.err
    assert processes(running) == before
    assert running.settle() == height
    assert running.layout.topology.read_bytes() == topology


@pytest.mark.parametrize("kind", list(NodeKind))
def test_status_says_which_node_is_gone_and_up_brings_it_back(running: NativeNetwork, kind: NodeKind) -> None:
    member = running.member("haw")
    before = processes(running)
    running.kill(member, kind)
    run = shirushi("consortium", "status", "--json", data=running.root)
    assert run.exit_code == 1
    shown = {each["id"]: each for each in run.json["members"]}
    assert [name for name, each in shown.items() if not each["running"]] == ["haw"]
    assert shown["haw"]["nodes"][kind] == "stopped"
    problem, *others = shown["haw"]["problems"]
    assert all("its witness signs nothing now" in each for each in others)  # without its peer it cannot
    names = {
        "peer": "the peer of Haw",
        "orderer": "the orderer of Haw",
        "chaincode": "anchors",
        "witness": "the witness of Haw",
    }
    assert names[kind] in problem
    table = shirushi("consortium", "status", data=running.root)
    assert table.exit_code == 1
    assert problem[:40] in table.out.replace("\n", "")

    assert shirushi("consortium", "up", data=running.root).exit_code == 0
    after = processes(running)
    assert [node for node in after if after[node] != before[node]] == [f"{kind}.haw"]
    assert shirushi("consortium", "status", data=running.root).exit_code == 0


def test_one_node_is_stopped_and_started_by_itself(running: NativeNetwork) -> None:
    stop = shirushi("consortium", "stop", "kaguya", "--node", "orderer", data=running.root)
    assert stop.exit_code == 0
    assert processes(running)["orderer.kaguya"] == "stopped"
    assert shirushi("consortium", "start", "kaguya", "--node", "orderer", data=running.root).exit_code == 0
    assert processes(running)["orderer.kaguya"].startswith("process ")
    wrong = shirushi("consortium", "stop", "kaguya", "--node", "ledger", data=running.root)
    assert (wrong.exit_code, "it has orderer, chaincode, peer, witness" in wrong.sentence) == (1, True)


def test_logs_are_each_node_s_own(running: NativeNetwork) -> None:
    everything = shirushi("consortium", "logs", "-n", "3", "--json", data=running.root).json["logs"]
    assert set(everything) == {node.id for node in nodes_of(running.members)}
    assert all(1 <= len(lines) <= 3 for lines in everything.values())
    one = shirushi("consortium", "logs", "haw", "--node", "chaincode", data=running.root)
    assert one.out.startswith("chaincode.haw\n")
    assert "is served at" in one.out


def test_a_certificate_s_last_day_is_shown(running: NativeNetwork) -> None:
    days = [member["certificate_days"] for member in running.status()["members"]]
    assert all(800 < each < 830 for each in days)


def test_another_engine_for_the_same_folder_is_refused(running: NativeNetwork) -> None:
    run = shirushi("consortium", "up", "--engine", "embedded", data=running.root)
    assert run.exit_code == 1
    assert "runs on the engine native" in run.sentence
    assert all(each.startswith("process ") for each in processes(running).values())


def test_down_leaves_no_process_and_up_goes_on_where_it_was(running: NativeNetwork) -> None:
    height = running.settle()
    ids = [int(each.removeprefix("process ")) for each in processes(running).values()]
    first = shirushi("consortium", "down", data=running.root)
    assert (first.exit_code, first.err) == (0, "the consortium has stopped\n")
    assert not any(is_running(each) for each in ids)
    again = shirushi("consortium", "down", data=running.root)
    assert (again.exit_code, again.err) == (0, "no consortium was running\n")

    peer = running.member("gcom").peer
    with socket.create_server((peer.host, peer.operations_port)):
        taken = shirushi("consortium", "up", data=running.root)
    assert taken.exit_code == 1
    assert taken.sentence == (
        f"the peer's operations endpoint of Gcom Holdings cannot listen on port {peer.operations_port} of "
        "127.0.0.1: address already in use; stop what uses it"
    )
    assert nothing_runs(running.root)
    assert shirushi("consortium", "up", data=running.root).exit_code == 0
    assert running.settle() >= height


def test_a_node_that_does_not_end_is_named_and_all_others_are_stopped(
    running: NativeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "STOP_SECONDS", 2.0)
    member = running.member("chaintope")
    stuck = running.process(member, NodeKind.ORDERER)
    running.pause(member, NodeKind.ORDERER)
    try:
        run = shirushi("consortium", "down", data=running.root)
        assert run.exit_code == 1
        assert f"the orderer of chaintope: process {stuck} did not end" in run.sentence
        assert "all others have stopped" in run.sentence
        assert [lock.parent for lock in running.root.rglob("lock") if lock_holder(lock)] == [
            running.root / "nodes" / "chaintope" / "orderer"
        ]
    finally:
        running.resume(member, NodeKind.ORDERER)
    running.wait_until(lambda: nothing_runs(running.root), "the end of the orderer")


class TestRefusedBeforeAnythingIsMade:
    @pytest.mark.parametrize(
        ("offset", "node"),
        [
            (2, "the peer's operations endpoint of Iizuka City"),
            (13, "the orderer's admin endpoint of chaintope"),
            (45, "the chaincode service of Gcom Holdings"),
        ],
    )
    def test_a_port_in_use(self, data: Path, offset: int, node: str) -> None:
        (port,) = free_ports(1)
        with socket.create_server(("127.0.0.1", port)):
            run = shirushi(
                "consortium", "up", "--engine", "native", "--base-port", str(port - offset), data=data
            )
        assert run.exit_code == 1
        assert run.sentence.startswith(f"{node} cannot listen on port {port} of 127.0.0.1")
        assert not data.exists()

    def test_fabric_s_programs_are_not_where_they_were_said_to_be(self, data: Path, tmp_path: Path) -> None:
        empty = tmp_path / "empty"
        empty.mkdir()
        run = shirushi("consortium", "up", *NATIVE, "--binaries", empty, data=data)
        assert run.exit_code == 1
        assert run.sentence.startswith(f"Fabric's orderer is not in {empty}: install Hyperledger Fabric 3.1")
        assert not data.exists()

    def test_fabric_s_programs_are_too_old(self, data: Path, tmp_path: Path) -> None:
        folder = tmp_path / "old"
        folder.mkdir()
        for name in ("orderer", "peer"):
            (folder / name).write_text(f"#!/bin/sh\necho '{name}:'\necho ' Version: v2.5.9'\n")
            (folder / name).chmod(0o755)
        run = shirushi("consortium", "up", *NATIVE, "--binaries", folder, data=data)
        assert run.exit_code == 1
        assert f"{folder / 'orderer'} is version 2.5.9: expected Hyperledger Fabric 3.1" in run.sentence
        assert not data.exists()


def make_members(data: Path, **late: Any) -> Layout:
    """Make the keys of five members, Kaguya's with another beginning and lifetime."""
    layout = Layout(data)
    data.mkdir()
    topology = with_ports(default_topology(), 0)
    write_topology(layout.topology, topology)
    for member in topology.members:
        chosen = late if member.id == "kaguya" else {"now": datetime.now(UTC)}
        create_member(layout.members, member, **chosen)
    return layout


def test_an_expired_certificate_is_named_with_its_file_and_nothing_is_started(data: Path) -> None:
    layout = make_members(data, now=datetime.now(UTC) - timedelta(days=40), certificate_days=30)
    run = shirushi("consortium", "up", *NATIVE, data=data)
    assert run.exit_code == 1
    assert "Kaguya" in run.sentence or "kaguya" in run.sentence
    assert "expired" in run.sentence
    assert nothing_runs(layout.root)


def test_a_peer_whose_certificate_expired_since_is_refused_with_what_to_do(running: NativeNetwork) -> None:
    """The genesis block names no peer's certificate, so this shows only when the nodes start."""
    running.down()
    member = running.member("kaguya")
    folder = running.home(member) / "peers" / "peer0" / "tls"
    kept = (folder / "server.crt").read_bytes()
    elsewhere = running.root / "expired"
    create_member(elsewhere, member, now=datetime.now(UTC) - timedelta(days=40), certificate_days=30)
    shutil.copyfile(elsewhere / member.id / "peers" / "peer0" / "tls" / "server.crt", folder / "server.crt")
    try:
        run = shirushi("consortium", "up", data=running.root)
    finally:
        (folder / "server.crt").write_bytes(kept)
    assert run.exit_code == 1
    assert f"the peer-tls certificate of Kaguya ({folder / 'server.crt'}) expired on" in run.sentence
    assert run.sentence.endswith("renew it with `shirushi member renew kaguya --only peer-tls`")
    assert nothing_runs(running.root)
    running.up()
