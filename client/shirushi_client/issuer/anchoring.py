"""Bringing a prepared batch to its end: submitted, committed, confirmed by members, handed out, delivered."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from shirushi_client.issuer.batch import Batch
from shirushi_client.issuer.confirmed import NOT_CONFIRMED, ConfirmedEvidence, EvidenceSource
from shirushi_client.issuer.handing_out import hand_out, settle, written_paths
from shirushi_client.issuer.journal import Entry, Journal, Owed, State
from shirushi_client.issuer.threads import IssuerThreads
from shirushi_client.ledger_client import IssuingLedger
from shirushi_client.ledger_errors import ContractError, LedgerAnswerError
from shirushi_core.proofs.anchor import IssuanceAnchor

CERTIFICATES_KEPT = 1 << 15
"""Certificates of batches kept in memory once they are done, for the receipts of those that were issued before."""


@dataclass(frozen=True, slots=True)
class Anchored:
    """A batch on the ledger: its anchor, what members confirm of it, and the files that were owed of it and are written."""

    batch: Batch
    anchor: IssuanceAnchor
    evidence: ConfirmedEvidence
    written: tuple[str, ...]


class Anchoring:
    """The batches of one issuer that are on their way, each once, and the latest that are done."""

    def __init__(
        self,
        *,
        ledger: IssuingLedger,
        journal: Journal,
        evidence: EvidenceSource | None,
        threads: IssuerThreads,
    ) -> None:
        self._ledger = ledger
        self._journal = journal
        self._evidence = evidence
        self._threads = threads
        self._anchored: OrderedDict[int, asyncio.Task[Anchored]] = OrderedDict()

    def abandon(self) -> None:
        """Leave what is on its way to the next run."""
        for task in self._anchored.values():
            task.cancel()

    async def close(self) -> None:
        """Wait for what is on its way."""
        await asyncio.gather(*self._anchored.values(), return_exceptions=True)

    def begin(self, row: int, prepared: Entry | None = None) -> asyncio.Task[Anchored]:
        """Return the task that brings a batch to its end, whatever its state.

        All who ask for a batch at the same time share it: it is to be waited for with `asyncio.shield`.
        """
        task = self._anchored.get(row)
        if task is None:
            entry = prepared if prepared is not None and prepared.row == row else None
            task = self._anchored[row] = asyncio.create_task(self._anchor(row, entry))
            task.add_done_callback(lambda done: self._settled(row, done))
        self._anchored.move_to_end(row)
        return task

    def _settled(self, row: int, task: asyncio.Task[Anchored]) -> None:
        """Keep a batch that is done for a while; one that failed is begun anew when it is asked for again."""
        if task.cancelled() or task.exception() is not None:
            self._anchored.pop(row, None)
        done = {
            each: len(kept.result().batch.certificates)
            for each, kept in self._anchored.items()
            if kept.done() and not kept.cancelled() and kept.exception() is None
        }
        excess = sum(done.values()) - CERTIFICATES_KEPT
        for oldest, count in done.items():
            if excess <= 0:
                break
            excess -= count
            del self._anchored[oldest]

    async def hand_out(
        self,
        batch: Batch,
        anchor: IssuanceAnchor,
        evidence: ConfirmedEvidence,
        owed: Owed,
        *,
        anew: bool = False,
    ) -> None:
        """Check and write what is owed, and return when it is on disk for good; `anew`: it cannot be there yet."""
        try:
            await self._threads.work(lambda: hand_out(batch, anchor, evidence, owed, anew=anew))
        finally:  # when some could not be written, the others are to stay too
            await self._threads.wait(settle, owed)

    async def _anchor(self, row: int, entry: Entry | None) -> Anchored:
        anew = entry is not None
        if entry is None:
            entry = await self._threads.work(self._journal.load, row)
        batch, anchor = entry.batch, entry.anchor
        if anchor is None:
            anchor = await self._submit(row, batch)
            await self._threads.work(self._journal.commit, row, anchor)
        evidence = await self._confirmed(row, anchor, entry.evidence)
        if entry.state in (State.PREPARED, State.COMMITTED):
            await self.hand_out(batch, anchor, evidence, entry.owed, anew=anew)
            await self._threads.work(self._journal.deliver, row)
        return Anchored(batch, anchor, evidence, written_paths(batch.statement.batch_id, entry.owed))

    async def _confirmed(
        self, row: int, anchor: IssuanceAnchor, known: ConfirmedEvidence | None
    ) -> ConfirmedEvidence:
        """Return what members confirm of a batch: what is known if that is enough, else what they say now."""
        known = known or NOT_CONFIRMED
        if self._evidence is None or known.is_complete:
            return known
        found = ConfirmedEvidence.of(await self._evidence.of_batch(anchor))
        if len(found.members) <= len(known.members):
            return known
        await self._threads.work(self._journal.confirm, row, found)
        return found

    async def _submit(self, row: int, batch: Batch) -> IssuanceAnchor:
        try:
            anchor = await self._ledger.submit_issue(batch.statement, batch.seal)
        except ContractError:
            await self._threads.work(self._journal.refuse, row)
            raise
        if (anchor.statement, anchor.seal) != (batch.statement, batch.seal):
            raise LedgerAnswerError(
                f"batch {batch.statement.batch_id.hex()}: the ledger answered with the anchor of something else;"
                " no receipt was made"
            )
        return anchor
