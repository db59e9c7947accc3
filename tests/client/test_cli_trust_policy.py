"""`shirushi policy`: shown, checked and updated; nothing that too few signed is taken."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import pytest
from tests.support.paper_log import KEYS, MEMBERS, MemberKeys, signed_policy, trust_policy
from tests.support.typed_command import Run, one_sentence

from shirushi_core.proofs.note import VerifierKey
from shirushi_core.proofs.policy_update import SignedPolicy
from shirushi_core.proofs.tlog_policy import to_tlog_policy
from shirushi_core.proofs.trust_policy import KeyUse, TrustPolicy, sorted_keys
from shirushi_core.proofs.window import Window


def second(**changes: object) -> TrustPolicy:
    values: dict[str, object] = {"version": 2, "issued_at": int(time.time())} | changes
    return dataclasses.replace(trust_policy(), **values)  # type: ignore[arg-type]


@pytest.fixture
def policy(data: Path) -> Path:
    data.mkdir(exist_ok=True)
    path = data / "trust-policy.json"
    path.write_bytes(signed_policy(trust_policy()).to_bytes())
    return path


def written(folder: Path, policy: TrustPolicy, by: tuple[str, ...] = MEMBERS) -> Path:
    path = folder / "new.json"
    path.write_bytes(signed_policy(policy, by).to_bytes())
    return path


def test_it_is_shown_with_a_fingerprint_to_read_out(policy: Path, run: Run) -> None:
    shown = run("policy", "show")
    assert shown.exit_code == 0
    fingerprint = trust_policy().fingerprint.hex()
    assert f"{fingerprint[:4]} {fingerprint[4:8]} {fingerprint[8:12]}" in shown.stdout
    for text in (*MEMBERS, "version 1", "CN=seal", "飯塚市"):
        assert text in shown.stdout
    document = json.loads(run("policy", "show", "--json").stdout)
    assert (document["fingerprint"], document["signed_by"]) == (fingerprint, list(MEMBERS))


def test_the_next_version_takes_the_present_ones_place_and_that_is_kept(
    policy: Path, run: Run, tmp_path: Path
) -> None:
    before = policy.read_bytes()
    done = run("policy", "update", written(tmp_path, second(), MEMBERS[1:4]))
    assert done.exit_code == 0, done.stderr
    assert "is now version 2" in done.stdout
    assert SignedPolicy.from_bytes(policy.read_bytes()).policy == second(
        issued_at=SignedPolicy.from_bytes(policy.read_bytes()).policy.issued_at
    )
    assert (policy.parent / "trust-policy.v1.json").read_bytes() == before


@pytest.mark.parametrize(
    ("new", "by", "why"),
    [
        (second(), MEMBERS[:2], "expected signatures of 3 members of version 1, found 2"),
        (second(version=3), MEMBERS, "expected version 2, found 3"),
        (second(members=trust_policy(MEMBERS[:3], quorum=2).members), MEMBERS, "takes back"),
    ],
)
def test_what_does_not_follow_is_refused_and_nothing_changes(
    policy: Path, run: Run, tmp_path: Path, new: TrustPolicy, by: tuple[str, ...], why: str
) -> None:
    before = policy.read_bytes()
    refused = run("policy", "update", written(tmp_path, new, by))
    assert refused.exit_code == 1
    assert why in one_sentence(refused)
    assert policy.read_bytes() == before
    assert run("policy", "verify", tmp_path / "new.json", "--against", policy).exit_code == 1


def test_a_policy_is_checked_by_its_own_members_or_against_another(
    policy: Path, run: Run, tmp_path: Path
) -> None:
    assert run("policy", "verify", policy).exit_code == 0
    new = written(tmp_path, second())
    assert "version 2 holds" in run("policy", "verify", new, "--against", policy).stdout
    unsigned = written(tmp_path, trust_policy(), ())
    assert "found 0" in one_sentence(run("policy", "verify", unsigned))


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b'{"policy":{},"signatures":[]}'])
def test_what_is_no_policy_is_said_in_one_sentence(
    run: Run, data: Path, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(content)
    assert "is no trust policy" in one_sentence(run("policy", "show", "--policy", file))
    assert "cannot be read" in one_sentence(run("policy", "show", "--policy", tmp_path / "absent"))


def test_the_export_is_a_tlog_policy_of_the_members_keys(policy: Path, run: Run, tmp_path: Path) -> None:
    text = run("policy", "export").stdout
    lines = [line.split() for line in text.splitlines() if not line.startswith("#")]
    logs = [VerifierKey.from_text(line[1]) for line in lines if line[0] == "log"]
    witnesses = {line[1]: VerifierKey.from_text(line[2]) for line in lines if line[0] == "witness"}
    assert {key.name for key in logs} == {"shirushi/shirushi-test"}
    assert {key.public_key for key in logs} == {
        keys.log.public_key().public_bytes_raw() for keys in KEYS.values()
    }
    assert list(witnesses) == list(MEMBERS)
    assert ["group", "quorum-of-members", "3", *MEMBERS] in lines
    assert lines[-1] == ["quorum", "quorum-of-members"]
    out = tmp_path / "policy.txt"
    assert run("policy", "export", "--out", out).exit_code == 0
    assert out.read_text() == text


def test_a_member_with_two_cosigner_keys_is_a_group_of_which_one_counts() -> None:
    policy = trust_policy()
    first = policy.members[0]
    more = [key for key in MemberKeys("other").policy_member(Window(0)).keys if key.use is KeyUse.COSIGNER]
    both = dataclasses.replace(first, keys=sorted_keys((*first.keys, *more)))
    text = to_tlog_policy(dataclasses.replace(policy, members=(both, *policy.members[1:])), policy.issued_at)
    assert "group iizuka any iizuka.1 iizuka.2\n" in text
    assert "group quorum-of-members 3 iizuka chaintope" in text
