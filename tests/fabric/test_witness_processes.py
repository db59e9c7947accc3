"""Witnesses as processes beside Fabric's own peers: they follow them, sign one log, and come back after a kill."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fabric.native_network import NativeNetwork
from tests.network.test_witnesses import issue, note_of, signing
from tests.support.command import shirushi

from shirushi_network.fabric.nodes import Node, NodeKind, node_folder
from shirushi_network.layout import Layout

RUN = [sys.executable, "-c", "from shirushi_client.cli.main import main; main()", "witness", "run"]


@pytest.fixture(scope="module")
def running(fabric: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeNetwork]:
    live = NativeNetwork(Layout(tmp_path_factory.mktemp("witnesses") / "consortium"))
    live.up()
    yield live
    live.down()


@pytest.fixture
def live(running: NativeNetwork) -> NativeNetwork:
    all_sign(running)
    return running


def all_sign(network: NativeNetwork) -> None:
    everyone = {member.id for member in network.members}
    network.wait_until(lambda: everyone == signing_now(network), "all witnesses to sign")


def signing_now(network: NativeNetwork) -> set[str]:
    if any(member["witness"] is None for member in network.status()["members"]):
        return set()
    return signing(network)


def agree(network: NativeNetwork) -> None:
    """Wait until every witness's newest head is the same."""
    network.wait_until(
        lambda: len({note_of(network.root, member.id).text for member in network.members}) == 1, "one head"
    )


def test_all_five_follow_their_own_peers_to_one_head(live: NativeNetwork, tmp_path: Path) -> None:
    before = note_of(live.root, "haw").text
    issue(live.root, tmp_path / "certificate.txt")
    live.wait_until(lambda: note_of(live.root, "haw").text != before, "a new head")
    agree(live)


def test_one_that_was_killed_is_named_and_up_brings_it_back_to_the_same_log(
    live: NativeNetwork, tmp_path: Path
) -> None:
    haw = live.member("haw")
    live.kill(haw, NodeKind.WITNESS)
    found = shirushi("consortium", "status", "--json", data=live.root)
    assert found.exit_code == 1
    (shown,) = [member for member in found.json["members"] if member["id"] == "haw"]
    assert shown["nodes"]["witness"] == "stopped"
    assert "the witness of Haw International" in " ".join(shown["problems"])
    issue(live.root, tmp_path / "without-haw.txt")
    assert shirushi("consortium", "up", data=live.root).exit_code == 0
    all_sign(live)
    agree(live)


def test_one_that_lost_its_folder_builds_the_same_log_again(live: NativeNetwork) -> None:
    folder = node_folder(live.root, Node(live.member("gcom"), NodeKind.WITNESS))
    assert shirushi("consortium", "stop", "gcom", "--node", "witness", data=live.root).exit_code == 0
    before = {path.relative_to(folder): path.read_bytes() for path in tiles(folder)}
    assert before
    shutil.rmtree(folder)
    assert shirushi("consortium", "start", "gcom", "--node", "witness", data=live.root).exit_code == 0
    all_sign(live)
    agree(live)
    assert {path.relative_to(folder): path.read_bytes() for path in tiles(folder)} == before


def tiles(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "data" / "tile").rglob("*") if path.is_file())


def test_one_can_be_run_by_itself_which_up_leaves_alone_and_down_ends(live: NativeNetwork) -> None:
    assert shirushi("consortium", "stop", "kaguya", "--node", "witness", data=live.root).exit_code == 0
    refused = shirushi("witness", "run", "--member", "haw", data=live.root)
    assert (
        f"runs already, as process {live.process(live.member('haw'), NodeKind.WITNESS)}" in refused.sentence
    )
    assert "name one of the members" in shirushi("witness", "run", data=live.root).sentence
    environment = os.environ | {"SHIRUSHI_DATA": str(live.root)}
    with subprocess.Popen(
        [*RUN, "--member", "kaguya"], env=environment, stderr=subprocess.DEVNULL
    ) as process:
        try:
            kaguya = live.member("kaguya")
            live.wait_until(lambda: live.runs(kaguya, NodeKind.WITNESS), "the witness to run")
            all_sign(live)
            assert shirushi("consortium", "up", data=live.root).exit_code == 0
            assert live.process(kaguya, NodeKind.WITNESS) == process.pid
            stop = shirushi("consortium", "stop", "kaguya", "--node", "witness", data=live.root)
            assert stop.exit_code == 0
            assert process.wait(30) == 0
        finally:
            process.send_signal(signal.SIGKILL)
    assert shirushi("consortium", "up", data=live.root).exit_code == 0
    agree(live)
