"""Five members as containers of Fabric's images; skipped where no docker engine answers or the images are missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import docker.errors
import pytest
import requests.exceptions
from tests.support.command import shirushi

from shirushi_network.fabric.containers import IMAGES, PROJECT


@pytest.fixture(scope="module")
def engine() -> Any:
    """The docker engine with all images, and no consortium of containers on it."""
    try:
        client = docker.from_env()
        client.ping()
        for image in IMAGES.values():
            client.images.get(image)
    except docker.errors.ImageNotFound as error:
        pytest.skip(f"an image is missing: {error.explanation}")
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        pytest.skip(f"no docker engine answers: {error}")
    if containers(client):
        pytest.skip("this machine runs a consortium of containers already")
    return client


def containers(client: Any) -> list[str]:
    found = client.containers.list(all=True, filters={"label": f"com.docker.compose.project={PROJECT}"})
    return sorted(each.name for each in found)


@pytest.fixture(scope="module")
def data(engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("compose") / "data"
    try:
        run = shirushi("consortium", "up", "--engine", "compose", "--base-port", "0", data=folder)
        assert run.exit_code == 0, run.err
        yield folder
    finally:
        shirushi("consortium", "down", data=folder)


def test_every_node_is_a_container_and_every_member_works(engine: Any, data: Path) -> None:
    assert len(containers(engine)) == 20
    status = shirushi("consortium", "status", "--json", data=data).json
    assert status["engine"] == "compose"
    assert all(member["running"] for member in status["members"])


def test_certificates_are_issued_and_verified_also_without_one_member(data: Path, tmp_path: Path) -> None:
    certificate = tmp_path / "certificate.txt"
    certificate.write_text("certificate")
    assert shirushi("consortium", "stop", "kaguya", data=data).exit_code == 0
    stopped = shirushi("consortium", "status", "--json", data=data)
    assert stopped.exit_code == 1
    assert [member["id"] for member in stopped.json["members"] if not member["running"]] == ["kaguya"]
    assert shirushi("issue", certificate, "--type", "residence", data=data).exit_code == 0
    assert shirushi("verify", certificate, data=data).exit_code == 0
    assert shirushi("consortium", "start", "kaguya", data=data).exit_code == 0
    back = shirushi("consortium", "status", "--json", data=data).json["members"]
    assert [member["nodes"]["peer"] for member in back if member["id"] == "kaguya"] == [
        "container shirushi-peer.kaguya"
    ]


def test_ledgers_belong_to_the_owner_of_the_data_folder(data: Path) -> None:
    owner = data.stat().st_uid
    files = [path for path in (data / "nodes").rglob("*") if path.is_file()]
    assert files
    assert {path.stat().st_uid for path in files} == {owner}


def test_another_folder_s_consortium_is_refused_while_this_one_runs(data: Path, tmp_path: Path) -> None:
    run = shirushi("consortium", "up", "--engine", "compose", "--base-port", "0", data=tmp_path / "second")
    assert run.exit_code == 1
    assert "one machine runs one consortium of containers" in run.sentence


def test_down_takes_the_containers_away_and_up_goes_on_where_it_was(engine: Any, data: Path) -> None:
    height = shirushi("consortium", "status", "--json", data=data).json["height"]
    assert shirushi("consortium", "down", data=data).exit_code == 0
    assert containers(engine) == []
    assert shirushi("consortium", "up", data=data).exit_code == 0
    assert shirushi("consortium", "status", "--json", data=data).json["height"] >= height
