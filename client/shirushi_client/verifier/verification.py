"""Carrying out a plan: receipts judged by what they carry, refreshed at the witnesses, or asked about at the members' peers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from shirushi_client.hashing import FileDigest, digest_file
from shirushi_client.verifier.offline_verifier import OfflineVerifier
from shirushi_client.verifier.reading import read_receipt_of
from shirushi_client.verifier.report import Mode, Report
from shirushi_client.verifier.verification_plan import (
    Plan,
    When,
    demand_not_refreshed,
    demand_refreshed,
    takes_as_refreshed,
    wants_ledger,
    wants_refresh,
)
from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.receipt import Receipt

if TYPE_CHECKING:
    from shirushi_client.head_gathering import Contradiction
    from shirushi_client.verifier.verifier import Verifier

TOGETHER = 1024
"""Certificates whose receipts are refreshed in one request."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate to verify: its digest, its receipt, and what the report calls it."""

    name: str
    digest: FileDigest
    receipt: Receipt

    @classmethod
    def read(cls, file: Path, receipt_file: Path, name: str | None = None) -> Self:
        """Read a file and its receipt; raises CertificateFileError, ReceiptFileError."""
        digest = digest_file(str(file), follow_links=True)
        return cls(name or file.name, digest, read_receipt_of(receipt_file, digest))


class Refresher(Protocol):
    """Where newer evidence comes from (`EvidenceGatherer`)."""

    @property
    def contradictions(self) -> Mapping[str, Contradiction]:
        """What members have signed, since this was opened, that does not fit what a quorum signs; by member."""

    async def newest_head(self) -> object:
        """Return the newest head that a quorum signs now; raises a ShirushiError if there is none."""

    async def refresh(self, receipts: Sequence[Receipt]) -> list[Receipt]:
        """Return receipts with newer evidence, all or none; raises a ShirushiError."""


class Verification:
    """Verifies certificates as planned; an async context manager, for it opens what it asks only when it is needed.

    `open_refresher` and `open_ledger` enter what they open into the stack they are given; they raise a ShirushiError for what is not
    there. `offline` None: there is no trust policy.
    """

    def __init__(
        self,
        plan: Plan,
        offline: OfflineVerifier | None,
        *,
        open_refresher: Callable[[AsyncExitStack], Awaitable[Refresher | None]],
        open_ledger: Callable[[AsyncExitStack], Awaitable[Verifier]],
    ) -> None:
        self._plan = plan
        self._offline = offline
        self._open_refresher = open_refresher
        self._open_ledger = open_ledger
        self._stack = AsyncExitStack()
        self._refresher: Refresher | None = None
        self._ledger: Verifier | None = None

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    @property
    def contradictions(self) -> Mapping[str, Contradiction]:
        """What members have signed, as far as was asked, that does not fit what a quorum signs; by member."""
        return {} if self._refresher is None else self._refresher.contradictions

    async def verify(self, certificates: Sequence[Certificate]) -> AsyncIterator[Report]:
        """Yield the certificates' reports, in their order; raises a ShirushiError if the ledger has to be asked and cannot."""
        for start in range(0, len(certificates), TOGETHER):
            part = certificates[start : start + TOGETHER]
            if self._offline is None or self._plan.ledger is When.ALWAYS:
                for certificate in part:
                    yield await self._ask_ledger(certificate)
            else:
                for report in await self._by_evidence(self._offline, part):
                    yield report

    async def _by_evidence(self, offline: OfflineVerifier, part: Sequence[Certificate]) -> list[Report]:
        reports = [_judge(offline, each, self._plan) for each in part]
        stale = [index for index, report in enumerate(reports) if wants_refresh(self._plan, report)]
        refreshed = await self._refresh([part[index].receipt for index in stale])
        named = {member: each.sentence for member, each in self.contradictions.items()}
        for index, receipt in zip(stale, refreshed, strict=True):
            report = _judge_again(offline, part[index], receipt, self._plan)
            reports[index] = report.naming(named) if named else report
        for index, report in enumerate(reports):
            if wants_ledger(self._plan, report):
                reports[index] = await self._ask_ledger(part[index], report)
        return reports

    async def _refresh(self, receipts: Sequence[Receipt]) -> list[Receipt | None]:
        """Return receipts refreshed, None for those that no newer evidence could be had for."""
        if not receipts:
            return []
        try:
            if self._refresher is None:
                self._refresher = await self._open_refresher(self._stack)
        except ShirushiError:
            return [None] * len(receipts)
        return (
            [None] * len(receipts)
            if self._refresher is None
            else await self._refresh_all(self._refresher, receipts)
        )

    async def _refresh_all(self, refresher: Refresher, receipts: Sequence[Receipt]) -> list[Receipt | None]:
        try:
            return list(await refresher.refresh(receipts))
        except ShirushiError:
            if len(receipts) == 1:
                return [None]
        try:
            await refresher.newest_head()
        except ShirushiError:
            return [None] * len(receipts)
        # The witnesses answer, so one of the receipts is in no log: the others are not to suffer for it.
        half = len(receipts) // 2
        return [
            *await self._refresh_all(refresher, receipts[:half]),
            *await self._refresh_all(refresher, receipts[half:]),
        ]

    async def _ask_ledger(self, certificate: Certificate, otherwise: Report | None = None) -> Report:
        try:
            if self._ledger is None:
                self._ledger = await self._open_ledger(self._stack)
        except ShirushiError:
            if otherwise is None:
                raise
            return otherwise
        return await self._ledger.verify_digest(
            certificate.digest, certificate.receipt, self._plan.demand, name=certificate.name
        )


def _judge(offline: OfflineVerifier, certificate: Certificate, plan: Plan) -> Report:
    return offline.verify_digest(certificate.digest, certificate.receipt, plan.demand, name=certificate.name)


def _judge_again(
    offline: OfflineVerifier, certificate: Certificate, receipt: Receipt | None, plan: Plan
) -> Report:
    if receipt is not None:
        report = offline.verify_digest(
            certificate.digest, receipt, demand_refreshed(plan), name=certificate.name, mode=Mode.REFRESHED
        )
        if takes_as_refreshed(plan, report):
            return report
        certificate = replace(certificate, receipt=receipt)
    return offline.verify_digest(
        certificate.digest, certificate.receipt, demand_not_refreshed(plan), name=certificate.name
    )
