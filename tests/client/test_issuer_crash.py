"""An issuer killed at any step loses nothing, repeats nothing, and makes the same receipts as if it had not been."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.issuing_process import BOOK_CRASHES, CRASHES

from shirushi_client.book_extraction import extract_receipts
from shirushi_client.hashing import digest_file
from shirushi_client.issuer.book_files import BOOK_SUFFIX
from shirushi_client.issuer.journal import Journal, State
from shirushi_client.issuer.sources import files_to_issue
from shirushi_core.proofs.receipt import Receipt, verify_file, verify_in_batch

FILES = 8


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for number in range(FILES):
        (tmp_path / "in" / f"{number}.pdf").write_bytes(b"certificate %d" % number)
    return tmp_path


def start(folder: Path, *step: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.support.issuing_process", str(folder), *step]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def finish(folder: Path, *step: str) -> int:
    with start(folder, *step) as process:
        process.communicate(timeout=60)
        return process.returncode


def receipts(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in (folder / "out").iterdir() if not path.name.startswith(".")
    }


def check_everything(folder: Path) -> None:
    assert len(receipts(folder)) == FILES
    for number in range(FILES):
        receipt = Receipt.from_bytes(receipts(folder)[f"{number}.pdf.receipt.json"])
        digest = digest_file(str(folder / "in" / f"{number}.pdf"))
        verify_file(verify_in_batch(receipt), digest.sha256, digest.size)
    assert [path for path in (folder / "out").iterdir() if path.name.startswith(".")] == []
    with Journal(folder / "journal" / "journal.db") as journal:
        assert journal.counts().keys() == {State.DELIVERED}
        anchored = {path.name for path in (folder / "ledger").iterdir()}
        kept = {
            journal.load(row + 1).batch.statement.batch_id.hex()
            for row in range(sum(journal.counts().values()))
        }
    assert anchored == kept
    used = {Receipt.from_bytes(data).anchor.statement.batch_id.hex() for data in receipts(folder).values()}
    assert used == anchored, "an anchor that no receipt needs: something was issued twice"


@pytest.mark.parametrize("step", CRASHES)
def test_after_a_crash_at_any_step_the_next_run_completes_with_the_same_receipts(
    folder: Path, step: str
) -> None:
    assert finish(folder, step) == -signal.SIGKILL
    before = receipts(folder)
    for data in before.values():
        Receipt.from_bytes(data)  # none is half-written
    assert finish(folder) == 0
    check_everything(folder)
    after = receipts(folder)
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize("step", [step for step in BOOK_CRASHES if step != "none"])
def test_after_a_crash_at_any_step_the_next_run_completes_with_the_same_books(
    folder: Path, step: str
) -> None:
    assert finish(folder, step, "books") == -signal.SIGKILL
    before = {path.name: path.read_bytes() for path in books_in_out(folder)}
    assert finish(folder, "none", "books") == 0
    after = {path.name: path.read_bytes() for path in books_in_out(folder)}
    assert {name: after[name] for name in before} == before
    assert [path.name for path in (folder / "out").iterdir() if path.name not in after] == []
    list(extract_receipts(books_in_out(folder), list(files_to_issue([folder / "in"], folder / "out"))))
    for path in books_in_out(folder):
        path.unlink()
    check_everything(folder)


def books_in_out(folder: Path) -> list[Path]:
    return sorted((folder / "out").glob(f"*{BOOK_SUFFIX}"))


def test_resuming_alone_writes_the_receipts_that_were_owed(folder: Path) -> None:
    assert finish(folder, "prepared") == -signal.SIGKILL
    for file in (folder / "in").iterdir():
        file.unlink()  # the certificates themselves are not needed any more
    (folder / "in" / "one-more.pdf").write_bytes(b"one more")
    assert finish(folder) == 0
    assert len(receipts(folder)) > 1


def test_killed_at_any_moment_again_and_again_it_still_gets_there(folder: Path) -> None:
    chance = random.Random(20261123)
    for _ in range(6):
        with start(folder) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(3)):
                process.stdout.readline()
            process.kill()
            process.wait(timeout=60)
    assert finish(folder) == 0
    check_everything(folder)
