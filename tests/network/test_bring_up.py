"""`shirushi consortium`: up and down, again and again, and what is said when it cannot be."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.command import shirushi
from tests.support.live_consortium import LiveConsortium

from shirushi_network.errors import ConsortiumError
from shirushi_network.layout import Layout
from shirushi_network.lock import lock_holder, single_process
from shirushi_network.ports import free_ports, with_ports
from shirushi_network.topology import default_topology
from shirushi_network.topology_file import write_topology

UP = [sys.executable, "-c", "from shirushi_client.cli.main import main; main()", "consortium", "up"]


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder that is not there yet; whatever runs in it afterwards is stopped."""
    folder = tmp_path / "data"
    yield folder
    shirushi("consortium", "down", data=folder)


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that somebody listens on."""
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        yield port


def is_running(process_id: int) -> bool:
    """Say whether a process runs; one that has ended and that nobody waited for does not."""
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def without_times(status: dict[str, Any]) -> dict[str, Any]:
    """A status without what moves by itself: when witnesses signed last, and whether they are behind just now."""
    moving = ("last_cosigned", "lag", "refusing", "block", "size")
    members = [
        member | {"witness": {k: v for k, v in member["witness"].items() if k not in moving}}
        for member in status["members"]
    ]
    return status | {"members": members}


def up_killed_at(data: Path, line: str) -> None:
    """Kill `shirushi consortium up` when it says a line; what it has started goes on."""
    with subprocess.Popen([*UP, "--data", str(data), "--base-port", "0"], stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert any(line in said.decode() for said in process.stderr)
        process.kill()


@pytest.mark.parametrize(
    ("offset", "node"), [(0, "the peer of Iizuka City"), (21, "the orderer of Haw International")]
)
def test_a_port_in_use_is_named_with_its_member_and_nothing_is_made(
    data: Path, taken_port: int, offset: int, node: str
) -> None:
    run = shirushi("consortium", "up", "--base-port", str(taken_port - offset), data=data)
    assert run.exit_code == 1
    assert run.sentence == (
        f"{node} cannot listen on port {taken_port} of 127.0.0.1: address already in use; "
        "stop what uses it, or choose other ports with --base-port"
    )
    assert not data.exists()


def test_up_can_choose_other_ports_after_it_was_killed_before_the_ledger_was_made(
    data: Path, taken_port: int
) -> None:
    up_killed_at(data, "building the genesis block")
    keys = {path: path.read_bytes() for path in data.rglob("priv_sk")}
    assert keys
    refused = shirushi("consortium", "up", "--base-port", str(taken_port), data=data)
    assert refused.exit_code == 1
    assert str(taken_port) in refused.sentence
    (port,) = free_ports(1)
    run = shirushi("consortium", "up", "--base-port", str(port), "--json", data=data)
    assert run.exit_code == 0
    assert run.json["members"][0]["peer"] == f"127.0.0.1:{port}"
    assert keys == {path: path.read_bytes() for path in keys}


@pytest.mark.parametrize("line", ["making the keys of Kaguya", "registering the city"])
def test_up_finishes_what_was_left_when_it_was_killed(data: Path, tmp_path: Path, line: str) -> None:
    up_killed_at(data, line)
    assert not (data / "consortium.json").exists()
    assert shirushi("consortium", "up", data=data).exit_code == 0
    certificate = tmp_path / "certificate.txt"
    certificate.write_text("certificate")
    assert shirushi("issue", certificate, "--type", "residence", data=data).exit_code == 0


def test_down_ends_the_process_and_again_is_no_error(tmp_path: Path) -> None:
    live = LiveConsortium.at(tmp_path / "data")
    data, process_id = live.root, live.status()["pid"]
    height = live.height
    first = shirushi("consortium", "down", data=data)
    assert (first.exit_code, first.err) == (0, "the consortium has stopped\n")
    assert not is_running(process_id)
    assert not live.layout.control_socket.exists()
    again = shirushi("consortium", "down", data=data)
    assert (again.exit_code, again.err) == (0, "no consortium was running\n")
    assert "Traceback" not in live.layout.log.read_text()
    assert "not running" in shirushi("consortium", "status", data=data).sentence

    elsewhere = shirushi("consortium", "up", "--base-port", str(free_ports(1)[0]), data=data)
    assert elsewhere.exit_code == 1
    assert "leave --base-port out, or use another data folder" in elsewhere.sentence
    first_member = live.topology.members[0]
    with socket.create_server((first_member.orderer.host, first_member.orderer.port)):
        taken = shirushi("consortium", "up", data=data)
    assert taken.exit_code == 1
    assert taken.sentence.endswith(
        f"port {first_member.orderer.port} of 127.0.0.1: address already in use; stop what uses it"
    )
    assert shirushi("consortium", "up", data=data).exit_code == 0
    assert live.height >= height
    live.down()


def test_a_second_up_leaves_a_running_consortium_as_it_is(live_consortium: LiveConsortium) -> None:
    before, topology = without_times(live_consortium.status()), live_consortium.layout.topology.read_bytes()
    for options in ([], ["--base-port", "0"], ["--base-port", "29000"]):
        run = shirushi("consortium", "up", *options, "--json", data=live_consortium.root)
        assert run.exit_code == 0
        assert without_times(run.json) == before | {"data": str(live_consortium.root)}
    assert live_consortium.layout.topology.read_bytes() == topology


def test_a_second_process_on_the_same_folder_is_refused_and_harms_nothing(
    live_consortium: LiveConsortium,
) -> None:
    told, tell = os.pipe()
    with os.fdopen(told) as answer:
        command = [sys.executable, "-m", "shirushi_network.daemon", str(live_consortium.root), str(tell)]
        process = subprocess.Popen(command, pass_fds=(tell,), stderr=subprocess.DEVNULL)
        os.close(tell)
        assert answer.readline() == f"another process runs the consortium in {live_consortium.root}\n"
        assert process.wait(30) == 1
    assert live_consortium.status()["height"] == live_consortium.height


def test_a_lock_is_free_again_when_its_holder_is_gone(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with single_process(layout.lock), pytest.raises(ConsortiumError, match="another process"):
        single_process(layout.lock).__enter__()
    with single_process(layout.lock):
        pass


@pytest.mark.parametrize(
    "command",
    [
        ["consortium", "status"],
        ["consortium", "stop", "kaguya"],
        ["consortium", "start", "kaguya"],
        ["consortium", "logs"],
        ["chaincode", "status"],
        ["channel", "inspect"],
        ["issue", "FILE", "--type", "residence"],
        ["batches"],
        ["issuer", "list"],
        ["issuer", "propose", "FILE", "--as", "admin-iizuka"],
    ],
)
def test_a_data_folder_that_is_missing_is_one_sentence_and_is_not_made(
    tmp_path: Path, command: list[str]
) -> None:
    file = tmp_path / "file.txt"
    file.write_text("{}")
    missing = tmp_path / "missing"
    run = shirushi(*(str(file) if word == "FILE" else word for word in command), data=missing)
    assert run.exit_code == 1
    assert run.sentence
    assert not missing.exists()
    assert sorted(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    "command",
    [["consortium", "up"], ["consortium", "down"], ["consortium", "status"], ["batches"], ["issuer", "list"]],
)
def test_data_that_is_a_file_is_one_sentence_and_the_file_stays(tmp_path: Path, command: list[str]) -> None:
    file = tmp_path / "file"
    file.write_text("something of value")
    run = shirushi(*command, data=file)
    assert run.exit_code == 1
    assert str(file) in run.sentence
    assert file.read_text() == "something of value"


def test_a_member_that_does_not_exist_is_named_with_those_that_do(live_consortium: LiveConsortium) -> None:
    run = shirushi("consortium", "stop", "nagoya", data=live_consortium.root)
    assert run.exit_code == 1
    assert "nagoya" in run.sentence
    assert "kaguya" in run.sentence


def test_a_node_whose_control_socket_was_deleted_is_named_and_can_be_stopped(data: Path) -> None:
    assert shirushi("consortium", "up", "--base-port", "0", data=data).exit_code == 0
    layout = Layout(data)
    layout.control_socket.unlink()
    holder = lock_holder(layout.lock)
    again = shirushi("consortium", "up", data=data)
    assert again.exit_code == 1
    assert f"process {holder}" in again.sentence
    assert "down" in again.sentence
    assert shirushi("consortium", "down", data=data).exit_code == 0
    assert lock_holder(layout.lock) is None


def test_a_consortium_whose_ledger_is_gone_does_not_start_with_an_empty_one(data: Path) -> None:
    assert shirushi("consortium", "up", "--base-port", "0", data=data).exit_code == 0
    assert shirushi("consortium", "down", data=data).exit_code == 0
    layout = Layout(data)
    layout.ledger.rename(data / "elsewhere")
    refused = shirushi("consortium", "up", data=data)
    assert refused.exit_code == 1
    assert "is gone" in refused.sentence
    assert not layout.ledger.exists()
    (data / "elsewhere").rename(layout.ledger)
    assert shirushi("consortium", "up", data=data).exit_code == 0


def test_a_topology_of_one_s_own_is_brought_up_and_another_one_refused_afterwards(
    data: Path, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    mine = replace(with_ports(default_topology(), 0), channel="mine-test", quorum=4)
    write_topology(file, mine)
    run = shirushi("consortium", "up", "--topology", file, "--json", data=data)
    assert (run.exit_code, run.json["channel"]) == (0, "mine-test")
    assert shirushi("consortium", "up", "--topology", file, data=data).exit_code == 0
    write_topology(file, replace(mine, quorum=3))
    refused = shirushi("consortium", "up", "--topology", file, data=data)
    assert refused.exit_code == 1
    assert "has another topology: leave --topology out" in refused.sentence


def test_what_the_operator_changed_in_profiles_stays(data: Path) -> None:
    assert shirushi("consortium", "up", "--base-port", "0", data=data).exit_code == 0
    assert shirushi("consortium", "down", data=data).exit_code == 0
    profile = data / "users" / "issuer.json"
    changed = profile.read_text().replace("seal/key.pem", "seal/next.pem")
    profile.write_text(changed)
    assert shirushi("consortium", "up", data=data).exit_code == 0
    assert profile.read_text() == changed
