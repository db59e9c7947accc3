"""What revoke, suspend, reinstate and supersede share: from paths to the ledger's records, and showing those."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from shirushi_client.change_journal import ChangeJournal
from shirushi_client.cli import receipts
from shirushi_client.cli.output import add_row, console, moment, print_json, table
from shirushi_client.cli.session import ISSUER, open_session
from shirushi_client.profile import change_journal_path
from shirushi_client.status_change import StatusTarget
from shirushi_client.status_changes import StatusChanger, batch_target, certificate_target
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.status import Reason, Status, StatusRecord, Successor


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
    loaded = [receipts.load(path) for path in paths]
    # Of several receipts of one batch, or the same one twice, there is one target.
    targets = list(
        dict.fromkeys(batch_target(each) if whole_batch else certificate_target(each) for each in loaded)
    )
    successor = None if new is None else Successor(new.anchor.statement.batch_id, new.commitment)
    records = asyncio.run(_change(data, targets, status, reason, successor))
    if as_json:
        print_json({"records": [record.to_json() for record in records]})
    else:
        show_records(records)


def show_records(records: Sequence[StatusRecord]) -> None:
    """Print status records as a table."""
    listing = table("status", "reason", "with effect from", "certificate", "transaction")
    for record in records:
        what = "whole batch" if record.commitment is None else record.commitment.hex()[:16]
        add_row(listing, record.status, record.reason, moment(record.effective_at), what, record.tx_id[:16])
    console().print(listing)


async def _change(
    data: Path | None,
    targets: Sequence[StatusTarget],
    status: Status,
    reason: Reason,
    successor: Successor | None,
) -> list[StatusRecord]:
    async with open_session(data, ISSUER) as session:
        changer = StatusChanger(
            issuer=session.profile.issuer_id(),
            ledger=session.ledger,
            journal=ChangeJournal(change_journal_path(session.data)),
        )
        return await changer.change(targets, status, reason, successor)
