"""What revoke, suspend, reinstate and supersede share: from paths to the ledger's records, and showing those."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from shirushi_client.change_journal import ChangeJournal
from shirushi_client.cli import receipts
from shirushi_client.cli.output import day_and_time, moment, note, print_json, shortened, show_rows
from shirushi_client.evidence_gathering import ShownBy
from shirushi_client.evidence_session import open_gatherer
from shirushi_client.ledger_client import LedgerClient
from shirushi_client.ledger_errors import LedgerError
from shirushi_client.profile import change_journal_path
from shirushi_client.session import ISSUER, open_session
from shirushi_client.status_change import StatusTarget
from shirushi_client.status_changes import (
    ChangeRefusedError,
    StatusChanger,
    batch_target,
    certificate_target,
)
from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.status import Reason, Status, StatusRecord, Successor

_FINAL = (Status.REVOKED, Status.SUPERSEDED)


class StatusRefusedError(ShirushiError):
    """A change that the ledger's rules do not allow, in terms of the files that were named."""


def change_status(
    paths: Sequence[Path],
    status: Status,
    reason: Reason,
    *,
    whole_batch: bool,
    data: Path | None,
    as_json: bool,
    new: Receipt | None = None,
) -> None:
    """Give the certificates that these paths mean a status, and show the records."""
    # Of several receipts of one batch, or the same one twice, there is one target.
    names: dict[StatusTarget, str] = {}
    for path in paths:
        receipt = receipts.load(path)
        if whole_batch:
            names.setdefault(batch_target(receipt), f"the batch of {path}")
        else:
            names.setdefault(certificate_target(receipt), str(path))
    successor = None if new is None else Successor(new.anchor.statement.batch_id, new.commitment)
    records, shown_by = asyncio.run(_change(data, names, status, reason, successor))
    if as_json:
        print_json(
            {
                "records": [record.to_json() for record in records],
                "shown_by": None if shown_by is None else list(shown_by.members),
            }
        )
    else:
        show_records(records, list(names.values()))
    if shown_by is not None and not shown_by.is_enough:
        note(
            f"on the ledger; {len(shown_by.members)} of the members' witnesses show it yet, and {shown_by.quorum} are needed before "
            "everybody who verifies sees it"
        )


def show_records(records: Sequence[StatusRecord], names: Sequence[str] | None = None) -> None:
    """Print status records as a table; `names` says what each is of, where it is not one certificate's history."""
    if names is None:
        names = ["its whole batch" if record.commitment is None else "certificate" for record in records]
    show_rows(
        ("status", "reason", "since", "of", "transaction"),
        [
            (record.status, record.reason, day_and_time(record.effective_at), name, shortened(record.tx_id))
            for record, name in zip(records, names, strict=True)
        ],
        wrapped=("of",),
        spare=("transaction",),
    )


async def _change(
    data: Path | None,
    names: Mapping[StatusTarget, str],
    status: Status,
    reason: Reason,
    successor: Successor | None,
) -> tuple[list[StatusRecord], ShownBy | None]:
    async with open_session(data, ISSUER) as session, open_gatherer(session.data) as witnesses:
        changer = StatusChanger(
            issuer=session.profile.issuer_id(),
            ledger=session.ledger,
            journal=ChangeJournal(change_journal_path(session.data)),
        )
        try:
            records = await changer.change(list(names), status, reason, successor)
        except ChangeRefusedError as error:
            why = await _why(session.ledger, error, names[error.target], status)
            raise StatusRefusedError(f"{why}{_what_changed(error, len(names))} ({error.code})") from error
        return records, None if witnesses is None else await witnesses.until_shown(records[-1])


async def _why(ledger: LedgerClient, error: ChangeRefusedError, name: str, wanted: Status) -> str:
    """Say what keeps a certificate or batch from its new status: its present one, if that can be had."""
    as_told = f"{name}: {error.sentence}"
    if error.code != "STATUS_REFUSED":
        return as_told
    try:
        history = await ledger.get_history(error.target.batch_id, error.target.commitment)
    except LedgerError:
        return as_told
    if not history or history[-1].status is Status.VALID:
        # Valid, so that only this is refused; or changed since by someone else.
        return (
            f"{name} is not suspended: there is nothing to reinstate" if wanted is Status.VALID else as_told
        )
    present = history[-1]
    since = f"(since {moment(present.effective_at)}, reason: {present.reason})"
    if present.status is wanted:
        return f"{name} is {wanted} already {since}"
    if present.status in _FINAL:
        return f"{name} is {present.status} {since}, which is final"
    return f"{name} is {present.status} {since}: {error.sentence}"


def _what_changed(error: ChangeRefusedError, asked: int) -> str:
    if asked == 1:
        return ""
    if error.done:
        return f"; the first {len(error.done)} of {asked} were changed, the others were not"
    return f"; none of the {asked} was changed"
