"""`shirushi receipt`: what a receipt holds, and its other forms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shirushi_client.book_extraction import books_in, extract_receipts
from shirushi_client.cli import options
from shirushi_client.cli.output import moment, print_json, progress_bar, say, shortened, show_rows
from shirushi_client.cli.output_files import write_output
from shirushi_client.cli.receipts import load
from shirushi_client.issuer.sources import files_to_issue
from shirushi_client.receipt_export import qr_code, tlog_proof_of
from shirushi_core.proofs.compact import to_compact
from shirushi_core.proofs.log_evidence import Head, deciding
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.unjudged import Mark

QR_KINDS = ("svg", "png")

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Show a receipt, and write its other forms."
)


@app.command()
def show(path: options.FileOrReceipt, as_json: options.Json = False) -> None:
    """Show what a receipt holds. Nothing of it is checked: that is `verify`.

    Examples:
      shirushi receipt show certificate.pdf
      shirushi receipt show certificate.pdf.receipt.json --json
    """
    receipt = load(path)
    if as_json:
        print_json(receipt.to_json())
        return
    show_rows(("what", "in the receipt"), _rows(receipt), wrapped=("in the receipt",))
    say("nothing of this was checked: `shirushi verify` does that")


@app.command()
def export(
    path: options.FileOrReceipt,
    out: Annotated[
        Path, typer.Option("--tlog-proof", metavar="OUT", help="Where to write it.", show_default=False)
    ],
    as_json: options.Json = False,
) -> None:
    """Write the proof of the log as a C2SP tlog-proof, for other tools.

    What it proves is the log entry in its extra line: the batch's anchor.

    Examples:
      shirushi receipt export certificate.pdf --tlog-proof certificate.tlog-proof
    """
    proof = tlog_proof_of(load(path))
    write_output(out, proof.to_text().encode())
    _written(out, len(proof.to_text().encode()), as_json)


@app.command()
def compact(
    path: options.FileOrReceipt,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="OUT",
            help="Where to write it: .svg or .png for a QR code, any other name for the bytes.",
            show_default=False,
        ),
    ],
    without_status: Annotated[
        bool, typer.Option("--without-status", help="Leave the status proof out: about half as large.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Write the compact form: CBOR, small enough for one QR code on paper.

    It takes a receipt issued or refreshed with --compact.

    Examples:
      shirushi receipt compact certificate.pdf --out certificate.png
      shirushi receipt compact certificate.pdf --out certificate.cbor
    """
    data = to_compact(load(path), with_status=not without_status)
    kind = out.suffix.removeprefix(".").lower()
    write_output(out, qr_code(data, kind) if kind in QR_KINDS else data)
    _written(out, len(data), as_json)


@app.command()
def extract(
    book: Annotated[
        Path,
        typer.Argument(metavar="BOOK", help="A receipt book, or a folder of them.", show_default=False),
    ],
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILES", help="Certificates, and folders of them.", show_default=False),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Where receipts go. Default: beside the files.", show_default=False
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Take certificates' receipts out of receipt books: FILE.receipt.json for each.

    A book is checked before anything is taken out of it: its certificates and salts have to lead to the anchored root.

    Examples:
      shirushi receipt extract books/ notice-000017.pdf
      shirushi receipt extract books/ notices/ --out receipts/
    """
    wanted = list(files_to_issue(files, out))
    extracted = 0
    with progress_bar("extracting", len(wanted)) as bar:
        for part in extract_receipts(books_in(book), wanted):
            extracted += len(part)
            bar.advance(len(part))
    if as_json:
        print_json({"extracted": extracted})
    else:
        say(f"{extracted} {'receipt' if extracted == 1 else 'receipts'} written")


def _written(out: Path, size: int, as_json: bool) -> None:
    if as_json:
        print_json({"bytes": size, "written": str(out)})
    else:
        say(f"{size} bytes written to {out}")


def _rows(receipt: Receipt) -> list[tuple[str, str]]:
    anchor, statement = receipt.anchor, receipt.anchor.statement
    rows = [
        ("ledger", statement.ledger),
        ("issuer", statement.issuer),
        ("document type", statement.document_type),
        ("certificate", f"{receipt.certificate_size} bytes, SHA-256 {receipt.certificate_sha256.hex()}"),
        ("batch", f"{statement.batch_id.hex()}, {receipt.index + 1} of {statement.size}"),
        ("valid", f"{moment(statement.valid_from)} to {moment(statement.valid_until)}"),
        ("anchored", f"{moment(anchor.anchored_at)}, transaction {anchor.tx_id}"),
        ("seal", f"key {shortened(anchor.seal.key_id)}"),
    ]
    if receipt.log is None:
        return [*rows, ("log", "nothing yet: complete it with `shirushi refresh`")]
    rows.append(("log", f"entry {receipt.log.inclusion.index} under {_head(receipt.log.head)}"))
    status = receipt.status
    if status is None:
        return [*rows, ("status", "no proof")]
    record = deciding(status.statuses)
    if record is None:
        said = "valid"
    elif isinstance(record, Mark):
        said = f"cannot be judged since block {record.block}"
    else:
        said = f"{record.status} since {moment(record.effective_at)}, {record.reason}"
    return [*rows, ("status", f"{said}, under {_head(status.head or receipt.log.head)}")]


def _head(head: Head) -> str:
    origin = head.checkpoint.origin
    names = [each.name.removeprefix(f"{origin}/") for each in head.note.signatures if each.name != origin]
    certified = "" if head.quorum is None else f", certified by {', '.join(head.quorum.signers)}"
    return f"a head of {head.checkpoint.size} entries, cosigned by {', '.join(names) or 'nobody'}{certified}"
