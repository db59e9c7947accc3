from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shirushi_core.errors import InvalidInputError
from shirushi_network.topology import Topology, default_topology


def test_the_default_is_the_test_network_of_five() -> None:
    topology = default_topology()
    assert topology.channel == "shirushi-test"
    assert [(member.id, member.msp_id, member.name_ja, member.name_en) for member in topology.members] == [
        ("iizuka", "IizukaMSP", "飯塚市", "Iizuka City"),
        ("chaintope", "ChaintopeMSP", "chaintope", "chaintope"),
        ("haw", "HawMSP", "株式会社ハウインターナショナル", "Haw International"),
        ("kaguya", "KaguyaMSP", "Kaguya", "Kaguya"),
        ("gcom", "GcomMSP", "Gcomホールディングス", "Gcom Holdings"),
    ]
    assert topology.quorum == 3


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "topology.json"
    path.write_bytes(default_topology().to_bytes())
    assert Topology.read(path) == default_topology()
    assert "飯塚市" in path.read_text()


def edited(**changes: Any) -> bytes:
    value = json.loads(default_topology().to_bytes())
    for key, change in changes.items():
        target = value["members"][1] if key in value["members"][1] else value
        if change is None:
            del target[key]
        else:
            target[key] = change
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"channel": "Upper"}, "channel"),
        ({"quorum": 0}, "quorum"),
        ({"quorum": 6}, "quorum"),
        ({"quorum": True}, "quorum"),
        ({"quorum": None}, "topology: expected an object of"),
        ({"surprise": 1}, "surprise"),
        ({"members": []}, "members"),
        ({"members": {}}, "members"),
        ({"id": "iizuka"}, "same id iizuka"),
        ({"id": "../up"}, "member id"),
        ({"msp_id": "IizukaMSP"}, "same MSP id"),
        ({"msp_id": "a b"}, "MSP id"),
        ({"name_ja": ""}, "name of chaintope"),
        ({"name_en": "two\nlines"}, "name of chaintope"),
        ({"host": "no host"}, "host of chaintope"),
        ({"host": "::1"}, "host of chaintope"),
        ({"peer_port": 0}, "port of chaintope"),
        ({"peer_port": "17060"}, "port of chaintope"),
        ({"peer_port": 17050}, "same address"),
        ({"orderer_port": None}, "member: expected an object of"),
    ],
)
def test_a_defect_is_refused_and_named(changes: dict[str, Any], says: str, tmp_path: Path) -> None:
    path = tmp_path / "topology.json"
    path.write_bytes(edited(**changes))
    with pytest.raises(InvalidInputError, match=f"topology.json: .*{says}"):
        Topology.read(path)


def test_a_field_given_twice_is_refused() -> None:
    text = default_topology().to_bytes().replace(b'"quorum": 3', b'"quorum": 1, "quorum": 3')
    with pytest.raises(InvalidInputError, match="twice"):
        Topology.from_bytes(text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"nowhere\.json"):
        Topology.read(tmp_path / "nowhere.json")


@pytest.mark.parametrize("host", ["127.0.0.1", "peer0.iizuka.example", "localhost"])
def test_hosts_are_names_or_ipv4_addresses(host: str) -> None:
    topology = default_topology()
    member = replace(topology.members[0], host=host)
    assert (
        Topology.from_bytes(replace(topology, members=(member,), quorum=1).to_bytes()).members[0].host == host
    )


@given(data=st.one_of(st.binary(max_size=200), st.text(alphabet='{}[]":,0a').map(str.encode)))
def test_noise_gives_a_typed_error(data: bytes) -> None:
    with pytest.raises(InvalidInputError):
        Topology.from_bytes(data)
