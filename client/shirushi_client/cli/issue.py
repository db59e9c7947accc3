"""`shirushi issue`: anchor files and write their receipts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from shirushi_client.cli import options
from shirushi_client.cli.book_tally import BookTally
from shirushi_client.cli.output import note, print_json, progress_bar
from shirushi_client.cli.tally import Tally
from shirushi_client.evidence_session import open_gatherer
from shirushi_client.issued_before import look_up
from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.batcher import MAX_COUNT
from shirushi_client.issuer.existing_receipts import check_existing_receipts
from shirushi_client.issuer.issued import FileToIssue, Resumed
from shirushi_client.issuer.issuer import BOOK_COUNT, Issuer
from shirushi_client.issuer.journal import Journal
from shirushi_client.issuer.readers import open_readers
from shirushi_client.issuer.receipt_files import make_folder
from shirushi_client.issuer.sources import certificates_in, check_certificates, check_files, files_to_issue
from shirushi_client.profile import journal_path
from shirushi_client.session import ISSUER, Session, open_session
from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.fields import check_identifier

CHECKED_TOGETHER = 4096
"""Files looked at between two moments at which an interrupt is noticed."""

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
    compact: Annotated[
        bool,
        typer.Option("--compact", help="With a quorum certificate, which `receipt compact` takes."),
    ] = False,
    book: Annotated[
        Path | None,
        typer.Option(
            "--book",
            metavar="DIR",
            help="Write one receipt book for each batch into this folder, in place of receipts: for many files at once.",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", metavar="N", min=1, max=64, help="Processes. Default: the cores.", show_default=False
        ),
    ] = None,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Issue certificates: anchor files and write FILE.receipt.json for each.

    Of a folder, all files are issued but receipts and hidden files.
    The same bytes issued again as the same type have the same receipt.
    No other receipt that is there already is overwritten.
    Receipts hold what members confirm; where too few do in time,
    it is said, and `shirushi refresh` completes them.
    What an interrupted run left over is finished first.
    A receipt book has all receipts of a batch and is much faster written;
    `shirushi receipt extract` takes single receipts out of it.

    Examples:
      shirushi issue certificate.pdf --type income-certificate
      shirushi issue certificates/ --type income-certificate --out receipts/
      shirushi issue certificate.pdf --type residence --valid-until 2027-03-31
      shirushi issue notices/ --type tax-notice --book books/
    """
    order = Order(_document_type(document_type), valid_until=_last_second(valid_until), reissue=reissue)
    if book is not None and out is not None:
        raise typer.BadParameter("receipts go into books or into files: leave --out or --book out")
    tally: Tally | BookTally
    if book is None:
        tally = Tally(order, check_files(paths, out), keeps_all=as_json)
        work = _issue(data, paths, out, order, tally, compact=compact, jobs=_jobs(jobs))
    else:
        tally = BookTally()
        work = _issue_books(data, paths, book, order, tally, compact=compact, jobs=_jobs(jobs))
    asyncio.run(work)
    if as_json:
        print_json(tally.to_json())
    else:
        tally.show()
    tally.warn()


@asynccontextmanager
async def _open_issuer(
    session: Session, journal: Journal, *, compact: bool, jobs: int, max_count: int = MAX_COUNT
) -> AsyncIterator[Issuer]:
    with open_readers(jobs) as readers:
        async with (
            open_gatherer(session.data, certified=compact) as evidence,
            Issuer(
                name=session.profile.issuer_id(),
                seal_key=session.profile.load_seal_key(),
                ledger=session.ledger,
                journal=journal,
                evidence=evidence,
                max_count=max_count,
                readers=readers,
            ) as issuer,
        ):
            yield issuer


async def _issue(
    data: Path | None,
    paths: Sequence[Path],
    out: Path | None,
    order: Order,
    tally: Tally,
    *,
    compact: bool,
    jobs: int,
) -> None:
    async with open_session(data, ISSUER) as session:
        with Journal(journal_path(session.data)) as journal:
            async with _open_issuer(session, journal, compact=compact, jobs=jobs) as issuer:
                resumed = await issuer.resume()
                _tell_resumed(resumed)
                tally.begin(resumed)
                await _check_existing(files_to_issue(paths, out), order, journal, tally.total)
                files = _with_folders(files_to_issue(paths, out))
                with progress_bar("issuing", tally.total) as bar:
                    async with aclosing(issuer.issue_files(files, order)) as batches:
                        async for batch in batches:
                            tally.add(batch)
                            bar.advance(len(batch))
        tally.learn(await look_up(tally.before, session.ledger))


async def _issue_books(
    data: Path | None,
    paths: Sequence[Path],
    folder: Path,
    order: Order,
    tally: BookTally,
    *,
    compact: bool,
    jobs: int,
) -> None:
    total = check_certificates(paths)
    make_folder(folder)
    async with open_session(data, ISSUER) as session:
        with Journal(journal_path(session.data)) as journal:
            async with _open_issuer(
                session, journal, compact=compact, jobs=jobs, max_count=BOOK_COUNT
            ) as issuer:
                resumed = await issuer.resume()
                _tell_resumed(resumed)
                tally.begin(resumed)
                with progress_bar("issuing", total) as bar:
                    issuing = issuer.issue_books(certificates_in(paths), order, str(folder.absolute()))
                    async with aclosing(issuing) as parts:
                        async for books in parts:
                            tally.add(books)
                            bar.advance(sum(len(each.certificates) for each in books))


async def _check_existing(files: Iterator[FileToIssue], order: Order, journal: Journal, total: int) -> None:
    with progress_bar("checking", total) as bar:
        while part := await asyncio.to_thread(lambda: list(islice(files, CHECKED_TOGETHER))):
            await asyncio.to_thread(check_existing_receipts, part, order, journal)
            bar.advance(len(part))


def _tell_resumed(resumed: Resumed) -> None:
    if resumed.receipt_paths:
        count = len(resumed.receipt_paths)
        note(f"finished an earlier run: {count} {'receipt' if count == 1 else 'receipts'} written")
    for problem in resumed.problems:
        note(f"left over from an earlier run: {problem}; issue those files again")


def _with_folders(files: Iterable[FileToIssue]) -> Iterator[FileToIssue]:
    made: Path | None = None
    for file in files:
        folder = Path(file.receipt_path).parent
        if folder != made:
            make_folder(folder)
            made = folder
        yield file


def _jobs(wanted: int | None) -> int:
    return wanted or os.cpu_count() or 1


def _document_type(value: str) -> str:
    try:
        return check_identifier(value, "--type")
    except InvalidInputError:
        raise typer.BadParameter(
            "expected up to 64 lower-case letters, digits, dots and dashes, the first a letter or digit;"
            f" found {value}",
            param_hint="--type",
        ) from None


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
