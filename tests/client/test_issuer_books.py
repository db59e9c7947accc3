"""Issuing into receipt books: one file for a batch, all of its receipts in it, the same again when asked again."""

from __future__ import annotations

import stat
from contextlib import aclosing
from pathlib import Path

import pytest
from tests.support.member_doubles import City

from shirushi_client.book_extraction import (
    ReceiptBookError,
    books_in,
    extract_receipts,
    load_book,
)
from shirushi_client.hashing import CertificateFileError, FileDigest
from shirushi_client.issuer import issuer as issuing
from shirushi_client.issuer.batch import Order, ReceiptCheckError, checked_book
from shirushi_client.issuer.book_files import book_path, write_book
from shirushi_client.issuer.issued import FileToIssue, IssuedBook
from shirushi_client.issuer.issuer import Issuer
from shirushi_client.issuer.journal import Journal, State
from shirushi_client.issuer.readers import ReaderLostError, Readers
from shirushi_client.issuer.receipt_files import ReceiptWriteError
from shirushi_client.verifier.verifier import Verifier
from shirushi_core.proofs.report import Verdict

ORDER = Order("income-certificate")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "books").mkdir()
    return tmp_path / "books"


async def issue(
    issuer: Issuer, files: list[FileToIssue], folder: Path, order: Order = ORDER
) -> list[IssuedBook]:
    async with aclosing(issuer.issue_books([file.path for file in files], order, str(folder))) as parts:
        return [book async for books in parts for book in books]


async def test_each_batch_gives_one_book_and_no_receipt(
    issuer: Issuer, journal: Journal, certificates: list[FileToIssue], folder: Path
) -> None:
    books = await issue(issuer, certificates, folder)
    assert [path for book in books for path in book.certificates] == [file.path for file in certificates]
    assert sorted(book.path for book in books) == [str(path) for path in books_in(folder)]
    assert len(books) == 3  # batches of at most four
    assert not any(Path(file.receipt_path).exists() for file in certificates)
    assert journal.counts() == {State.DELIVERED: 3}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}, "it holds every salt"


async def test_receipts_taken_out_of_books_verify(
    city: City, issuer: Issuer, certificates: list[FileToIssue], folder: Path
) -> None:
    await issue(issuer, certificates, folder)
    parts = list(extract_receipts(books_in(folder), certificates))
    assert sum(map(len, parts)) == len(certificates)
    verifier = Verifier(city.connection, city.members, clock=city.clock)
    for file in certificates:
        report = await verifier.verify(Path(file.path), Path(file.receipt_path))
        assert report.verdict is Verdict.VALID


async def test_a_receipt_taken_out_is_the_one_that_issuing_again_gives(
    issuer: Issuer, certificates: list[FileToIssue], folder: Path
) -> None:
    await issue(issuer, certificates, folder)
    list(extract_receipts(books_in(folder), certificates))
    taken_out = [Path(file.receipt_path).read_bytes() for file in certificates]
    for file in certificates:
        Path(file.receipt_path).unlink()
    async with aclosing(issuer.issue_files(certificates, ORDER)) as batches:
        assert all(each.issued_before for batch in [b async for b in batches] for each in batch)
    assert [Path(file.receipt_path).read_bytes() for file in certificates] == taken_out


async def test_issuing_again_gives_the_same_books(
    city: City, issuer: Issuer, certificates: list[FileToIssue], folder: Path
) -> None:
    await issue(issuer, certificates, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    books_in(folder)[0].unlink()
    again = await issue(issuer, certificates, folder)
    assert all(book.issued_before for book in again)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


async def test_a_book_in_a_folder_that_is_gone_is_still_owed_and_written_later(
    issuer: Issuer, certificates: list[FileToIssue], folder: Path
) -> None:
    folder.rmdir()
    with pytest.raises(ReceiptWriteError, match="No such file"):
        await issue(issuer, certificates[:2], folder)
    folder.mkdir()
    resumed = await issuer.resume()
    assert [str(path) for path in books_in(folder)] == list(resumed.receipt_paths)


async def test_a_book_that_does_not_hold_what_its_batch_does_is_not_written(
    journal: Journal, issuer: Issuer, certificates: list[FileToIssue], folder: Path
) -> None:
    await issue(issuer, certificates, folder)
    first, second = journal.load(1), journal.load(2)
    assert second.anchor is not None
    with pytest.raises(ReceiptCheckError, match="does not hold"):
        checked_book(first.batch, second.anchor, None, None)


async def test_half_a_book_that_a_crash_left_is_replaced(
    issuer: Issuer, certificates: list[FileToIssue], folder: Path
) -> None:
    (book,) = await issue(issuer, certificates[:3], folder)
    right = Path(book.path).read_bytes()
    Path(book.path).write_bytes(right[:100])
    await issue(issuer, certificates[:3], folder)
    assert Path(book.path).read_bytes() == right


class TestExtracting:
    @pytest.fixture
    async def books(self, issuer: Issuer, certificates: list[FileToIssue], folder: Path) -> list[Path]:
        await issue(issuer, certificates, folder)
        return books_in(folder)

    async def test_a_file_that_is_in_no_book_is_named(
        self, books: list[Path], certificates: list[FileToIssue]
    ) -> None:
        Path(certificates[1].path).write_bytes(b"another")
        with pytest.raises(ReceiptBookError, match=r"no receipt of .*1\.pdf in these books"):
            list(extract_receipts(books, certificates))

    async def test_a_book_that_was_changed_gives_nothing(
        self, books: list[Path], certificates: list[FileToIssue]
    ) -> None:
        text = books[0].read_bytes()
        at = text.index(b'"salts":"') + 9
        books[0].write_bytes(text[:at] + (b"1" if text[at : at + 1] == b"0" else b"0") + text[at + 1 :])
        with pytest.raises(ReceiptBookError, match="do not lead to the root"):
            list(extract_receipts(books[:1], certificates))
        assert not any(Path(file.receipt_path).exists() for file in certificates)

    async def test_what_is_no_book_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(ReceiptBookError, match="holds no receipt book"):
            books_in(tmp_path)
        with pytest.raises(ReceiptBookError, match="no such file"):
            load_book(tmp_path / "missing")
        (tmp_path / "x").write_bytes(b"{}\n")
        with pytest.raises(ReceiptBookError, match="no receipt book"):
            load_book(tmp_path / "x")


class TestReaders:
    """Other processes read and hash; what they find is the same."""

    async def test_files_are_read_in_their_order(self, certificates: list[FileToIssue]) -> None:
        readers = Readers(1)
        try:
            found = await readers.digests([file.path for file in certificates])
            assert found == [FileDigest(each.sha256, 13) for each in found]
            assert len({each.sha256 for each in found}) == 10
            with pytest.raises(CertificateFileError, match="missing"):
                await readers.digests([certificates[0].path, "/missing"])
        finally:
            readers.close()

    async def test_an_issuer_with_readers_issues_the_same(
        self,
        city: City,
        ledger: issuing.IssuingLedger,
        journal: Journal,
        certificates: list[FileToIssue],
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(issuing, "WORTH_READERS", 2)
        readers = Readers(2)
        try:
            async with Issuer(
                name="iizuka-city",
                seal_key=city.party.seal_key,
                ledger=ledger,
                journal=journal,
                max_count=4,
                readers=readers,
                clock=city.clock,
            ) as issuer:
                await issue(issuer, certificates, folder)
        finally:
            readers.close()
        assert sum(map(len, extract_receipts(books_in(folder), certificates))) == 10

    async def test_one_that_is_killed_is_said(self, certificates: list[FileToIssue]) -> None:
        readers = Readers(1)
        try:
            await readers.digests([certificates[0].path])
            for process in list(readers._pool._processes.values()):
                process.kill()
                process.join()
            with pytest.raises(ReaderLostError, match="issue them again"):
                await readers.digests([certificates[0].path])
        finally:
            readers.close()


def test_a_book_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    path = book_path(str(tmp_path), bytes(32))
    (tmp_path / Path(path).name).mkdir()
    with pytest.raises(ReceiptWriteError, match="receipt book"):
        write_book(path, b"data", anew=True)
    assert [each.name for each in tmp_path.iterdir()] == [Path(path).name]
