"""Issuing and verifying without pause, as an issuing system and a recipient do, with a record of how it went."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

from shirushi_client.hashing import digest_bytes
from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.issuer import Issuer
from shirushi_client.issuer.journal import Journal
from shirushi_client.ledger_errors import LedgerUnreachableError
from shirushi_client.session import ISSUER, VERIFIER, open_session
from shirushi_client.verifier.report import Report
from shirushi_client.verifier.verifier import Verifier
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.report import Result, Verdict

DESKS = 3
"""Certificates that are being issued at any moment."""

BETWEEN_VERIFICATIONS = 0.1
"""Seconds that the recipient takes between two certificates."""


@dataclass(frozen=True)
class IssuedCertificate:
    """A certificate and the receipt that was handed out for it; `moment` is of the monotonic clock."""

    content: bytes
    receipt: Receipt
    moment: float


class Load:
    """An async context manager: the load is there while it is open, and everything is answered when it is closed."""

    def __init__(self, data: Path, journal: Path, document_type: str) -> None:
        self.document_type = document_type
        self.issued: list[IssuedCertificate] = []
        self.verdicts: list[Verdict] = []
        self.troubles: list[str] = []
        self._data = data
        self._journal = journal
        self._ending = False
        self._progress = asyncio.Condition()
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        city = await self._stack.enter_async_context(open_session(self._data, ISSUER))
        recipient = await self._stack.enter_async_context(open_session(self._data, VERIFIER))
        issuer = await self._stack.enter_async_context(
            Issuer(
                name=city.profile.issuer_id(),
                seal_key=city.profile.load_seal_key(),
                ledger=city.ledger,
                journal=self._stack.enter_context(Journal(self._journal)),
            )
        )
        verifier = Verifier(recipient.consortium, recipient.members)
        self._tasks = [asyncio.create_task(self._issue(issuer)) for _ in range(DESKS)]
        self._tasks.append(asyncio.create_task(self._verify(verifier)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending = True
        if error is not None:
            for task in self._tasks:
                task.cancel()
        try:
            await asyncio.gather(*self._tasks, return_exceptions=error is not None)
        finally:
            await self._stack.aclose()

    async def more(self, *, issued: int = 0, valid: int = 0, within: float) -> None:
        """Wait until so many more certificates are issued, and so many found valid; raises TimeoutError."""
        target = len(self.issued) + issued, self.verdicts.count(Verdict.VALID) + valid

        def reached() -> bool:
            failed = [task for task in self._tasks if task.done()]
            for task in failed:
                task.result()
            return len(self.issued) >= target[0] and self.verdicts.count(Verdict.VALID) >= target[1]

        async with asyncio.timeout(within), self._progress:
            await self._progress.wait_for(reached)

    def longest_pause(self, since: float) -> float:
        """Return the longest time in seconds in which no receipt was handed out, from a moment on."""
        moments = [since, *(each.moment for each in self.issued if each.moment > since)]
        return max(after - before for before, after in pairwise(moments))

    async def _issue(self, issuer: Issuer) -> None:
        while not self._ending:
            content = os.urandom(64)
            while (receipt := await self._issued(issuer, content)) is None:
                pass
            found = IssuedCertificate(content, Receipt.from_bytes(receipt), time.monotonic())
            await self._note(lambda found=found: self.issued.append(found))

    async def _issued(self, issuer: Issuer, content: bytes) -> bytes | None:
        """Ask for a certificate; None if nobody said what became of it, after which it is safe to ask again."""
        try:
            return await issuer.issue(content, Order(self.document_type))
        except LedgerUnreachableError as error:
            self.troubles.append(str(error))
            return None

    async def _verify(self, verifier: Verifier) -> None:
        while not self._ending:
            if self.issued:
                newest = self.issued[-1]
                report = await verifier.verify_digest(digest_bytes(newest.content), newest.receipt)
                await self._note(lambda report=report: self._judged(report))
            await asyncio.sleep(BETWEEN_VERIFICATIONS)

    def _judged(self, report: Report) -> None:
        self.verdicts.append(report.verdict)
        reasons = [check.code for check in report.checks if check.result in (Result.FAIL, Result.UNKNOWN)]
        if reasons:
            problems = [each.problem for each in report.members if each.problem]
            self.troubles.append(f"{report.verdict}: {reasons} {problems}")

    async def _note(self, what: Callable[[], None]) -> None:
        async with self._progress:
            what()
            self._progress.notify_all()
