"""Five members, each with a data folder of its own: the ceremony, coming up, and changes that pass between them as a file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.network.test_witnesses import wait_until
from tests.support.command import Run, shirushi
from tests.support.fabric_binaries import fabric_binary

from shirushi_core.fabric.signing import load_certificate
from shirushi_network.ports import with_ports
from shirushi_network.topology import default_topology
from shirushi_network.topology_file import read_topology, write_topology

UP_SECONDS = 150
COMMAND = [sys.executable, "-c", "from shirushi_client.cli.main import main; main()"]


def done(run: Run) -> Any:
    assert run.exit_code == 0, run.err
    return run.json


def hold_ceremony(root: Path) -> dict[str, Path]:
    """Let five members make keys, exchange bundles and build the genesis block; returns member id → data folder."""
    topology = replace(with_ports(default_topology(), 0), channel="ceremony-test")
    write_topology(root / "agreed.toml", topology)
    folders = {member.id: root / member.id for member in topology.members}
    for name, data in folders.items():
        assert shirushi("member", "init", name, "--topology", root / "agreed.toml", data=data).exit_code == 0
        assert shirushi("member", "export", name, "-o", root / f"{name}.json", data=data).exit_code == 0
    for name, data in folders.items():
        for other in folders:
            if other != name:
                assert shirushi("member", "add", root / f"{other}.json", data=data).exit_code == 0
        assert shirushi("channel", "genesis", data=data).exit_code == 0
    return folders


def bring_up(data: Path, binaries: Path) -> subprocess.CompletedProcess[str]:
    options = ("--engine", "native", "--binaries", str(binaries), "--data", str(data))
    return subprocess.run(
        [*COMMAND, "consortium", "up", *options],
        capture_output=True,
        text=True,
        timeout=UP_SECONDS,
        check=False,
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Path]]:
    """Five members' data folders, each brought up by a command of its own."""
    binaries = Path(fabric_binary("peer")).parent
    fabric_binary("orderer")
    made = hold_ceremony(tmp_path_factory.mktemp("machines"))
    try:
        with ThreadPoolExecutor(len(made)) as pool:
            runs = list(pool.map(lambda data: bring_up(data, binaries), made.values()))
        assert [run.returncode for run in runs] == [0] * 5, "\n".join(run.stderr for run in runs)
        for data in made.values():
            assert shirushi("consortium", "up", data=data).exit_code == 0
        yield made
    finally:
        for data in made.values():
            shirushi("consortium", "down", data=data)


@pytest.fixture
def city(folders: Mapping[str, Path]) -> Path:
    return folders["iizuka"]


def sequence(data: Path) -> int:
    return int(done(shirushi("channel", "inspect", "--live", "--json", data=data))["sequence"])


def test_all_five_began_with_one_block_and_see_each_other(folders: Mapping[str, Path]) -> None:
    assert len({(data / "genesis.block").read_bytes() for data in folders.values()}) == 1
    for name, data in folders.items():
        assert [path.name for path in (data / "members").iterdir()] == [name]
        members = done(shirushi("consortium", "status", "--json", data=data))["members"]
        assert [member["running"] for member in members] == [True] * 5, members
        assert [member["id"] for member in members if member["here"]] == [name]
        assert all(800 < member["certificate_days"] < 826 for member in members)
        assert done(shirushi("channel", "inspect", "--live", "--json", data=data))["warnings"] == []


def test_every_witness_is_ready_to_sign_and_one_trust_policy_passes_between_them(
    folders: Mapping[str, Path], city: Path, tmp_path: Path
) -> None:
    def all_ready() -> bool:
        members = done(shirushi("consortium", "status", "--json", data=city))["members"]
        return all(member["witness"]["refusing"] is None for member in members)

    wait_until(all_ready, "all witnesses")
    file = tmp_path / "policy.json"
    done(shirushi("channel", "policy", "-o", file, "--json", data=city))
    for data in (*folders.values(), *folders.values()):
        found = done(shirushi("member", "sign-policy", file, "--yes", "--json", data=data))
    assert found["signed_by"] == list(folders)
    assert len({(data / "trust-policy.json").read_bytes() for data in folders.values()}) == 1


def test_a_chaincode_version_is_committed_when_the_third_has_approved(folders: Mapping[str, Path]) -> None:
    committed = []
    for data in list(folders.values())[:3]:
        run = shirushi("chaincode", "upgrade", "--version", "2.1", "--json", data=data)
        committed.append(done(run)["committed"]["version"])
    assert committed == ["2.0", "2.0", "2.1"]
    for name in ("iizuka", "chaintope"):  # they approved before it was committed, and serve it from now on
        assert shirushi("consortium", "up", data=folders[name]).exit_code == 0


class TestAnUpdateThatPassesBetweenThem:
    def test_it_is_proposed_signed_by_three_and_submitted_by_one(
        self, folders: Mapping[str, Path], city: Path, tmp_path: Path
    ) -> None:
        before = sequence(city)
        file = tmp_path / "update.pb"
        wait = ("set-blocks", "--wait", "0.15")
        proposed = done(shirushi("channel", *wait, "-o", file, "--json", data=city))
        assert (proposed["needed"], proposed["missing"], proposed["committed"]) == (3, 3, False)
        assert proposed["signers_here"] == ["iizuka"]
        assert "cut after 200ms → 150ms" in " ".join(proposed["changes"])

        done(shirushi("channel", "sign", file, "--yes", "--json", data=city))
        second = shirushi("channel", "sign", file, "--yes", data=folders["haw"])
        assert second.exit_code == 0, second.err
        assert "cut after 200ms → 150ms" in second.out
        assert "signed for Haw International" in second.out
        assert "IizukaMSP (Iizuka City)" in second.out
        refused = shirushi("channel", "submit", file, data=folders["haw"])
        assert refused.exit_code == 1
        assert refused.sentence == (
            "signed by 2 of 5 members (HawMSP (Haw International), IizukaMSP (Iizuka City)), 3 needed; missing: 1 of "
            "ChaintopeMSP (chaintope), GcomMSP (Gcom Holdings), KaguyaMSP (Kaguya)"
        )
        assert sequence(city) == before

        again = shirushi("channel", "sign", file, "--yes", data=folders["haw"])
        assert "no admin whose signature is missing is here" in again.err
        done(shirushi("channel", "sign", file, "--yes", "--json", data=folders["gcom"]))
        submitted = done(shirushi("channel", "submit", file, "--json", data=folders["gcom"]))
        assert submitted["committed"]
        assert submitted["sequence"] == before
        assert sequence(folders["gcom"]) == before + 1
        assert any("every other member runs" in step for step in submitted["next"])
        assert read_topology(folders["gcom"] / "topology.toml").blocks.timeout_seconds == 0.15

        assert read_topology(city / "topology.toml").blocks.timeout_seconds == 0.2
        followed = shirushi("channel", *wait, data=city)
        assert "the channel has it already" in followed.out
        assert read_topology(city / "topology.toml").blocks.timeout_seconds == 0.15

        late = shirushi("channel", "submit", file, data=city)
        assert late.exit_code == 1
        assert "make it anew" in late.sentence

    def test_copies_that_went_to_different_members_are_put_together(
        self, folders: Mapping[str, Path], city: Path, tmp_path: Path
    ) -> None:
        file = tmp_path / "update.pb"
        copies = [tmp_path / f"{name}.pb" for name in ("iizuka", "kaguya", "haw")]
        done(shirushi("channel", "set-blocks", "--max-messages", "400", "-o", file, "--json", data=city))
        for copy in copies:
            done(shirushi("channel", "sign", file, "--yes", "-o", copy, "--json", data=folders[copy.stem]))
        assert "2 of 5" in shirushi("channel", "submit", *copies[:2], data=city).sentence
        submitted = done(shirushi("channel", "submit", *copies, "--json", data=city))
        assert submitted["signed_by"] == ["HawMSP", "IizukaMSP", "KaguyaMSP"]

    def test_a_member_without_the_others_cannot_submit_what_needs_them(self, city: Path) -> None:
        run = shirushi("channel", "set-blocks", "--wait", "1", data=city)
        assert run.exit_code == 1
        assert run.sentence.startswith("signed by 1 of 5 members (IizukaMSP (Iizuka City)), 3 needed")
        assert run.sentence.endswith("write the update with -o FILE, and have them sign it")

    def test_signing_is_asked_for_and_can_be_declined(self, city: Path, tmp_path: Path) -> None:
        file = tmp_path / "update.pb"
        done(shirushi("channel", "set-blocks", "--wait", "1", "-o", file, "--json", data=city))
        before = file.read_bytes()
        assert shirushi("channel", "sign", file, data=city).exit_code != 0
        assert file.read_bytes() == before

    def test_a_member_s_own_revocation_list_needs_no_one_else(
        self, folders: Mapping[str, Path], tmp_path: Path
    ) -> None:
        data = folders["kaguya"]
        old = data / "members/kaguya/users/client/msp/signcerts/cert.pem"
        (tmp_path / "old.pem").write_bytes(old.read_bytes())
        assert load_certificate(old.read_bytes()).not_valid_after_utc > datetime.now(UTC)
        assert shirushi("member", "renew", "kaguya", "--only", "client", data=data).exit_code == 0
        assert shirushi("member", "revoke", "kaguya", tmp_path / "old.pem", data=data).exit_code == 0
        rotated = done(shirushi("channel", "rotate", "kaguya", "--json", data=data))
        assert rotated["signed_by"] == ["KaguyaMSP"]
        assert rotated["committed"]
