"""What commands print, as a clerk sees it in a terminal of 80 columns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.member_doubles import ISSUER, City
from tests.support.typed_command import Run, issue

NARROW = {"COLUMNS": "80"}


def test_ids_and_dates_are_whole_and_lines_fit(members: City, run: Run, folder: Path) -> None:
    file = issue(run, folder)
    run("suspend", file)
    (batch,) = json.loads(run("batches", "--json").stdout)["batches"]
    (record,) = json.loads(run("history", file, "--json").stdout)["certificate"]
    (key, _) = json.loads(run("issuer", "show", ISSUER, "--json").stdout)["keys"]
    shown = {
        ("batches",): [
            json.loads(run("verify", file, "--json").stdout)["batch_id"][:16],
            "income-certificate",
        ],
        ("history", str(file)): [batch["tx_id"][:16], "under_investigation", record["tx_id"][:16]],
        ("issuer", "show", ISSUER): [key["key_id"][:16]],
    }
    for command, words in shown.items():
        stdout = run(*command, **NARROW).stdout
        assert all(len(line.rstrip()) <= 80 for line in stdout.splitlines())
        assert all(word in stdout for word in words)


def test_a_changed_status_is_shown_with_the_file_that_was_named(
    members: City, run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue(run, folder)
    monkeypatch.chdir(folder)
    assert "0.pdf" in run("suspend", "0.pdf", **NARROW).stdout
    assert "the batch of 1.pdf" in run("suspend", "1.pdf", "--batch", **NARROW).stdout


def test_codes_are_whole_however_narrow_it_is(members: City, run: Run, folder: Path) -> None:
    file = issue(run, folder)
    file.write_bytes(b"tampered")
    for width in ("80", "120"):
        assert "FILE_INTACT_DIGEST_DIFFERS" in run("verify", file, COLUMNS=width).stdout
    assert "SEALED_BY_ISSUER_HOLDS" in run("verify", file, "--lang", "en", COLUMNS="120").stdout


def test_in_both_languages_only_what_is_wrong_is_shown(members: City, run: Run, folder: Path) -> None:
    file = issue(run, folder)
    assert "TRUST" in run("verify", file, LANG="C", COLUMNS="120").stdout
    run("revoke", file, "--reason", "other")
    lines = run("verify", file, LANG="C", COLUMNS="240").stdout.splitlines()
    assert lines[0].startswith("無効 / NOT VALID  【試験用】[TEST]")
    assert lines[1].startswith("受け取らないでください。")
    assert " / Do not accept it. It was revoked" in lines[1]
    assert lines[2].startswith("不合格")
    assert lines[3].startswith("fail")
    assert lines[4].startswith("発行者 / issuer: ")


def test_members_that_agree_on_there_being_no_record_do_not_seem_to_confirm_it(
    members: City, run: Run, folder: Path
) -> None:
    file = issue(run, folder)
    for name in [name for name in members.ledger.state if name.startswith("batch/")]:
        del members.ledger.state[name]
    for language, words in (
        ("en", "agree that they have no record of it"),
        ("ja", "「記録はない」と一致して"),
    ):
        assert words in run("verify", file, "--lang", language).stdout
