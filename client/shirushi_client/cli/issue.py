"""`shirushi issue`: anchor files and write their receipts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated

import typer

from shirushi_client.cli import options
from shirushi_client.cli.output import add_row, console, note, print_json, progress_bar, say, table
from shirushi_client.cli.session import ISSUER, open_session
from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.issuer import FileToIssue, Issued, Issuer, Resumed
from shirushi_client.issuer.journal import Journal
from shirushi_client.issuer.receipt_files import ReceiptWriteError
from shirushi_client.issuer.sources import check_files, files_to_issue
from shirushi_client.profile import journal_path
from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.fields import check_identifier

SHOWN = 20
"""Receipts that are listed by name; of more, only the number is."""

app = typer.Typer(add_completion=False)


@app.command()
def issue(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATHS", help="Certificates, and folders of them.", show_default=False),
    ],
    document_type: Annotated[
        str,
        typer.Option(
            "--type", metavar="TYPE", help="What they are, e.g. income-certificate.", show_default=False
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Where receipts go. Default: beside the files.", show_default=False
        ),
    ] = None,
    valid_until: Annotated[
        str | None,
        typer.Option(
            "--valid-until",
            metavar="DATE",
            help="The last day they are valid (2027-03-31).",
            show_default=False,
        ),
    ] = None,
    reissue: Annotated[
        bool, typer.Option("--reissue", help="Make new certificates of bytes that were issued before.")
    ] = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Issue certificates: anchor files and write FILE.receipt.json for each.

    Of a folder, all files are issued but receipts and hidden files.
    The same bytes issued again as the same type have the same receipt.
    What an interrupted run left over is finished first.

    Examples:
      shirushi issue certificate.pdf --type income-certificate
      shirushi issue certificates/ --type income-certificate --out receipts/
      shirushi issue certificate.pdf --type residence --valid-until 2027-03-31
    """
    order = Order(_document_type(document_type), valid_until=_last_second(valid_until), reissue=reissue)
    total = check_files(paths, out)
    tally = asyncio.run(_issue(data, paths, out, order, _Tally(total, keeps_all=as_json or total <= SHOWN)))
    if as_json:
        print_json(tally.to_json())
    else:
        tally.show()


class _Tally:
    """What was issued: every certificate of a few, or just how many of a million."""

    def __init__(self, total: int, *, keeps_all: bool) -> None:
        self.total = total
        self.resumed = Resumed((), ())
        self._keeps_all = keeps_all
        self._issued: list[Issued] = []
        self._fresh = 0
        self._before = 0
        self._batches: set[bytes] = set()

    def add(self, batch: Sequence[Issued]) -> None:
        if self._keeps_all:
            self._issued += batch
        fresh = [each for each in batch if not each.issued_before]
        self._fresh += len(fresh)
        self._before += len(batch) - len(fresh)
        self._batches.update(each.batch_id for each in fresh)

    def to_json(self) -> Json:
        return {
            "issued": [
                {
                    "batch_id": each.batch_id.hex(),
                    "file": each.path,
                    "issued_before": each.issued_before,
                    "receipt": each.receipt_path,
                    "tx_id": each.tx_id,
                }
                for each in self._issued
            ],
            "resumed": {
                "problems": [str(problem) for problem in self.resumed.problems],
                "receipts": list(self.resumed.receipt_paths),
            },
        }

    def show(self) -> None:
        if self._issued:
            listing = table("certificate", "receipt", "transaction")
            for each in sorted(self._issued, key=lambda each: each.path):
                issued_before = " (issued before)" if each.issued_before else ""
                add_row(listing, each.path, each.receipt_path, each.tx_id[:16] + issued_before)
            console().print(listing)
        batches = len(self._batches)
        again = f"; {self._before} issued before have their first receipts" if self._before else ""
        say(f"{self._fresh} issued in {batches} {'batch' if batches == 1 else 'batches'}{again}")


async def _issue(
    data: Path | None, paths: Sequence[Path], out: Path | None, order: Order, tally: _Tally
) -> _Tally:
    async with open_session(data, ISSUER) as session:
        with Journal(journal_path(session.data)) as journal:
            async with Issuer(
                name=session.profile.issuer_id(),
                seal_key=session.profile.load_seal_key(),
                ledger=session.ledger,
                journal=journal,
            ) as issuer:
                tally.resumed = await issuer.resume()
                _tell_resumed(tally.resumed)
                files = _with_folders(files_to_issue(paths, out))
                with progress_bar("issuing", tally.total) as bar:
                    async with aclosing(issuer.issue_files(files, order)) as batches:
                        async for batch in batches:
                            tally.add(batch)
                            bar.advance(len(batch))
    return tally


def _tell_resumed(resumed: Resumed) -> None:
    if resumed.receipt_paths:
        note(f"finished an earlier run: {len(resumed.receipt_paths)} receipts written")
    for problem in resumed.problems:
        note(f"left over from an earlier run: {problem}; issue those files again")


def _with_folders(files: Iterable[FileToIssue]) -> Iterator[FileToIssue]:
    made: Path | None = None
    for file in files:
        folder = Path(file.receipt_path).parent
        if folder != made:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ReceiptWriteError(f"the folder {folder} cannot be made: {error.strerror}") from error
            made = folder
        yield file


def _document_type(value: str) -> str:
    try:
        return check_identifier(value, "--type")
    except InvalidInputError as error:
        raise typer.BadParameter(str(error), param_hint="--type") from error


def _last_second(value: str | None) -> int | None:
    """Return the end of the last day, in the issuer's own time zone; a time of day may be given as well."""
    if value is None:
        return None
    try:
        if len(value) == len("2027-03-31"):
            end = datetime.combine(date.fromisoformat(value), time(23, 59, 59))
        else:
            end = datetime.fromisoformat(value)
    except ValueError:
        raise typer.BadParameter(
            f"expected a date like 2027-03-31, found {value}", param_hint="--valid-until"
        ) from None
    if end.timestamp() < datetime.now().timestamp():
        raise typer.BadParameter(f"{value} is in the past", param_hint="--valid-until")
    return int(end.timestamp())
