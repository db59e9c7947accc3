"""What `shirushi issue --book` did, told at the end."""

from __future__ import annotations

from collections.abc import Sequence

from shirushi_client.cli.output import note, say, shortened, show_rows
from shirushi_client.issuer.issued import IssuedBook, Resumed
from shirushi_core.proofs.canonical import Json

SHOWN = 20
"""Books that are listed; of more, only the number is."""


class BookTally:
    """The books of one run."""

    def __init__(self) -> None:
        self._books: list[IssuedBook] = []
        self._resumed = Resumed((), ())

    def begin(self, resumed: Resumed) -> None:
        """Take in what was left over from an earlier run."""
        self._resumed = resumed

    def add(self, books: Sequence[IssuedBook]) -> None:
        """Take in books that are on disk."""
        self._books += books

    def to_json(self) -> Json:
        """Return the document of --json."""
        return {
            "books": [
                {
                    "batch_id": each.batch_id.hex(),
                    "book": each.path,
                    "certificates": len(each.certificates),
                    "confirmed": each.confirmed,
                    "confirmed_by": list(each.confirmed_by),
                    "issued_before": each.issued_before,
                    "tx_id": each.tx_id,
                }
                for each in self._books
            ],
            "resumed": {
                "problems": [str(problem) for problem in self._resumed.problems],
                "receipts": list(self._resumed.receipt_paths),
            },
        }

    def show(self) -> None:
        """Print the books, if they are few, and how many certificates are in them."""
        if 0 < len(self._books) <= SHOWN:
            show_rows(
                ("book", "certificates", "transaction", ""),
                [
                    (
                        each.path,
                        str(len(each.certificates)),
                        shortened(each.tx_id),
                        "issued before" if each.issued_before else "issued",
                    )
                    for each in self._books
                ],
                wrapped=("book",),
                spare=("transaction",),
            )
        fresh = sum(len(each.certificates) for each in self._books if not each.issued_before)
        before = sum(len(each.certificates) for each in self._books if each.issued_before)
        say("; ".join([f"{fresh} issued"] * bool(fresh) + [f"{before} issued before"] * bool(before)))

    def warn(self) -> None:
        """Tell, on standard error, of what is to be done yet."""
        unconfirmed = sum(each.confirmed is False for each in self._books)
        if unconfirmed:
            note(
                f"{unconfirmed} of the books are not confirmed by enough members yet: issue the same files into them again later, "
                "or complete single receipts with `shirushi refresh`"
            )
