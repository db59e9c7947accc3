"""What cities and recipients do, through the commands: issue, verify, change a status, look up. The same on every engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support.command import shirushi
from tests.support.live_consortium import LiveConsortium

VALID, NOT_VALID = 0, 1
MANY = 120
TYPE = "income-certificate"


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder of certificates that nobody has issued before."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.txt").write_text(f"{tmp_path}: certificate {number}")
    return folder


def receipt_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.receipt.json")


def issue(live: LiveConsortium, *files: Path, document_type: str = TYPE) -> Any:
    run = shirushi("issue", *files, "--type", document_type, "--json", data=live.root)
    assert run.exit_code == 0, run.err
    return run.json


def change(live: LiveConsortium, *command: str | Path) -> None:
    """Change a status, and wait until every member knows."""
    run = shirushi(*command, data=live.root)
    assert run.exit_code == 0, run.err
    live.settle()


def verified(live: LiveConsortium, file: Path, exit_code: int, *options: str) -> Any:
    run = shirushi("verify", file, "--json", *options, data=live.root)
    assert run.exit_code == exit_code, run.out
    return run.json


def agreeing(report: Any) -> list[str]:
    return [member["id"] for member in report["members"] if member["agrees"]]


def statuses(live: LiveConsortium, file: Path, of: str = "certificate") -> Sequence[str]:
    history = shirushi("history", file, "--json", data=live.root).json
    return [record["status"] for record in history[of]]


def test_a_certificate_issued_alone_is_confirmed_by_all_five_members(
    live_consortium: LiveConsortium, certificates: Path
) -> None:
    file = certificates / "0.txt"
    (issued,) = issue(live_consortium, file)["issued"]
    assert not issued["issued_before"]
    live_consortium.settle()
    report = verified(live_consortium, file, VALID, "--ledger")
    assert (report["verdict"], report["test"]) == ("valid", True)
    assert agreeing(report) == [member.id for member in live_consortium.topology.members]
    assert all(member["anchor"].startswith("tx ") for member in report["members"])


def test_its_receipt_is_verified_without_asking_anybody_and_with_the_newest_status(
    live_consortium: LiveConsortium, certificates: Path
) -> None:
    file, policy = certificates / "0.txt", str(live_consortium.root / "trust-policy.json")
    issue(live_consortium, file)
    offline = verified(live_consortium, file, VALID, "--policy", policy, "--offline")
    assert offline["evidence"]["mode"] == "offline"
    assert len(agreeing(offline)) >= offline["quorum"]
    change(live_consortium, "revoke", file, "--reason", "issued_in_error")
    newest = verified(live_consortium, file, NOT_VALID)
    assert newest["evidence"]["mode"] == "refreshed"
    assert newest["checked_at"] - newest["evidence"]["status"]["as_of"] < 180
    verified(live_consortium, file, VALID, "--policy", policy, "--offline")
    assert shirushi("refresh", file, data=live_consortium.root).exit_code == 0
    verified(live_consortium, file, NOT_VALID, "--policy", policy, "--offline")


def test_many_certificates_share_a_batch_and_each_has_a_receipt_of_its_own(
    live_consortium: LiveConsortium, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    files = [folder / f"{number:03}.txt" for number in range(MANY)]
    for file in files:
        file.write_text(f"{tmp_path}: {file.name}")
    document_type = "bulk"
    issued = issue(live_consortium, folder, document_type=document_type)["issued"]
    assert len(issued) == MANY
    (batch_id,) = {each["batch_id"] for each in issued}
    live_consortium.settle()
    run = shirushi("verify", *files, "--json", data=live_consortium.root)
    assert run.exit_code == VALID
    assert [report["verdict"] for report in run.json["reports"]] == ["valid"] * MANY
    assert {report["batch_id"] for report in run.json["reports"]} == {batch_id}
    batches = shirushi("batches", "--limit", "1000", "--json", data=live_consortium.root).json["batches"]
    sizes = [
        each["statement"]["size"] for each in batches if each["statement"]["document_type"] == document_type
    ]
    assert sizes == [MANY]


def test_batches_are_listed_page_by_page(live_consortium: LiveConsortium, certificates: Path) -> None:
    for file in sorted(certificates.iterdir()):
        issue(live_consortium, file)
    everything = shirushi("batches", "--limit", "1000", "--json", data=live_consortium.root).json["batches"]
    listed, bookmark = [], ""
    while True:
        page = shirushi(
            "batches", "--limit", "2", "--bookmark", bookmark, "--json", data=live_consortium.root
        ).json
        listed += page["batches"]
        bookmark = page["bookmark"]
        if not bookmark:
            break
    assert listed == everything
    assert len(listed) >= 3


def test_the_same_certificates_again_have_the_same_receipts_and_are_anchored_once(
    live_consortium: LiveConsortium, certificates: Path
) -> None:
    issue(live_consortium, certificates)
    height = live_consortium.settle()
    receipts = [receipt_of(file).read_bytes() for file in certificates.glob("*.txt")]
    again = issue(live_consortium, certificates)["issued"]
    assert [each["issued_before"] for each in again] == [True] * 3
    assert [receipt_of(file).read_bytes() for file in certificates.glob("*.txt")] == receipts
    assert live_consortium.settle() == height


def test_a_certificate_that_was_changed_is_not_valid(
    live_consortium: LiveConsortium, certificates: Path
) -> None:
    file = certificates / "0.txt"
    issue(live_consortium, file)
    file.write_text(file.read_text() + " ")
    report = verified(live_consortium, file, NOT_VALID)
    assert [each["code"] for each in report["checks"] if each["result"] == "fail"] == [
        "FILE_INTACT_DIGEST_DIFFERS"
    ]


def test_a_revoked_certificate_says_why_and_stays_revoked(
    live_consortium: LiveConsortium, certificates: Path
) -> None:
    file, other = certificates / "0.txt", certificates / "1.txt"
    issue(live_consortium, certificates)
    change(live_consortium, "revoke", file, "--reason", "issued_in_error")
    report = verified(live_consortium, file, NOT_VALID)
    assert (report["status"]["status"], report["status"]["reason"]) == ("revoked", "issued_in_error")
    assert len(agreeing(report)) >= report["quorum"]
    assert len(agreeing(verified(live_consortium, file, NOT_VALID, "--ledger"))) == 5
    verified(live_consortium, other, VALID)
    refused = shirushi("reinstate", file, data=live_consortium.root)
    assert refused.exit_code == 1
    assert "revoked" in refused.sentence
    assert statuses(live_consortium, file) == ["revoked"]


def test_a_suspended_certificate_is_not_valid_until_it_is_reinstated(
    live_consortium: LiveConsortium, certificates: Path
) -> None:
    file = certificates / "0.txt"
    issue(live_consortium, file)
    change(live_consortium, "suspend", file, "--reason", "under_investigation")
    assert verified(live_consortium, file, NOT_VALID)["status"]["status"] == "suspended"
    change(live_consortium, "reinstate", file, "--reason", "investigation_closed")
    verified(live_consortium, file, VALID)
    assert statuses(live_consortium, file) == ["suspended", "valid"]


def test_a_superseded_certificate_names_the_one_in_its_place(
    live_consortium: LiveConsortium, certificates: Path
) -> None:
    old, new = certificates / "0.txt", certificates / "1.txt"
    issued = issue(live_consortium, certificates)["issued"]
    change(live_consortium, "supersede", old, new, "--reason", "data_corrected")
    report = verified(live_consortium, old, NOT_VALID)
    assert report["status"]["status"] == "superseded"
    assert report["status"]["successor"]["batch_id"] == issued[0]["batch_id"]
    verified(live_consortium, new, VALID)


def test_a_whole_batch_is_revoked_at_once(live_consortium: LiveConsortium, certificates: Path) -> None:
    issue(live_consortium, certificates)
    change(live_consortium, "revoke", certificates / "0.txt", "--batch", "--reason", "key_compromise")
    for file in certificates.glob("*.txt"):
        verified(live_consortium, file, NOT_VALID)
    assert statuses(live_consortium, certificates / "2.txt", "batch") == ["revoked"]
