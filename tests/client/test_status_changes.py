from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.member_doubles import ISSUER, City

from shirushi_client import status_changes
from shirushi_client.change_journal import ChangeJournal, ChangeJournalError, PendingChange
from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.issuer import Issuer
from shirushi_client.ledger_client import LedgerClient
from shirushi_client.ledger_errors import ContractError, LedgerUnreachableError
from shirushi_client.status_changes import (
    ChangeRefusedError,
    StatusChanger,
    batch_target,
    certificate_target,
)
from shirushi_core.proofs.receipt import Receipt, ReceiptMismatchError
from shirushi_core.proofs.status import Reason, Status


@pytest.fixture
def pending(tmp_path: Path) -> ChangeJournal:
    return ChangeJournal(tmp_path / "issuer" / "changes.db")


@pytest.fixture
def changer(city: City, ledger: LedgerClient, pending: ChangeJournal) -> StatusChanger:
    return StatusChanger(issuer=ISSUER, ledger=ledger, journal=pending, clock=city.clock)


@pytest.fixture
async def receipt(issuer: Issuer) -> Receipt:
    return Receipt.from_bytes(await issuer.issue(b"one", Order("income-certificate")))


@pytest.fixture
async def another(issuer: Issuer) -> Receipt:
    return Receipt.from_bytes(await issuer.issue(b"two", Order("income-certificate")))


async def test_a_certificate_is_revoked_with_its_reason_and_time(
    city: City, changer: StatusChanger, receipt: Receipt
) -> None:
    (record,) = await changer.revoke([certificate_target(receipt)], Reason.ISSUED_IN_ERROR)
    assert (record.status, record.reason) == (Status.REVOKED, Reason.ISSUED_IN_ERROR)
    assert (record.commitment, record.effective_at) == (receipt.commitment, city.ledger.now)


async def test_suspended_and_reinstated_as_often_as_needed_also_within_a_second(
    changer: StatusChanger, ledger: LedgerClient, receipt: Receipt
) -> None:
    target = [certificate_target(receipt)]
    for _ in range(3):
        await changer.suspend(target, Reason.UNDER_INVESTIGATION)
        await changer.reinstate(target, Reason.INVESTIGATION_CLOSED)
    history = await ledger.get_history(receipt.anchor.statement.batch_id, receipt.commitment)
    assert [record.status for record in history] == [Status.SUSPENDED, Status.VALID] * 3


async def test_a_superseded_certificate_names_its_successor(
    changer: StatusChanger, receipt: Receipt, another: Receipt
) -> None:
    record = await changer.supersede(certificate_target(receipt), another, Reason.DATA_CORRECTED)
    assert record.successor is not None
    assert record.successor.commitment == another.commitment


async def test_a_whole_batch_is_one_target(changer: StatusChanger, receipt: Receipt) -> None:
    (record,) = await changer.revoke([batch_target(receipt)], Reason.KEY_COMPROMISE)
    assert record.commitment is None


async def test_many_change_together_or_not_at_all(
    changer: StatusChanger, ledger: LedgerClient, receipt: Receipt, another: Receipt
) -> None:
    await changer.revoke([certificate_target(another)], Reason.OTHER)
    with pytest.raises(ContractError) as refused:
        await changer.revoke([certificate_target(receipt), certificate_target(another)], Reason.OTHER)
    assert refused.value.code == "STATUS_REFUSED"
    assert await ledger.get_history(receipt.anchor.statement.batch_id, receipt.commitment) == ()


async def test_the_one_that_is_refused_is_named_and_what_changed_before_it(
    changer: StatusChanger, receipt: Receipt, another: Receipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_changes, "MAX_CHANGES", 1)
    targets = [certificate_target(receipt), certificate_target(another)]
    await changer.revoke(targets[1:], Reason.OTHER)
    with pytest.raises(ChangeRefusedError) as refused:
        await changer.revoke(targets, Reason.OTHER)
    assert refused.value.target == targets[1]
    assert [record.commitment for record in refused.value.done] == [receipt.commitment]
    assert "change 0" not in refused.value.sentence


async def test_a_request_made_again_after_all_replies_were_lost_is_the_same_change(
    city: City, changer: StatusChanger, ledger: LedgerClient, receipt: Receipt
) -> None:
    for member in city.members:
        member.replies_to_lose = 100
    with pytest.raises(LedgerUnreachableError):
        await changer.revoke([certificate_target(receipt)], Reason.HOLDER_REQUEST)
    for member in city.members:
        member.replies_to_lose = 0
    city.ledger.now += 60
    (record,) = await changer.revoke([certificate_target(receipt)], Reason.HOLDER_REQUEST)
    assert record.effective_at == city.ledger.now - 60
    history = await ledger.get_history(receipt.anchor.statement.batch_id, receipt.commitment)
    assert history == (record,)


async def test_a_change_whose_reply_was_lost_does_not_stand_in_for_a_later_one(
    city: City, changer: StatusChanger, ledger: LedgerClient, receipt: Receipt
) -> None:
    target = [certificate_target(receipt)]
    for member in city.members:
        member.replies_to_lose = 100
    with pytest.raises(LedgerUnreachableError):
        await changer.suspend(target, Reason.OTHER)
    for member in city.members:
        member.replies_to_lose = 0
    await changer.reinstate(target, Reason.OTHER)
    (record,) = await changer.suspend(target, Reason.OTHER)
    history = await ledger.get_history(receipt.anchor.statement.batch_id, receipt.commitment)
    assert history[-1] == record
    assert [each.status for each in history] == [Status.SUSPENDED, Status.VALID, Status.SUSPENDED]


async def test_a_refused_change_is_not_pending_any_more(changer: StatusChanger, receipt: Receipt) -> None:
    target = [certificate_target(receipt)]
    for _ in range(2):
        with pytest.raises(ContractError) as refused:
            await changer.reinstate(target, Reason.OTHER)
        assert refused.value.code == "STATUS_REFUSED"
    await changer.suspend(target, Reason.OTHER)
    await changer.reinstate(target, Reason.OTHER)


async def test_another_issuer_cannot_touch_it(
    city: City, ledger: LedgerClient, pending: ChangeJournal, receipt: Receipt
) -> None:
    changer = StatusChanger(issuer="another-city", ledger=ledger, journal=pending, clock=city.clock)
    with pytest.raises(ContractError) as refused:
        await changer.revoke([certificate_target(receipt)], Reason.OTHER)
    assert refused.value.code == "ISSUER_NOT_FOUND"


async def test_a_receipt_that_proves_nothing_is_no_target(receipt: Receipt, another: Receipt) -> None:
    with pytest.raises(ReceiptMismatchError):
        certificate_target(replace(receipt, salt=another.salt))


def test_what_is_pending_survives_and_the_first_to_begin_wins(tmp_path: Path) -> None:
    path = tmp_path / "changes.db"
    first, second = PendingChange("one", 1), PendingChange("two", 2)
    assert ChangeJournal(path).begin(b"request", first) == first
    assert ChangeJournal(path).begin(b"request", second) == first
    ChangeJournal(path).end(b"request", second)
    assert ChangeJournal(path).find(b"request") == first
    ChangeJournal(path).end(b"request", first)
    assert ChangeJournal(path).find(b"request") is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_something_else_is_no_journal_of_changes(tmp_path: Path) -> None:
    (tmp_path / "changes.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(ChangeJournalError, match=r"changes\.db"):
        ChangeJournal(tmp_path / "changes.db").find(b"request")
