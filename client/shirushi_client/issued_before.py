"""What became of certificates since they were issued: asked for when they are issued again and keep their receipts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shirushi_client.issuer.issued import Issued
from shirushi_client.ledger_client import LedgerClient
from shirushi_client.ledger_errors import LedgerError
from shirushi_client.verifier.evidence import parse_statuses
from shirushi_client.verifier.verifier import ReceiptFileError, read_receipt
from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs.status import StatusRecord, effective_status

IN_FLIGHT = 16
"""Questions asked at a time."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier issuance as it stands now: until when it is valid, and the record that decides; None if valid."""

    valid_until: int | None
    record: StatusRecord | None


@dataclass(frozen=True, slots=True)
class Found:
    """What was learned, by receipt path, and what kept the rest from being learned."""

    earlier: dict[str, Earlier]
    problem: ShirushiError | None


async def look_up(issued: Sequence[Issued], ledger: LedgerClient) -> Found:
    """Ask the ledger, one question each, how these certificates stand; the first trouble ends the asking."""
    remaining = iter(issued)
    earlier: dict[str, Earlier] = {}
    problems: list[ShirushiError] = []

    async def ask() -> None:
        for each in remaining:
            if problems:
                return
            try:
                earlier[each.receipt_path] = await _ask(each, ledger)
            except (LedgerError, InvalidInputError, ReceiptFileError) as error:
                problems.append(error)

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(ask())
    return Found(earlier, problems[0] if problems else None)


async def _ask(issued: Issued, ledger: LedgerClient) -> Earlier:
    receipt = await asyncio.to_thread(read_receipt, Path(issued.receipt_path))
    statement = receipt.anchor.statement
    answer = await ledger.evaluate(
        "get_status", {"batch_id": statement.batch_id.hex(), "commitment": receipt.commitment.hex()}
    )
    statuses = parse_statuses(answer, statement.batch_id, receipt.commitment)
    return Earlier(statement.valid_until, effective_status(statuses.batch, statuses.certificate))
