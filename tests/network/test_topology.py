from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.bft_parameters import BftParameters
from shirushi_core.fabric.channel_config import BatchParameters
from shirushi_network.topology import AnchorsDefinition, FirstIssuer, Topology, default_topology
from shirushi_network.topology_file import parse_topology, read_topology, render_topology, write_topology

TYPES = '"income-certificate", "residence", "tax-notice"'


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
    assert (topology.quorum, topology.majority) == (3, 3)
    assert topology.issuer == FirstIssuer("iizuka-city", "iizuka")


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "topology.toml"
    default = default_topology()
    topology = Topology(
        channel="juki",
        members=(*default.members[:4], replace(default.members[4], orderer=None)),
        quorum=4,
        issuer=FirstIssuer("haw-desk", "haw", ("diploma", "transcript")),
        blocks=BatchParameters(10, 2000, 1000, 0.5),
        bft=BftParameters(request_complain=9.5, request_pool_size=7),
        anchors=AnchorsDefinition(
            "2.0-rc.1", 4, "OutOf(2, 'IizukaMSP.peer', 'HawMSP.peer', \"GcomMSP.peer\")"
        ),
    )
    write_topology(path, topology)
    assert read_topology(path) == topology
    assert "飯塚市" in path.read_text()


def test_what_was_not_agreed_on_may_be_left_out() -> None:
    text = render_topology(default_topology()).decode()
    head, _, rest = text.partition("# How orderers cut blocks")
    expected = replace(
        default_topology(), anchors=AnchorsDefinition("1.0")
    )  # as it was before it was written down
    assert parse_topology((head + rest[rest.index("[[members]]") :]).encode()) == expected


@pytest.mark.parametrize("version", ["v2", "x", "0.9", "02", ".1", ""])
def test_a_version_begins_with_the_number_of_its_rules(version: str) -> None:
    with pytest.raises(InvalidInputError, match="anchors: version: expected a number"):
        AnchorsDefinition(version)


def test_a_file_from_before_issuers_had_document_types_means_those_of_the_pilot() -> None:
    text = render_topology(default_topology()).decode()
    before = text.replace(', document_types = ["income-certificate", "residence", "tax-notice"]', "")
    assert before != text
    assert parse_topology(before.encode()) == default_topology()


def test_a_topologys_issuer_may_be_given_further_document_types() -> None:
    more = default_topology().issuing("residence", "diploma")
    assert more.issuer.document_types == ("diploma", "income-certificate", "residence", "tax-notice")
    assert parse_topology(render_topology(more)) == more


@pytest.mark.parametrize(
    ("written", "instead", "says"),
    [
        ('channel = "shirushi-test"', 'channel = "Upper"', "channel"),
        ("quorum = 3", "quorum = 0", "quorum"),
        ("quorum = 3", "quorum = 6", "quorum"),
        ("quorum = 3", "quorum = true", "quorum"),
        ("quorum = 3\n", "", "topology: expected channel, issuer, members, quorum; found"),
        ("quorum = 3", "quorum = 3\nsurprise = 1", "surprise"),
        ("quorum = 3", "quorum = 3\nquorum = 3", "not TOML: Cannot overwrite a value"),
        ('member = "iizuka"', 'member = "nobody"', "no member 'nobody'; the members are iizuka"),
        (TYPES, "", "issuer: document_types: expected at least one"),
        (TYPES, '"b", "a"', "issuer: document_types: expected at most 64, sorted"),
        (TYPES, '"a", "a"', "issuer: document_types: expected at most 64, sorted"),
        (TYPES, '"Upper"', "issuer: document_types"),
        (TYPES, "1", "issuer: document_types: expected an array of strings"),
        (f"[{TYPES}]", '"residence"', "issuer: document_types: expected an array of strings"),
        (f"document_types = [{TYPES}]", "types = []", "issuer: expected id, member; found"),
        ("max_messages = 500", "max_messages = 0", "blocks: max_messages"),
        ("preferred_bytes = 2097152", "preferred_bytes = 20971520", "preferred_bytes of at most"),
        ("wait = 0.2", "wait = 0", "blocks: wait"),
        ("request_complain = 5.0", "request_complain = 1.0", "request_forward < request_complain"),
        ("leader_heartbeat = 15.0", 'leader_heartbeat = "15"', "bft: leader_heartbeat"),
        ("request_pool_size = 100000", "request_pool_size = 1.5", "bft: request_pool_size"),
        ('version = "2.0"', 'version = "2 0"', "anchors: version"),
        ("sequence = 1", "sequence = 0", "anchors: sequence"),
        ('endorsement = "majority"', 'endorsement = "most"', 'anchors: endorsement: expected "majority"'),
        ('id = "chaintope"', 'id = "iizuka"', "same id iizuka"),
        ('id = "chaintope"', 'id = "../up"', "member id"),
        ('msp_id = "ChaintopeMSP"', 'msp_id = "IizukaMSP"', "same MSP id"),
        ('msp_id = "ChaintopeMSP"', 'msp_id = "a b"', "MSP id"),
        ('name_ja = "chaintope"', 'name_ja = ""', "name of chaintope"),
        ('name_en = "chaintope"', 'name_en = "two\\nlines"', "name of chaintope"),
        ('host = "127.0.0.1", port = 17060', 'host = "no host", port = 17060', "host of chaintope"),
        ('host = "127.0.0.1", port = 17060', 'host = "::1", port = 17060', "host of chaintope"),
        ("port = 17060", "port = 0", "port of chaintope"),
        ("port = 17060", 'port = "17060"', "port of chaintope"),
        ("port = 17060", "port = 17050", "same address"),
        (", admin_port = 17063", "", "orderer of chaintope: expected admin_port, host"),
    ],
)
def test_a_defect_is_refused_and_named(written: str, instead: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "topology.toml"
    text = render_topology(default_topology()).decode()
    assert written in text
    path.write_text(text.replace(written, instead, 1))
    with pytest.raises(InvalidInputError) as caught:
        read_topology(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert says in str(caught.value)


def test_a_consortium_without_any_orderer_is_refused() -> None:
    default = default_topology()
    members = tuple(replace(member, orderer=None) for member in default.members)
    with pytest.raises(InvalidInputError, match="at least one with an orderer"):
        replace(default, members=members)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"nowhere\.toml"):
        read_topology(tmp_path / "nowhere.toml")


@pytest.mark.parametrize("host", ["127.0.0.1", "peer0.iizuka.example", "localhost"])
def test_hosts_are_names_or_ipv4_addresses(host: str) -> None:
    default = default_topology()
    first = replace(default.members[0], peer=replace(default.members[0].peer, host=host))
    topology = replace(default, members=(first,), quorum=1)
    assert parse_topology(render_topology(topology)).members[0].peer.address == f"{host}:17050"


def test_the_rendering_is_toml() -> None:
    assert len(tomllib.loads(render_topology(default_topology()).decode())["members"]) == 5


@given(data=st.one_of(st.binary(max_size=200), st.text(alphabet='[]="m.\n,0a').map(str.encode)))
def test_noise_gives_a_typed_error(data: bytes) -> None:
    with pytest.raises(InvalidInputError):
        parse_topology(data)
