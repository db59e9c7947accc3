"""Changing the status of certificates: revoke, suspend, reinstate, supersede, one or many, or a whole batch."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Protocol

from shirushi_client.change_journal import ChangeJournal, PendingChange
from shirushi_client.ledger_errors import ContractError
from shirushi_client.status_change import StatusChange, StatusTarget
from shirushi_core.proofs.canonical import encode
from shirushi_core.proofs.receipt import Receipt, verify_in_batch
from shirushi_core.proofs.status import Reason, Status, StatusRecord, Successor

MAX_CHANGES = 1000
"""Targets of one change: what the contract takes in one transaction. All of them change, or none."""

_ABOUT_ONE = re.compile(r"change (\d+): (.*)", re.DOTALL)


class ChangeRefusedError(ContractError):
    """The contract refused one of several changes, and so all that were sent with it.

    `target` is the one it refused; `done` are the records of the parts that were changed before.
    """

    def __init__(
        self, code: str, sentence: str, target: StatusTarget, done: Sequence[StatusRecord] = ()
    ) -> None:
        super().__init__(code, sentence)
        self.target = target
        self.done = done


class StatusLedger(Protocol):
    """The ledger as status changes use it."""

    async def submit_status(
        self, change_id: str, issuer: str, changes: Sequence[StatusChange]
    ) -> tuple[StatusRecord, ...]:
        """Change statuses, all or none, or return the records that this change made before; raises LedgerError."""

    async def get_history(self, batch_id: bytes, commitment: bytes | None) -> tuple[StatusRecord, ...]:
        """Return every status that a certificate, or a whole batch, was given, oldest first; raises LedgerError."""


class StatusChanger:
    """Changes statuses under one issuer's name. A request repeated after a lost reply is the same change."""

    def __init__(
        self,
        *,
        issuer: str,
        ledger: StatusLedger,
        journal: ChangeJournal,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._ledger = ledger
        self._journal = journal
        self._clock = clock

    async def revoke(self, targets: Sequence[StatusTarget], reason: Reason) -> list[StatusRecord]:
        """Revoke for good."""
        return await self.change(targets, Status.REVOKED, reason)

    async def suspend(self, targets: Sequence[StatusTarget], reason: Reason) -> list[StatusRecord]:
        """Suspend until reinstated."""
        return await self.change(targets, Status.SUSPENDED, reason)

    async def reinstate(self, targets: Sequence[StatusTarget], reason: Reason) -> list[StatusRecord]:
        """Make suspended ones valid again."""
        return await self.change(targets, Status.VALID, reason)

    async def supersede(self, old: StatusTarget, new: Receipt, reason: Reason) -> StatusRecord:
        """Put a new certificate in an old one's place, for good."""
        successor = Successor(new.anchor.statement.batch_id, new.commitment)
        (record,) = await self.change([old], Status.SUPERSEDED, reason, successor)
        return record

    async def change(
        self,
        targets: Sequence[StatusTarget],
        status: Status,
        reason: Reason,
        successor: Successor | None = None,
    ) -> list[StatusRecord]:
        """Give all targets one status, and return the ledger's records, in order.

        Up to MAX_CHANGES change together or not at all; more are changed in parts, in order. Raises LedgerError: after
        ContractError the part in question is unchanged, and ChangeRefusedError says which target it was; after
        LedgerUnreachableError make the same request again.
        """
        records: list[StatusRecord] = []
        for start in range(0, len(targets), MAX_CHANGES):
            part = targets[start : start + MAX_CHANGES]
            try:
                records += await self._change_together(part, status, reason, successor)
            except ContractError as error:
                if (about := _ABOUT_ONE.fullmatch(error.sentence)) is None or int(about[1]) >= len(part):
                    raise
                raise ChangeRefusedError(error.code, about[2], part[int(about[1])], records) from error
        return records

    async def _change_together(
        self,
        targets: Sequence[StatusTarget],
        status: Status,
        reason: Reason,
        successor: Successor | None,
    ) -> tuple[StatusRecord, ...]:
        def changes(effective_at: int) -> list[StatusChange]:
            return [StatusChange(target, status, reason, effective_at, successor) for target in targets]

        # What is asked for, whenever it is asked.
        request = sha256(encode([self._issuer, *(change.to_json() for change in changes(0))])).digest()
        pending = self._journal.find(request)
        if pending is not None and await self._is_overtaken(pending, targets[0]):
            self._journal.end(request, pending)
            pending = None
        if pending is None:
            fresh = PendingChange(secrets.token_hex(16), int(self._clock()))
            pending = self._journal.begin(request, fresh)
        try:
            records = await self._ledger.submit_status(
                pending.change_id, self._issuer, changes(pending.effective_at)
            )
        except ContractError:
            self._journal.end(request, pending)
            raise
        self._journal.end(request, pending)
        return records

    async def _is_overtaken(self, pending: PendingChange, target: StatusTarget) -> bool:
        """Say whether a pending change was made, and something else changed since: then it answers no new request."""
        history = await self._ledger.get_history(target.batch_id, target.commitment)
        return any(record.change_id == pending.change_id for record in history[:-1])


def certificate_target(receipt: Receipt) -> StatusTarget:
    """Return the certificate that a receipt proves; raises ReceiptMismatchError if it proves none."""
    verify_in_batch(receipt)
    return StatusTarget(
        receipt.anchor.statement.batch_id, receipt.commitment, receipt.index, tuple(receipt.path)
    )


def batch_target(receipt: Receipt) -> StatusTarget:
    """Return the whole batch that a receipt's certificate is in."""
    return StatusTarget(receipt.anchor.statement.batch_id)
