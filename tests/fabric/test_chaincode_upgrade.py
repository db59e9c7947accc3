"""The chaincode's next versions, by sequence, on real peers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.command import shirushi
from tests.support.fabric_binaries import fabric_binary

from shirushi_network.topology_file import read_topology


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("upgrade") / "data"
    binaries = Path(fabric_binary("peer")).parent
    fabric_binary("orderer")
    try:
        options = ("--engine", "native", "--binaries", str(binaries), "--base-port", "0")
        run = shirushi("consortium", "up", *options, data=folder)
        assert run.exit_code == 0, run.err
        yield folder
    finally:
        shirushi("consortium", "down", data=folder)


def issue_and_verify(data: Path, file: Path) -> None:
    file.write_text(file.name)
    issued = shirushi("issue", file, "--type", "residence", data=data)
    assert issued.exit_code == 0, issued.err
    assert shirushi("verify", file, data=data).exit_code == 0


def test_a_new_version_is_approved_committed_and_served_by_every_member(data: Path, tmp_path: Path) -> None:
    issue_and_verify(data, tmp_path / "before.txt")
    run = shirushi("chaincode", "upgrade", "--version", "2.1", "--json", data=data)
    assert run.exit_code == 0, run.err
    assert run.json["committed"] == {"version": "2.1", "sequence": 2}
    assert all(member["approved"] and member["installed"] for member in run.json["members"])
    assert run.json["package_id"].startswith("anchors_2.1:")
    issue_and_verify(data, tmp_path / "after.txt")
    assert shirushi("verify", tmp_path / "before.txt", data=data).exit_code == 0
    members = shirushi("consortium", "status", "--json", data=data).json["members"]
    assert {member["chaincode"] for member in members} == {"connected"}


def test_a_new_endorsement_policy_takes_a_sequence_and_no_new_package(data: Path, tmp_path: Path) -> None:
    before = shirushi("chaincode", "status", "--json", data=data).json
    msp_ids = [f"'{member.msp_id}.peer'" for member in read_topology(data / "topology.toml").members]
    policy = f"OutOf(4, {', '.join(msp_ids)})"
    run = shirushi("chaincode", "upgrade", "--endorsement", policy, "--json", data=data)
    assert run.exit_code == 0, run.err
    assert run.json["committed"]["sequence"] == before["committed"]["sequence"] + 1
    assert run.json["package_id"] == before["package_id"]
    issue_and_verify(data, tmp_path / "policy.txt")


def test_other_content_under_a_committed_sequence_is_refused(data: Path) -> None:
    path = data / "topology.toml"
    text = path.read_text()
    version = read_topology(path).anchors.version
    path.write_text(text.replace(f'version = "{version}"', 'version = "9.9"'))
    run = shirushi("consortium", "up", data=data)
    path.write_text(text)
    assert run.exit_code == 1
    assert "which is committed with other content" in run.sentence


def test_a_sequence_that_skips_one_is_refused(data: Path) -> None:
    path = data / "topology.toml"
    text = path.read_text()
    sequence = read_topology(path).anchors.sequence
    path.write_text(text.replace(f"sequence = {sequence}", f"sequence = {sequence + 2}"))
    run = shirushi("consortium", "up", data=data)
    path.write_text(text)
    assert run.exit_code == 1
    assert f"expected {sequence} or {sequence + 1}" in run.sentence


def test_a_policy_that_is_none_changes_nothing(data: Path) -> None:
    before = (data / "topology.toml").read_bytes()
    run = shirushi("chaincode", "upgrade", "--endorsement", "OutOf(", data=data)
    assert run.exit_code == 1
    assert "signature policy" in run.sentence
    assert (data / "topology.toml").read_bytes() == before


def test_the_package_is_written_for_other_tools(data: Path, tmp_path: Path) -> None:
    run = shirushi("chaincode", "package", "-o", tmp_path / "anchors.tar.gz", "--json", data=data)
    assert run.exit_code == 0
    assert run.json["package_id"] == shirushi("chaincode", "status", "--json", data=data).json["package_id"]
