"""`shirushi audit`: the members' logs, derived anew and held against each other, against blocks, and against a list."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shirushi_client.cli import options
from shirushi_client.cli.output import language, print_json, progress_bar
from shirushi_core.errors import ShirushiError

if TYPE_CHECKING:
    from shirushi_client.audit.findings import Finding
    from shirushi_client.audit.report import AuditReport
    from shirushi_client.audit.sources import LogSource
    from shirushi_core.proofs.trust_policy import TrustPolicy

EXIT_CODES = {"clean": 0, "difference": 1, "incomplete": 2}
NO_AUDIT = 3

app = typer.Typer(add_completion=False)


class NoAuditError(ShirushiError):
    """Nothing could be audited: no trust policy, or a list, folder or member that there is not."""

    exit_code = NO_AUDIT


@dataclass(frozen=True, slots=True)
class _Wishes:
    policy: Path | None
    members: tuple[str, ...]
    tiles: Path | None
    blocks: bool
    listed: Path | None
    issuer: str | None
    data: Path | None


@app.command()
def audit(
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy",
            metavar="P",
            help="The trust policy that names the members and their keys. Default: the data folder's.",
            show_default=False,
        ),
    ] = None,
    member: Annotated[
        list[str] | None,
        typer.Option(
            "--member",
            metavar="ID",
            help="Whose witness to ask; repeatable. Default: every member's.",
            show_default=False,
        ),
    ] = None,
    tiles: Annotated[
        Path | None,
        typer.Option(
            "--tiles",
            metavar="DIR",
            help="A folder of the log's tiles; nobody is asked then, unless named with --member.",
            show_default=False,
        ),
    ] = None,
    blocks: Annotated[
        bool, typer.Option("--blocks", help="Also derive the log from your own peer's blocks.")
    ] = False,
    listed: Annotated[
        Path | None,
        typer.Option(
            "--list",
            metavar="FILE",
            help="What was issued: batch ids (text, CSV), a folder of receipts, or the issuer's journal.",
            show_default=False,
        ),
    ] = None,
    issuer: Annotated[
        str | None,
        typer.Option(
            "--issuer",
            metavar="ID",
            help="List this issuer's anchors; --list is about it.",
            show_default=False,
        ),
    ] = None,
    lang: options.Lang = None,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Audit the ledger: derive every member's log anew, and compare.

    Every entry, tile, root and signature is checked; the first difference is shown with who signed what.
    Exit codes: 0 clean, 1 a difference was found, 2 not everything could be checked, 3 usage.

    Examples:
      shirushi audit
      shirushi audit --policy trust-policy.json --member haw --member gcom
      shirushi audit --tiles mirror/ --policy trust-policy.json
      shirushi audit --blocks --data /srv/shirushi
      shirushi audit --list issued.csv --issuer iizuka-city --json
    """
    from shirushi_network.cli.audit_results import show_audit

    wishes = _Wishes(policy, tuple(member or ()), tiles, blocks, listed, issuer, data)
    try:
        report = asyncio.run(_audit(wishes))
    except ShirushiError as error:
        raise NoAuditError(str(error)) from error
    if as_json:
        print_json(report.to_json())
    else:
        show_audit(report, language(lang))
    raise typer.Exit(EXIT_CODES[report.outcome.value])


async def _audit(wishes: _Wishes) -> AuditReport:
    from shirushi_client.audit.audit import Auditor, ListToReconcile
    from shirushi_client.audit.list_file import read_list
    from shirushi_client.audit.sources import FolderSource
    from shirushi_client.trusted_policies import PolicyLookup

    trusted = PolicyLookup.of(wishes.policy, wishes.data).any().signed.policy
    listed = None
    if wishes.listed is not None:
        listed = ListToReconcile(str(wishes.listed), read_list(wishes.listed))
    async with AsyncExitStack() as stack:
        sources: list[LogSource] = []
        findings: list[Finding] = []
        if wishes.blocks:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shirushi-audit-")))
            source, found = await _derive(wishes.data, trusted, wishes.members, folder)
            sources.append(source)
            findings += found
        if wishes.tiles is not None:
            if not wishes.tiles.is_dir():
                raise NoAuditError(
                    f"{wishes.tiles} is no folder: name one that has tile/ and checkpoint in it"
                )
            sources.append(FolderSource(wishes.tiles))
        if wishes.members or wishes.tiles is None:
            asked, found = await _witnesses(stack, trusted, wishes.members)
            sources += asked
            findings += found
        auditor = Auditor(trusted, time.time, lambda total: progress_bar("auditing entries", total))
        return await auditor.audit(sources, found_before=findings, listed=listed, issuer=wishes.issuer)


async def _witnesses(
    stack: AsyncExitStack, policy: TrustPolicy, chosen: Sequence[str]
) -> tuple[list[LogSource], list[Finding]]:
    """Open the members' witnesses; those without an address are findings. Raises NoAuditError for one that is no member."""
    from shirushi_client.audit.findings import Code, Finding, SourceKind, SourceName
    from shirushi_client.audit.sources import WitnessSource
    from shirushi_client.witness_client import open_witnesses

    now = int(time.time())
    members = {member.id: member for member in policy.members_at(now)}
    unknown = [each for each in chosen if each not in members]
    if unknown:
        raise NoAuditError(
            f"{unknown[0]} is no member by the trust policy now; its members are {', '.join(members)}"
        )
    wanted = {each: members[each] for each in chosen} or members
    clients = {each.member_id: each for each in await stack.enter_async_context(open_witnesses(policy, now))}
    sources: list[LogSource] = []
    findings = []
    for member_id, member in wanted.items():
        if member_id in clients:
            sources.append(WitnessSource(member, clients[member_id]))
        else:
            name = SourceName(SourceKind.WITNESS, member_id, member.name_ja, member.name_en)
            why = "the trust policy has no address of its witness"
            findings.append(Finding(Code.MEMBER_UNREACHABLE, name, found=why))
    return sources, findings


async def _derive(
    data: Path | None, policy: TrustPolicy, chosen: Sequence[str], folder: Path
) -> tuple[LogSource, Sequence[Finding]]:
    """Derive the log from the peer of a member whose keys are here: of those chosen, if one is among them."""
    from shirushi_network.audit_blocks import derive_from_blocks, peer_access
    from shirushi_network.cli.data_folder import layout_of, topology_of
    from shirushi_network.config_blocks import MAX_BLOCK_BYTES
    from shirushi_network.member_access import members_here
    from shirushi_network.member_files import read_file

    layout = layout_of(data)
    topology = topology_of(layout)
    if topology.channel != policy.ledger:
        raise NoAuditError(
            f"the consortium in {layout.root} has the ledger {topology.channel}, the trust policy is of {policy.ledger}"
        )
    here = members_here(layout, topology.members)
    if not here:
        raise NoAuditError(
            f"no member's keys are in {layout.members}: --blocks reads your own peer, where its keys are"
        )
    member = next((each for each in here if each.id in chosen), here[0])
    genesis = read_file(layout.genesis, MAX_BLOCK_BYTES)
    derived = await derive_from_blocks(
        member,
        peer_access(layout, topology, member),
        genesis,
        folder,
        lambda total: progress_bar("reading blocks", total),
    )
    return derived.source, derived.findings
