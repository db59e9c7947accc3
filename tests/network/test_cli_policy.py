"""The trust policy between the members' machines: drafted, looked at, signed by one after the other, kept."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.command import Run, shirushi

from shirushi_core.proofs.policy_update import SignedPolicy, signers
from shirushi_network.bring_up import prepare
from shirushi_network.layout import Layout
from shirushi_network.member_bundle import public_bundle_of
from shirushi_network.policy_files import is_behind, make_first_policy
from shirushi_network.topology import default_topology
from shirushi_network.topology_file import write_topology

TOPOLOGY = replace(default_topology(), channel="ceremony-test")
IDS = [member.id for member in TOPOLOGY.members]


def done(run: Run) -> Any:
    assert run.exit_code == 0, run.err
    return run.json


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Five members' data folders, each with its own keys and the others' bundles."""
    agreed = tmp_path / "agreed.toml"
    write_topology(agreed, TOPOLOGY)
    made = {name: tmp_path / name for name in IDS}
    for name, data in made.items():
        assert shirushi("member", "init", name, "--topology", agreed, data=data).exit_code == 0
        done(shirushi("member", "export", name, "-o", tmp_path / f"{name}.json", "--json", data=data))
    for name, data in made.items():
        for other in IDS:
            if other != name:
                done(shirushi("member", "add", tmp_path / f"{other}.json", "--json", data=data))
    return made


@pytest.fixture
def city(folders: dict[str, Path]) -> Path:
    return folders["iizuka"]


@pytest.fixture
def draft(city: Path, tmp_path: Path) -> Path:
    """Version 1 as the city drafted it, unsigned."""
    file = tmp_path / "policy.json"
    done(shirushi("channel", "policy", "-o", file, "--json", data=city))
    return file


def sign(file: Path, data: Path, *options: str | Path) -> Run:
    return shirushi("member", "sign-policy", file, "--yes", "--json", *options, data=data)


def kept(data: Path) -> SignedPolicy:
    return SignedPolicy.from_bytes(Layout(data).trust_policy.read_bytes())


class TestTheFirst:
    def test_passes_from_machine_to_machine_until_a_quorum_has_signed(
        self, folders: dict[str, Path], draft: Path
    ) -> None:
        first = done(sign(draft, folders["iizuka"]))
        assert (first["signed_here"], first["signed_by"], first["kept"]) == (["iizuka"], ["iizuka"], False)
        second = done(sign(draft, folders["haw"]))
        assert (second["signed_by"], second["needed"], second["sufficient"]) == (["iizuka", "haw"], 3, False)
        assert not Layout(folders["haw"]).trust_policy.exists()
        third = done(sign(draft, folders["gcom"]))
        assert (third["signed_by"], third["kept"]) == (["iizuka", "haw", "gcom"], True)
        assert third["fingerprint"] == first["fingerprint"]

        for name in ("iizuka", "haw"):  # they signed before there were enough
            again = done(sign(draft, folders[name]))
            assert (again["signed_here"], again["kept"]) == ([], True)
        assert {kept(folders[name]).policy for name in ("iizuka", "haw", "gcom")} == {
            kept(folders["gcom"]).policy
        }
        late = done(sign(draft, folders["kaguya"]))
        assert (late["signed_here"], len(late["signed_by"])) == (["kaguya"], 4)

    def test_is_made_of_the_same_keys_on_every_machine(self, folders: dict[str, Path]) -> None:
        said = {}
        for name, data in folders.items():
            shown = done(shirushi("channel", "policy", "--dry-run", "--json", data=data))
            said[name] = [each for each in shown["says"][1:] if "issuer" not in each]
            assert not shown["kept"]
        assert len({tuple(each) for each in said.values()}) == 1

    def test_is_shown_in_words_with_its_fingerprint_and_asked_for_before_it_is_signed(
        self, city: Path, draft: Path
    ) -> None:
        before = draft.read_bytes()
        run = shirushi("member", "sign-policy", draft, data=city)
        assert run.exit_code != 0
        said = " ".join(run.out.split())
        assert "trust policy of ceremony-test, version 1" in said
        assert "quorum: 3 members have to agree" in said
        assert "sign it for Iizuka City?" in run.err
        assert draft.read_bytes() == before
        assert (
            "--json shows and asks nothing"
            in shirushi("member", "sign-policy", draft, "--json", data=city).err
        )

    def test_copies_that_were_signed_at_once_are_put_together(
        self, folders: dict[str, Path], draft: Path, tmp_path: Path
    ) -> None:
        copies = [tmp_path / f"{name}.signed" for name in ("iizuka", "chaintope", "kaguya")]
        for copy in copies:
            done(sign(draft, folders[copy.stem], "-o", copy))
        merged = shirushi("member", "sign-policy", *copies, "--yes", "--json", data=folders["iizuka"])
        assert (done(merged)["signed_by"], merged.json["kept"]) == (["iizuka", "chaintope", "kaguya"], True)
        other = tmp_path / "other.json"
        done(
            shirushi(
                "channel", "policy", "--expires", "2030-01-01", "-o", other, "--json", data=folders["gcom"]
            )
        )
        refused = shirushi("member", "sign-policy", copies[0], other, "--yes", data=folders["haw"])
        assert "is another policy than" in refused.sentence

    def test_cannot_be_kept_with_the_keys_of_one_member(self, city: Path) -> None:
        run = shirushi("channel", "policy", data=city)
        assert run.exit_code == 1
        assert run.sentence.startswith("signed by 1 of 5 members (iizuka), 3 needed; missing: 2 of chaintope")
        assert not Layout(city).trust_policy.exists()

    def test_of_another_channel_is_not_signed(self, folders: dict[str, Path], draft: Path) -> None:
        write_topology(folders["haw"] / "topology.toml", replace(TOPOLOGY, channel="other-test"))
        run = sign(draft, folders["haw"])
        assert "is the trust policy of ceremony-test; the channel here is other-test" in run.sentence

    @pytest.mark.parametrize("spoilt", [b"", b"{}", b'{"policy":{},"signatures":[]}', b"\xff"])
    def test_a_file_that_is_none_is_named(self, city: Path, tmp_path: Path, spoilt: bytes) -> None:
        (tmp_path / "spoilt.json").write_bytes(spoilt)
        run = sign(tmp_path / "spoilt.json", city)
        assert "spoilt.json is no trust policy: " in run.sentence

    def test_a_signature_that_does_not_hold_is_named(self, folders: dict[str, Path], draft: Path) -> None:
        done(sign(draft, folders["iizuka"]))
        value = json.loads(draft.read_bytes())
        done(
            shirushi(
                "channel", "policy", "--expires", "2031-01-01", "-o", draft, "--json", data=folders["haw"]
            )
        )
        changed = json.loads(draft.read_bytes())
        draft.write_text(json.dumps(changed | {"signatures": value["signatures"]}))
        assert "iizuka: the signature does not hold" in sign(draft, folders["haw"]).sentence


class TestTheNext:
    @pytest.fixture
    def signed(self, folders: dict[str, Path], draft: Path) -> dict[str, Path]:
        """All five have version 1."""
        for data in folders.values():
            done(sign(draft, data))
        for data in folders.values():
            done(sign(draft, data))
        return folders

    def test_follows_a_renewed_admin_key_and_is_signed_with_the_old_one(
        self, signed: dict[str, Path], tmp_path: Path
    ) -> None:
        haw = signed["haw"]
        layout = Layout(haw)
        assert not is_behind(layout, TOPOLOGY, datetime.now(UTC))
        renewed = done(shirushi("member", "renew", "haw", "--only", "admin", "--json", data=haw))["renewed"]
        assert "the next trust policy" in renewed[0]["next"]
        assert is_behind(layout, TOPOLOGY, datetime.now(UTC))
        file = tmp_path / "second.json"
        made = done(shirushi("channel", "policy", "-o", file, "--json", data=haw))
        assert made["version"] == 2
        assert [each.split(":")[0] for each in made["says"][1:]] == ["haw", "haw"]
        for name in ("haw", "iizuka", "kaguya"):
            found = done(sign(file, signed[name]))
        assert (found["signed_by"], found["kept"]) == (["iizuka", "haw", "kaguya"], True)
        assert kept(signed["kaguya"]).policy.version == 2
        assert kept(signed["gcom"]).policy.version == 1
        assert done(sign(file, signed["gcom"]))["kept"]

    def test_one_that_takes_something_back_is_not_signed(
        self, signed: dict[str, Path], tmp_path: Path
    ) -> None:
        policy = kept(signed["haw"]).policy
        for changed, says in (
            (replace(policy, version=2, members=policy.members[:4]), "takes back the member gcom"),
            (replace(policy, version=3), "expected version 2, found 3"),
            (replace(policy, expires_at=policy.issued_at + 1), "expected version 2, found 1"),
        ):
            file = tmp_path / "bad.json"
            file.write_bytes(SignedPolicy(changed).to_bytes())
            before = file.read_bytes()
            assert says in sign(file, signed["haw"]).sentence
            assert file.read_bytes() == before

    def test_is_judged_by_the_one_before_it_which_has_to_be_here(
        self, signed: dict[str, Path], tmp_path: Path
    ) -> None:
        file = tmp_path / "second.json"
        done(
            shirushi("channel", "policy", "--expires", "2030-01-01", "-o", file, "--json", data=signed["haw"])
        )
        Layout(signed["gcom"]).trust_policy.unlink()
        assert "is judged by the one before it" in sign(file, signed["gcom"]).sentence

    def test_is_not_made_where_nothing_changed_unless_its_last_day_does(
        self, signed: dict[str, Path]
    ) -> None:
        assert (
            "there is nothing to change"
            in shirushi("channel", "policy", "--dry-run", data=signed["haw"]).sentence
        )
        shown = shirushi("channel", "policy", "--dry-run", "--expires", "2030-01-01", data=signed["haw"])
        assert "version 2" in shown.out
        assert "good until 2030-01-01 00:00:00Z" in " ".join(shown.out.split())
        assert "this is a dry run" in shown.out
        wrong = shirushi("channel", "policy", "--dry-run", "--expires", "soon", data=signed["haw"])
        assert "expected a day such as" in wrong.sentence

    def test_says_how_old_a_status_may_be_by_document_type_if_it_is_told_to(
        self, signed: dict[str, Path]
    ) -> None:
        ages = ("--status-max-age", "3d", "--status-max-age", "income-certificate=24h")
        shown = shirushi("channel", "policy", "--dry-run", *ages, data=signed["haw"])
        said = " ".join(shown.out.split())
        assert "a status may be 7d old → a status may be 3d old, of income-certificate 1d" in said
        for wrong in ("soon", "=7d", "INCOME=7d", "income=0s", "income=7"):
            refused = shirushi(
                "channel", "policy", "--dry-run", "--status-max-age", wrong, data=signed["haw"]
            )
            assert refused.exit_code != 0

    def test_takes_the_present_ones_place_and_both_are_kept_to_be_served(
        self, signed: dict[str, Path], tmp_path: Path
    ) -> None:
        layout, file = Layout(signed["haw"]), tmp_path / "second.json"
        before = layout.trust_policy.read_bytes()
        done(shirushi("channel", "policy", "--expires", "2030-01-01", "-o", file, "--json", data=layout.root))
        for member in ("iizuka", "chaintope", "haw"):
            sign(file, signed[member])
        sign(file, signed["haw"])
        assert SignedPolicy.from_bytes(layout.trust_policy.read_bytes()).policy.version == 2
        assert SignedPolicy.from_bytes(
            (layout.root / "trust-policy.v1.json").read_bytes()
        ) == SignedPolicy.from_bytes(before)


class TestASeal:
    def test_that_is_elsewhere_is_given_as_a_file(self, folders: dict[str, Path], tmp_path: Path) -> None:
        home = folders["iizuka"] / "members" / "iizuka"
        chain = tmp_path / "seal.pem"
        chain.write_bytes(
            (home / "users/issuer/seal/cert.pem").read_bytes() + (home / "ca/cert.pem").read_bytes()
        )
        without = done(shirushi("channel", "policy", "--dry-run", "--json", data=folders["haw"]))
        assert not any("issuer" in each for each in without["says"])
        option = f"iizuka-city={chain}"
        with_it = done(
            shirushi("channel", "policy", "--seal", option, "--dry-run", "--json", data=folders["haw"])
        )
        assert any("the issuer iizuka-city (飯塚市 / Iizuka City): seal" in each for each in with_it["says"])

    def test_whose_chain_does_not_hold_is_refused(self, folders: dict[str, Path], tmp_path: Path) -> None:
        seal = folders["iizuka"] / "members/iizuka/users/issuer/seal/cert.pem"
        other = folders["haw"] / "members/haw/ca/cert.pem"
        (tmp_path / "seal.pem").write_bytes(seal.read_bytes() + other.read_bytes())
        option = f"iizuka-city={tmp_path / 'seal.pem'}"
        run = shirushi("channel", "policy", "--seal", option, "--dry-run", data=folders["haw"])
        assert "is no chain of a seal: " in run.sentence
        assert (
            "expected ISSUER=FILE"
            in shirushi("channel", "policy", "--seal", "x", data=folders["haw"]).sentence
        )


class TestOneFolderForAll:
    def test_version_1_is_signed_by_all_and_made_once(self, tmp_path: Path) -> None:
        layout = Layout(tmp_path)
        prepare(layout, TOPOLOGY, progress=lambda _: None)
        now = datetime.now(UTC)
        assert make_first_policy(layout, TOPOLOGY, now)
        made = kept(tmp_path)
        assert signers(made, made.policy, int(now.timestamp())) == tuple(IDS)
        assert not make_first_policy(layout, TOPOLOGY, now)
        assert made.policy.issuers[0].id == "iizuka-city"
        assert public_bundle_of(layout, TOPOLOGY.members[0]).witness is not None

    def test_none_is_made_while_too_few_members_run_a_witness(self, tmp_path: Path) -> None:
        layout = Layout(tmp_path)
        few = replace(
            TOPOLOGY,
            members=tuple(
                member if number < 2 else replace(member, witness=None)
                for number, member in enumerate(TOPOLOGY.members)
            ),
        )
        prepare(layout, few, progress=lambda _: None)
        assert not make_first_policy(layout, few, datetime.now(UTC))

    def test_none_is_made_where_a_member_is_elsewhere(self, folders: dict[str, Path]) -> None:
        assert not make_first_policy(Layout(folders["haw"]), TOPOLOGY, datetime.now(UTC))
