"""`shirushi issuer`: the registry of who may issue, changed by the members' approvals."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, cast

import typer

from shirushi_client.cli import options
from shirushi_client.cli.output import day_and_time, print_json, say, shortened, show_rows
from shirushi_client.ledger_client import MAX_PAGE
from shirushi_client.ledger_errors import PROPOSAL_NOT_FOUND, ContractError
from shirushi_client.session import VERIFIER, open_session
from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.canonical import Json, decode
from shirushi_core.proofs.issuer import IssuerRecord

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Show, propose and approve issuers.")

PATIENCE = 5.0
"""Seconds that a member's own peer may be behind the one that a proposal was made at."""

AGAIN_SECONDS = 0.3

Admin = Annotated[
    str,
    typer.Option(
        "--as",
        metavar="PROFILE",
        help="The admin's profile to act as, e.g. admin-iizuka.",
        show_default=False,
    ),
]
ProposalId = Annotated[str, typer.Argument(metavar="PROPOSAL", help="The proposal's id.", show_default=False)]


class RecordFileError(ShirushiError):
    """A file that cannot be read as an issuer record."""


@app.command("list")
def list_issuers(data: options.Data = None, as_json: options.Json = False) -> None:
    """List the issuers that are registered."""
    issuers = [IssuerRecord.from_json(each) for each in asyncio.run(_pages(data, "list_issuers", "issuers"))]
    if as_json:
        print_json({"issuers": [issuer.to_json() for issuer in issuers]})
        return
    show_rows(
        ("issuer", "name", "member", "state", "version", "keys"),
        [
            (
                issuer.id,
                f"{issuer.name_ja} / {issuer.name_en}",
                issuer.msp_id,
                issuer.state,
                str(issuer.sequence),
                str(len(issuer.keys)),
            )
            for issuer in issuers
        ],
        wrapped=("issuer", "name", "member"),
    )


@app.command()
def show(
    issuer: Annotated[str, typer.Argument(metavar="ISSUER", help="The issuer's id.", show_default=False)],
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Show an issuer's record: its member, state and keys."""
    record = IssuerRecord.from_json(asyncio.run(_evaluate(data, "get_issuer", {"issuer": issuer})))
    if as_json:
        print_json(record.to_json())
        return
    say(f"{record.id}  {record.name_ja} / {record.name_en}")
    say(f"member {record.msp_id}, {record.state}, version {record.sequence}")
    show_rows(
        ("key", "use", "from", "to"),
        [
            (shortened(key.key_id), key.use, day_and_time(key.not_before), day_and_time(key.not_after))
            for key in record.keys
        ],
    )


@app.command()
def proposals(data: options.Data = None, as_json: options.Json = False) -> None:
    """List what was proposed, and which members have approved."""
    found = asyncio.run(_pages(data, "list_proposals", "proposals"))
    if as_json:
        print_json({"proposals": found})
    else:
        for proposal in found:
            _show_proposal(proposal)


@app.command()
def propose(
    record: Annotated[
        Path, typer.Argument(metavar="RECORD", help="A file with the issuer's record.", show_default=False)
    ],
    admin: Admin,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Propose an issuer's record, new or changed, and approve it for your own member.

    RECORD is JSON as `shirushi issuer show ISSUER --json` prints it; a change has the next sequence.

    Examples:
      shirushi issuer propose iizuka.json --as admin-iizuka
    """
    try:
        parsed = IssuerRecord.from_json(decode(record.read_bytes()))
    except OSError as error:
        raise RecordFileError(f"{record} cannot be read: {error.strerror}") from error
    except ShirushiError as error:
        raise RecordFileError(f"{record}: {error}") from error
    _act(data, admin, "propose_issuer", {"record": parsed.to_json()}, as_json)


@app.command()
def approve(
    proposal: ProposalId, admin: Admin, data: options.Data = None, as_json: options.Json = False
) -> None:
    """Approve a proposal for your own member; with a majority of the members it is adopted."""
    _act(data, admin, "approve_issuer", {"proposal_id": proposal}, as_json, patience=PATIENCE)


@app.command()
def withdraw(
    proposal: ProposalId, admin: Admin, data: options.Data = None, as_json: options.Json = False
) -> None:
    """Withdraw your member's approval of a proposal that is not yet adopted."""
    _act(data, admin, "withdraw_approval", {"proposal_id": proposal}, as_json, patience=PATIENCE)


def _act(
    data: Path | None, admin: str, function: str, argument: Json, as_json: bool, *, patience: float = 0.0
) -> None:
    answer = asyncio.run(_submit(data, admin, function, argument, patience))
    if as_json:
        print_json(answer)
    else:
        _show_proposal(answer)


def _show_proposal(view: Json) -> None:
    proposal = cast("Mapping[str, Json]", view)
    record = IssuerRecord.from_json(proposal["record"])
    approvals = cast("list[str]", proposal["approvals"])
    say(f"proposal {proposal['proposal_id']}")
    say(
        f"  issuer {record.id}, {record.name_ja} / {record.name_en}, version {record.sequence}, {record.state}"
    )
    say(
        f"  {proposal['state']}; approved by {', '.join(approvals) or 'nobody'},"
        f" {proposal['approvals_needed']} are needed"
    )


async def _submit(data: Path | None, admin: str, function: str, argument: Json, patience: float) -> Json:
    """Submit a transaction; a proposal that the member's own peer has yet to hear of is waited for, `patience` seconds."""
    async with open_session(data, admin) as session:
        deadline = time.monotonic() + patience
        while True:
            try:
                return await session.ledger.submit(function, argument)
            except ContractError as error:
                if error.code != PROPOSAL_NOT_FOUND or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(AGAIN_SECONDS)


async def _evaluate(data: Path | None, function: str, argument: Json) -> Json:
    async with open_session(data, VERIFIER) as session:
        return await session.ledger.evaluate(function, argument)


async def _pages(data: Path | None, function: str, what: str) -> list[Json]:
    found: list[Json] = []
    bookmark: Json = ""
    async with open_session(data, VERIFIER) as session:
        while True:
            answer = await session.ledger.evaluate(function, {"bookmark": bookmark, "page_size": MAX_PAGE})
            page = cast("Mapping[str, Json]", answer)
            found += cast("list[Json]", page[what])
            bookmark = page["bookmark"]
            if not bookmark:
                return found
