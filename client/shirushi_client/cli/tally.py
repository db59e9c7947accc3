"""What `shirushi issue` did, gathered while it goes on and told at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shirushi_client.cli.output import moment, note, say, shortened, show_rows
from shirushi_client.issued_before import Found
from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.issued import Issued, Resumed
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.status import Status

SHOWN = 20
"""Certificates that are listed by name; of more, only the number is."""

LOOKED_UP = 10_000
"""Certificates issued before whose status is asked for, one question each; of more, it is said that it was not."""

_WAYS_OUT = {
    Status.REVOKED: "for a new certificate",
    Status.SUSPENDED: "reinstate it, or for a new certificate",
    Status.SUPERSEDED: "another certificate took its place; for yet another",
}


class Tally:
    """Every certificate of a few, or just how many of a million, and what became of those issued before."""

    def __init__(self, order: Order, total: int, *, keeps_all: bool) -> None:
        self.total = total
        self.before: list[Issued] = []
        self._order = order
        self._keeps_all = keeps_all or total <= SHOWN
        self._resumed = Resumed((), ())
        self._owed = frozenset[str]()
        self._issued: list[Issued] = []
        self._fresh = 0
        self._finished = 0
        self._issued_before = 0
        self._unconfirmed = 0
        self._batches: set[bytes] = set()
        self._found = Found({}, None)

    def begin(self, resumed: Resumed) -> None:
        """Take in what was left over from an earlier run."""
        self._resumed = resumed
        self._owed = frozenset(resumed.receipt_paths)

    def add(self, batch: Sequence[Issued]) -> None:
        """Take in certificates whose receipts are on disk."""
        if self._keeps_all:
            self._issued += batch
        fresh = [each for each in batch if not each.issued_before]
        before = [each for each in batch if each.issued_before]
        finished = [each for each in before if each.receipt_path in self._owed]
        self._fresh += len(fresh)
        self._finished += len(finished)
        self._issued_before += len(before) - len(finished)
        self._unconfirmed += sum(each.confirmed is False for each in batch)
        self._batches.update(each.batch_id for each in fresh)
        self.before += before[: LOOKED_UP - len(self.before)]

    def learn(self, found: Found) -> None:
        """Take in what became of those issued before."""
        self._found = found

    def to_json(self) -> Json:
        """Return the document of --json."""
        return {
            "issued": [
                {
                    "batch_id": each.batch_id.hex(),
                    "confirmed": each.confirmed,
                    "confirmed_by": list(each.confirmed_by),
                    "file": each.path,
                    "issued_before": each.issued_before,
                    "receipt": each.receipt_path,
                    "status": self._status(each),
                    "tx_id": each.tx_id,
                    "valid_until_applied": self._valid_until_applied(each),
                }
                for each in self._issued
            ],
            "resumed": {
                "problems": [str(problem) for problem in self._resumed.problems],
                "receipts": list(self._resumed.receipt_paths),
            },
        }

    def show(self) -> None:
        """Print the certificates, if they are few, and how many there are."""
        issued = sorted(self._issued, key=lambda each: each.path)
        if issued:
            show_rows(
                ("certificate", "receipt", "transaction", "status"),
                [(each.path, each.receipt_path, shortened(each.tx_id), self._told(each)) for each in issued],
                wrapped=("certificate", "receipt", "status"),
                spare=("transaction",),
            )
        say("; ".join(self._counts()))

    def warn(self) -> None:
        """Tell, on standard error, of receipts that are not what whoever issues may think."""
        told = (self._warning(each) for each in sorted(self.before, key=lambda each: each.path))
        warnings = [warning for warning in told if warning is not None]
        for warning in warnings[:SHOWN]:
            note(warning)
        if len(warnings) > SHOWN:
            note(f"and {len(warnings) - SHOWN} more; --json lists them all")
        if self._unconfirmed:
            note(
                f"{self._unconfirmed} of the receipts are not confirmed by enough members yet, and can be verified by asking members "
                "only: complete them later with `shirushi refresh`"
            )
        unknown = self._finished + self._issued_before - len(self._found.earlier)
        if self._found.problem is not None:
            note(f"the status of {unknown} issued before could not be learned: {self._found.problem}")
        elif unknown:
            note(
                f"of those issued before the first {LOOKED_UP} were looked up, the status of {unknown} more was not"
            )

    def _counts(self) -> Iterator[str]:
        if self._fresh:
            batches = len(self._batches)
            yield f"{self._fresh} issued in {batches} {'batch' if batches == 1 else 'batches'}"
        if self._finished:
            yield f"{self._finished} of an earlier run finished"
        if self._issued_before:
            whose = "its first receipt" if self._issued_before == 1 else "their first receipts"
            yield f"{self._issued_before} issued before, with {whose}"

    def _told(self, each: Issued) -> str:
        if not each.issued_before:
            return "issued"
        told = "finished" if each.receipt_path in self._owed else "issued before"
        status = self._status(each)
        return told if status in (Status.VALID, None) else f"{told}, {status}"

    def _status(self, each: Issued) -> str | None:
        if not each.issued_before:
            return Status.VALID.value
        earlier = self._found.earlier.get(each.receipt_path)
        if earlier is None:
            return None
        return Status.VALID.value if earlier.record is None else earlier.record.status.value

    def _valid_until_applied(self, each: Issued) -> bool | None:
        if self._order.valid_until is None or not each.issued_before:
            return True
        earlier = self._found.earlier.get(each.receipt_path)
        return None if earlier is None else earlier.valid_until == self._order.valid_until

    def _warning(self, each: Issued) -> str | None:
        earlier = self._found.earlier.get(each.receipt_path)
        if earlier is None:
            return None
        if (record := earlier.record) is not None:
            return (
                f"{each.path} was issued before and is {record.status} (since {moment(record.effective_at)},"
                f" reason: {record.reason}): {_WAYS_OUT[record.status]} use --reissue --out DIR"
            )
        if self._valid_until_applied(each):
            return None
        until = "without an end" if earlier.valid_until is None else f"until {moment(earlier.valid_until)}"
        return (
            f"{each.path} was issued before, valid {until}: --valid-until was not applied;"
            " for a new certificate use --reissue --out DIR"
        )
