"""`shirushi supersede`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shirushi_client.cli import options, receipts
from shirushi_client.cli.status_commands import change_status
from shirushi_core.proofs.status import Reason, Status

app = typer.Typer(add_completion=False)


@app.command()
def supersede(
    old: Annotated[
        Path,
        typer.Argument(
            metavar="OLD", help="The certificate that is replaced, or its receipt.", show_default=False
        ),
    ],
    new: Annotated[
        Path,
        typer.Argument(
            metavar="NEW", help="The certificate that takes its place, or its receipt.", show_default=False
        ),
    ],
    reason: options.ReasonOption = Reason.REPLACED,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Put a new certificate in an old one's place, for good.

    NEW has to be issued already. Whoever verifies OLD from now on learns that there is a newer one.

    Examples:
      shirushi supersede old.pdf new.pdf --reason data_corrected
    """
    change_status(
        [old],
        Status.SUPERSEDED,
        reason,
        whole_batch=False,
        data=data,
        as_json=as_json,
        new=receipts.load(new),
    )
