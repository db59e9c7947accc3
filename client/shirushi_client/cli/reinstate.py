"""`shirushi reinstate`."""

from __future__ import annotations

import typer

from shirushi_client.cli import options
from shirushi_client.cli.status_commands import change_status
from shirushi_core.proofs.status import Reason, Status

app = typer.Typer(add_completion=False)


@app.command()
def reinstate(
    paths: options.FilesOrReceipts,
    reason: options.ReasonOption = Reason.INVESTIGATION_CLOSED,
    whole_batch: options.WholeBatch = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Make suspended certificates valid again.

    Up to 1,000 change together or not at all; more, in parts of 1,000.

    Examples:
      shirushi reinstate certificate.pdf --reason investigation_closed
    """
    change_status(paths, Status.VALID, reason, whole_batch=whole_batch, data=data, as_json=as_json)
