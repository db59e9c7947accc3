"""`shirushi history`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import typer

from shirushi_client.cli import options, receipts
from shirushi_client.cli.output import moment, print_json, say, shortened
from shirushi_client.cli.status_commands import show_records
from shirushi_client.session import VERIFIER, open_session
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.status import StatusRecord

app = typer.Typer(add_completion=False)


@app.command()
def history(path: options.FileOrReceipt, data: options.Data = None, as_json: options.Json = False) -> None:
    """Show a certificate's issuance, and every status it or its batch was given.

    One member answers; to have the members' answers compared, use verify.

    Examples:
      shirushi history certificate.pdf
    """
    receipt = receipts.load(path)
    of_certificate, of_batch = asyncio.run(_history(data, receipt))
    anchor = receipt.anchor
    if as_json:
        print_json(
            {
                "anchor": anchor.to_json(),
                "batch": [record.to_json() for record in of_batch],
                "certificate": [record.to_json() for record in of_certificate],
            }
        )
        return
    statement = anchor.statement
    say(f"issued by {statement.issuer} as {statement.document_type}, anchored {moment(anchor.anchored_at)}")
    say(f"batch {shortened(statement.batch_id)}, transaction {shortened(anchor.tx_id)}")
    records = sorted((*of_certificate, *of_batch), key=lambda record: record.changed_at)
    if records:
        show_records(records)
    else:
        say("its status was never changed: valid since it was issued")


async def _history(
    data: Path | None, receipt: Receipt
) -> tuple[tuple[StatusRecord, ...], tuple[StatusRecord, ...]]:
    batch_id = receipt.anchor.statement.batch_id
    async with open_session(data, VERIFIER) as session:
        ledger = session.ledger
        return await ledger.get_history(batch_id, receipt.commitment), await ledger.get_history(
            batch_id, None
        )
