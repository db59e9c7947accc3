"""The connection file and the profiles, as members come, go and move."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shirushi_client.consortium import load_consortium
from shirushi_network.connection_files import write_connection, write_profiles
from shirushi_network.layout import Layout
from shirushi_network.member_bundle import bundle_path, public_bundle_of, render_bundle
from shirushi_network.member_keys import create_member
from shirushi_network.topology import Topology, default_topology

TOPOLOGY = default_topology()
CITY, OTHER = TOPOLOGY.members[:2]
TWO = replace(TOPOLOGY, members=(CITY, OTHER), quorum=2)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """The city's folder: its own keys, and another member's bundle."""
    now = datetime.now(UTC)
    layout, elsewhere = Layout(tmp_path / "city"), Layout(tmp_path / "elsewhere")
    create_member(layout.members, CITY, now=now)
    create_member(elsewhere.members, OTHER, now=now)
    layout.bundles.mkdir()
    bundle_path(layout, OTHER).write_bytes(render_bundle(public_bundle_of(elsewhere, OTHER)))
    return layout


def connection(layout: Layout) -> dict[str, Any]:
    return dict(json.loads(layout.connection.read_bytes()))


def test_members_elsewhere_are_trusted_by_the_tls_root_in_their_bundle(layout: Layout) -> None:
    assert write_connection(layout, TWO)
    roots = [member["tls_root"] for member in connection(layout)["members"]]
    assert roots == ["members/iizuka/tlsca/cert.pem", "bundles/chaintope.tlsca.pem"]
    bundle = public_bundle_of(layout, OTHER)
    assert (layout.root / roots[1]).read_bytes() == b"".join(bundle.material.tls_ca_certificates)
    assert load_consortium(layout.root)


def test_nothing_is_written_where_nothing_changed(layout: Layout) -> None:
    write_connection(layout, TWO)
    before = layout.connection.stat().st_mtime_ns
    assert not write_connection(layout, TWO)
    assert layout.connection.stat().st_mtime_ns == before


def test_it_follows_members_addresses_and_quorum_and_keeps_what_an_operator_set(layout: Layout) -> None:
    write_connection(layout, TWO)
    edited = connection(layout)
    edited["members"][0]["tls_name"] = "peer.iizuka.example"
    edited["note"] = "ours"
    layout.connection.write_text(json.dumps(edited))
    moved = replace(CITY, peer=replace(CITY.peer, port=1234))
    assert write_connection(layout, replace(TWO, members=(moved,), quorum=1))
    (city,) = connection(layout)["members"]
    assert (city["peer"], city["tls_name"]) == ("127.0.0.1:1234", "peer.iizuka.example")
    assert (connection(layout)["quorum"], connection(layout)["note"]) == (1, "ours")


def test_a_file_that_is_spoilt_is_written_anew(layout: Layout) -> None:
    layout.connection.write_text("{")
    assert write_connection(layout, TWO)
    assert load_consortium(layout.root)


class TestProfiles:
    def test_they_are_of_the_members_here(self, layout: Layout) -> None:
        write_profiles(layout, TWO)
        assert {path.stem for path in layout.users.iterdir()} == {"issuer", "verifier", "admin-iizuka"}

    def test_a_folder_without_the_city_asks_as_its_own_member(self, tmp_path: Path) -> None:
        other = Layout(tmp_path / "elsewhere")
        create_member(other.members, OTHER, now=datetime.now(UTC))
        write_profiles(other, TWO)
        assert {path.stem for path in other.users.iterdir()} == {"verifier", "admin-chaintope"}
        assert json.loads((other.users / "verifier.json").read_bytes())["member"] == "chaintope"

    def test_one_that_an_operator_changed_is_kept(self, layout: Layout) -> None:
        write_profiles(layout, TWO)
        path = layout.users / "issuer.json"
        path.write_text('{"mine": true}')
        topology: Topology = replace(TWO, quorum=1)
        write_profiles(layout, topology)
        assert path.read_text() == '{"mine": true}'
