"""Whom a verifier believes: what a person named or made their own, and nothing that came with a certificate."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.paper_log import (
    KEYS,
    LEDGER,
    MEMBERS,
    MemberKeys,
    PaperLog,
    signed_policy,
)
from tests.support.paper_log import trust_policy as policy_on_paper
from tests.support.paper_receipts import PaperCity, bare_receipts, certificate
from tests.support.paper_witnesses import PaperWitness, paper_witnesses
from tests.support.typed_command import one_sentence
from typer.testing import CliRunner, Result

from shirushi_client import evidence_session, witness_client
from shirushi_client.cli import main
from shirushi_client.trusted_policies import (
    PolicyLookup,
    earlier_path,
    trusted_path,
)
from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.canonical import encode
from shirushi_core.proofs.policy_update import SignedPolicy
from shirushi_core.proofs.status import Status
from shirushi_core.proofs.status_max_age import StatusMaxAge
from shirushi_core.proofs.trust_policy import PolicyIssuer, TrustPolicy


def trust_policy(**options: Any) -> TrustPolicy:
    """The members' policy; what is on paper is of long ago, and old enough for it."""
    return dataclasses.replace(policy_on_paper(**options), status_max_age=StatusMaxAge(10**9))


HOW = "get the members' trust policy, compare its fingerprint with two members, and make it yours with `shirushi policy trust FILE`"
FINGERPRINT = trust_policy().fingerprint.hex()


def of_ledger(ledger: str) -> TrustPolicy:
    return dataclasses.replace(trust_policy(), ledger=ledger)


def second(**changes: object) -> TrustPolicy:
    values: dict[str, object] = {"version": 2, "issued_at": int(time.time())} | changes
    return dataclasses.replace(trust_policy(), **values)  # type: ignore[arg-type]


class Desk:
    """A recipient's computer: a home, an inbox, a folder where they stand, and witnesses that answer."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.inbox = root / "inbox"
        self.inbox.mkdir()
        self.home = root / "home"
        self.city = PaperCity(bare_receipts(3, valid_until=None))
        self.witnesses: dict[str, PaperWitness] = paper_witnesses(self.city.log, lambda: int(time.time()))
        self.file = self.receive("0.pdf", self.city)

    def receive(self, name: str, city: PaperCity) -> Path:
        file = self.inbox / name
        file.write_bytes(certificate(0))
        (self.inbox / f"{name}.receipt.json").write_bytes(city.receipt().to_bytes())
        return file

    def write(self, name: str, policy: TrustPolicy, by: tuple[str, ...] = MEMBERS) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(signed_policy(policy, by).to_bytes())
        return path

    @property
    def own(self) -> Path:
        return self.home / "shirushi"

    def run(self, *arguments: object, typed: str = "", **environment: str) -> Result:
        values: dict[str, str | None] = {
            "LANG": "en_US.UTF-8",
            "LC_ALL": None,
            "COLUMNS": "240",
            "SHIRUSHI_DATA": None,
            "SHIRUSHI_POLICY": None,
            "XDG_DATA_HOME": str(self.home),
        }
        return CliRunner(env=values | environment).invoke(
            main.app, [str(each) for each in arguments], input=typed, catch_exceptions=False
        )

    def trust(self, policy: TrustPolicy) -> Path:
        result = self.run(
            "policy",
            "trust",
            self.write(f"{policy.ledger}.json", policy),
            "--fingerprint",
            policy.fingerprint.hex(),
            "--test",
        )
        assert result.exit_code == 0, result.stderr
        return self.own / "policies" / f"{policy.ledger}.json"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    @asynccontextmanager
    async def open_witnesses(*_: Any) -> AsyncIterator[list[PaperWitness]]:
        desk.city.log.tick(int(time.time()))
        yield list(desk.witnesses.values())

    monkeypatch.setattr(evidence_session, "open_witnesses", open_witnesses)
    monkeypatch.setattr(witness_client, "open_witnesses", open_witnesses)
    return desk


class TestWhatLiesAbout:
    """An unpacked archive that brings its own root of trust."""

    @pytest.fixture
    def forged(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A folder with a certificate forged from end to end: seal, log, five members, and the policy that names them."""
        forgers = {member: MemberKeys(f"forged-{member}") for member in MEMBERS}
        made = {
            member: dataclasses.replace(keys.policy_member(trust_policy().members[0].window), id=member)
            for member, keys in forgers.items()
        }
        policy = dataclasses.replace(
            trust_policy(),
            members=tuple(made.values()),
            issuers=(PolicyIssuer("iizuka-city", "飯塚市", "Iizuka City", ()),),
        )
        with monkeypatch.context() as patched:
            for member, keys in forgers.items():
                patched.setitem(KEYS, member, _As(keys, member))
            city = PaperCity(bare_receipts(3, valid_until=None))
            receipt = city.receipt().to_bytes()
            signed = signed_policy(policy).to_bytes()
        folder = desk.root / "unpacked"
        (folder / ".shirushi").mkdir(parents=True)
        (folder / "policies").mkdir()
        for name in (
            ".shirushi/trust-policy.json",
            "trust-policy.json",
            f"policies/{LEDGER}.json",
            f"{LEDGER}.json",
        ):
            (folder / name).write_bytes(signed)
        (folder / "forged.pdf").write_bytes(certificate(0))
        (folder / "forged.pdf.receipt.json").write_bytes(receipt)
        monkeypatch.chdir(folder)
        return folder

    def test_the_forgery_is_good_enough_to_read_valid_to_whoever_believes_its_policy(
        self, desk: Desk, forged: Path
    ) -> None:
        result = desk.run(
            "verify", "forged.pdf", "--policy", ".shirushi/trust-policy.json", "--offline", "--lang", "en"
        )
        assert result.exit_code == 0, result.stdout
        assert "VALID" in result.stdout

    @pytest.mark.parametrize("arguments", [(), ("--offline",), ("--online",), ("--at", "2026-10-01")])
    def test_a_hidden_policy_where_one_stands_makes_nothing_valid(
        self, desk: Desk, forged: Path, arguments: tuple[str, ...]
    ) -> None:
        result = desk.run("verify", "forged.pdf", *arguments)
        assert result.exit_code == 3
        assert "VALID" not in result.stdout
        assert HOW in one_sentence(result)

    def test_nor_for_a_whole_folder(self, desk: Desk, forged: Path) -> None:
        result = desk.run("verify", ".", "--json")
        assert result.exit_code == 3
        assert json.loads(result.stdout)["summary"]["valid"] == 0

    def test_nor_to_one_who_trusts_the_real_members(self, desk: Desk, forged: Path) -> None:
        desk.trust(trust_policy())
        result = desk.run("verify", "forged.pdf", "--offline", "--json")
        assert result.exit_code == 2
        assert json.loads(result.stdout)["verdict"] == "cannot_confirm"

    @pytest.mark.parametrize(
        "arguments",
        [
            ("policy", "show"),
            ("policy", "export"),
            ("policy", "update"),
            ("refresh", "forged.pdf"),
            ("history", "forged.pdf"),
            ("batches",),
            ("issuer", "show", "iizuka-city"),
            ("audit",),
            ("channel", "policy", "--dry-run"),
        ],
    )
    def test_no_other_command_reads_it_either(
        self, desk: Desk, forged: Path, arguments: tuple[str, ...]
    ) -> None:
        (forged / ".shirushi" / "consortium.json").write_text("{}")
        (forged / ".shirushi" / "topology.toml").write_text("x")
        (forged / "consortium.json").write_text("{}")
        result = desk.run(*arguments)
        assert result.exit_code != 0
        said = result.stdout + result.stderr
        assert ".shirushi" not in said
        assert "forged-" not in said


class _As:
    """A forger's keys under a member's name."""

    def __init__(self, keys: MemberKeys, member: str) -> None:
        self._keys = keys
        self.id = member

    def signatures(self, checkpoint: Any, at: int) -> Any:
        from shirushi_core.proofs.checkpoint import cosign, sign_as_log
        from shirushi_core.proofs.note import SignedNote
        from shirushi_core.proofs.quorum import sign_share
        from shirushi_core.proofs.trust_policy import cosigner_name

        name = cosigner_name(LEDGER, self.id)
        return SignedNote(
            checkpoint.to_text(),
            (
                sign_as_log(checkpoint, self._keys.log),
                cosign(checkpoint, name, self._keys.cosigner, at),
                sign_share(checkpoint, name, self._keys.bls, at // 60),
            ),
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._keys, name)


class TestMakingAPolicyOnesOwn:
    def test_it_is_shown_asked_about_and_kept_for_its_ledger(self, desk: Desk) -> None:
        file = desk.write("policy.json", of_ledger("anchors"))
        fingerprint = of_ledger("anchors").fingerprint.hex()
        result = desk.run("policy", "trust", file, typed="y\n")
        assert result.exit_code == 0, result.stderr
        for text in (fingerprint[:4], *MEMBERS, "quorum", "no end", "Have two members told you"):
            assert text in result.stdout
        assert "TEST" not in result.stdout
        kept = desk.own / "policies" / "anchors.json"
        assert kept.read_bytes() == file.read_bytes()
        assert kept.parent.stat().st_mode & 0o077 == 0

    @pytest.mark.parametrize("typed", ["n\n", "\n", "", "y\n"])
    def test_a_test_ledger_is_named_as_one_and_asked_for_by_itself(self, desk: Desk, typed: str) -> None:
        result = desk.run("policy", "trust", desk.write("policy.json", trust_policy()), typed=typed)
        assert result.exit_code == 1
        assert f"{LEDGER} is a TEST ledger" in result.stdout
        assert "nothing was changed" in result.stderr
        assert not (desk.own / "policies").exists()

    def test_it_is_taken_when_both_questions_are_answered(self, desk: Desk) -> None:
        file = desk.write("policy.json", trust_policy())
        assert desk.run("policy", "trust", file, typed="y\ny\n").exit_code == 0
        assert "yours already" in desk.run("policy", "trust", file).stdout

    def test_a_script_gives_the_fingerprint(self, desk: Desk) -> None:
        file = desk.write("policy.json", of_ledger("anchors"))
        fingerprint = of_ledger("anchors").fingerprint.hex()
        refused = desk.run("policy", "trust", file, "--fingerprint", FINGERPRINT)
        assert (refused.exit_code, "REFUSED" in one_sentence(refused)) == (1, True)
        spelled = " ".join(fingerprint[start : start + 4] for start in range(0, 64, 4)).upper()
        done = desk.run("policy", "trust", file, "--fingerprint", spelled, "--json")
        assert done.exit_code == 0, done.stderr
        assert json.loads(done.stdout)["ledger"] == "anchors"

    def test_a_script_says_too_that_it_means_a_test_ledger(self, desk: Desk) -> None:
        file = desk.write("policy.json", trust_policy())
        refused = desk.run("policy", "trust", file, "--fingerprint", FINGERPRINT)
        assert "TEST ledger: add --test" in one_sentence(refused)
        assert desk.run("policy", "trust", file, "--fingerprint", FINGERPRINT, "--test").exit_code == 0

    @pytest.mark.parametrize("version", [1, 2])
    def test_a_second_first_policy_is_refused_loudly_also_a_later_version(
        self, desk: Desk, version: int
    ) -> None:
        kept = desk.trust(trust_policy())
        before = kept.read_bytes()
        other = desk.write(
            "other.json", dataclasses.replace(trust_policy(), version=version, expires_at=1 << 32)
        )
        for arguments in (
            (),
            ("--fingerprint", SignedPolicy.from_bytes(other.read_bytes()).policy.fingerprint.hex()),
        ):
            refused = desk.run("policy", "trust", other, *arguments, "--test", typed="y\ny\n")
            assert refused.exit_code == 1
            assert "REFUSED: you trust another policy" in refused.stderr
            assert FINGERPRINT in refused.stderr
            assert "shirushi policy update" in refused.stderr
        assert kept.read_bytes() == before

    def test_it_may_be_followed_by_an_update_which_keeps_the_one_before(self, desk: Desk) -> None:
        kept = desk.trust(trust_policy())
        new = second()
        done = desk.run("policy", "update", desk.write("new.json", new))
        assert done.exit_code == 0, done.stderr
        assert SignedPolicy.from_bytes(kept.read_bytes()).policy == new
        before = SignedPolicy.from_bytes((kept.parent / f"{LEDGER}@v1.json").read_bytes())
        assert before.policy == trust_policy()
        refused = desk.run("policy", "update", desk.write("third.json", second(version=3), MEMBERS[:2]))
        assert refused.exit_code == 1

    def test_an_update_goes_to_the_policy_of_its_own_ledger(self, desk: Desk) -> None:
        for ledger in ("anchors", "registry"):
            desk.trust(of_ledger(ledger))
        new = dataclasses.replace(of_ledger("registry"), version=2, issued_at=int(time.time()))
        assert desk.run("policy", "update", desk.write("new.json", new)).exit_code == 0
        shown = [
            json.loads(desk.run("policy", "show", "--ledger", name, "--json").stdout)
            for name in ("anchors", "registry")
        ]
        assert [each["policy"]["version"] for each in shown] == [1, 2]
        assert "name one with --policy FILE, or --ledger NAME of anchors, registry" in one_sentence(
            desk.run("policy", "show")
        )

    @pytest.mark.parametrize(
        "name", ["../anchors", "a/b", ".hidden", "", "A", "anchors@v1", "a\0b", "a" * 250]
    )
    def test_the_name_of_a_ledger_leads_to_no_other_file(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(InvalidInputError):
            trusted_path(name, {"XDG_DATA_HOME": str(tmp_path)})

    def test_an_earlier_version_never_has_another_ledgers_name(self, tmp_path: Path) -> None:
        path = trusted_path("a", {"XDG_DATA_HOME": str(tmp_path)})
        assert earlier_path(path, 1).name == "a@v1.json"
        with pytest.raises(InvalidInputError):
            trusted_path("a@v1", {"XDG_DATA_HOME": str(tmp_path)})

    def test_a_file_under_another_ledgers_name_is_not_its_policy(self, desk: Desk) -> None:
        kept = desk.trust(of_ledger("anchors"))
        shutil.copy(kept, kept.with_name(f"{LEDGER}.json"))
        result = desk.run("verify", desk.file)
        assert result.exit_code == 3
        assert f"expected a trust policy of {LEDGER}, found one of anchors" in one_sentence(result)


class TestFindingThePolicy:
    def test_without_any_a_first_verification_says_how_one_comes_by_one(self, desk: Desk) -> None:
        result = desk.run("verify", desk.file)
        assert result.exit_code == 3
        assert f"there is no trust policy for the ledger {LEDGER}: {HOW}" in one_sentence(result)
        assert "consortium up" not in result.stderr

    def test_a_receipt_finds_the_trusted_policy_of_its_ledger_and_the_newest_status_is_asked_for(
        self, desk: Desk
    ) -> None:
        desk.trust(of_ledger("anchors"))
        desk.trust(trust_policy())
        report = json.loads(desk.run("verify", desk.file, "--json").stdout)
        assert (report["verdict"], report["evidence"]["mode"]) == ("valid", "refreshed")
        assert report["evidence"]["policy"] == {
            "expires_at": None,
            "fingerprint": FINGERPRINT,
            "ledger": LEDGER,
            "source": "trusted",
            "version": 1,
        }
        desk.city.change(Status.REVOKED)
        assert desk.run("verify", desk.file).exit_code == 1

    def test_the_users_own_folder_comes_after_what_is_trusted(self, desk: Desk) -> None:
        desk.own.mkdir(parents=True)
        shutil.copy(desk.write("policy.json", trust_policy()), desk.own / "trust-policy.json")
        report = json.loads(desk.run("verify", desk.file, "--offline", "--json").stdout)
        assert report["evidence"]["policy"]["source"] == "data_folder"
        desk.trust(trust_policy())
        report = json.loads(desk.run("verify", desk.file, "--offline", "--json").stdout)
        assert report["evidence"]["policy"]["source"] == "trusted"

    def test_each_of_several_files_is_judged_by_its_own_ledgers_policy(
        self, desk: Desk, tmp_path: Path
    ) -> None:
        other = PaperCity(bare_receipts(1, ledger="other-test", valid_until=None), log=PaperLog("other-test"))
        stranger = PaperCity(
            bare_receipts(1, ledger="strange-test", valid_until=None), log=PaperLog("strange-test")
        )
        files = [desk.receive("1.pdf", other), desk.file]
        desk.trust(trust_policy())
        desk.trust(of_ledger("other-test"))
        reports = json.loads(desk.run("verify", *files, "--offline", "--json").stdout)["reports"]
        assert [each["file"] for each in reports] == ["1.pdf", "0.pdf"]
        assert [each["evidence"]["policy"]["ledger"] for each in reports] == ["other-test", LEDGER]
        assert [each["ledger"] for each in reports] == ["other-test", LEDGER]
        desk.receive("2.pdf", stranger)
        out = tmp_path / "out.csv"
        assert desk.run("verify", desk.inbox, "--offline", "--csv", out).exit_code == 3
        with out.open(encoding="utf-8-sig", newline="") as file:
            rows = {row["file"]: row for row in csv.DictReader(file)}
        assert [rows[name]["ledger"] for name in ("0.pdf", "1.pdf", "2.pdf")] == [
            LEDGER,
            "other-test",
            "strange-test",
        ]
        assert [rows[name]["verdict"] for name in ("0.pdf", "2.pdf")] == ["valid", "unread"]
        assert rows["0.pdf"]["policy_fingerprint"] == FINGERPRINT
        assert (rows["0.pdf"]["policy_version"], rows["0.pdf"]["policy_source"]) == ("1", "trusted")
        assert HOW in rows["2.pdf"]["reason_en"]
        assert "shirushi policy trust FILE" in rows["2.pdf"]["reason_ja"]

    @pytest.mark.parametrize(
        ("arguments", "environment", "source"),
        [
            (("--policy", "{option}"), {"SHIRUSHI_POLICY": "{environment}"}, "option"),
            (("--data", "{data}"), {"SHIRUSHI_POLICY": "{environment}"}, "data_folder"),
            ((), {"SHIRUSHI_POLICY": "{environment}", "SHIRUSHI_DATA": "{data}"}, "environment"),
            ((), {"SHIRUSHI_DATA": "{data}"}, "data_folder"),
            ((), {}, "trusted"),
        ],
    )
    def test_what_is_named_comes_first_and_every_report_says_where_it_came_from(
        self, desk: Desk, arguments: tuple[str, ...], environment: dict[str, str], source: str
    ) -> None:
        places = {
            "option": desk.write("option.json", trust_policy()),
            "environment": desk.write("environment.json", trust_policy()),
            "data": desk.write("data/trust-policy.json", trust_policy()).parent,
        }
        desk.trust(trust_policy())
        named = [each.format(**places) for each in arguments]
        variables = {name: value.format(**places) for name, value in environment.items()}
        report = json.loads(desk.run("verify", desk.file, "--offline", *named, "--json", **variables).stdout)
        assert report["evidence"]["policy"]["source"] == source
        words = {
            "option": ("named by --policy", "--policyで指定"),
            "environment": ("named by SHIRUSHI_POLICY", "SHIRUSHI_POLICYで指定"),
            "data_folder": ("of the data folder", "データフォルダーのもの"),
            "trusted": ("trusted by you", "登録済みのもの"),
        }[source]
        for language, word in zip(("en", "ja"), words, strict=True):
            text = desk.run("verify", desk.file, "--offline", *named, "--lang", language, **variables).stdout
            assert word in text
            assert FINGERPRINT in text
            assert LEDGER in text

    def test_an_environment_that_names_a_missing_file_is_an_error_and_nothing_else_is_tried(
        self, desk: Desk
    ) -> None:
        desk.trust(trust_policy())
        result = desk.run("verify", desk.file, SHIRUSHI_POLICY=str(desk.root / "missing.json"))
        assert result.exit_code == 3
        assert "missing.json cannot be read" in one_sentence(result)

    def test_a_receipt_that_says_nonsense_for_a_ledger_reads_no_file(self, desk: Desk) -> None:
        desk.trust(trust_policy())
        receipt = desk.inbox / "0.pdf.receipt.json"
        value = json.loads(receipt.read_bytes())
        value["anchor"]["statement"]["ledger"] = "../../etc/passwd"
        receipt.write_bytes(encode(value))
        result = desk.run("verify", desk.file)
        assert result.exit_code == 3
        assert "passwd" not in result.stdout

    def test_refreshing_goes_by_the_receipts_ledger_too(self, desk: Desk) -> None:
        assert f"no trust policy for the ledger {LEDGER}" in one_sentence(desk.run("refresh", desk.file))
        desk.trust(trust_policy())
        assert desk.run("refresh", desk.file).exit_code == 0


class TestNewerPolicies:
    @pytest.fixture
    def ahead(self, desk: Desk) -> Desk:
        """A desk whose policy is two versions behind what two witnesses serve."""
        versions = [signed_policy(second()), signed_policy(second(version=3))]
        for member in ("haw", "gcom"):
            desk.witnesses[member].policies = list(versions)
        return desk

    @pytest.mark.parametrize("command", [("verify", "--online"), ("refresh",)])
    def test_whoever_asks_witnesses_hears_that_theirs_is_older_and_believes_nothing(
        self, ahead: Desk, command: tuple[str, ...]
    ) -> None:
        kept = ahead.trust(trust_policy())
        before = kept.read_bytes()
        result = ahead.run(command[0], ahead.file, *command[1:])
        assert result.exit_code == 0, result.stderr
        assert (
            f"the trust policy of {LEDGER} is version 1 here, and version 3 at the witness of haw, gcom"
            in result.stderr
        )
        assert "shirushi policy update" in result.stderr
        assert kept.read_bytes() == before

    def test_a_policy_of_the_same_version_that_differs_is_said(self, desk: Desk) -> None:
        desk.trust(trust_policy())
        desk.witnesses["haw"].policies = [
            signed_policy(dataclasses.replace(trust_policy(), expires_at=1 << 32))
        ]
        assert (
            "the witness of haw serves another version 1" in desk.run("verify", desk.file, "--online").stderr
        )

    def test_a_witness_that_does_not_say_delays_nothing_and_is_not_mentioned(self, desk: Desk) -> None:
        desk.trust(trust_policy())
        result = desk.run("verify", desk.file, "--online")
        assert (result.exit_code, result.stderr) == (0, "")

    def test_an_update_without_a_file_takes_what_follows_one_by_one(self, ahead: Desk) -> None:
        kept = ahead.trust(trust_policy())
        result = ahead.run("policy", "update", "--json")
        assert result.exit_code == 0, result.stderr
        document = json.loads(result.stdout)
        assert (document["replaced"], document["version"]) == (1, 3)
        assert SignedPolicy.from_bytes(kept.read_bytes()).policy.version == 3
        assert {path.name for path in kept.parent.iterdir()} == {
            f"{LEDGER}{end}.json" for end in ("", "@v1", "@v2")
        }
        again = ahead.run("policy", "update")
        assert "stays version 3" in again.stdout

    def test_what_the_members_did_not_sign_is_not_taken_and_hides_nothing_that_they_did(
        self, desk: Desk
    ) -> None:
        kept = desk.trust(trust_policy())
        liar = desk.witnesses["kaguya"]
        liar.policies = [signed_policy(second(quorums=trust_policy(quorum=5).quorums), MEMBERS[:2])]
        refused = desk.run("policy", "update")
        assert "stays version 1" in refused.stdout
        assert "kaguya: trust policy version 2: expected signatures of 3 members" in refused.stderr
        desk.witnesses["haw"].policies = [signed_policy(second())]
        assert desk.run("policy", "update").exit_code == 0
        assert SignedPolicy.from_bytes(kept.read_bytes()).policy.quorums == trust_policy().quorums


def test_the_look_up_is_by_ledger_only_where_nothing_was_named(tmp_path: Path) -> None:
    assert PolicyLookup(None, None, {}).is_by_ledger
    assert PolicyLookup(None, None, {"SHIRUSHI_DATA": ""}).is_by_ledger
    for option, data, environment in (
        (tmp_path, None, {}),
        (None, tmp_path, {}),
        (None, None, {"SHIRUSHI_POLICY": "x"}),
        (None, None, {"SHIRUSHI_DATA": "x"}),
    ):
        assert not PolicyLookup(option, data, environment).is_by_ledger
