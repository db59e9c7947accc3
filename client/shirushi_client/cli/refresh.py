"""`shirushi refresh`: receipts with what members confirm now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from shirushi_client.cli import options
from shirushi_client.cli.output import moment, note, print_json, progress_bar, say, show_rows
from shirushi_client.cli.receipts import load, receipt_path
from shirushi_client.evidence_gathering import EvidenceGatherer
from shirushi_client.evidence_session import open_policy
from shirushi_client.issuer.receipt_files import write_receipt
from shirushi_client.policy_news import PolicyNews
from shirushi_client.trusted_policies import NO_POLICY, FoundPolicy, NoTrustPolicyError, PolicyLookup
from shirushi_client.verifier.proved import EvidenceJudge, Judged
from shirushi_client.witness_client import WitnessError
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.log_evidence import ProvedStatuses, deciding
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.status import Status
from shirushi_core.proofs.trust_policy import TrustPolicy
from shirushi_core.proofs.unjudged import KIND as UNJUDGED
from shirushi_core.proofs.unjudged import Mark

FORMAT = "shirushi/refreshed/v1"
TOGETHER = 1024
"""Receipts asked for in one request."""

app = typer.Typer(add_completion=False)


@app.command()
def refresh(
    paths: options.FilesOrReceipts,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy",
            metavar="P",
            help="The trust policy that names the witnesses. Default: SHIRUSHI_POLICY, the data folder's, or yours.",
            show_default=False,
        ),
    ] = None,
    compact: Annotated[
        bool,
        typer.Option(
            "--compact", help="Ready for `receipt compact`: all under one head, with a quorum certificate."
        ),
    ] = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Refresh receipts: ask the members' witnesses for the newest status.

    A receipt that too few members had confirmed is completed.
    The file is replaced only when a quorum confirms what goes into it.
    Nobody needs to be asked but the witnesses: no identity, no issuer.

    Examples:
      shirushi refresh certificate.pdf
      shirushi refresh received/*.receipt.json --policy trust-policy.json
    """
    lookup = PolicyLookup.of(policy, data)
    receipts = [(receipt_path(path), load(path)) for path in paths]
    # Each is refreshed under its own ledger's policy, and nothing is asked before all have one.
    parts: dict[str, tuple[FoundPolicy, list[int]]] = {}
    for index, (_, receipt) in enumerate(receipts):
        ledger = receipt.anchor.statement.ledger
        key = ledger if lookup.is_by_ledger else ""
        if key not in parts:
            parts[key] = (_policy_for(lookup, ledger), [])
        parts[key][1].append(index)
    found: dict[int, Judged] = {}
    for policy_found, indexes in parts.values():
        trusted = policy_found.signed.policy
        refreshed = asyncio.run(_refresh(trusted, [receipts[index] for index in indexes], compact))
        judge = EvidenceJudge(trusted)
        found |= {
            index: judge.judge(receipt, _NO_LIMIT) for index, receipt in zip(indexes, refreshed, strict=True)
        }
    rows: list[tuple[str, str, tuple[str, ...], int]] = []
    for (path, _), judged in zip(receipts, (found[index] for index in sorted(found)), strict=True):
        head, as_of = judged.batch.status, judged.batch.status_as_of
        if judged.statuses is None or head is None or head.confirmation is None or as_of is None:
            raise WitnessError(f"the receipt {path} was not refreshed: the witnesses proved no status")
        rows.append((str(path), _status(judged.statuses), head.confirmation.members, as_of))
    if as_json:
        documents: list[Json] = [
            {"as_of": as_of, "confirmed_by": list(members), "receipt": path, "status": status}
            for path, status, members, as_of in rows
        ]
        print_json({"format": FORMAT, "refreshed": documents})
        return
    show_rows(
        ("receipt", "status", "as of", "confirmed by"),
        [(path, status, moment(as_of), ", ".join(members)) for path, status, members, as_of in rows],
        wrapped=("receipt", "confirmed by"),
    )
    say(f"{len(rows)} refreshed")


def _status(statuses: ProvedStatuses) -> str:
    record = deciding(statuses)
    if isinstance(record, Mark):
        return UNJUDGED
    return (Status.VALID if record is None else record.status).value


_NO_LIMIT = (1 << 40) - 1
"""What the witnesses' answers were checked against when they came; not again, by another clock."""


def _policy_for(lookup: PolicyLookup, ledger: str) -> FoundPolicy:
    found = lookup.of_ledger(ledger) if lookup.is_by_ledger else lookup.any()
    if found is None:
        raise NoTrustPolicyError(f"there is no trust policy for the ledger {ledger}: {NO_POLICY}")
    return found


async def _refresh(
    policy: TrustPolicy, receipts: Sequence[tuple[Path, Receipt]], compact: bool
) -> list[Receipt]:
    async with open_policy(policy) as gatherer:
        if gatherer is None:
            raise WitnessError("the trust policy names no witnesses: get a newer one")
        refreshed: list[Receipt] = []
        news = PolicyNews(policy, gatherer.witnesses)
        async with news:
            await _refresh_all(gatherer, receipts, compact, refreshed)
        for line in news.said():
            note(line)
    return refreshed


async def _refresh_all(
    gatherer: EvidenceGatherer,
    receipts: Sequence[tuple[Path, Receipt]],
    compact: bool,
    refreshed: list[Receipt],
) -> None:
    with progress_bar("refreshing", len(receipts)) as bar:
        for start in range(0, len(receipts), TOGETHER):
            part = receipts[start : start + TOGETHER]
            done = await gatherer.refresh([receipt for _, receipt in part], compact=compact)
            for (path, _), receipt in zip(part, done, strict=True):
                await asyncio.to_thread(write_receipt, str(path), receipt.to_bytes())
                refreshed.append(receipt)
            bar.advance(len(part))
