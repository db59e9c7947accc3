"""`shirushi issue` where something was issued before: what is said, and what is never overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.member_doubles import City
from tests.support.typed_command import Run, issue, one_sentence

AGAIN = ("--type", "income-certificate")


def receipt_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.receipt.json")


def test_issuing_again_gives_the_first_receipts_and_says_so(members: City, run: Run, folder: Path) -> None:
    before = receipt_of(issue(run, folder)).read_bytes()
    result = run("issue", folder, *AGAIN)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "3 issued before, with their first receipts"
    assert result.stderr == ""
    assert receipt_of(folder / "0.pdf").read_bytes() == before


@pytest.mark.parametrize(
    ("command", "status", "way_out"),
    [
        (("revoke", "0.pdf", "--reason", "issued_in_error"), "revoked", "for a new certificate"),
        (("suspend", "0.pdf", "--reason", "other"), "suspended", "reinstate it"),
        (("supersede", "0.pdf", "1.pdf"), "superseded", "another certificate took its place"),
        (("revoke", "0.pdf", "--batch", "--reason", "key_compromise"), "revoked", "for a new certificate"),
    ],
)
def test_issuing_again_what_lost_its_worth_says_that_and_what_to_do(
    members: City,
    run: Run,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    status: str,
    way_out: str,
) -> None:
    issue(run, folder)
    monkeypatch.chdir(folder)
    assert run(*command).exit_code == 0
    result = run("issue", "0.pdf", *AGAIN)
    assert result.exit_code == 0
    assert f"issued before, {status}" in result.stdout
    (warning,) = result.stderr.splitlines()
    assert warning.startswith(f"0.pdf was issued before and is {status} (since ")
    assert way_out in warning
    assert "--reissue" in warning
    (issued,) = json.loads(run("issue", "0.pdf", *AGAIN, "--json").stdout)["issued"]
    assert (issued["issued_before"], issued["status"]) == (True, status)


def test_what_is_issued_now_is_valid(members: City, run: Run, folder: Path) -> None:
    issued = json.loads(run("issue", folder, *AGAIN, "--json").stdout)["issued"]
    assert {(each["status"], each["valid_until_applied"]) for each in issued} == {("valid", True)}


def test_an_earlier_validity_stays_and_that_is_said(members: City, run: Run, folder: Path) -> None:
    file = issue(run, folder)
    result = run("issue", file, *AGAIN, "--valid-until", "2099-03-31")
    assert result.exit_code == 0
    assert f"{file} was issued before, valid without an end: --valid-until was not applied" in result.stderr
    again = run("issue", file, *AGAIN, "--valid-until", "2099-03-31", "--json")
    assert json.loads(again.stdout)["issued"][0]["valid_until_applied"] is False


def test_the_same_validity_again_is_nothing_to_speak_of(members: City, run: Run, folder: Path) -> None:
    for _ in range(2):
        result = run("issue", folder, *AGAIN, "--valid-until", "2099-03-31")
        assert (result.exit_code, result.stderr) == (0, "")


def test_a_status_that_cannot_be_learned_is_a_note_and_no_failure(
    members: City, run: Run, folder: Path
) -> None:
    file = issue(run, folder)
    for member in members.members:
        member.down = True
    result = run("issue", file, *AGAIN, "--json")
    assert result.exit_code == 0
    assert "the status of 1 issued before could not be learned" in result.stderr
    assert json.loads(result.stdout)["issued"][0]["status"] is None


def test_what_a_resumed_run_had_prepared_is_finished_not_issued_before(
    members: City, run: Run, folder: Path
) -> None:
    for member in members.members:
        member.requests_to_lose = 100
    assert run("issue", folder, *AGAIN).exit_code == 1
    for member in members.members:
        member.requests_to_lose = 0
    result = run("issue", folder, *AGAIN)
    assert result.stdout.splitlines()[-1] == "3 of an earlier run finished"
    assert result.stderr == "finished an earlier run: 3 receipts written\n"


def test_finished_issued_and_issued_before_are_counted_apart(members: City, run: Run, folder: Path) -> None:
    file = issue(run, folder)
    (folder / "new.pdf").write_bytes(b"new")
    result = run("issue", file, folder / "new.pdf", *AGAIN)
    assert result.stdout.splitlines()[-1] == "1 issued in 1 batch; 1 issued before, with its first receipt"


IN_THE_WAY = {
    "another type": ("--type", "residence"),
    "reissued": (*AGAIN, "--reissue"),
}


@pytest.mark.parametrize("case", IN_THE_WAY)
def test_a_receipt_that_would_be_lost_is_not_overwritten(
    members: City, run: Run, folder: Path, case: str
) -> None:
    receipt = receipt_of(issue(run, folder))
    before = receipt.read_bytes()
    for member in members.members:
        member.calls.clear()
    sentence = one_sentence(run("issue", folder, *IN_THE_WAY[case]))
    assert str(receipt.parent) in sentence
    assert "--out" in sentence
    assert receipt.read_bytes() == before
    assert not any(member.calls for member in members.members)
    assert run("issue", folder, *IN_THE_WAY[case], "--out", folder.parent / "elsewhere").exit_code == 0
    assert receipt.read_bytes() == before


@pytest.mark.parametrize("there", ["other bytes", "no receipt"])
def test_a_file_that_is_not_the_receipt_is_not_overwritten(
    members: City, run: Run, folder: Path, there: str
) -> None:
    file = issue(run, folder)
    if there == "no receipt":
        receipt_of(file).write_bytes(b"something of value")
    else:
        file.write_bytes(b"changed since")
    before = receipt_of(file).read_bytes()
    sentence = one_sentence(run("issue", folder, *AGAIN))
    assert str(receipt_of(file)) in sentence
    assert there in sentence
    assert receipt_of(file).read_bytes() == before


def test_after_a_reissue_the_first_receipt_is_not_overwritten_by_the_second(
    members: City, run: Run, folder: Path, tmp_path: Path
) -> None:
    file = issue(run, folder)
    assert run("issue", file, *AGAIN, "--reissue", "--out", tmp_path / "new").exit_code == 0
    assert "another issuance" in one_sentence(run("issue", file, *AGAIN))
    assert run("issue", file, *AGAIN, "--out", tmp_path / "new").exit_code == 0


def test_a_receipt_of_a_lost_journal_is_not_overwritten(
    members: City, run: Run, folder: Path, data: Path
) -> None:
    issue(run, folder)
    for file in (data / "issuer").iterdir():
        file.unlink()
    assert "this journal does not know" in one_sentence(run("issue", folder, *AGAIN))


def test_a_type_is_explained_in_words(members: City, run: Run, folder: Path) -> None:
    sentence = one_sentence(run("issue", folder, "--type", "Income"))
    assert "lower-case letters, digits, dots and dashes" in sentence
    assert sentence.count("--type") == 1
    assert "[a-z" not in sentence


class TestBooks:
    """`--book` writes one file for a batch, `receipt extract` takes receipts out of it."""

    def test_receipts_are_taken_out_of_the_books_that_were_written(
        self, members: City, run: Run, folder: Path, tmp_path: Path
    ) -> None:
        result = run("issue", folder, *AGAIN, "--book", tmp_path / "books")
        assert result.exit_code == 0
        assert result.stdout.splitlines()[-1] == "3 issued"
        assert not receipt_of(folder / "0.pdf").exists()
        result = run("receipt", "extract", tmp_path / "books", folder)
        assert (result.exit_code, result.stdout) == (0, "3 receipts written\n")
        assert run("verify", folder / "0.pdf", "--ledger").exit_code == 0

    def test_json_names_the_books_and_how_many_are_in_them(
        self, members: City, run: Run, folder: Path, tmp_path: Path
    ) -> None:
        run("issue", folder / "0.pdf", *AGAIN)
        result = run("issue", folder, *AGAIN, "--book", tmp_path / "books", "--json")
        books = json.loads(result.stdout)["books"]
        assert sorted((book["certificates"], book["issued_before"]) for book in books) == [
            (1, True),
            (2, False),
        ]
        assert {Path(book["book"]).name for book in books} == {
            path.name for path in (tmp_path / "books").iterdir()
        }

    def test_a_file_that_was_not_issued_is_named(
        self, members: City, run: Run, folder: Path, tmp_path: Path
    ) -> None:
        run("issue", folder, *AGAIN, "--book", tmp_path / "books")
        (tmp_path / "other.pdf").write_bytes(b"other")
        result = run("receipt", "extract", tmp_path / "books", tmp_path / "other.pdf")
        assert result.exit_code != 0
        assert "no receipt of" in one_sentence(result)

    def test_books_and_a_folder_for_receipts_exclude_each_other(
        self, members: City, run: Run, folder: Path, tmp_path: Path
    ) -> None:
        result = run("issue", folder, *AGAIN, "--book", tmp_path, "--out", tmp_path)
        assert result.exit_code == 3
        assert "--book" in result.stderr
