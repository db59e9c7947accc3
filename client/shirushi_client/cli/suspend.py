"""`shirushi suspend`."""

from __future__ import annotations

import typer

from shirushi_client.cli import options
from shirushi_client.cli.status_commands import change_status
from shirushi_core.proofs.status import Reason, Status

app = typer.Typer(add_completion=False)


@app.command()
def suspend(
    paths: options.FilesOrReceipts,
    reason: options.ReasonOption = Reason.UNDER_INVESTIGATION,
    whole_batch: options.WholeBatch = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Suspend certificates until they are reinstated.

    Up to 1,000 change together or not at all; more, in parts of 1,000.

    Examples:
      shirushi suspend certificate.pdf --reason under_investigation
    """
    change_status(paths, Status.SUSPENDED, reason, whole_batch=whole_batch, data=data, as_json=as_json)
