from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.anchors_ledger import Consortium
from tests.support.member_doubles import ISSUER, City

from shirushi_client.hashing import CertificateFileError
from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.issued import FileToIssue, Issued
from shirushi_client.issuer.issuer import Issuer
from shirushi_client.issuer.journal import Journal, State
from shirushi_client.issuer.receipt_files import ReceiptWriteError
from shirushi_client.ledger_client import LedgerClient
from shirushi_client.ledger_errors import ContractError, LedgerAnswerError, LedgerUnreachableError
from shirushi_client.verifier.verifier import Verifier
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.report import Verdict

ORDER = Order("income-certificate")


async def issue_all(issuer: Issuer, files: list[FileToIssue], order: Order = ORDER) -> list[Issued]:
    async with aclosing(issuer.issue_files(files, order)) as batches:
        return [each async for batch in batches for each in batch]


def receipts(files: list[FileToIssue]) -> list[bytes]:
    return [Path(file.receipt_path).read_bytes() for file in files]


def anchors(city: City) -> list[str]:
    return [key for key in city.ledger.state if key.startswith("batch/")]


async def test_every_file_gets_a_receipt_that_verifies(
    city: City, issuer: Issuer, certificates: list[FileToIssue]
) -> None:
    issued = await issue_all(issuer, certificates)
    assert [each.path for each in issued] == [file.path for file in certificates]
    assert len(anchors(city)) == 3  # batches of at most four
    verifier = Verifier(city.connection, city.members, clock=city.clock)
    for file in certificates:
        report = await verifier.verify(Path(file.path), Path(file.receipt_path))
        assert report.verdict is Verdict.VALID


async def test_a_batch_that_was_just_prepared_is_not_read_from_the_journal_again(
    issuer: Issuer, journal: Journal, certificates: list[FileToIssue], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "load", None)
    await issue_all(issuer, certificates)
    assert journal.counts() == {State.DELIVERED: 3}


async def test_files_that_are_waited_for_hold_back_nothing_that_came_before(
    issuer: Issuer, certificates: list[FileToIssue]
) -> None:
    first_done = threading.Event()

    def files() -> Iterator[FileToIssue]:
        yield from certificates[:4]
        assert first_done.wait(10)
        yield from certificates[4:]

    async def other_work() -> None:
        while not all(Path(file.receipt_path).exists() for file in certificates[:4]):
            await issuer.issue(b"something else", ORDER)
        first_done.set()

    others = asyncio.create_task(other_work())
    assert len([each async for batch in issuer.issue_files(files(), ORDER) for each in batch]) == 10
    await others


async def test_a_certificate_that_another_batch_is_issuing_is_waited_for(
    city: City, issuer: Issuer, certificates: list[FileToIssue], tmp_path: Path
) -> None:
    again = [FileToIssue(file.path, str(tmp_path / f"{n}.json")) for n, file in enumerate(certificates)]
    shuffled = [file for pair in zip(certificates, again, strict=True) for file in pair]
    await asyncio.gather(issue_all(issuer, shuffled), issue_all(issuer, again[::-1]))
    assert receipts(certificates) == receipts(again)
    used = {Receipt.from_bytes(data).anchor.statement.batch_id for data in receipts(certificates)}
    assert len(used) == len(anchors(city))


async def test_the_same_bytes_again_have_the_same_receipts_and_anchor_nothing(
    city: City, issuer: Issuer, certificates: list[FileToIssue], tmp_path: Path
) -> None:
    await issue_all(issuer, certificates)
    first = receipts(certificates)
    again = [FileToIssue(file.path, str(tmp_path / f"{n}.json")) for n, file in enumerate(certificates)]
    issued = await issue_all(issuer, again)
    assert all(each.issued_before for each in issued)
    assert receipts(again) == first
    assert len(anchors(city)) == 3


async def test_another_document_type_is_another_certificate(
    city: City, issuer: Issuer, certificates: list[FileToIssue]
) -> None:
    await issue_all(issuer, certificates[:1])
    first = receipts(certificates[:1])
    await issue_all(issuer, certificates[:1], Order("residence-certificate"))
    assert receipts(certificates[:1]) != first


async def test_a_reissuance_that_is_asked_for_makes_a_new_certificate(
    issuer: Issuer, certificates: list[FileToIssue]
) -> None:
    await issue_all(issuer, certificates[:1])
    first = receipts(certificates[:1])
    (issued,) = await issue_all(issuer, certificates[:1], replace(ORDER, reissue=True))
    assert not issued.issued_before
    second = receipts(certificates[:1])
    assert second != first
    await issue_all(issuer, certificates[:1])
    assert receipts(certificates[:1]) == second


async def test_files_with_the_same_bytes_are_one_certificate(
    city: City, issuer: Issuer, certificates: list[FileToIssue]
) -> None:
    for file in certificates:
        Path(file.path).write_bytes(b"the same")
    issued = await issue_all(issuer, certificates)
    assert len(set(receipts(certificates))) == 1
    assert len(anchors(city)) == 1
    assert len(issued) == 10


async def test_requests_one_at_a_time_share_batches(city: City, issuer: Issuer) -> None:
    files = await asyncio.gather(*(issuer.issue(b"%d" % n, ORDER) for n in range(8)))
    assert len({Receipt.from_bytes(file).commitment for file in files}) == 8
    assert len(anchors(city)) == 2


async def test_a_request_with_bytes_that_were_issued_gets_the_first_receipt(
    issuer: Issuer, certificates: list[FileToIssue]
) -> None:
    await issue_all(issuer, certificates)
    assert await issuer.issue(Path(certificates[7].path).read_bytes(), ORDER) == receipts(certificates)[7]


async def test_requests_of_different_types_and_validity_do_not_share_a_statement(
    issuer: Issuer, city: City
) -> None:
    orders = [
        ORDER,
        Order("residence-certificate"),
        Order("tax-certificate", valid_until=city.ledger.now + 86400),
    ]
    files = await asyncio.gather(*(issuer.issue(b"one", order) for order in orders))
    statements = [Receipt.from_bytes(file).anchor.statement for file in files]
    assert [statement.document_type for statement in statements] == [order.document_type for order in orders]
    assert [statement.valid_until for statement in statements] == [order.valid_until for order in orders]


async def test_a_lost_reply_does_not_anchor_twice(
    city: City, issuer: Issuer, certificates: list[FileToIssue]
) -> None:
    for member in city.members:
        member.replies_to_lose = 1
    await issue_all(issuer, certificates[:4])
    assert len(anchors(city)) == 1
    assert city.members[0].calls.count("issue") == 1
    assert len(receipts(certificates[:4])) == 4


async def test_batches_that_could_not_be_sent_are_finished_by_the_next_run_with_the_same_salts(
    city: City, issuer: Issuer, journal: Journal, certificates: list[FileToIssue]
) -> None:
    for member in city.members:
        member.down = True
    with pytest.raises(LedgerUnreachableError):
        await issue_all(issuer, certificates[:4])
    assert not any(Path(file.receipt_path).exists() for file in certificates)
    (row,) = journal.unfinished()
    salts = list(journal.load(row).batch.salts)
    for member in city.members:
        member.down = False
    resumed = await issuer.resume()
    assert set(resumed.receipt_paths) == {file.receipt_path for file in certificates[:4]}
    assert [Receipt.from_bytes(data).salt for data in receipts(certificates[:4])] == salts
    assert journal.counts() == {State.DELIVERED: 1}


async def test_asking_again_for_what_could_not_be_sent_sends_it(
    city: City, issuer: Issuer, certificates: list[FileToIssue]
) -> None:
    for member in city.members:
        member.down = True
    with pytest.raises(LedgerUnreachableError):
        await issue_all(issuer, certificates[:4])
    for member in city.members:
        member.down = False
    await issue_all(issuer, certificates[:4])
    assert len(receipts(certificates[:4])) == 4
    assert len(anchors(city)) == 1


async def test_what_the_contract_refuses_is_said_and_can_be_issued_once_the_reason_is_gone(
    city: City, ledger: LedgerClient, journal: Journal, certificates: list[FileToIssue]
) -> None:
    options = {"seal_key": city.party.seal_key, "ledger": ledger, "journal": journal, "clock": city.clock}
    async with Issuer(name="another-city", **options) as stranger:
        with pytest.raises(ContractError) as refused:
            await issue_all(stranger, certificates[:1])
        assert refused.value.code == "ISSUER_NOT_FOUND"
        assert (await stranger.resume()).problems == ()
    async with Issuer(name=ISSUER, **options) as issuer:
        await issue_all(issuer, certificates[:1])
    assert len(receipts(certificates[:1])) == 1


async def test_a_members_client_that_is_no_issuer_cannot_issue(
    city: City, issuer: Issuer, certificates: list[FileToIssue]
) -> None:
    for member in city.members:
        member.who = Consortium().client("IizukaMSP")
    with pytest.raises(ContractError) as refused:
        await issue_all(issuer, certificates[:1])
    assert refused.value.code == "NOT_ISSUER"
    assert not Path(certificates[0].receipt_path).exists()


async def test_an_unreadable_file_stops_its_batch_before_anything_of_it_is_sent(
    city: City, issuer: Issuer, certificates: list[FileToIssue]
) -> None:
    Path(certificates[5].path).unlink()
    batches = issuer.issue_files(certificates, ORDER)
    assert [each.path for each in await anext(batches)] == [file.path for file in certificates[:4]]
    with pytest.raises(CertificateFileError, match=r"5\.pdf"):
        await anext(batches)
    assert not any(Path(file.receipt_path).exists() for file in certificates[4:8])
    await issuer.resume()  # the third batch may have been on its way
    await issue_all(issuer, certificates[:4] + certificates[8:])
    assert len(anchors(city)) == 2


async def test_a_receipt_that_cannot_be_written_is_reported_and_can_be_had_again(
    issuer: Issuer, certificates: list[FileToIssue], tmp_path: Path
) -> None:
    lost = [FileToIssue(certificates[0].path, str(tmp_path / "gone" / "receipt.json"))]
    with pytest.raises(ReceiptWriteError):
        await issue_all(issuer, lost)
    resumed = await issuer.resume()
    assert [type(problem) for problem in resumed.problems] == [ReceiptWriteError]
    assert (await issuer.resume()).problems == ()
    (issued,) = await issue_all(issuer, certificates[:1])
    assert issued.issued_before
    assert len(receipts(certificates[:1])) == 1


async def test_an_anchor_of_something_else_makes_no_receipt(
    city: City, ledger: LedgerClient, journal: Journal, certificates: list[FileToIssue]
) -> None:
    class Confused:
        name = ledger.name
        get_issuer = staticmethod(ledger.get_issuer)

        async def submit_issue(self, statement: object, seal: object) -> object:
            anchor = await ledger.submit_issue(statement, seal)  # type: ignore[arg-type]
            return replace(
                anchor, statement=replace(anchor.statement, valid_from=anchor.statement.valid_from - 1)
            )

    async with Issuer(
        name=ISSUER,
        seal_key=city.party.seal_key,
        ledger=Confused(),
        journal=journal,
        clock=city.clock,  # type: ignore[arg-type]
    ) as issuer:
        with pytest.raises(LedgerAnswerError):
            await issue_all(issuer, certificates[:1])
    assert not Path(certificates[0].receipt_path).exists()


async def test_only_a_few_batches_are_in_work_at_a_time(city: City, issuer: Issuer, tmp_path: Path) -> None:
    drawn = 0

    def endless() -> object:
        nonlocal drawn
        while True:
            path = tmp_path / f"{drawn}.txt"
            path.write_text(str(drawn))
            drawn += 1
            yield FileToIssue(str(path), f"{path}.receipt.json")

    async with aclosing(issuer.issue_files(endless(), ORDER)) as batches:  # type: ignore[arg-type]
        taken = 0
        async for batch in batches:
            taken += len(batch)
            assert drawn - taken <= 5 * 4
            if taken >= 40:
                break


async def test_stopping_early_leaves_nothing_that_resume_does_not_finish(
    city: City, issuer: Issuer, journal: Journal, certificates: list[FileToIssue]
) -> None:
    async with aclosing(issuer.issue_files(certificates, ORDER)) as batches:
        async for _ in batches:
            break
    await issuer.resume()
    assert journal.unfinished() == []
    await issue_all(issuer, certificates)
    assert len(anchors(city)) == 3


async def test_a_cancelled_issuer_ends_at_once_and_the_next_run_finishes_its_work(
    city: City, ledger: LedgerClient, journal: Journal, certificates: list[FileToIssue]
) -> None:
    options = {"name": ISSUER, "seal_key": city.party.seal_key, "ledger": ledger, "journal": journal}

    async def run() -> None:
        async with Issuer(**options, clock=city.clock) as issuer:
            await issue_all(issuer, certificates)

    city.members[0].hangs_at = "issue"
    running = asyncio.create_task(run())
    await city.members[0].is_hanging.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 5)
    city.members[0].hangs_at = ""
    async with Issuer(**options, clock=city.clock) as issuer:
        resumed = await issuer.resume()
    assert set(resumed.receipt_paths) == {file.receipt_path for file in certificates}
    assert len(anchors(city)) == 1
