"""`shirushi verify`: files with their receipts, against the members."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from shirushi_client.cli import options
from shirushi_client.cli.output import language, print_json, progress_bar
from shirushi_client.cli.receipts import receipt_beside
from shirushi_client.cli.verdicts import show_report
from shirushi_client.session import VERIFIER, open_session
from shirushi_client.verifier.report import Report
from shirushi_client.verifier.verifier import Verifier
from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.report import Verdict

EXIT_CODES = {Verdict.VALID: 0, Verdict.NOT_VALID: 1, Verdict.CANNOT_CONFIRM: 2}
NO_VERDICT = 3
FORMAT = "shirushi/reports/v1"

app = typer.Typer(add_completion=False)


class NoVerdictError(ShirushiError):
    """Nothing could be verified: a file or a receipt that cannot be read, or no consortium."""

    exit_code = NO_VERDICT


@app.command()
def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Certificates.", show_default=False)],
    receipt: Annotated[
        Path | None,
        typer.Option(
            "--receipt",
            metavar="R",
            help="The receipt of the one FILE. Default: the one beside it.",
            show_default=False,
        ),
    ] = None,
    lang: options.Lang = None,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Verify certificates with their receipts against the members.

    Beside FILE its receipt is FILE.receipt.json or NAME.receipt.json.
    Exit codes: 0 valid, 1 not valid, 2 cannot be confirmed now, 3 usage.
    Of several files, the worst counts.

    Examples:
      shirushi verify certificate.pdf
      shirushi verify certificate.pdf --receipt received/certificate.json --lang ja
      shirushi verify inbox/*.pdf --json
    """
    if receipt is not None and len(files) > 1:
        raise typer.BadParameter("one receipt is of one file: name one FILE", param_hint="--receipt")
    try:
        pairs = [(file, receipt or receipt_beside(file)) for file in files]
        reports = asyncio.run(_verify(data, pairs))
    except ShirushiError as error:
        raise NoVerdictError(str(error)) from error
    if as_json:
        documents = [report.to_json() for report in reports]
        print_json(documents[0] if len(documents) == 1 else {"format": FORMAT, "reports": documents})
    else:
        for report in reports:
            show_report(report, language(lang))
    raise typer.Exit(exit_code([report.verdict for report in reports]))


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """Return 1 if any is not valid, else 2 if any cannot be confirmed, else 0."""
    worst = next(
        (each for each in (Verdict.NOT_VALID, Verdict.CANNOT_CONFIRM) if each in verdicts), Verdict.VALID
    )
    return EXIT_CODES[worst]


async def _verify(data: Path | None, pairs: Sequence[tuple[Path, Path]]) -> list[Report]:
    reports = []
    async with open_session(data, VERIFIER) as session:
        verifier = Verifier(session.consortium, session.members)
        with progress_bar("verifying", len(pairs)) as bar:
            for file, receipt in pairs:
                reports.append(await verifier.verify(file, receipt))
                bar.advance()
    return reports
