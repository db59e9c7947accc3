"""`shirushi verify` by evidence: offline, from the witnesses, at past dates, whole folders."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.paper_log import BEGIN, signed_policy, trust_policy
from tests.support.paper_receipts import PaperCity, bare_receipts, certificate
from tests.support.paper_witnesses import PaperWitness, paper_witnesses
from tests.support.typed_command import Run, one_sentence

from shirushi_client import evidence_session
from shirushi_client.verifier import bulk
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.status import Status
from shirushi_core.proofs.status_max_age import StatusMaxAge
from shirushi_core.proofs.tlog_proof import TlogProof, verify_tlog_proof
from shirushi_core.proofs.trust_policy import TrustPolicy

COUNT = 4
PATIENT = replace(trust_policy(), status_max_age=StatusMaxAge(10**9))
"""Receipts on paper are of long ago."""


def clock() -> int:
    return int(time.time())


@dataclass
class Recipient:
    """A recipient's folder of certificates with receipts, a policy file, and witnesses that answer it."""

    folder: Path
    policy: Path
    city: PaperCity
    witnesses: dict[str, PaperWitness] = field(default_factory=dict)

    def file(self, number: int = 0) -> Path:
        return self.folder / f"{number}.pdf"

    def receive(self, number: int, receipt: Receipt) -> None:
        self.file(number).write_bytes(certificate(number))
        (self.folder / f"{number}.pdf.receipt.json").write_bytes(receipt.to_bytes())

    def trust(self, policy: TrustPolicy) -> None:
        self.policy.write_bytes(signed_policy(policy).to_bytes())


@pytest.fixture
def recipient(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> Recipient:
    folder = tmp_path / "inbox"
    folder.mkdir()
    data.mkdir()
    city = PaperCity(bare_receipts(COUNT, valid_until=None))
    made = Recipient(folder, tmp_path / "trust-policy.json", city, paper_witnesses(city.log, clock))
    made.trust(PATIENT)
    for number in range(COUNT):
        made.receive(number, city.receipt(number))

    @asynccontextmanager
    async def open_witnesses(*_: Any) -> AsyncIterator[list[PaperWitness]]:
        city.log.tick(clock())
        yield list(made.witnesses.values())

    monkeypatch.setattr(evidence_session, "open_witnesses", open_witnesses)
    return made


@pytest.fixture
def at_home(recipient: Recipient, data: Path) -> Recipient:
    """A recipient whose policy is that of the data folder."""
    recipient.policy = data / "trust-policy.json"
    recipient.trust(PATIENT)
    return recipient


@pytest.mark.usefixtures("no_network")
def test_offline_a_file_its_receipt_and_a_policy_are_enough(
    recipient: Recipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shirushi_client.cli.verify_session import VerifySessions
    from shirushi_client.verifier.verification_plan import Wishes

    session = VerifySessions.open(Wishes(offline=True, policy_named=True), recipient.policy, None).of(None)
    pairs = [bulk.Pair(recipient.file(), recipient.folder / "0.pdf.receipt.json", "0.pdf")]
    assert session.policy is not None
    (outcomes,) = bulk.verify_pairs(pairs, bulk.Bulk(session.policy.to_bytes(), session.plan, True), 1)
    assert [outcome.verdict for outcome in outcomes] == ["valid"]


def test_with_a_policy_nobody_is_asked_about_a_receipt_that_carries_enough(
    recipient: Recipient, run: Run
) -> None:
    result = run("verify", recipient.file(), "--policy", recipient.policy, "--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["evidence"]["mode"] == "offline"
    assert sum(witness.asked for witness in recipient.witnesses.values()) == 0


def test_people_read_the_sentence_as_of_when_and_who_confirmed(recipient: Recipient, run: Run) -> None:
    arguments = ("verify", recipient.file(), "--policy", recipient.policy, "--offline")
    lines = run(*arguments, "--lang", "en", COLUMNS="240").stdout.splitlines()
    assert lines[0].startswith("VALID  [TEST]")
    assert lines[1].startswith("Iizuka City issued it, and it was good as of 2026-09-")
    assert "confirmed by the signatures of: Iizuka, Chaintope, Haw" in lines
    assert "no signature of: Kaguya, Gcom" in lines
    assert any(line.startswith("status as of: 2026-09-") for line in lines)
    japanese = run(*arguments, "--lang", "ja").stdout
    assert "飯塚市が発行した証明書で" in japanese
    assert "署名で確認した参加機関: iizuka" in japanese


def test_a_status_older_than_allowed_cannot_be_confirmed_offline_and_is_refreshed_otherwise(
    recipient: Recipient, run: Run
) -> None:
    arguments = ("verify", recipient.file(), "--policy", recipient.policy, "--max-age", "24h")
    result = run(*arguments, "--offline")
    assert result.exit_code == 2
    assert "STATUS_FRESH_ENOUGH_TOO_OLD" in result.stdout
    report = json.loads(run(*arguments, "--json").stdout)
    assert (report["verdict"], report["evidence"]["mode"]) == ("valid", "refreshed")


def test_in_a_data_folder_the_newest_status_is_asked_for(at_home: Recipient, run: Run) -> None:
    assert run("verify", at_home.file()).exit_code == 0
    at_home.city.change(Status.REVOKED)
    result = run("verify", at_home.file(), COLUMNS="240")
    assert result.exit_code == 1
    assert "Do not accept it. It was revoked" in result.stdout
    assert run("verify", at_home.file(), "--offline").exit_code == 0
    assert run("verify", at_home.file(), "--online").exit_code == 1


def test_with_the_network_unplugged_it_is_said_that_nothing_newer_could_be_had(
    at_home: Recipient, run: Run
) -> None:
    for witness in at_home.witnesses.values():
        witness.down = True
    report = json.loads(run("verify", at_home.file(), "--json").stdout)
    codes = {check["code"]: check["result"] for check in report["checks"]}
    assert (report["verdict"], report["evidence"]["mode"]) == ("valid", "offline")
    assert codes["STATUS_FRESH_ENOUGH_NOT_REFRESHED"] == "not_run"
    assert run("verify", at_home.file(), "--online").exit_code == 2


def test_a_past_date_is_judged_by_its_own_time(recipient: Recipient, run: Run) -> None:
    recipient.city.change(Status.SUSPENDED, effective_at=BEGIN + 1000)
    recipient.receive(0, recipient.city.refreshed())
    after = datetime.fromtimestamp(BEGIN + 1500, UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
    before = datetime.fromtimestamp(BEGIN + 50, UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
    arguments = ("verify", recipient.file(), "--policy", recipient.policy, "--offline", "--at")
    assert "STATUS_SUSPENDED" in run(*arguments, after).stdout
    assert "RECORDED_ON_LEDGER_AFTER_DATE" in run(*arguments, before).stdout
    assert run(*arguments, "2026-09-01").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--max-age", "1 day"), "--max-age"),
        (("--max-age", "5"), "60s, 5m, 24h, 7d"),
        (("--at", "yesterday"), "2026-04-01"),
        (("--at", "2999-01-01"), "has not come yet"),
        (("--offline", "--online"), "exclude each other"),
        (("--ledger", "--policy", "p"), "neither --policy"),
        (("--policy", "missing.json"), "missing.json cannot be read"),
        (("--offline",), "no trust policy"),
        (("--jobs", "0"), "--jobs"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_3(
    recipient: Recipient, run: Run, arguments: tuple[str, ...], words: str
) -> None:
    result = run("verify", recipient.file(), *arguments)
    assert result.exit_code == 3
    assert words in one_sentence(result)


def test_a_file_that_is_no_policy_is_said_with_its_name(recipient: Recipient, run: Run) -> None:
    recipient.policy.write_text("{}")
    result = run("verify", recipient.file(), "--policy", recipient.policy)
    assert result.exit_code == 3
    assert "trust-policy.json is no trust policy" in one_sentence(result)


@pytest.fixture
def inbox(recipient: Recipient) -> Recipient:
    """A folder with a valid certificate, a changed one, a revoked one, one without a receipt, and one below."""
    recipient.file(1).write_bytes(b"changed")
    recipient.city.change(Status.REVOKED, 2)
    recipient.receive(2, recipient.city.refreshed(2))
    (recipient.folder / "3.pdf.receipt.json").unlink()
    below = recipient.folder / "below"
    below.mkdir()
    for name in ("0.pdf", "0.pdf.receipt.json"):
        (below / name).write_bytes((recipient.folder / name).read_bytes())
    (below / "=cmd.pdf").write_bytes(b"x")
    return recipient


def test_a_folder_is_verified_file_by_file_and_summed_up(inbox: Recipient, run: Run) -> None:
    arguments = ("verify", inbox.folder, "--policy", inbox.policy, "--offline", "--lang")
    result = run(*arguments, "en", COLUMNS="240")
    assert result.exit_code == 1
    assert "6 verified: 2 valid, 2 not valid, 0 cannot be confirmed, 2 could not be read" in result.stdout
    assert "1.pdf" in result.stdout
    assert "no receipt beside it" in result.stdout
    japanese = run(*arguments, "ja", COLUMNS="240").stdout
    assert "6件を検証: 有効 2件、無効 2件、確認できません 0件、判定なし 2件" in japanese


def test_a_folder_in_csv_has_a_line_for_each_certificate(inbox: Recipient, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "results.csv"
    assert run("verify", inbox.folder, "--policy", inbox.policy, "--offline", "--csv", out).exit_code == 1
    assert out.read_bytes().startswith(b"\xef\xbb\xbf")
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "0.pdf": "valid",
        "1.pdf": "not_valid",
        "2.pdf": "not_valid",
        "3.pdf": "unread",
        "below/0.pdf": "valid",
        "below/=cmd.pdf": "unread",
    }
    assert rows["1.pdf"]["codes"] == "FILE_INTACT_DIGEST_DIFFERS"
    assert (rows["2.pdf"]["status"], rows["2.pdf"]["test"]) == ("revoked", "test")
    assert rows["0.pdf"]["status_as_of"].startswith("2026-09-")


def test_a_name_is_never_a_formula_in_a_spreadsheet(recipient: Recipient, run: Run, tmp_path: Path) -> None:
    (recipient.folder / "=1+1.pdf").write_bytes(b"x")
    out = tmp_path / "results.csv"
    run("verify", recipient.folder, "--policy", recipient.policy, "--offline", "--csv", out)
    assert "'=1+1.pdf" in out.read_text(encoding="utf-8-sig")


def test_a_folder_in_json_is_one_document(inbox: Recipient, run: Run) -> None:
    result = run("verify", inbox.folder, "--policy", inbox.policy, "--offline", "--json")
    document = json.loads(result.stdout)
    assert document["format"] == "shirushi/reports/v1"
    assert document["summary"] == {"valid": 2, "not_valid": 2, "cannot_confirm": 0, "unread": 2}
    assert {each["file"] for each in document["unread"]} == {"3.pdf", "below/=cmd.pdf"}
    assert {each["format"] for each in document["reports"]} == {"shirushi/report/v1"}


def test_a_folder_is_refreshed_where_it_is_asked_for(inbox: Recipient, run: Run) -> None:
    inbox.city.change(Status.REVOKED, 0)
    result = run("verify", inbox.folder, "--policy", inbox.policy, "--online", "--json")
    verdicts = {each["file"]: each["verdict"] for each in json.loads(result.stdout)["reports"]}
    assert verdicts == {
        "0.pdf": "not_valid",
        "1.pdf": "not_valid",
        "2.pdf": "not_valid",
        "below/0.pdf": "not_valid",
    }


def test_only_what_is_in_doubt_is_asked_about(inbox: Recipient, run: Run) -> None:
    inbox.receive(0, inbox.city.receipts[0])
    result = run("verify", inbox.folder, "--policy", inbox.policy, "--json")
    modes = {each["file"]: each["evidence"]["mode"] for each in json.loads(result.stdout)["reports"]}
    assert modes == {"0.pdf": "refreshed", "1.pdf": "offline", "2.pdf": "offline", "below/0.pdf": "offline"}


def test_several_processes_find_the_same_as_one(
    recipient: Recipient, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("verify", recipient.folder, "--policy", recipient.policy, "--offline", "--json")
    (recipient.folder / "3.pdf").write_bytes(b"changed")
    alone = run(*arguments, "--jobs", "1").stdout
    monkeypatch.setattr(bulk, "WORTH_PROCESSES", 1)
    monkeypatch.setattr(bulk, "CHUNK", 2)
    together = run(*arguments, "--jobs", "2").stdout

    def without_times(text: str) -> Any:
        document = json.loads(text)
        for report in document["reports"]:
            report["checked_at"] = report["judged_at"] = 0
            for check in report["checks"]:
                check["age_seconds"] = check["message"] = None
        return document

    assert without_times(together) == without_times(alone)


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        (["valid"], 0),
        (["valid", None], 3),
        (["cannot_confirm", None], 3),
        (["cannot_confirm", "valid"], 2),
        (["not_valid", None, "cannot_confirm"], 1),
    ],
)
def test_of_many_the_worst_counts(verdicts: list[Any], code: int) -> None:
    from shirushi_client.cli.verify import exit_code

    assert exit_code(verdicts) == code


def test_an_empty_folder_is_said(recipient: Recipient, run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run("verify", tmp_path / "empty", "--policy", recipient.policy)
    assert result.exit_code == 3
    assert "holds no certificate" in one_sentence(result)


def test_a_receipt_without_a_signature_of_the_log_says_what_to_do(
    recipient: Recipient, run: Run, tmp_path: Path
) -> None:
    out = tmp_path / "0.tlog-proof"
    result = run("receipt", "export", recipient.file(), "--tlog-proof", out)
    assert result.exit_code == 1
    assert "refresh --compact" in one_sentence(result)
    assert not out.exists()
    assert run("refresh", recipient.file(), "--policy", recipient.policy, "--compact").exit_code == 0
    assert run("receipt", "export", recipient.file(), "--tlog-proof", out).exit_code == 0
    proof = TlogProof.from_bytes(out.read_bytes())
    assert proof.extra is not None
    assert verify_tlog_proof(proof, proof.extra).origin == "shirushi/shirushi-test"


def test_who_contradicts_the_others_is_named_and_what_it_signed_is_kept(
    at_home: Recipient, run: Run, data: Path
) -> None:
    liar = at_home.witnesses["haw"]
    liar.log = PaperCity(bare_receipts(COUNT, valid_until=None)).log
    for number in range(6):
        liar.log.add_block(time=clock() + number)
    result = run("verify", at_home.file(), "--online", COLUMNS="240", LANG="en_US.UTF-8")
    assert result.exit_code == 0
    assert "Haw contradicts the others" in result.stdout
    assert "the witness of haw contradicts the others" in result.stderr
    (kept,) = (data / "contradictions").iterdir()
    assert kept.name.startswith("haw-")
