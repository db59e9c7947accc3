"""What Fabric's nodes are given, out of the topology."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from shirushi_core.errors import InvalidInputError
from shirushi_network.errors import ConsortiumError
from shirushi_network.fabric.configuration import orderer_configuration, peer_configuration
from shirushi_network.fabric.containers import INSIDE, compose_file, container_spec
from shirushi_network.fabric.nodes import Node, NodeKind, NodePaths, nodes_of
from shirushi_network.fabric.rendering import monitoring_targets, write_nodes
from shirushi_network.fabric.service import FILE, read_service_environment
from shirushi_network.layout import Layout
from shirushi_network.member_bundle import bundle_path, local_bundle, public_bundle_of, render_bundle
from shirushi_network.member_keys import create_member
from shirushi_network.topology import Member, Topology, default_topology
from shirushi_network.witness_configuration import DATA, GENESIS, hand_out_policy, witness_configuration
from shirushi_network.witness_settings import read_settings

ROOT = Path(__file__).resolve().parents[3]
TOPOLOGY = default_topology()
CITY = TOPOLOGY.members[0]
PATHS = NodePaths(PurePosixPath("/data"))


def with_hosts(member: Member, host: str) -> Member:
    assert member.orderer is not None
    return replace(
        member,
        peer=replace(member.peer, host=host),
        orderer=replace(member.orderer, host=host),
        chaincode=replace(member.chaincode, host=host),
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A data folder with the city's keys and rendered nodes, and the other members' bundles."""
    layout = Layout(tmp_path_factory.mktemp("data"))
    layout.bundles.mkdir()
    layout.genesis.write_bytes(b"genesis")
    create_member(layout.members, CITY, now=datetime.now(UTC))
    for member in TOPOLOGY.members[1:]:
        elsewhere = tmp_path_factory.mktemp(member.id)
        create_member(elsewhere, member, now=datetime.now(UTC))
        bundle_path(layout, member).write_bytes(render_bundle(local_bundle(elsewhere, member)))
    write_nodes(layout, TOPOLOGY, [CITY], NodePaths(layout.root))
    return layout


def paths_in(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [path for each in value.values() for path in paths_in(each)]
    if isinstance(value, list):
        return [path for each in value for path in paths_in(each)]
    return [value] if isinstance(value, str) and value.startswith("/") else []


def test_the_committed_compose_file_is_the_rendering_of_the_default_topology() -> None:
    assert (ROOT / "docker-compose.fabric.yml").read_bytes() == compose_file(TOPOLOGY)


def test_a_container_sees_its_own_keys_and_folder_and_no_other_member_s() -> None:
    for node in nodes_of(TOPOLOGY.members):
        spec = container_spec(node)
        for mount in spec.mounts:
            assert f"/{node.member.id}/" in mount.path
            assert mount.writable == mount.path.startswith("nodes/")
        assert not any(
            mount.path.endswith((f"members/{node.member.id}", "/ca", "/tlsca")) for mount in spec.mounts
        )


def test_what_configurations_name_is_mounted_into_the_container() -> None:
    for node in nodes_of(TOPOLOGY.members):
        if node.kind not in (NodeKind.ORDERER, NodeKind.PEER):
            continue
        inside = [mount.inside for mount in container_spec(node).mounts]
        render = (
            orderer_configuration(node.member, INSIDE)
            if node.kind is NodeKind.ORDERER
            else peer_configuration(TOPOLOGY, node.member, INSIDE)
        )
        for path in paths_in(yaml.safe_load(render)):
            assert any(PurePosixPath(path).is_relative_to(each) for each in inside), path


def test_what_a_witness_is_told_names_is_mounted_and_its_command_is_its_folder(written: Layout) -> None:
    node = Node(CITY, NodeKind.WITNESS)
    own = INSIDE.of(node)
    told = witness_configuration(
        written,
        TOPOLOGY,
        CITY,
        home=INSIDE.home(CITY),
        data=own / DATA,
        genesis=own / GENESIS,
        policy=own / "trust-policy.json",
    )
    spec = container_spec(node)
    inside = {mount.inside: mount.writable for mount in spec.mounts}
    assert spec.command == (str(own),)
    for name, writable in (
        ("keys", False),
        ("identity", False),
        ("genesis", True),
        ("data", True),
        ("policy", True),
    ):
        (found,) = [each for each in inside if PurePosixPath(told[name]).is_relative_to(each)]
        assert inside[found] is writable


def test_a_container_is_given_a_copy_of_the_trust_policy_and_of_what_is_kept_of_earlier_ones(
    written: Layout,
) -> None:
    write_nodes(written, TOPOLOGY, [CITY], INSIDE)
    told = json.loads((written.root / "nodes" / CITY.id / "witness" / "witness.json").read_bytes())
    assert told["policy"] == str(INSIDE.of(Node(CITY, NodeKind.WITNESS)) / "trust-policy.json")
    written.trust_policy.write_bytes(b"second")
    (written.root / "trust-policy.v1.json").write_bytes(b"first")
    hand_out_policy(written)
    folder = written.root / "nodes" / CITY.id / "witness"
    assert (folder / "trust-policy.json").read_bytes() == b"second"
    assert (folder / "trust-policy.v1.json").read_bytes() == b"first"
    write_nodes(written, TOPOLOGY, [CITY], NodePaths(written.root))


def test_a_witness_is_told_of_its_peer_and_of_all_others_and_no_secret(written: Layout) -> None:
    folder = written.root / "nodes" / CITY.id / "witness"
    settings = read_settings(folder)
    assert (settings.peer, settings.quorum, settings.port) == ("127.0.0.1:17050", 3, 17057)
    assert (settings.genesis, settings.folder) == (b"genesis", folder / "data")
    assert settings.policy == written.trust_policy
    others = {each.member_id: each for each in settings.others}
    assert others.keys() == {"chaintope", "haw", "kaguya", "gcom"}
    haw = public_bundle_of(written, TOPOLOGY.member("haw"))
    assert haw.witness is not None
    assert others["haw"].cosigner == haw.witness.cosigner_key(TOPOLOGY.channel, "haw")
    assert (others["haw"].url, others["haw"].name_en) == ("https://127.0.0.1:17077", "Haw International")
    assert others["haw"].tls_root == b"".join(haw.material.tls_ca_certificates)
    assert "PRIVATE" not in (folder / "witness.json").read_text()


@pytest.mark.parametrize("spoilt", ["", "[]", "{}", '{"member": 1, "msp_id": 2, "keys": 3}'])
def test_a_spoilt_witness_configuration_is_named(tmp_path: Path, spoilt: str) -> None:
    (tmp_path / "witness.json").write_text(spoilt)
    with pytest.raises(ConsortiumError, match=r"witness\.json is no witness's configuration"):
        read_settings(tmp_path)


def test_nodes_listen_on_loopback_where_that_is_their_host_and_else_everywhere() -> None:
    far = with_hosts(CITY, "peer0.iizuka.example")
    assert (
        yaml.safe_load(peer_configuration(TOPOLOGY, CITY, PATHS))["peer"]["listenAddress"]
        == "127.0.0.1:17050"
    )
    peer = yaml.safe_load(peer_configuration(TOPOLOGY, far, PATHS))["peer"]
    assert peer["listenAddress"] == "0.0.0.0:17050"
    assert peer["gossip"]["externalEndpoint"] == "peer0.iizuka.example:17050"
    orderer = yaml.safe_load(orderer_configuration(far, PATHS))
    assert orderer["General"]["ListenAddress"] == "0.0.0.0"


def test_admin_and_operations_endpoints_are_on_the_node_s_own_machine_only() -> None:
    far = with_hosts(CITY, "peer0.iizuka.example")
    orderer = yaml.safe_load(orderer_configuration(far, PATHS))
    assert orderer["Admin"]["ListenAddress"] == "127.0.0.1:17053"
    assert orderer["Admin"]["TLS"]["ClientAuthRequired"] is True
    assert orderer["Operations"]["ListenAddress"] == "127.0.0.1:17054"
    peer = yaml.safe_load(peer_configuration(TOPOLOGY, far, PATHS))
    assert peer["operations"]["listenAddress"] == "127.0.0.1:17052"


def test_tls_is_on_everywhere() -> None:
    orderer = yaml.safe_load(orderer_configuration(CITY, PATHS))
    assert orderer["General"]["TLS"]["Enabled"] is True
    assert orderer["Admin"]["TLS"]["Enabled"] is True
    assert yaml.safe_load(peer_configuration(TOPOLOGY, CITY, PATHS))["peer"]["tls"]["enabled"] is True


def test_a_member_without_an_orderer_or_a_witness_has_no_node_for_it() -> None:
    endorser = replace(CITY, orderer=None, witness=None)
    assert [node.kind for node in nodes_of([endorser])] == [NodeKind.CHAINCODE, NodeKind.PEER]
    with pytest.raises(InvalidInputError, match="iizuka has no orderer"):
        orderer_configuration(endorser, PATHS)


def test_orderers_start_before_chaincodes_those_before_peers_and_those_before_witnesses() -> None:
    kinds = [node.kind for node in nodes_of(TOPOLOGY.members)]
    in_order = (NodeKind.ORDERER, NodeKind.CHAINCODE, NodeKind.PEER, NodeKind.WITNESS)
    assert kinds == [kind for kind in in_order for _ in range(5)]


def test_prometheus_finds_every_node_with_its_member() -> None:
    targets = json.loads(monitoring_targets(TOPOLOGY.members))
    assert len(targets) == 20
    assert targets[-1] == {
        "targets": ["127.0.0.1:17097"],
        "labels": {"member": "gcom", "msp_id": "GcomMSP", "node": "witness", "__scheme__": "https"},
    }
    assert targets[0] == {
        "targets": ["127.0.0.1:17054"],
        "labels": {"member": "iizuka", "msp_id": "IizukaMSP", "node": "orderer"},
    }
    assert len({target["targets"][0] for target in targets}) == 20


def test_prometheus_is_given_the_roots_of_the_witnesses_that_run_here(written: Layout) -> None:
    roots = (written.root / "prometheus-ca.pem").read_bytes()
    assert roots == (written.members / CITY.id / "tlsca" / "cert.pem").read_bytes()


def test_every_file_that_a_configuration_names_is_there(written: Layout) -> None:
    for name in ("orderer/orderer.yaml", "peer/core.yaml"):
        folder = written.root / "nodes" / CITY.id
        for path in paths_in(yaml.safe_load((folder / name).read_bytes())):
            assert Path(path).exists() or Path(path).is_relative_to(
                folder / name.partition("/")[0] / "data"
            ), path


def test_the_service_and_its_peer_name_the_same_package(written: Layout) -> None:
    variables = read_service_environment(written.root / "nodes" / CITY.id / "chaincode")
    label = variables["CHAINCODE_ID"].partition(":")[0]
    connections = written.root / "nodes" / CITY.id / "peer" / "builder" / "connections"
    assert [path.name for path in connections.iterdir()] == [f"{label}.json"]
    for name in ("CHAINCODE_TLS_CERT_FILE", "CHAINCODE_TLS_KEY_FILE", "CHAINCODE_TLS_CLIENT_CACERT_FILE"):
        assert Path(variables[name]).is_file()


def test_the_connection_to_the_service_holds_a_key_and_is_the_owner_s_alone(written: Layout) -> None:
    (path,) = (written.root / "nodes" / CITY.id / "peer" / "builder" / "connections").iterdir()
    assert "PRIVATE KEY" in json.loads(path.read_bytes())["client_key"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_the_peer_built_is_taken_away_when_its_connection_changes(written: Layout) -> None:
    builds = written.root / "nodes" / CITY.id / "peer" / "data" / "externalbuilder" / "builds"
    (builds / "anchors_1.0-x").mkdir(parents=True)
    write_nodes(written, TOPOLOGY, [CITY], NodePaths(written.root))
    assert (builds / "anchors_1.0-x").exists()
    moved = replace(CITY, chaincode=replace(CITY.chaincode, port=19999), witness=None)
    topology = Topology(TOPOLOGY.channel, (moved, *TOPOLOGY.members[1:]), TOPOLOGY.quorum)
    write_nodes(written, topology, [moved], NodePaths(written.root))
    assert list(builds.iterdir()) == []


def test_a_node_s_names_are_for_files_and_for_people() -> None:
    node = Node(CITY, NodeKind.CHAINCODE)
    assert (node.id, node.name) == ("chaincode.iizuka", "the chaincode service of Iizuka City")


def test_variables_are_a_line_each(written: Layout) -> None:
    text = (written.root / "nodes" / CITY.id / "chaincode" / FILE).read_text()
    assert all(
        line.count("=") >= 1 and line.split("=")[0].startswith("CHAINCODE_") for line in text.splitlines()
    )
