"""Reconciling what is anchored with what an issuer believes it issued, whichever way its list is written."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.core.proofs.conftest import build_batch
from tests.support.audited_logs import audited, served
from tests.support.contract_log import ContractLog, lively_log

from shirushi_client.audit.audit import ListToReconcile
from shirushi_client.audit.findings import Code
from shirushi_client.audit.list_file import ListError, read_list
from shirushi_client.audit.reconciliation import ListedBatch, reconcile
from shirushi_client.audit.report import AuditReport, Outcome
from shirushi_client.hashing import digest_bytes
from shirushi_client.issuer.batch import Batch, seal_batch
from shirushi_client.issuer.journal import NOTHING_OWED, Journal, JournalError
from shirushi_client.verifier.reading import ReceiptFileError
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.replay import AnchoredBatch

ONE, TWO, THREE = (sha256(name).digest() for name in (b"one", b"two", b"three"))


def anchored(size: int = 3, issuer: str = "iizuka-city", index: int = 0) -> AnchoredBatch:
    return AnchoredBatch(index, issuer, "income-certificate", size, 1_790_000_000, "0" * 64)


class TestReconciling:
    def test_finds_nothing_where_both_sides_are_alike(self) -> None:
        found = reconcile("list", {ONE: ListedBatch(3)}, {ONE: anchored()})
        assert (found.matched, list(found.findings())) == (1, [])

    def test_finds_what_is_anchored_and_not_listed(self) -> None:
        found = reconcile("list", {ONE: ListedBatch()}, {ONE: anchored(), TWO: anchored(index=7)})
        (finding,) = found.findings()
        assert (finding.code, finding.index, finding.found) == (Code.ANCHORED_NOT_LISTED, 7, TWO.hex())
        assert TWO.hex() in finding.en
        assert TWO.hex() in finding.ja

    def test_finds_what_is_listed_and_not_anchored(self) -> None:
        found = reconcile("list", {ONE: ListedBatch(), TWO: ListedBatch()}, {ONE: anchored()})
        (finding,) = found.findings()
        assert (finding.code, finding.expected) == (Code.LISTED_NOT_ANCHORED, TWO.hex())

    def test_finds_counts_that_differ(self) -> None:
        found = reconcile(
            "list", {ONE: ListedBatch(4), TWO: ListedBatch(3)}, {ONE: anchored(), TWO: anchored()}
        )
        assert (found.matched, found.differing) == (1, {ONE: (4, 3)})
        (finding,) = found.findings()
        assert finding.code is Code.COUNT_DIFFERS

    def test_is_about_one_issuer_if_asked_for_or_if_the_list_names_it(self) -> None:
        ledger = {ONE: anchored(), TWO: anchored(issuer="elsewhere")}
        assert reconcile("list", {ONE: ListedBatch()}, ledger).anchored_not_listed == (TWO,)
        assert reconcile("list", {ONE: ListedBatch()}, ledger, "iizuka-city").anchored_not_listed == ()
        assert reconcile("list", {ONE: ListedBatch(3, "iizuka-city")}, ledger).anchored_not_listed == ()

    def test_takes_a_batch_of_another_issuer_for_not_anchored(self) -> None:
        found = reconcile("list", {TWO: ListedBatch()}, {TWO: anchored(issuer="elsewhere")}, "iizuka-city")
        assert found.listed_not_anchored == (TWO,)

    def test_lets_a_batch_that_was_only_prepared_be_anchored_or_not(self) -> None:
        listed = {ONE: ListedBatch(3, is_certain=False), TWO: ListedBatch(3, is_certain=False)}
        found = reconcile("list", listed, {ONE: anchored()})
        assert (found.matched, list(found.findings())) == (1, [])


class TestInAnAudit:
    @staticmethod
    async def audit(log: ContractLog, batches: dict[bytes, ListedBatch]) -> AuditReport:
        return await audited(list(served(log).values()), listed=ListToReconcile("issued.csv", batches))

    async def test_is_clean_with_a_list_of_all_that_is_anchored(self) -> None:
        log = await lively_log()
        statements = [
            log.city.statement(3),
            log.city.statement(3, document_type="tax-certificate"),
            log.city.statement(4),
        ]
        listed = {each.batch_id: ListedBatch(each.size) for each in statements}
        report = await self.audit(log, listed)
        assert report.outcome is Outcome.CLEAN
        assert report.reconciliation is not None
        assert report.reconciliation.matched == 3

    async def test_differs_both_ways_and_says_so_in_its_document(self) -> None:
        log = await lively_log()
        report = await self.audit(log, {log.city.statement(3).batch_id: ListedBatch(2), ONE: ListedBatch()})
        assert report.outcome is Outcome.DIFFERENCE
        assert [each.code for each in report.findings] == [
            Code.COUNT_DIFFERS,
            Code.ANCHORED_NOT_LISTED,
            Code.ANCHORED_NOT_LISTED,
            Code.LISTED_NOT_ANCHORED,
        ]
        document = report.to_json()["reconciliation"]
        assert document == {
            "anchored_not_listed": [
                log.city.statement(3, document_type="tax-certificate").batch_id.hex(),
                log.city.statement(4).batch_id.hex(),
            ],
            "differing": [{"anchored": 3, "batch_id": log.city.statement(3).batch_id.hex(), "listed": 2}],
            "list": "issued.csv",
            "listed_not_anchored": [ONE.hex()],
            "matched": 0,
        }


class TestAListOfText:
    @pytest.mark.parametrize(
        ("text", "counts"),
        [
            (f"{ONE.hex()}\n{TWO.hex()}\n", [None, None]),
            (f"# issued in November\n\n{ONE.hex()},3\r\n{TWO.hex()}, 4\r\n", [3, 4]),
            (f"batch_id,size\n{ONE.hex()},3\n{TWO.hex()},\n", [3, None]),
            (f"\ufeffName,Size,Batch_ID\nspring,3,{ONE.hex().upper()}\nautumn,4,{TWO.hex()}\n", [3, 4]),
        ],
    )
    def test_is_read_line_by_line(self, tmp_path: Path, text: str, counts: Sequence[int | None]) -> None:
        file = tmp_path / "list"
        file.write_bytes(text.encode())
        assert read_list(file) == dict(zip((ONE, TWO), map(ListedBatch, counts), strict=True))

    def test_may_be_empty(self, tmp_path: Path) -> None:
        (tmp_path / "list").write_bytes(b"")
        assert read_list(tmp_path / "list") == {}

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            (f"{ONE.hex()}\n{ONE.hex()[:-2]}\n", 2),
            (f"{ONE.hex()}\nhello\n", 2),
            (f"{ONE.hex()},three\n", 1),
            (f"{ONE.hex()},0\n", 1),
            (f"{ONE.hex()},99999999\n", 1),
            (f"{ONE.hex()}\n\n{ONE.hex()}\n", 3),
            ("batch_id,size\n,3\n", 2),
        ],
    )
    def test_is_refused_with_its_line(self, tmp_path: Path, text: str, line: int) -> None:
        (tmp_path / "list").write_text(text)
        with pytest.raises(ListError, match=rf"line {line}:"):
            read_list(tmp_path / "list")

    def test_is_refused_if_it_is_no_text_or_not_there(self, tmp_path: Path) -> None:
        (tmp_path / "list").write_bytes(b"\xff\xfe")
        for path in (tmp_path / "list", tmp_path / "nowhere"):
            with pytest.raises(ListError, match=path.name):
                read_list(path)


class TestAFolderOfReceipts:
    def test_counts_the_certificates_of_each_batch(self, tmp_path: Path) -> None:
        batch = build_batch(5)
        (tmp_path / "sub").mkdir()
        for number in (0, 2, 4):
            path = tmp_path / ("sub" if number else ".") / f"{number}.pdf.receipt.json"
            path.write_bytes(batch.receipts[number].to_bytes())
        (tmp_path / "copy.pdf.receipt.json").write_bytes(batch.receipts[0].to_bytes())
        (tmp_path / "0.pdf").write_bytes(b"a certificate")
        assert read_list(tmp_path) == {batch.anchor.statement.batch_id: ListedBatch(3, "iizuka-city")}

    def test_without_receipts_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ListError, match="has no receipts"):
            read_list(tmp_path)

    def test_with_a_receipt_that_is_none_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a.receipt.json").write_bytes(b"{}")
        with pytest.raises(ReceiptFileError, match=r"a\.receipt\.json"):
            read_list(tmp_path)


class TestAnIssuersJournal:
    @staticmethod
    def batch(content: bytes) -> Batch:
        return seal_batch(
            [digest_bytes(content)],
            os.urandom(32),
            ledger="shirushi-test",
            issuer="iizuka-city",
            document_type="income-certificate",
            valid_from=1,
            valid_until=None,
            key=ec.generate_private_key(ec.SECP256R1()),
        )

    def test_lists_what_was_committed_what_may_be_and_not_what_was_refused(self, tmp_path: Path) -> None:
        prepared, committed, refused = (self.batch(content) for content in (b"1", b"2", b"3"))
        with Journal(tmp_path / "journal.db") as journal:
            journal.prepare(prepared, NOTHING_OWED)
            row = journal.prepare(committed, NOTHING_OWED)
            anchor = IssuanceAnchor(committed.statement, committed.seal, 5, "0" * 64, 1)
            journal.commit(row, anchor)
            journal.refuse(journal.prepare(refused, NOTHING_OWED))
            # Whoever issues with it holds it open meanwhile.
            assert read_list(tmp_path / "journal.db") == {
                prepared.statement.batch_id: ListedBatch(1, "iizuka-city", is_certain=False),
                committed.statement.batch_id: ListedBatch(1, "iizuka-city"),
            }

    @pytest.mark.parametrize("version", [0, 2, 99])
    def test_of_another_kind_is_refused_and_left_as_it_was(self, tmp_path: Path, version: int) -> None:
        path = tmp_path / "other.db"
        database = sqlite3.connect(path)
        database.executescript(f"CREATE TABLE changes (id INTEGER); PRAGMA user_version = {version};")
        database.close()
        before = path.read_bytes()
        with pytest.raises(JournalError, match=r"other\.db"):
            read_list(path)
        assert path.read_bytes() == before
