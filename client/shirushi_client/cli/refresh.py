"""`shirushi refresh`: receipts with what members confirm now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from shirushi_client.cli import options
from shirushi_client.cli.output import moment, print_json, progress_bar, say, show_rows
from shirushi_client.cli.receipts import load, receipt_path
from shirushi_client.evidence_session import open_policy
from shirushi_client.issuer.receipt_files import write_receipt
from shirushi_client.profile import data_folder
from shirushi_client.trust_policy_file import FILE_NAME, read_policy
from shirushi_client.verifier.proved import EvidenceJudge
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
            help="The trust policy that names the witnesses. Default: the data folder's.",
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
    trusted = read_policy(policy or data_folder(data) / FILE_NAME)
    receipts = [(receipt_path(path), load(path)) for path in paths]
    refreshed = asyncio.run(_refresh(trusted, receipts, compact))
    judge = EvidenceJudge(trusted)
    rows: list[tuple[str, str, tuple[str, ...], int]] = []
    for (path, _), receipt in zip(receipts, refreshed, strict=True):
        judged = judge.judge(receipt, _NO_LIMIT)
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


async def _refresh(
    policy: TrustPolicy, receipts: Sequence[tuple[Path, Receipt]], compact: bool
) -> list[Receipt]:
    async with open_policy(policy) as gatherer:
        if gatherer is None:
            raise WitnessError("the trust policy names no witnesses: get a newer one")
        refreshed: list[Receipt] = []
        with progress_bar("refreshing", len(receipts)) as bar:
            for start in range(0, len(receipts), TOGETHER):
                part = receipts[start : start + TOGETHER]
                for (path, _), receipt in zip(
                    part,
                    await gatherer.refresh([receipt for _, receipt in part], compact=compact),
                    strict=True,
                ):
                    await asyncio.to_thread(write_receipt, str(path), receipt.to_bytes())
                    refreshed.append(receipt)
                bar.advance(len(part))
    return refreshed
