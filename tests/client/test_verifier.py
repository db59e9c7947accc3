from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.member_doubles import City

from shirushi_client.change_journal import ChangeJournal
from shirushi_client.hashing import CertificateFileError
from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.issued import FileToIssue
from shirushi_client.issuer.issuer import Issuer
from shirushi_client.ledger_client import LedgerClient
from shirushi_client.status_changes import StatusChanger, certificate_target
from shirushi_client.verifier import evidence
from shirushi_client.verifier.demand import Demand
from shirushi_client.verifier.verifier import (
    CannotConfirmError,
    NotValidError,
    ReceiptFileError,
    Verifier,
    read_receipt,
)
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.report import Verdict
from shirushi_core.proofs.status import Reason, Status


@pytest.fixture
def verifier(city: City) -> Verifier:
    return Verifier(city.connection, city.members, clock=city.clock)


@pytest.fixture
async def issued(issuer: Issuer, certificates: list[FileToIssue]) -> tuple[Path, Path]:
    async for _ in issuer.issue_files(certificates[:2], Order("income-certificate")):
        pass
    return Path(certificates[0].path), Path(certificates[0].receipt_path)


async def test_a_report_says_what_was_found_and_who_said_it(
    verifier: Verifier, issued: tuple[Path, Path]
) -> None:
    report = (await verifier.verify(*issued)).to_json()
    assert report["format"] == "shirushi/report/v1"
    assert (report["verdict"], report["test"]) == ("valid", True)
    assert report["issuer"] == {"id": "iizuka-city", "name": {"ja": "飯塚市", "en": "Iizuka City"}}
    assert [member["agrees"] for member in report["members"]] == [True] * 5  # type: ignore[index, union-attr]
    assert len(report["checks"]) == 9  # type: ignore[arg-type]


async def test_a_revoked_certificate_is_reported_with_its_record(
    city: City, verifier: Verifier, ledger: LedgerClient, issued: tuple[Path, Path], tmp_path: Path
) -> None:
    changer = StatusChanger(
        issuer="iizuka-city", ledger=ledger, journal=ChangeJournal(tmp_path / "c"), clock=city.clock
    )
    await changer.revoke([certificate_target(read_receipt(issued[1]))], Reason.ISSUED_IN_ERROR)
    report = await verifier.verify(*issued)
    assert report.verdict is Verdict.NOT_VALID
    assert report.status is not None
    assert (report.status.reason, report.status.effective_at) == (Reason.ISSUED_IN_ERROR, city.ledger.now)


async def test_two_members_down_change_nothing_and_are_named(
    city: City, verifier: Verifier, issued: tuple[Path, Path]
) -> None:
    city.members[1].down = city.members[3].down = True
    report = await verifier.verify(*issued)
    assert report.verdict is Verdict.VALID
    assert [member.agrees for member in report.members] == [True, None, True, None, True]
    assert "is down" in str(report.members[1].to_json()["problem"])


async def test_three_members_down_and_it_cannot_be_confirmed(
    city: City, verifier: Verifier, issued: tuple[Path, Path]
) -> None:
    for member in city.members[:3]:
        member.down = True
    report = await verifier.verify(*issued)
    assert report.verdict is Verdict.CANNOT_CONFIRM
    assert {member.agrees for member in report.members} == {None}


async def test_a_member_that_never_answers_is_not_waited_for_for_ever(
    city: City, verifier: Verifier, issued: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "MEMBER_SECONDS", 0.05)
    city.members[0].hangs = True
    report = await verifier.verify(*issued)
    assert report.verdict is Verdict.VALID
    assert "no answer within" in str(report.members[0].to_json()["problem"])


def forget(function: str, answer: Any) -> Any:
    return answer | {"certificate_status": None} if function == "get_status" else answer


def another_batch(function: str, answer: Any) -> Any:
    return answer | {"batch_id": "00" * 32}


def another_certificates_status(function: str, answer: Any) -> Any:
    if function != "get_status" or answer["certificate_status"] is None:
        return answer
    return answer | {"certificate_status": answer["certificate_status"] | {"commitment": "00" * 32}}


def garbage(function: str, answer: Any) -> Any:
    return {"what": ["ever"]}


@pytest.mark.parametrize("lie", [forget, another_batch, another_certificates_status, garbage])
async def test_two_members_that_lie_cannot_hide_a_revocation(
    city: City, verifier: Verifier, ledger: LedgerClient, issued: tuple[Path, Path], tmp_path: Path, lie: Any
) -> None:
    changer = StatusChanger(
        issuer="iizuka-city", ledger=ledger, journal=ChangeJournal(tmp_path / "c"), clock=city.clock
    )
    await changer.revoke([certificate_target(read_receipt(issued[1]))], Reason.ISSUED_IN_ERROR)
    city.members[0].lie = city.members[1].lie = lie
    report = await verifier.verify(*issued)
    assert report.verdict is Verdict.NOT_VALID
    assert [member.agrees for member in report.members][2:] == [True] * 3
    assert all(member.agrees is not True for member in report.members[:2])


async def test_an_answer_about_something_else_is_no_answer(
    city: City, verifier: Verifier, issuer: Issuer, issued: tuple[Path, Path]
) -> None:
    other = Receipt.from_bytes(await issuer.issue(b"another", Order("income-certificate"))).anchor

    def another_anchor(function: str, answer: Any) -> Any:
        return other.to_json() if function == "get_batch" else answer

    for member in city.members:
        member.lie = another_anchor
    report = await verifier.verify(*issued)
    assert report.verdict is Verdict.CANNOT_CONFIRM
    assert "another batch" in str(report.members[0].to_json()["problem"])


async def test_members_are_not_asked_about_another_ledgers_certificate(
    city: City, issued: tuple[Path, Path]
) -> None:
    calls = [len(member.calls) for member in city.members]
    elsewhere = Verifier(replace(city.connection, channel="elsewhere"), city.members, clock=city.clock)
    report = await elsewhere.verify(*issued)
    assert report.verdict is Verdict.CANNOT_CONFIRM
    assert [len(member.calls) for member in city.members] == calls
    assert report.members[0].to_json()["problem"] == "not asked"


async def test_a_receipt_of_another_file_is_not_valid(
    verifier: Verifier, issued: tuple[Path, Path], certificates: list[FileToIssue]
) -> None:
    report = await verifier.verify(Path(certificates[1].path), issued[1])
    assert report.verdict is Verdict.NOT_VALID


async def test_a_program_gets_the_receipt_or_an_exception_with_the_report(
    city: City, verifier: Verifier, issued: tuple[Path, Path]
) -> None:
    assert isinstance(await verifier.verify_or_raise(*issued), Receipt)
    issued[0].write_bytes(b"tampered")
    with pytest.raises(NotValidError, match="was changed") as raised:
        await verifier.verify_or_raise(*issued)
    assert raised.value.report.verdict is Verdict.NOT_VALID


async def test_a_program_can_tell_doubt_from_refusal(
    city: City, verifier: Verifier, issued: tuple[Path, Path]
) -> None:
    for member in city.members:
        member.down = True
    with pytest.raises(CannotConfirmError):
        await verifier.verify_or_raise(*issued)


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{}", b"[1, 2", b'{"format": "shirushi/receipt/v2"}', b"\xff\xfe", b" " * (1 << 20)],
    ids=["missing", "empty", "no_fields", "cut", "other_version", "not_utf8", "huge"],
)
async def test_what_is_no_receipt_is_said_with_its_name(
    verifier: Verifier, issued: tuple[Path, Path], tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "broken.receipt.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ReceiptFileError, match=r"broken\.receipt\.json"):
        await verifier.verify(issued[0], path)


async def test_a_file_that_is_missing_is_said_with_its_name(
    verifier: Verifier, issued: tuple[Path, Path]
) -> None:
    issued[0].unlink()
    with pytest.raises(CertificateFileError, match=r"0\.pdf"):
        await verifier.verify(*issued)


async def test_a_past_date_is_judged_by_the_history_that_a_quorum_has(
    city: City, verifier: Verifier, ledger: LedgerClient, issued: tuple[Path, Path], tmp_path: Path
) -> None:
    changer = StatusChanger(
        issuer="iizuka-city", ledger=ledger, journal=ChangeJournal(tmp_path / "c"), clock=city.clock
    )
    target, start = certificate_target(read_receipt(issued[1])), city.ledger.now
    city.ledger.now = start + 100
    await changer.suspend([target], Reason.UNDER_INVESTIGATION)
    city.ledger.now = start + 200
    await changer.reinstate([target], Reason.INVESTIGATION_CLOSED)
    city.ledger.now = start + 300
    await changer.revoke([target], Reason.ISSUED_IN_ERROR)
    found = {
        after: (await verifier.verify(*issued, Demand(at=start + after))).verdict
        for after in (50, 150, 250, 350)
    }
    assert found == {
        50: Verdict.VALID,
        150: Verdict.NOT_VALID,
        250: Verdict.VALID,
        350: Verdict.NOT_VALID,
    }
    report = await verifier.verify(*issued, Demand(at=start + 150))
    assert report.status is not None
    assert (report.status.status, report.judged_at) == (Status.SUSPENDED, start + 150)


async def test_before_it_was_issued_a_certificate_was_not_valid(
    city: City, verifier: Verifier, issued: tuple[Path, Path]
) -> None:
    before = read_receipt(issued[1]).anchor.anchored_at - 1
    report = await verifier.verify(*issued, Demand(at=before))
    assert report.verdict is Verdict.NOT_VALID
    assert "RECORDED_ON_LEDGER_AFTER_DATE" in {check.code for check in report.checks}


async def test_two_members_that_lie_about_the_past_change_nothing(
    city: City, verifier: Verifier, ledger: LedgerClient, issued: tuple[Path, Path], tmp_path: Path
) -> None:
    changer = StatusChanger(
        issuer="iizuka-city", ledger=ledger, journal=ChangeJournal(tmp_path / "c"), clock=city.clock
    )
    await changer.revoke([certificate_target(read_receipt(issued[1]))], Reason.ISSUED_IN_ERROR)

    def no_history(function: str, answer: Any) -> Any:
        return [] if function == "get_history" else answer

    city.members[0].lie = city.members[1].lie = no_history
    report = await verifier.verify(*issued, Demand(at=city.ledger.now))
    assert report.verdict is Verdict.NOT_VALID
    assert [member.agrees for member in report.members] == [False, False, True, True, True]
