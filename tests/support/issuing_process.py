"""An issuer to be killed: issues a folder against a ledger that is a folder of files, and dies where it is told.

    python -m tests.support.issuing_process FOLDER [STEP [books]]

STEP is the name of one of CRASHES, or of BOOK_CRASHES where receipt books are written. The ledger survives the process, as the real one does.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import aclosing
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from shirushi_client.issuer import book_files, receipt_files
from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.issuer import Issuer
from shirushi_client.issuer.journal import Journal
from shirushi_client.issuer.sources import files_to_issue
from shirushi_client.ledger_errors import LedgerUnreachableError
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.canonical import decode, encode
from shirushi_core.proofs.seal import Seal

SEAL_KEY = ec.derive_private_key(42, ec.SECP256R1())


class FolderLedger:
    """Keeps each anchor in a file named by its batch id; the same batch again gets its first anchor."""

    name = "shirushi-test"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    async def submit_issue(self, statement: BatchStatement, seal: Seal) -> IssuanceAnchor:
        path = self.folder / statement.batch_id.hex()
        if not path.exists():
            tx_id = sha256(os.urandom(24)).hexdigest()
            partial = path.with_suffix(".partial")
            partial.write_bytes(
                encode(IssuanceAnchor(statement, seal, statement.valid_from, tx_id, 1).to_json())
            )
            partial.rename(path)
        return IssuanceAnchor.from_json(decode(path.read_bytes()))

    async def get_issuer(self, issuer: str) -> Any:
        raise LedgerUnreachableError(f"this ledger keeps anchors, and no record of {issuer}")

    async def submit_status(self, *_: Any) -> Any:
        raise AssertionError("this process issues only")


def die(*_: Any) -> None:
    """End as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner: Any, name: str, count: int = 1) -> None:
    """Die instead of calling a function the `count`-th time."""
    _wrap(owner, name, count, dies_first=True)


def after(owner: Any, name: str, count: int = 1) -> None:
    """Die when a function has returned the `count`-th time."""
    _wrap(owner, name, count, dies_first=False)


def _wrap(owner: Any, name: str, count: int, *, dies_first: bool) -> None:
    function, calls = getattr(owner, name), 0

    def wrapped(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == count and dies_first:
            die()
        result = function(*arguments, **options)
        if calls == count and not dies_first:
            die()
        return result

    setattr(owner, name, wrapped)


def _lose_reply() -> None:
    submit = FolderLedger.submit_issue

    async def submit_and_die(self: FolderLedger, statement: BatchStatement, seal: Seal) -> IssuanceAnchor:
        await submit(self, statement, seal)
        die()
        raise AssertionError

    FolderLedger.submit_issue = submit_and_die  # type: ignore[method-assign]


def _half_a_receipt() -> None:
    write = os.write

    def half(descriptor: int, data: Any) -> int:
        write(descriptor, bytes(data[: len(data) // 2]))
        die()
        return 0

    os.write = half  # type: ignore[assignment]


CRASHES: dict[str, Callable[[], None]] = {
    "before_prepare": lambda: before(Journal, "prepare"),
    "prepared": lambda: after(Journal, "prepare"),
    "second_prepared": lambda: after(Journal, "prepare", 2),
    "sent_reply_lost": _lose_reply,
    "before_commit": lambda: before(Journal, "commit"),
    "committed": lambda: after(Journal, "commit"),
    "half_a_receipt": _half_a_receipt,
    "before_third_rename": lambda: before(receipt_files.os, "replace", 3),
    "some_receipts": lambda: after(receipt_files, "write_receipt", 3),
    "before_sync": lambda: before(receipt_files.os, "sync"),
    "before_deliver": lambda: before(Journal, "deliver"),
    "delivered": lambda: after(Journal, "deliver"),
}


BOOK_CRASHES: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    **{step: CRASHES[step] for step in ("second_prepared", "sent_reply_lost", "committed", "before_deliver")},
    "half_a_book": lambda: before(book_files.os, "fsync"),
    "before_second_rename": lambda: before(book_files.os, "replace", 2),
}


async def run(folder: Path, tell: Callable[[str], None], *, books: bool) -> None:
    """Issue what is in FOLDER/in, three to a batch, with receipts, or books, in FOLDER/out."""
    (folder / "out").mkdir(exist_ok=True)
    with Journal(folder / "journal" / "journal.db") as journal:
        async with Issuer(
            name="iizuka-city",
            seal_key=SEAL_KEY,
            ledger=FolderLedger(folder / "ledger"),
            journal=journal,
            max_count=3,
        ) as issuer:
            await issuer.resume()
            tell("resumed")
            files, order = list(files_to_issue([folder / "in"], folder / "out")), Order("income-certificate")
            issuing = (
                issuer.issue_books([file.path for file in files], order, str(folder / "out"))
                if books
                else issuer.issue_files(files, order)
            )
            async with aclosing(issuing) as parts:
                async for _ in parts:
                    tell("batch")


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    folder = Path(sys.argv[1])
    books = sys.argv[3:] == ["books"]
    if len(sys.argv) > 2:
        (BOOK_CRASHES if books else CRASHES)[sys.argv[2]]()
    asyncio.run(run(folder, _tell, books=books))


if __name__ == "__main__":
    main()
