"""`shirushi batches`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from shirushi_client.cli import options
from shirushi_client.cli.output import day_and_time, print_json, say, shortened, show_rows
from shirushi_client.ledger_client import MAX_PAGE, Page
from shirushi_client.session import ISSUER, open_session
from shirushi_core.proofs.anchor import IssuanceAnchor

app = typer.Typer(add_completion=False)


@app.command()
def batches(
    issuer: Annotated[
        str | None,
        typer.Option("--issuer", metavar="ID", help="Whose. Default: your own.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 100,
    bookmark: Annotated[
        str, typer.Option("--bookmark", help="Go on where an earlier listing ended.", show_default=False)
    ] = "",
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """List the batches that an issuer has anchored, oldest first.

    Examples:
      shirushi batches
      shirushi batches --issuer iizuka --limit 500 --json
    """
    page = asyncio.run(_batches(data, issuer, limit, bookmark))
    if as_json:
        print_json({"batches": [batch.to_json() for batch in page.batches], "bookmark": page.bookmark})
        return
    show_rows(
        ("batch", "type", "size", "anchored", "valid until", "transaction"),
        [
            (
                shortened(batch.statement.batch_id),
                batch.statement.document_type,
                str(batch.statement.size),
                day_and_time(batch.anchored_at),
                day_and_time(batch.statement.valid_until),
                shortened(batch.tx_id),
            )
            for batch in page.batches
        ],
        wrapped=("type",),
        spare=("transaction",),
    )
    if page.bookmark:
        say(f"there are more: --bookmark {page.bookmark}")


async def _batches(data: Path | None, issuer: str | None, limit: int, bookmark: str) -> Page:
    found: list[IssuanceAnchor] = []
    async with open_session(data, ISSUER) as session:
        whose = issuer or session.profile.issuer_id()
        while True:
            page = await session.ledger.list_batches(whose, min(MAX_PAGE, limit - len(found)), bookmark)
            found += page.batches
            bookmark = page.bookmark
            if not bookmark or len(found) >= limit:
                return Page(tuple(found), bookmark)
