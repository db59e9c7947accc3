"""`shirushi verify`: files with their receipts, by what these carry, by the members' witnesses, or by their peers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from shirushi_client.cli import options
from shirushi_client.cli.bulk_results import FORMAT, print_reports, show_summary, write_csv
from shirushi_client.cli.durations import past_moment, seconds_of
from shirushi_client.cli.output import language, note, print_json, progress_bar
from shirushi_client.cli.verdicts import show_report
from shirushi_client.cli.verify_inputs import pairs_of
from shirushi_client.cli.verify_session import VerifySessions
from shirushi_client.verifier.bulk import Outcome, Pair
from shirushi_client.verifier.report import Report
from shirushi_client.verifier.verification_plan import Wishes
from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.report import Verdict

EXIT_CODES = {Verdict.VALID: 0, Verdict.NOT_VALID: 1, Verdict.CANNOT_CONFIRM: 2}
NO_VERDICT = 3
_WORST_FIRST = (Verdict.NOT_VALID, None, Verdict.CANNOT_CONFIRM)

Found = TypeVar("Found")

app = typer.Typer(add_completion=False)


class NoVerdictError(ShirushiError):
    """Nothing could be verified: a file or a receipt that cannot be read, or no trust policy and no consortium."""

    exit_code = NO_VERDICT


@app.command()
def verify(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Certificates, and folders of them.", show_default=False),
    ],
    receipt: Annotated[
        Path | None,
        typer.Option(
            "--receipt",
            metavar="R",
            help="The receipt of the one FILE. Default: the one beside it.",
            show_default=False,
        ),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy",
            metavar="P",
            help="The trust policy to judge by. Default: SHIRUSHI_POLICY, the data folder's, or yours of the ledger.",
            show_default=False,
        ),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Never use a network: the receipt's evidence decides.")
    ] = False,
    online: Annotated[
        bool, typer.Option("--online", help="The newest status must be had from the witnesses now.")
    ] = False,
    max_age: Annotated[
        str | None,
        typer.Option(
            "--max-age",
            metavar="AGE",
            help="How old the status may be (60s, 5m, 24h, 7d); older is refreshed.",
            show_default=False,
        ),
    ] = None,
    ledger: Annotated[
        bool, typer.Option("--ledger", help="Ask the members' peers, as a user of the consortium.")
    ] = False,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="DATE",
            help="Judge as of a past date (2026-04-01) instead of now.",
            show_default=False,
        ),
    ] = None,
    issuer: Annotated[
        str | None,
        typer.Option("--issuer", metavar="ID", help="Whose certificate it has to be.", show_default=False),
    ] = None,
    document_type: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="What type it has to be of.", show_default=False),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            min=1,
            metavar="N",
            help="Processes for many files. Default: one a core.",
            show_default=False,
        ),
    ] = None,
    csv_file: Annotated[
        Path | None,
        typer.Option(
            "--csv", metavar="FILE", help="Write a line for each certificate to FILE.", show_default=False
        ),
    ] = None,
    lang: options.Lang = None,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Verify certificates with their receipts.

    Beside FILE its receipt is FILE.receipt.json or NAME.receipt.json.
    With --policy, a receipt that carries enough is verified offline.
    Without, the newest status is asked for, under the trust policy that
    is yours for its ledger (`shirushi policy trust`).
    Exit codes: 0 valid, 1 not valid, 2 cannot be confirmed now, 3 usage.
    Of several files, the worst counts.

    Examples:
      shirushi verify certificate.pdf
      shirushi verify certificate.pdf --policy trust-policy.json --offline
      shirushi verify certificate.pdf --max-age 24h --lang ja
      shirushi verify certificate.pdf --at 2026-04-01
      shirushi verify certificate.pdf --issuer iizuka-city --type income-certificate
      shirushi verify inbox/ --csv results.csv
    """
    if receipt is not None and (len(files) > 1 or files[0].is_dir()):
        raise typer.BadParameter("one receipt is of one file: name one FILE", param_hint="--receipt")
    wishes = Wishes(
        offline=offline,
        online=online,
        ledger=ledger,
        max_age=None if max_age is None else seconds_of(max_age, "--max-age"),
        at=None if at is None else past_moment(at, "--at", time.time()),
        policy_named=policy is not None,
        issuer=issuer,
        document_type=document_type,
    )
    try:
        session = VerifySessions.open(wishes, policy, data)
        pairs = pairs_of(files, receipt)
        if csv_file is not None or any(file.is_dir() for file in files):
            outcomes = _outcomes(session, pairs, jobs, documents=as_json)
            verdicts: Sequence[Verdict | None] = [outcome.verdict for outcome in outcomes]
            if csv_file is not None:
                write_csv(csv_file, outcomes)
            if as_json:
                print_reports(outcomes)
            else:
                show_summary(outcomes, language(lang))
        else:
            reports = _reports(session, pairs)
            verdicts = [report.verdict for report in reports]
            _show(reports, lang, as_json=as_json)
    except ShirushiError as error:
        raise NoVerdictError(str(error)) from error
    raise typer.Exit(exit_code(verdicts))


def exit_code(verdicts: Sequence[Verdict | None]) -> int:
    """Return 1 if any is not valid, else 3 if any could not be read (None), else 2 if any cannot be confirmed, else 0."""
    worst = next((each for each in _WORST_FIRST if each in verdicts), Verdict.VALID)
    return NO_VERDICT if worst is None else EXIT_CODES[worst]


def _show(reports: Sequence[Report], lang: options.Language | None, *, as_json: bool) -> None:
    if as_json:
        documents = [report.to_json() for report in reports]
        print_json(documents[0] if len(documents) == 1 else {"format": FORMAT, "reports": documents})
        return
    for report in reports:
        show_report(report, language(lang))


def _reports(session: VerifySessions, pairs: Sequence[Pair]) -> list[Report]:
    with progress_bar("verifying", len(pairs)) as bar:
        return asyncio.run(_with_news(session, session.reports(pairs, bar.advance)))


def _outcomes(
    session: VerifySessions, pairs: Sequence[Pair], jobs: int | None, *, documents: bool
) -> list[Outcome]:
    with progress_bar("verifying", len(pairs)) as bar:
        outcomes = session.outcomes(pairs, jobs or os.cpu_count() or 1, bar.advance, documents=documents)
        return asyncio.run(_with_news(session, outcomes))


async def _with_news(session: VerifySessions, verifying: Awaitable[Found]) -> Found:
    """Return what verifying gives, and say on standard error what was heard beside it."""
    found = await verifying
    for line in session.news():
        note(line)
    return found
