"""`shirushi policy`: shown, checked, replaced by its next version, exported."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.paper_log import BEGIN, MEMBERS, signed_policy, trust_policy
from tests.support.typed_command import Run, one_sentence

from shirushi_core.proofs.policy_update import SignedPolicy
from shirushi_core.proofs.trust_policy import TrustPolicy

PRESENT = trust_policy()
NEXT = replace(PRESENT, version=2, issued_at=BEGIN + 10)


@pytest.fixture
def present(data: Path) -> Path:
    data.mkdir()
    path = data / "trust-policy.json"
    path.write_bytes(signed_policy(PRESENT).to_bytes())
    return path


def written(path: Path, policy: TrustPolicy, by: tuple[str, ...] = MEMBERS[:3]) -> Path:
    path.write_bytes(signed_policy(policy, by).to_bytes())
    return path


def test_it_is_shown_with_its_fingerprint_keys_quorum_and_seals(present: Path, run: Run) -> None:
    shown = run("policy", "show").stdout
    digits = PRESENT.fingerprint.hex()
    assert f"fingerprint   {digits[:4]} {digits[4:8]}" in shown
    assert "version 1" in shown
    assert "quorum        3 of 5 members" in shown
    assert "CN=seal" in shown
    assert "cosigner" in shown
    assert "signed by     iizuka, chaintope, haw, kaguya, gcom" in shown


def test_an_expired_one_is_shown_as_that(present: Path, run: Run) -> None:
    written(present, replace(PRESENT, expires_at=BEGIN + 1))
    assert "EXPIRED at 2026-09" in run("policy", "show").stdout


def test_as_json_it_is_all_there(present: Path, run: Run) -> None:
    view = json.loads(run("policy", "show", "--policy", present, "--json").stdout)
    assert view["fingerprint"] == PRESENT.fingerprint.hex()
    assert view["signed_by"] == list(MEMBERS)
    assert TrustPolicy.from_json(view["policy"]) == PRESENT


def test_the_next_version_takes_its_place_and_the_old_one_is_kept(
    present: Path, run: Run, tmp_path: Path
) -> None:
    before = present.read_bytes()
    result = run("policy", "update", written(tmp_path / "new.json", NEXT))
    assert result.exit_code == 0
    assert "is version 2 now, signed by iizuka, chaintope, haw" in result.stdout
    assert SignedPolicy.from_bytes(present.read_bytes()).policy == NEXT
    assert (present.parent / "trust-policy.v1.json").read_bytes() == before
    assert {path.name for path in present.parent.iterdir()} == {"trust-policy.json", "trust-policy.v1.json"}


@pytest.mark.parametrize(
    ("policy", "by", "words"),
    [
        (NEXT, MEMBERS[:2], "expected signatures of 3 members"),
        (replace(NEXT, version=3), MEMBERS, "expected version 2"),
        (replace(NEXT, ledger="elsewhere-test"), MEMBERS, "expected one of the ledger"),
        (replace(NEXT, issuers=()), MEMBERS, "takes back"),
        (PRESENT, MEMBERS, "expected version 2"),
    ],
    ids=["too few", "a version left out", "another ledger's", "takes back", "the same"],
)
def test_what_may_not_follow_is_refused_and_changes_nothing(
    present: Path, run: Run, tmp_path: Path, policy: TrustPolicy, by: tuple[str, ...], words: str
) -> None:
    before = present.read_bytes()
    new = written(tmp_path / "new.json", policy, by)
    for result in (run("policy", "update", new), run("policy", "verify", new, "--against", present)):
        assert result.exit_code == 1
        assert words in one_sentence(result)
    assert present.read_bytes() == before
    assert [path.name for path in present.parent.iterdir()] == ["trust-policy.json"]


def test_a_signature_that_does_not_hold_is_said_with_the_member(
    present: Path, run: Run, tmp_path: Path
) -> None:
    signed, other = signed_policy(NEXT, MEMBERS[:3]), signed_policy(PRESENT, MEMBERS[:1])
    lines = (replace(signed.signatures[0], signature=other.signatures[0].signature), *signed.signatures[1:])
    new = tmp_path / "new.json"
    new.write_bytes(SignedPolicy(NEXT, lines).to_bytes())
    result = run("policy", "update", new)
    assert result.exit_code == 1
    assert "iizuka" in one_sentence(result)


def test_a_file_is_checked_alone_and_against_another(present: Path, run: Run, tmp_path: Path) -> None:
    alone = run("policy", "verify", present)
    assert alone.exit_code == 0
    assert "signed by 5 of its own members" in alone.stdout
    new = written(tmp_path / "new.json", NEXT)
    against = run("policy", "verify", new, "--against", present)
    assert "signed by 3 of members of version 1" in against.stdout
    assert "may follow version 1" in against.stdout
    assert json.loads(run("policy", "verify", new, "--json").stdout)["signed_by"] == list(MEMBERS[:3])


def test_one_that_too_few_of_its_own_members_signed_does_not_hold(
    present: Path, run: Run, tmp_path: Path
) -> None:
    result = run("policy", "verify", written(tmp_path / "new.json", PRESENT, MEMBERS[:1]))
    assert result.exit_code == 1
    assert "found 1 (iizuka)" in one_sentence(result)


def test_it_is_exported_as_a_tlog_policy(present: Path, run: Run, tmp_path: Path) -> None:
    printed = run("policy", "export", "--tlog-policy").stdout
    assert "quorum members\n" in printed
    out = tmp_path / "shirushi.tlog-policy"
    assert run("policy", "export", "--tlog-policy", out).exit_code == 0
    assert out.read_text().splitlines()[1:] == printed.splitlines()[1:]
    assert run("policy", "export").exit_code == 3


@pytest.mark.parametrize("command", ["show", "export --tlog-policy", "update new.json"])
def test_without_a_policy_it_is_said_which_file_is_missing(run: Run, command: str) -> None:
    result = run("policy", *command.split())
    assert result.exit_code == 1
    assert "trust-policy.json cannot be read" in one_sentence(result)
