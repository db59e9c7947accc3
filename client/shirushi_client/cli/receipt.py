"""`shirushi receipt`: what a receipt holds, and its other forms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shirushi_client.cli import options
from shirushi_client.cli.output import moment, print_json, say, shortened
from shirushi_client.cli.output_files import whole_file
from shirushi_client.cli.receipts import load
from shirushi_client.receipt_forms import tlog_proof_of
from shirushi_core.proofs.log_evidence import Head
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.status import effective_status

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Show what a receipt holds, and write it in other forms."
)


@app.command()
def show(path: options.FileOrReceipt, as_json: options.Json = False) -> None:
    """Show what a receipt holds. That proves nothing; `verify` does.

    Examples:
      shirushi receipt show certificate.pdf
      shirushi receipt show certificate.pdf.receipt.json --json
    """
    receipt = load(path)
    if as_json:
        print_json(receipt.to_json())
        return
    statement, anchor = receipt.anchor.statement, receipt.anchor
    until = "without an end" if statement.valid_until is None else f"until {moment(statement.valid_until)}"
    say(f"{statement.document_type} of {statement.issuer}, on the ledger {statement.ledger}")
    say(f"certificate   {receipt.certificate_size} bytes, SHA-256 {receipt.certificate_sha256.hex()}")
    say(f"batch         {shortened(statement.batch_id)}, number {receipt.index + 1} of {statement.size}")
    say(f"anchored      {moment(anchor.anchored_at)}, transaction {shortened(anchor.tx_id)}")
    say(f"valid         from {moment(statement.valid_from)}, {until}")
    for line in _evidence(receipt):
        say(line)


def _evidence(receipt: Receipt) -> list[str]:
    log, status = receipt.log, receipt.status
    if log is None:
        return ["log           not in it yet: refresh it, or have members' peers asked"]
    issuer = "with" if log.issuer is not None else "without"
    lines = [
        f"log           entry {log.inclusion.index}, under {_head(log.head)}",
        f"              {issuer} the issuer's record",
    ]
    if status is None:
        return [*lines, "status        not in it"]
    record = effective_status(status.statuses.batch, status.statuses.certificate)
    said = "neither revoked nor suspended" if record is None else f"{record.status} ({record.reason})"
    return [*lines, f"status        {said}, under {_head(status.head or log.head)}"]


def _head(head: Head) -> str:
    names = [
        line.name.rpartition("/")[2] for line in head.note.signatures if line.name != head.checkpoint.origin
    ]
    certificate = (
        "" if head.quorum is None else f" and a quorum certificate of {', '.join(head.quorum.signers)}"
    )
    return f"a head of size {head.checkpoint.size}, cosigned by {', '.join(names) or 'nobody'}{certificate}"


@app.command()
def export(
    path: options.FileOrReceipt,
    tlog_proof: Annotated[
        Path,
        typer.Option(
            "--tlog-proof",
            metavar="OUT",
            help="Write a C2SP tlog-proof: that the batch's anchor is in the log.",
            show_default=False,
        ),
    ],
) -> None:
    """Write a receipt's proof in a form that other tools read.

    Its entry in the log stands in the extra line, for the hash to be made of.

    Examples:
      shirushi receipt export certificate.pdf --tlog-proof certificate.tlog-proof
    """
    proof = tlog_proof_of(load(path))
    with whole_file(tlog_proof) as out:
        out.write(proof.to_text())
    say(f"{tlog_proof}: entry {proof.index} of the log {proof.checkpoint.text.partition(chr(10))[0]}")
