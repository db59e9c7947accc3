"""`shirushi revoke`."""

from __future__ import annotations

import typer

from shirushi_client.cli import options
from shirushi_client.cli.status_commands import change_status
from shirushi_core.proofs.status import Status

app = typer.Typer(add_completion=False)


@app.command()
def revoke(
    paths: options.FilesOrReceipts,
    reason: options.ReasonOption,
    whole_batch: options.WholeBatch = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Revoke certificates for good.

    Up to 1,000 change together or not at all; more, in parts of 1,000.
    Whoever verifies one from now on learns that it was revoked, why and when.

    Examples:
      shirushi revoke certificate.pdf --reason issued_in_error
      shirushi revoke certificate.pdf.receipt.json --reason key_compromise --batch
    """
    change_status(paths, Status.REVOKED, reason, whole_batch=whole_batch, data=data, as_json=as_json)
