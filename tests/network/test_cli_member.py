from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.command import Run, shirushi
from tests.support.foreign_pki import ForeignPki

from shirushi_network import bring_up
from shirushi_network.embedded import EmbeddedConsortium
from shirushi_network.errors import ConsortiumError
from shirushi_network.layout import Layout
from shirushi_network.topology import default_topology
from shirushi_network.topology_file import read_topology, write_topology

TOPOLOGY = replace(default_topology(), channel="ceremony-test")
IDS = [member.id for member in TOPOLOGY.members]


@pytest.fixture
def agreed(tmp_path: Path) -> Path:
    """The topology file that all members agreed on."""
    write_topology(tmp_path / "agreed.toml", TOPOLOGY)
    return tmp_path / "agreed.toml"


@pytest.fixture
def city(tmp_path: Path, agreed: Path) -> Path:
    """The city's data folder, with its keys."""
    assert shirushi("member", "init", "iizuka", "--topology", agreed, data=tmp_path / "city").exit_code == 0
    return tmp_path / "city"


@pytest.fixture
def haw(tmp_path: Path, agreed: Path) -> Path:
    assert shirushi("member", "init", "haw", "--topology", agreed, data=tmp_path / "haw").exit_code == 0
    return tmp_path / "haw"


@pytest.fixture
def from_haw(tmp_path: Path, haw: Path) -> Path:
    """The bundle file that Haw sent."""
    assert shirushi("member", "export", "haw", "-o", tmp_path / "haw.json", data=haw).exit_code == 0
    return tmp_path / "haw.json"


def done(run: Run) -> Any:
    assert run.exit_code == 0, run.err
    return run.json


class TestTheCeremony:
    def test_five_members_come_to_one_genesis_block(self, tmp_path: Path, agreed: Path) -> None:
        folders = {name: tmp_path / name for name in IDS}
        told: dict[str, str] = {}
        for name, data in folders.items():
            done(shirushi("member", "init", name, "--topology", agreed, "--json", data=data))
            file = tmp_path / f"{name}.json"
            told[name] = done(shirushi("member", "export", name, "-o", file, "--json", data=data))[
                "fingerprint"
            ]
        for name, data in folders.items():
            for other in IDS:
                if other != name:
                    file = tmp_path / f"{other}.json"
                    added = shirushi("member", "add", file, "--fingerprint", told[other], data=data)
                    assert added.exit_code == 0, added.err
        built = {
            name: done(shirushi("channel", "genesis", "--json", data=data)) for name, data in folders.items()
        }
        assert len({each["fingerprint"] for each in built.values()}) == 1
        assert len({(data / "genesis.block").read_bytes() for data in folders.values()}) == 1
        for name, each in built.items():
            assert each["channel"] == "ceremony-test"
            assert {member["id"]: member["fingerprint"] for member in each["members"]} == told
            assert [member["id"] for member in each["members"] if member["keys_here"]] == [name]
            assert [path.name for path in (folders[name] / "members").iterdir()] == [name]

    def test_people_are_shown_fingerprints_in_groups_of_four_also_on_narrow_terminals(
        self, city: Path, from_haw: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "60")
        for run in (
            shirushi("member", "add", from_haw, data=city),
            shirushi("member", "show", "haw", data=city),
            shirushi("member", "show", "iizuka", data=city),
        ):
            assert run.exit_code == 0
            lines = run.out.splitlines()
            (at,) = [number for number, line in enumerate(lines) if line.startswith("fingerprint")]
            groups = [line.removeprefix("fingerprint").split() for line in lines[at : at + 2]]
            assert [len(group) for group in groups] == [8, 8]
            assert all(re.fullmatch("[0-9a-f]{4}", each) for group in groups for each in group)

    def test_the_phone_call_is_asked_for_unless_the_fingerprint_was_given(
        self, city: Path, from_haw: Path
    ) -> None:
        asked = shirushi("member", "add", from_haw, data=city)
        assert "call Haw International" in asked.out
        found = done(shirushi("member", "show", "haw", "--json", data=city))["fingerprint"]
        compared = shirushi("member", "add", from_haw, "--fingerprint", found, data=city)
        assert "call Haw" not in compared.out

    def test_nothing_private_is_ever_printed(self, city: Path, from_haw: Path, tmp_path: Path) -> None:
        old = city / "members/iizuka/users/admin/msp/signcerts/cert.pem"
        shutil.copy(old, tmp_path / "old.pem")
        runs = [
            shirushi("member", "show", "iizuka", data=city),
            shirushi("member", "renew", "iizuka", "--json", data=city),
            shirushi("member", "revoke", "iizuka", tmp_path / "old.pem", data=city),
            shirushi("member", "export", "iizuka", "-o", tmp_path / "x", "--json", data=city),
            shirushi("member", "add", from_haw, "--json", data=city),
        ]
        assert [run.exit_code for run in runs] == [0] * len(runs)
        secrets = [
            path.read_text().splitlines()[1]
            for path in city.rglob("*")
            if path.is_file() and b"PRIVATE KEY" in path.read_bytes()
        ]
        assert len(secrets) == 14 + 6
        said = "".join(run.out + run.err for run in runs) + (tmp_path / "x").read_text()
        assert not [secret for secret in secrets if secret in said]


class TestInit:
    def test_the_topology_comes_into_the_data_folder(self, city: Path) -> None:
        assert read_topology(city / "topology.toml") == TOPOLOGY
        assert (city / "members" / "iizuka" / "chaincodes" / "anchors" / "tls" / "server.crt").exists()

    def test_without_one_the_default_is_taken_and_said(self, tmp_path: Path) -> None:
        run = shirushi("member", "init", "haw", data=tmp_path / "new")
        assert run.exit_code == 0
        assert "taking the default one, five members on one machine" in run.err
        assert read_topology(tmp_path / "new" / "topology.toml") == default_topology()

    def test_the_data_folders_own_is_enough(self, city: Path) -> None:
        assert done(shirushi("member", "init", "haw", "--json", data=city))["member"] == "haw"

    def test_another_topology_than_the_folders_is_refused(self, city: Path, tmp_path: Path) -> None:
        write_topology(tmp_path / "other.toml", default_topology())
        run = shirushi("member", "init", "haw", "--topology", tmp_path / "other.toml", data=city)
        assert run.exit_code == 1
        assert "is another topology than" in run.sentence

    def test_keys_are_never_made_twice(self, city: Path) -> None:
        run = shirushi("member", "init", "iizuka", data=city)
        assert run.exit_code == 1
        assert "exists already" in run.sentence

    def test_an_unknown_member_is_refused_before_anything_is_made(self, tmp_path: Path, agreed: Path) -> None:
        run = shirushi("member", "init", "nobody", "--topology", agreed, data=tmp_path / "new")
        assert run.exit_code == 1
        assert "no member 'nobody'; the members are iizuka, " in run.sentence
        assert not (tmp_path / "new").exists()

    def test_how_long_certificates_last_can_be_chosen(self, tmp_path: Path) -> None:
        shirushi("member", "init", "haw", "--days", "30", data=tmp_path / "new")
        shown = done(shirushi("member", "show", "haw", "--json", data=tmp_path / "new"))
        assert shown["days_left"] in (29, 30)


class TestExportAndAdd:
    def test_only_the_member_itself_exports(self, city: Path, from_haw: Path) -> None:
        shirushi("member", "add", from_haw, data=city)
        run = shirushi("member", "export", "haw", data=city)
        assert run.exit_code == 1
        assert "the keys of haw are not in" in run.sentence

    def test_another_fingerprint_is_refused_and_nothing_is_kept(self, city: Path, from_haw: Path) -> None:
        run = shirushi("member", "add", from_haw, "--fingerprint", "0" * 64, data=city)
        assert run.exit_code == 1
        assert "expected the fingerprint 0000 0000" in run.sentence
        assert not (city / "bundles").exists()

    def test_a_tampered_bundle_is_refused_and_nothing_is_kept(self, city: Path, from_haw: Path) -> None:
        from_haw.write_bytes(from_haw.read_bytes().replace(b":17070}", b":17071}"))
        run = shirushi("member", "add", from_haw, data=city)
        assert run.exit_code == 1
        assert "the bundle of haw has peer.port = 17071, the topology 17070" in run.sentence
        assert not (city / "bundles").exists()

    def test_a_file_that_is_no_bundle_is_named(self, city: Path, agreed: Path, tmp_path: Path) -> None:
        assert f"{agreed}: not a member's bundle" in shirushi("member", "add", agreed, data=city).sentence
        assert "gone cannot be read" in shirushi("member", "add", tmp_path / "gone", data=city).sentence

    def test_ones_own_is_not_added(self, city: Path, tmp_path: Path) -> None:
        shirushi("member", "export", "iizuka", "-o", tmp_path / "own", data=city)
        assert (
            "is made from them, not added" in shirushi("member", "add", tmp_path / "own", data=city).sentence
        )

    def test_a_second_bundle_of_a_member_takes_the_place_of_the_first_and_is_said(
        self, city: Path, haw: Path, from_haw: Path
    ) -> None:
        first = done(shirushi("member", "add", from_haw, "--json", data=city))
        again = done(shirushi("member", "add", from_haw, "--json", data=city))
        shirushi("member", "renew", "haw", "--only", "orderer", data=haw)
        shirushi("member", "export", "haw", "-o", from_haw, data=haw)
        second = done(shirushi("member", "add", from_haw, "--json", data=city))
        replaced = [each["replaced_another"] for each in (first, again, second)]
        assert replaced == [False, False, True]
        assert first["fingerprint"] != second["fingerprint"]

    def test_a_folder_without_a_topology_is_told_how_to_get_one(self, tmp_path: Path, from_haw: Path) -> None:
        run = shirushi("member", "add", from_haw, data=tmp_path / "empty")
        assert run.exit_code == 1
        assert "no topology in" in run.sentence
        assert "member init ID --topology FILE" in run.sentence


class TestShow:
    def test_of_ones_own_all_certificates(self, city: Path) -> None:
        shown = done(shirushi("member", "show", "iizuka", "--json", data=city))
        assert (shown["keys_here"], len(shown["certificates"])) == (True, 12)
        assert shown["days_left"] == min(each["days_left"] for each in shown["certificates"])

    def test_of_another_those_of_its_bundle(self, city: Path, from_haw: Path) -> None:
        shirushi("member", "add", from_haw, data=city)
        shown = done(shirushi("member", "show", "haw", "--json", data=city))
        whats = [each["what"] for each in shown["certificates"]]
        assert (shown["keys_here"], whats) == (False, ["ca", "tls-ca", "orderer", "orderer-tls"])

    def test_of_one_whose_bundle_is_missing_how_to_get_it(self, city: Path) -> None:
        assert (
            "no bundle of gcom: ask Gcom Holdings" in shirushi("member", "show", "gcom", data=city).sentence
        )


class TestRenewAndRevoke:
    def test_what_has_to_follow_is_said(self, city: Path) -> None:
        run = shirushi("member", "renew", "iizuka", "--only", "orderer", "--only", "peer", data=city)
        assert run.exit_code == 0
        assert "channel configuration update" in run.out
        assert "restart the peer" in run.out
        assert "the CAs were not renewed" in run.err

    def test_an_unknown_part_is_a_usage_error(self, city: Path) -> None:
        assert shirushi("member", "renew", "iizuka", "--only", "ca", data=city).exit_code == 3

    def test_a_revoked_certificate_is_in_the_next_bundle(self, city: Path, tmp_path: Path) -> None:
        renewed = done(shirushi("member", "renew", "iizuka", "--only", "client", "--json", data=city))
        old = Path(renewed["renewed"][0]["superseded"]) / "signcerts" / "cert.pem"
        run = shirushi("member", "revoke", "iizuka", old, data=city)
        assert run.exit_code == 0
        assert "configuration update" in run.out
        shirushi("member", "export", "iizuka", "-o", tmp_path / "x", data=city)
        assert len(json.loads((tmp_path / "x").read_bytes())["revocation_lists"]) == 1

    def test_one_in_use_is_refused(self, city: Path) -> None:
        used = city / "members/iizuka/users/client/msp/signcerts/cert.pem"
        run = shirushi("member", "revoke", "iizuka", used, data=city)
        assert run.exit_code == 1
        assert "is in use as client" in run.sentence


class TestImport:
    def test_a_member_with_certificates_from_elsewhere_takes_part(
        self, agreed: Path, tmp_path: Path, city: Path
    ) -> None:
        data = tmp_path / "haw-data"
        data.mkdir()
        shutil.copy(agreed, data / "topology.toml")
        folder = ForeignPki.make().write(tmp_path / "foreign", TOPOLOGY.member("haw"))
        imported = done(shirushi("member", "import", "haw", folder, "--json", data=data))
        assert imported["missing"] == ["chaincode-tls", "seal"]
        shirushi("member", "export", "haw", "-o", tmp_path / "haw.json", data=data)
        added = done(shirushi("member", "add", tmp_path / "haw.json", "--json", data=city))
        assert added["fingerprint"] == imported["fingerprint"]
        assert "come from elsewhere" in shirushi("member", "renew", "haw", data=data).sentence

    def test_a_folder_that_lacks_something_is_named(self, city: Path, tmp_path: Path) -> None:
        (tmp_path / "foreign").mkdir()
        run = shirushi("member", "import", "haw", tmp_path / "foreign", data=city)
        assert run.exit_code == 1
        assert "foreign has no msp of haw" in run.sentence

    def test_a_part_that_is_none_is_refused(self, city: Path, tmp_path: Path) -> None:
        run = shirushi("member", "import", "haw", tmp_path, "--part", "boss=x", data=city)
        assert "expected NAME=FOLDER" in run.sentence


class TestGenesis:
    def test_missing_bundles_are_named(self, city: Path, from_haw: Path) -> None:
        shirushi("member", "add", from_haw, data=city)
        assert (
            "no bundle of chaintope, kaguya, gcom: ask each"
            in shirushi("channel", "genesis", data=city).sentence
        )

    def test_another_block_is_replaced_by_force_only(self, tmp_path: Path, agreed: Path) -> None:
        data = tmp_path / "all"
        for name in IDS:
            assert shirushi("member", "init", name, "--topology", agreed, data=data).exit_code == 0
        first = done(shirushi("channel", "genesis", "--json", data=data))
        again = done(shirushi("channel", "genesis", "--json", data=data))
        assert (first["written"], again["written"]) == (True, False)
        shirushi("member", "renew", "haw", "--only", "orderer", data=data)
        assert "is another block" in shirushi("channel", "genesis", data=data).sentence
        assert done(shirushi("channel", "genesis", "--force", "--json", data=data))["written"]
        (data / "ledger").mkdir()
        shirushi("member", "renew", "haw", "--only", "orderer", data=data)
        assert "and there is a ledger:" in shirushi("channel", "genesis", "--force", data=data).sentence
        elsewhere = tmp_path / "elsewhere.block"
        assert done(shirushi("channel", "genesis", "-o", elsewhere, "--json", data=data))["written"]


class TestBringingUp:
    def test_makes_no_keys_for_anybody_once_a_bundle_was_received(self, city: Path, from_haw: Path) -> None:
        shirushi("member", "add", from_haw, data=city)
        with pytest.raises(ConsortiumError, match="no bundle of chaintope"):
            bring_up.prepare(Layout(city), TOPOLOGY, progress=lambda text: None)
        assert [path.name for path in (city / "members").iterdir()] == ["iizuka"]

    def test_builds_the_same_block_as_the_ceremony(self, city: Path) -> None:
        bring_up.prepare(Layout(city), TOPOLOGY, progress=lambda text: None)
        assert not done(shirushi("channel", "genesis", "--json", data=city))["written"]

    def test_the_embedded_engine_needs_every_members_keys(self, city: Path) -> None:
        bring_up.prepare(Layout(city), TOPOLOGY, progress=lambda text: None)
        shutil.rmtree(city / "members" / "haw")
        with pytest.raises(ConsortiumError, match="the keys of haw are not on this machine"):
            EmbeddedConsortium.load(Layout(city))
