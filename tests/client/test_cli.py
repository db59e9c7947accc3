from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from tests.support.member_doubles import ISSUER, City
from tests.support.typed_command import Run, issue, one_sentence

from shirushi_client.cli import issue as issuing
from shirushi_client.cli import main
from shirushi_core.proofs.canonical import encode


def test_issue_then_verify(members: City, run: Run, folder: Path) -> None:
    issued = run("issue", folder, "--type", "income-certificate")
    assert issued.exit_code == 0
    assert "3 issued in 1 batch" in issued.stdout
    verified = run("verify", folder / "0.pdf")
    assert verified.exit_code == 0
    assert "VALID" in verified.stdout
    assert "TEST" in verified.stdout


def test_json_is_one_document(members: City, run: Run, folder: Path) -> None:
    issued = json.loads(run("issue", folder, "--type", "income-certificate", "--json").stdout)
    assert {Path(each["file"]).name for each in issued["issued"]} == {"0.pdf", "1.pdf", "2.pdf"}
    report = json.loads(run("verify", folder / "0.pdf", "--json").stdout)
    assert (report["format"], report["verdict"], report["test"]) == ("shirushi/report/v1", "valid", True)
    several = json.loads(run("verify", folder / "0.pdf", folder / "1.pdf", "--json").stdout)
    assert [each["file"] for each in several["reports"]] == ["0.pdf", "1.pdf"]
    assert len(json.loads(run("batches", "--json").stdout)["batches"]) == 1


def test_receipts_go_where_they_are_told_to(members: City, run: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "receipts"
    assert run("issue", folder, "--type", "income-certificate", "--out", out).exit_code == 0
    assert run("verify", folder / "1.pdf", "--receipt", out / "1.pdf.receipt.json").exit_code == 0
    assert run("verify", folder / "1.pdf").exit_code == 3


def test_a_receipt_named_after_the_stem_is_found(members: City, run: Run, folder: Path) -> None:
    file = issue(run, folder)
    (folder / "0.pdf.receipt.json").rename(folder / "0.receipt.json")
    assert run("verify", file).exit_code == 0


def test_a_tampered_file_ends_with_1(members: City, run: Run, folder: Path) -> None:
    file = issue(run, folder)
    file.write_bytes(b"tampered")
    result = run("verify", file)
    assert result.exit_code == 1
    assert "FILE_INTACT_DIGEST_DIFFERS" in result.stdout


def test_members_that_are_down_end_with_2(members: City, run: Run, folder: Path) -> None:
    file = issue(run, folder)
    for member in members.members[:3]:
        member.down = True
    result = run("verify", file)
    assert result.exit_code == 2
    assert "CANNOT CONFIRM" in result.stdout


def test_of_several_files_the_worst_counts(members: City, run: Run, folder: Path) -> None:
    issue(run, folder)
    (folder / "1.pdf").write_bytes(b"tampered")
    assert run("verify", *(folder / f"{n}.pdf" for n in range(3))).exit_code == 1


@pytest.mark.parametrize(
    ("language", "words", "others"),
    [("ja", "有効", "same answers"), ("en", "VALID", "有効"), (None, "有効 / VALID", "\0")],
)
def test_verdicts_come_in_the_readers_language(
    members: City, run: Run, folder: Path, language: str | None, words: str, others: str
) -> None:
    file = issue(run, folder)
    option = ["--lang", language] if language else []
    stdout = run("verify", file, *option, LANG="C").stdout
    assert words in stdout
    assert others not in stdout
    if language:
        assert words in run("verify", file, LANG=f"{language}_XX.UTF-8").stdout


def test_the_life_of_a_status(members: City, run: Run, folder: Path) -> None:
    file = issue(run, folder)
    assert run("suspend", file).exit_code == 0
    assert "STATUS_SUSPENDED" in run("verify", file).stdout
    assert run("reinstate", file).exit_code == 0
    assert run("verify", file).exit_code == 0
    assert run("revoke", f"{file}.receipt.json", "--reason", "issued_in_error").exit_code == 0
    result = run("verify", file)
    assert result.exit_code == 1
    assert "issued_in_error" in result.stdout
    history = json.loads(run("history", file, "--json").stdout)
    assert [record["status"] for record in history["certificate"]] == ["suspended", "valid", "revoked"]
    assert "revoked" in run("history", file).stdout


def test_a_superseded_certificate_names_the_new_one(members: City, run: Run, folder: Path) -> None:
    old = issue(run, folder)
    assert run("supersede", old, folder / "1.pdf", "--reason", "data_corrected").exit_code == 0
    report = json.loads(run("verify", old, "--json").stdout)
    assert (report["verdict"], report["status"]["status"]) == ("not_valid", "superseded")
    assert report["status"]["successor"]["commitment"]
    assert run("verify", folder / "1.pdf").exit_code == 0


def test_revoking_a_whole_batch_revokes_all_in_it(members: City, run: Run, folder: Path) -> None:
    issue(run, folder)
    assert (
        run("revoke", folder / "0.pdf", folder / "1.pdf", "--batch", "--reason", "key_compromise").exit_code
        == 0
    )
    assert "STATUS_BATCH_REVOKED" in run("verify", folder / "2.pdf").stdout


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("revoke", "--reason", "other"), "is revoked already (since "),
        (("suspend",), "is revoked (since "),
        (("supersede", "1.pdf"), "is revoked (since "),
    ],
)
def test_a_refused_change_names_the_file_and_its_present_status(
    members: City,
    run: Run,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    words: str,
) -> None:
    issue(run, folder)
    monkeypatch.chdir(folder)
    run("revoke", "0.pdf", "--reason", "issued_in_error")
    result = run(command[0], "0.pdf", *command[1:])
    assert result.exit_code == 1
    sentence = one_sentence(result)
    assert sentence.startswith(f"shirushi: 0.pdf {words}")
    assert "reason: issued_in_error" in sentence
    assert "(STATUS_REFUSED)" in sentence


def test_of_several_files_the_refused_one_is_named_and_none_is_changed(
    members: City, run: Run, folder: Path
) -> None:
    file = issue(run, folder)
    run("revoke", folder / "2.pdf", "--reason", "other")
    sentence = one_sentence(run("revoke", file, folder / "1.pdf", folder / "2.pdf", "--reason", "other"))
    assert f"{folder / '2.pdf'} is revoked already" in sentence
    assert "none of the 3 was changed" in sentence
    assert run("verify", file).exit_code == 0


def test_a_refused_change_of_a_whole_batch_says_so(members: City, run: Run, folder: Path) -> None:
    file = issue(run, folder)
    run("suspend", file, "--batch")
    assert f"the batch of {file} is suspended already" in one_sentence(run("suspend", file, "--batch"))


def test_what_is_valid_cannot_be_reinstated(members: City, run: Run, folder: Path) -> None:
    file = issue(run, folder)
    assert f"{file} is not suspended" in one_sentence(run("reinstate", file))


def test_nothing_is_revoked_by_a_file_that_is_not_its_receipts_own(
    members: City, run: Run, folder: Path
) -> None:
    file = issue(run, folder)
    file.write_bytes(b"another")
    result = run("revoke", file, "--reason", "other")
    assert result.exit_code == 1
    assert "not the receipt of" in one_sentence(result)


def test_issuers_are_listed_and_shown(members: City, run: Run) -> None:
    assert ISSUER in run("issuer", "list").stdout
    record = json.loads(run("issuer", "show", ISSUER, "--json").stdout)
    assert (record["id"], len(record["keys"])) == (ISSUER, 2)
    assert "Iizuka City" in run("issuer", "show", ISSUER).stdout
    assert "adopted" in run("issuer", "proposals").stdout


def rename(city: City, name: str) -> None:
    value, version = city.ledger.state[f"issuer/{ISSUER}"]
    record = json.loads(value) | {"name": {"ja": name, "en": name}}
    city.ledger.state[f"issuer/{ISSUER}"] = (encode(record), version)


def test_brackets_in_a_name_are_shown_as_they_are(members: City, run: Run, folder: Path) -> None:
    file = issue(run, folder)
    name = "[bold]City[/nonsense]"
    rename(members, name)
    for command in (["verify", file, "--lang", "ja"], ["issuer", "list"], ["issuer", "show", ISSUER]):
        result = run(*command)
        assert result.exit_code == 0
        assert name in result.stdout


def test_an_issuer_that_is_not_registered_is_said(members: City, run: Run) -> None:
    result = run("issuer", "show", "nobody")
    assert result.exit_code == 1
    assert "ISSUER_NOT_FOUND" in one_sentence(result)


BAD_ISSUES: dict[str, tuple[list[str], int, str]] = {
    "a missing file": (["missing.pdf"], 1, "missing.pdf cannot be read"),
    "an empty folder": (["empty"], 1, "holds no file"),
    "a link": (["link.pdf"], 1, "symbolic link"),
    "a receipt": (["x.receipt.json"], 1, "is a receipt"),
    "a bad type": (["a.pdf", "--type", "Income Certificate"], 3, "--type"),
    "a bad date": (["a.pdf", "--valid-until", "soon"], 3, "--valid-until"),
    "a past date": (["a.pdf", "--valid-until", "2020-01-01"], 3, "past"),
    "a file for a folder": (["a.pdf", "--out", "x.receipt.json"], 1, "not a folder"),
    "no paths": ([], 3, "Missing argument"),
    "an unknown option": (["a.pdf", "--nope"], 3, "--nope"),
}


@pytest.mark.parametrize("case", BAD_ISSUES)
def test_bad_input_is_one_sentence_and_nothing_is_written_or_sent(
    members: City, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    place = tmp_path / "place"
    (place / "empty").mkdir(parents=True)
    (place / "a.pdf").write_text("a")
    (place / "x.receipt.json").write_text("{}")
    (place / "link.pdf").symlink_to(place / "a.pdf")
    before = sorted(place.iterdir())
    monkeypatch.chdir(place)
    arguments, code, words = BAD_ISSUES[case]
    if "--type" not in arguments:
        arguments = [*arguments, "--type", "income"]
    result = run("issue", *arguments)
    assert result.exit_code == code
    assert words in one_sentence(result)
    assert sorted(place.iterdir()) == before
    assert all("issue" not in member.calls for member in members.members)


def test_without_a_consortium_it_says_how_to_bring_one_up(run: Run, folder: Path) -> None:
    result = run("issue", folder, "--type", "income")
    assert result.exit_code == 1
    assert "shirushi consortium up" in one_sentence(result)


def test_verifying_without_a_consortium_is_no_verdict(
    members: City, run: Run, folder: Path, tmp_path: Path
) -> None:
    file = issue(run, folder)
    result = run("verify", file, "--data", tmp_path / "elsewhere")
    assert result.exit_code == 3
    assert "shirushi policy trust FILE" in one_sentence(result)
    assert "consortium up" not in result.stderr


def test_a_wrong_seal_key_is_one_sentence(members: City, run: Run, folder: Path, data: Path) -> None:
    (data / "seal.pem").write_text("not a key")
    result = run("issue", folder, "--type", "income")
    assert result.exit_code == 1
    assert "seal.pem" in one_sentence(result)
    assert not list(folder.glob("*.receipt.json"))


@pytest.mark.parametrize("arguments", [["verify"], ["verify", "missing.pdf"], ["nope"], []])
def test_usage_errors_end_with_3(run: Run, arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 3


def test_one_receipt_is_not_for_two_files(members: City, run: Run, folder: Path) -> None:
    file = issue(run, folder)
    result = run("verify", file, folder / "1.pdf", "--receipt", f"{file}.receipt.json")
    assert result.exit_code == 3
    assert "one receipt is of one file" in one_sentence(result)


def test_a_broken_receipt_is_one_sentence(members: City, run: Run, folder: Path) -> None:
    file = issue(run, folder)
    (folder / "0.pdf.receipt.json").write_text("{}")
    result = run("verify", file)
    assert result.exit_code == 3
    assert "is no receipt" in one_sentence(result)


def test_every_command_has_help_with_examples(run: Run) -> None:
    for name in ("issue", "verify", "revoke", "suspend", "reinstate", "supersede", "history", "batches"):
        result = run(name, "--help")
        assert result.exit_code == 0
        assert f"shirushi {name}" in result.stdout


def python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )


def test_help_loads_no_command_and_no_grpc() -> None:
    program = (
        "import sys\nfrom shirushi_client.cli.main import main\nsys.argv = ['shirushi', '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'grpc', 'fabric_protos', 'cryptography', 'shirushi_client.cli.verify'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    done = python(program)
    assert done.returncode == 0, done.stderr
    assert "Verify files with their receipts" in done.stdout


def test_the_installed_command_tells_its_version() -> None:
    done = python("from shirushi_client.cli.main import main; main()", "--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "shirushi")


def test_a_command_whose_package_is_missing_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    broken = EntryPoint("demo", "no_such_module.cli:app", main.GROUP)
    monkeypatch.setattr(main, "_commands", lambda: {"demo": broken})
    result = run("demo")
    assert result.exit_code == 1
    assert "shirushi[demo]" in one_sentence(result)


def test_an_interrupt_ends_with_130(monkeypatch: pytest.MonkeyPatch, run: Run, folder: Path) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(issuing, "check_files", interrupted)
    result = run("issue", folder, "--type", "income")
    assert result.exit_code == 130
    assert one_sentence(result) == "shirushi: interrupted\n"


def test_an_output_that_nobody_reads_any_more_is_no_traceback() -> None:
    program = (
        "import typer\nfrom shirushi_client.cli import main, output\napp = typer.Typer(add_completion=False)\n"
        "app.command()(lambda: [output.say('line') for _ in range(100_000)])\n"
        "main._load = lambda name: typer.main.get_command(app)\nmain.main()"
    )
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        done = subprocess.run(
            [sys.executable, "-c", program, "batches"], stdout=nobody, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (main.OUTPUT_CLOSED, b"")


def test_grpc_keeps_its_own_log_to_itself_unless_told_otherwise() -> None:
    program = "import os\nfrom shirushi_client.cli import main\nmain.app = lambda **_: print(os.environ['GRPC_VERBOSITY'])\nmain.main()"
    for chosen, found in (({}, "NONE"), ({"GRPC_VERBOSITY": "DEBUG"}, "DEBUG")):
        environment = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"} | chosen
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment
        )
        assert done.stdout.strip() == found
