from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from shirushi_client.hashing import digest_bytes
from shirushi_client.issuer import certificate_index
from shirushi_client.issuer.batch import Batch, ReceiptCheckError, seal_batch
from shirushi_client.issuer.certificate_index import Place
from shirushi_client.issuer.confirmed import ConfirmedEvidence
from shirushi_client.issuer.journal import NOTHING_OWED, Delivery, Journal, JournalError, Owed, State
from shirushi_core.proofs.anchor import IssuanceAnchor

KEY = ec.generate_private_key(ec.SECP256R1())


FULL = "CREATE TRIGGER full BEFORE INSERT ON batches BEGIN SELECT RAISE(ABORT, 'full'); END"


def a_batch(*contents: bytes, document_type: str = "income-certificate") -> Batch:
    return seal_batch(
        [digest_bytes(content) for content in contents],
        os.urandom(32 * len(contents)),
        ledger="shirushi-test",
        issuer="iizuka-city",
        document_type=document_type,
        valid_from=1,
        valid_until=None,
        key=KEY,
    )


def an_anchor(batch: Batch) -> IssuanceAnchor:
    return IssuanceAnchor(batch.statement, batch.seal, anchored_at=5, tx_id="0" * 64, issuer_sequence=1)


def digest(content: bytes) -> bytes:
    return sha256(content).digest()


def test_a_prepared_batch_is_there_with_its_salts_after_reopening(tmp_path: Path) -> None:
    batch, owed = a_batch(b"one", b"two"), Owed((Delivery(0, "/r/one"), Delivery(1, "/r/two")))
    with Journal(tmp_path / "j") as journal:
        row = journal.prepare(batch, owed)
    with Journal(tmp_path / "j") as journal:
        entry = journal.load(row)
        assert (entry.state, entry.anchor, entry.owed) == (State.PREPARED, None, owed)
        assert (list(entry.batch.salts), entry.batch.statement, entry.batch.seal) == (
            list(batch.salts),
            batch.statement,
            batch.seal,
        )
        assert journal.unfinished() == [row]


def test_the_states_follow_each_other_and_a_delivered_batch_forgets_where_its_receipts_went(
    journal: Journal,
) -> None:
    batch = a_batch(b"one")
    row = journal.prepare(batch, Owed((Delivery(0, "/home/hanako/receipt"),)))
    journal.commit(row, an_anchor(batch))
    assert (journal.load(row).state, journal.load(row).anchor) == (State.COMMITTED, an_anchor(batch))
    journal.deliver(row)
    assert (journal.load(row).state, journal.load(row).owed) == (State.DELIVERED, NOTHING_OWED)
    assert journal.unfinished() == []


@pytest.mark.parametrize("step", ["commit", "deliver"])
def test_a_step_out_of_order_is_refused(journal: Journal, step: str) -> None:
    batch = a_batch(b"one")
    row = journal.prepare(batch, NOTHING_OWED)
    journal.commit(row, an_anchor(batch))
    journal.deliver(row)
    with pytest.raises(JournalError):
        journal.commit(row, an_anchor(batch)) if step == "commit" else journal.deliver(row)


def test_a_certificate_is_found_by_its_bytes_and_document_type(journal: Journal) -> None:
    row = journal.prepare(a_batch(b"one", b"two"), NOTHING_OWED)
    assert journal.find("income-certificate", [digest(b"two"), digest(b"three")]) == {
        digest(b"two"): Place(row, 1)
    }
    assert journal.find("residence-certificate", [digest(b"two")]) == {}


def test_more_digests_are_looked_up_than_fit_in_one_query(journal: Journal) -> None:
    contents = [b"%d" % n for n in range(1200)]
    journal.prepare(a_batch(*contents), NOTHING_OWED)
    assert len(journal.find("income-certificate", [digest(content) for content in contents])) == 1200


def test_a_reissuance_is_found_once_it_is_committed_and_never_if_it_is_refused(journal: Journal) -> None:
    def found() -> int:
        return journal.find("income-certificate", [digest(b"one")])[digest(b"one")].row

    first = journal.prepare(a_batch(b"one"), NOTHING_OWED)
    refused = journal.prepare(a_batch(b"one"), NOTHING_OWED, reissued=True)
    journal.refuse(refused)
    assert found() == first
    again = a_batch(b"one")
    second = journal.prepare(again, NOTHING_OWED, reissued=True)
    assert found() == first
    journal.commit(second, an_anchor(again))
    assert found() == second


def test_a_refused_batch_counts_as_never_issued(journal: Journal) -> None:
    row = journal.prepare(a_batch(b"one"), Owed((Delivery(0, "/r"),)))
    journal.refuse(row)
    assert journal.find("income-certificate", [digest(b"one")]) == {}
    assert journal.unfinished() == []
    assert journal.counts() == {State.REFUSED: 1}


def test_file_names_that_are_no_utf8_come_back_as_they_were(journal: Journal) -> None:
    path = os.fsdecode(b"/r/\xff\xfe.pdf.receipt.json")
    row = journal.prepare(a_batch(b"one"), Owed((Delivery(0, path),)))
    assert journal.load(row).owed.receipts[0].receipt_path == path


def test_journal_files_are_the_owners_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Journal(tmp_path / "folder" / "j") as journal:
            journal.prepare(a_batch(b"one"), NOTHING_OWED)
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "folder").iterdir()}
    finally:
        os.umask(before)
    assert {"j", "j-wal", "j-shm", "j.lock"} <= modes.keys()
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o700


def test_a_second_process_is_told_that_the_journal_is_in_use(journal: Journal, tmp_path: Path) -> None:
    program = "import sys; from pathlib import Path; from shirushi_client.issuer.journal import *\n"
    program += "try: Journal(Path(sys.argv[1]))\nexcept JournalError as error: print(error)"
    path = tmp_path / "journal" / "journal.db"
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert "another process is issuing" in done.stdout


def test_the_journal_of_a_closed_issuer_can_be_opened_again(tmp_path: Path) -> None:
    for _ in range(3):
        Journal(tmp_path / "j").close()


def test_something_else_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(b"certainly no database" * 100)
    with pytest.raises(JournalError, match="not an issuer's journal"):
        Journal(tmp_path / "j")


def test_a_journal_of_a_later_version_is_refused(tmp_path: Path) -> None:
    Journal(tmp_path / "j").close()
    _change(tmp_path / "j", "PRAGMA user_version = 99")
    with pytest.raises(JournalError, match="version 3, found 99"):
        Journal(tmp_path / "j")


def test_a_batch_whose_salts_were_changed_is_not_used(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        row = journal.prepare(a_batch(b"one", b"two"), NOTHING_OWED)
    _change(tmp_path / "j", "UPDATE batches SET salts = ?", os.urandom(64))
    with Journal(tmp_path / "j") as journal, pytest.raises(ReceiptCheckError, match="backup"):
        journal.load(row)


def test_a_row_that_is_not_there_is_an_error(journal: Journal) -> None:
    with pytest.raises(JournalError, match="found none"):
        journal.load(7)


def _change(path: Path, statement: str, *values: Any) -> None:
    database = sqlite3.connect(path)
    with database:
        database.execute(statement, values)
    database.close()


def test_a_journal_that_cannot_be_written_is_a_typed_error(journal: Journal, tmp_path: Path) -> None:
    _change(tmp_path / "journal" / "journal.db", FULL)
    with pytest.raises(JournalError, match="cannot be used"):
        journal.prepare(a_batch(b"one"), NOTHING_OWED)
    assert journal.unfinished() == []
    assert journal.find("income-certificate", [digest(b"one")]) == {}


def test_a_journal_from_before_members_confirmed_anything_is_taken_over(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        row = journal.prepare(a_batch(b"one"), NOTHING_OWED)
    _change(tmp_path / "j", "ALTER TABLE batches DROP COLUMN evidence")
    _change(tmp_path / "j", "DROP TABLE indexed")
    _change(tmp_path / "j", "PRAGMA user_version = 1")
    with Journal(tmp_path / "j") as journal:
        assert journal.load(row).evidence is None
        evidence = ConfirmedEvidence(None, None, ("haw",), 3)
        journal.confirm(row, evidence)
        assert journal.load(row).evidence == evidence


def test_what_a_book_is_owed_for_is_remembered(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        row = journal.prepare(a_batch(b"one"), Owed(book_folder="/books"))
    with Journal(tmp_path / "j") as journal:
        assert journal.load(row).owed == Owed(book_folder="/books")


class TestKeysInMemory:
    """The newest certificates' keys are in memory; where they are makes no difference to who looks for them."""

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(certificate_index, "KEPT_IN_MEMORY", 4)

    def places(self, journal: Journal, *contents: bytes) -> list[Place | None]:
        found = journal.find("income-certificate", [digest(content) for content in contents])
        return [found.get(digest(content)) for content in contents]

    def in_table(self, path: Path) -> int:
        with closing(sqlite3.connect(path)) as database:
            return int(database.execute("SELECT count(*) FROM certificates").fetchone()[0])

    def test_enough_of_them_are_moved_into_the_table_together(self, tmp_path: Path) -> None:
        with Journal(tmp_path / "j") as journal:
            first = journal.prepare(a_batch(b"one", b"two", b"three"), NOTHING_OWED)
            assert self.in_table(tmp_path / "j") == 0
            second = journal.prepare(a_batch(b"four"), NOTHING_OWED)
            assert self.in_table(tmp_path / "j") == 4
            third = journal.prepare(a_batch(b"five"), NOTHING_OWED)
            expected = [Place(first, 1), Place(second, 0), Place(third, 0), None]
            assert self.places(journal, b"two", b"four", b"five", b"six") == expected
        with Journal(tmp_path / "j") as journal:
            assert self.places(journal, b"two", b"four", b"five", b"six") == expected

    @pytest.mark.parametrize("others", [0, 4])
    def test_those_of_a_refused_batch_are_forgotten(self, tmp_path: Path, others: int) -> None:
        with Journal(tmp_path / "j") as journal:
            row = journal.prepare(a_batch(b"one"), NOTHING_OWED)
            if others:
                journal.prepare(a_batch(*(b"%d" % each for each in range(others))), NOTHING_OWED)
            journal.refuse(row)
            assert self.places(journal, b"one") == [None]
        with Journal(tmp_path / "j") as journal:
            assert self.places(journal, b"one") == [None]

    @pytest.mark.parametrize("others", [0, 4])
    def test_bytes_issued_anew_are_found_where_they_were_issued_last(
        self, tmp_path: Path, others: int
    ) -> None:
        with Journal(tmp_path / "j") as journal:
            journal.prepare(a_batch(b"one", b"two"), NOTHING_OWED)
            if others:
                journal.prepare(a_batch(*(b"%d" % each for each in range(others))), NOTHING_OWED)
            again = a_batch(b"two")
            row = journal.prepare(again, NOTHING_OWED, reissued=True)
            journal.commit(row, an_anchor(again))
            assert self.places(journal, b"two") == [Place(row, 0)]
        with Journal(tmp_path / "j") as journal:
            assert self.places(journal, b"two") == [Place(row, 0)]
            assert journal.prepare(a_batch(b"a", b"b", b"c", b"d"), NOTHING_OWED)
            assert self.places(journal, b"two") == [Place(row, 0)]

    def test_a_refusal_that_cannot_be_written_leaves_them_known(self, tmp_path: Path) -> None:
        with Journal(tmp_path / "j") as journal:
            row = journal.prepare(a_batch(b"one"), NOTHING_OWED)
            _change(tmp_path / "j", FULL.replace("INSERT", "UPDATE"))
            with pytest.raises(JournalError, match="cannot be used"):
                journal.refuse(row)
            assert self.places(journal, b"one") == [Place(row, 0)]

    def test_a_new_issuance_that_cannot_be_written_leaves_the_first_known(self, tmp_path: Path) -> None:
        with Journal(tmp_path / "j") as journal:
            first = journal.prepare(a_batch(b"one"), NOTHING_OWED)
            again = a_batch(b"one")
            row = journal.prepare(again, NOTHING_OWED, reissued=True)
            full = FULL.replace("INSERT ON batches", "INSERT ON certificates")
            _change(tmp_path / "j", full)
            with pytest.raises(JournalError, match="cannot be used"):
                journal.commit(row, an_anchor(again))
            assert self.places(journal, b"one") == [Place(first, 0)]
