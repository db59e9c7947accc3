"""What `shirushi verify` stands on: the trust policy, the plan, and how witnesses and peers are reached when they are needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from shirushi_client.consortium import FILE_NAME as CONSORTIUM
from shirushi_client.kept_contradictions import keep_contradictions
from shirushi_client.profile import data_folder
from shirushi_client.trusted_policies import (
    NO_POLICY,
    NO_POLICY_JA,
    FoundPolicy,
    NoTrustPolicyError,
    PolicyLookup,
    PolicySource,
)
from shirushi_client.verifier.bulk import Bulk, Outcome, Pair, outcome_of, read_pair, verify_pairs
from shirushi_client.verifier.offline_verifier import OfflineVerifier
from shirushi_client.verifier.reading import ledger_of
from shirushi_client.verifier.report import Report
from shirushi_client.verifier.verification import TOGETHER, Certificate, Refresher, Verification
from shirushi_client.verifier.verification_plan import Means, Plan, When, Wishes, make_plan
from shirushi_core.proofs.policy_update import SignedPolicy

if TYPE_CHECKING:
    from shirushi_client.policy_news import PolicyNews
    from shirushi_client.verifier.verifier import Verifier

Advance = Callable[[int], None]


@dataclass(slots=True)
class VerifySessions:
    """A session for each ledger that receipts are of: one for all where a policy or a data folder was named."""

    wishes: Wishes
    lookup: PolicyLookup
    _made: dict[str | None, VerifySession] = field(default_factory=dict)

    @classmethod
    def open(cls, wishes: Wishes, policy: Path | None, data: Path | None) -> VerifySessions:
        """Find the policy that was named, if one was, and plan; raises TrustPolicyFileError, PlanError, NoTrustPolicyError."""
        make_plan(wishes, Means(policy=True, witnesses=True, peers=True))
        sessions = cls(wishes, PolicyLookup.of(policy, data))
        if not sessions._is_by_ledger:
            sessions.of(None)
        return sessions

    @property
    def _is_by_ledger(self) -> bool:
        return self.lookup.is_by_ledger and not self.wishes.ledger

    def of(self, ledger: str | None) -> VerifySession:
        """Return the session for a ledger's receipts, None for those that do not say; raises as `open` does."""
        key = ledger if self._is_by_ledger else None
        if key not in self._made:
            self._made[key] = self._open(key)
        return self._made[key]

    def _open(self, ledger: str | None) -> VerifySession:
        found = None
        if not self.wishes.ledger:
            found = self.lookup.of_ledger(ledger) if self._is_by_ledger else self.lookup.named()
        return VerifySession.open(self.wishes, found, self.lookup.data, ledger)

    async def reports(self, pairs: Sequence[Pair], advance: Advance) -> list[Report]:
        """Return a report for each certificate, in order; raises a ShirushiError for the first that cannot be read or judged."""
        found: dict[int, Report] = {}
        for ledger, part in self._parted(pairs).items():
            indexes = list(part)
            reports = await self.of(ledger).reports([part[index] for index in indexes], advance)
            found |= dict(zip(indexes, reports, strict=True))
        return [found[index] for index in sorted(found)]

    async def outcomes(
        self, pairs: Sequence[Pair], jobs: int, advance: Advance, *, documents: bool
    ) -> list[Outcome]:
        """Return an outcome for each certificate, in order, also for those that cannot be read, or that no policy is for."""
        found: dict[int, Outcome] = {}
        for ledger, part in self._parted(pairs).items():
            indexes, some = list(part), list(part.values())
            try:
                session = self.of(ledger)
            except NoTrustPolicyError as error:
                outcomes = [
                    read if isinstance(read := read_pair(pair), Outcome) else _not_judged(pair, ledger, error)
                    for pair in some
                ]
                advance(len(some))
            else:
                outcomes = await session.outcomes(some, jobs, advance, documents=documents)
            found |= dict(zip(indexes, outcomes, strict=True))
        return [found[index] for index in sorted(found)]

    def news(self) -> list[str]:
        """Say which witnesses that were asked serve a newer policy than the one judged by, and who contradicts the others.

        Nothing is believed for that.
        """
        return [line for session in self._made.values() for line in session.news()]

    def _parted(self, pairs: Sequence[Pair]) -> dict[str | None, dict[int, Pair]]:
        parts: dict[str | None, dict[int, Pair]] = {}
        for index, pair in enumerate(pairs):
            of = ledger_of(pair.receipt) if self._is_by_ledger and pair.receipt is not None else None
            parts.setdefault(of, {})[index] = pair
        return parts


def _not_judged(pair: Pair, ledger: str | None, error: NoTrustPolicyError) -> Outcome:
    return Outcome(pair.name, None, en=str(error), ja=NO_POLICY_JA, ledger=ledger or "")


@dataclass(slots=True)
class VerifySession:
    """A plan, and the policy and data folder that it is carried out with."""

    plan: Plan
    found: FoundPolicy | None
    data: Path | None
    _news: PolicyNews | None = None
    _contradictions: list[str] = field(default_factory=list)

    @classmethod
    def open(
        cls, wishes: Wishes, found: FoundPolicy | None, data: Path | None, ledger: str | None = None
    ) -> VerifySession:
        """Plan with a policy, or without one with the data folder's peers; raises PlanError, NoTrustPolicyError."""
        source = None if found is None else found.source
        folder, now = data_folder(data), int(time.time())
        means = Means(
            policy=found is not None,
            witnesses=found is not None and any(each.witness for each in found.signed.policy.members_at(now)),
            # A policy that was made one's own says nothing about the peers that a connection file names.
            peers=source is not PolicySource.TRUSTED and (folder / CONSORTIUM).exists(),
        )
        if found is None and not wishes.ledger and not means.peers:
            of = (
                "there is no trust policy"
                if ledger is None
                else f"there is no trust policy for the ledger {ledger}"
            )
            raise NoTrustPolicyError(f"{of}: {NO_POLICY}")
        if not wishes.ledger:
            named = source in (PolicySource.OPTION, PolicySource.ENVIRONMENT)
            wishes = replace(wishes, policy_named=named)
        return cls(make_plan(wishes, means), found, data)

    @property
    def policy(self) -> SignedPolicy | None:
        """The policy, if there is one."""
        return None if self.found is None else self.found.signed

    async def reports(self, pairs: Sequence[Pair], advance: Advance) -> list[Report]:
        """Return a report for each certificate; raises a ShirushiError for the first that cannot be read."""
        certificates = [
            Certificate.read(pair.file, pair.receipt, pair.name) for pair in pairs if pair.receipt is not None
        ]
        found = []
        async with self._verification() as verification:
            async for report in verification.verify(certificates):
                found.append(report)
                advance(1)
            self._keep(verification)
        return found

    async def outcomes(
        self, pairs: Sequence[Pair], jobs: int, advance: Advance, *, documents: bool
    ) -> list[Outcome]:
        """Return an outcome for each certificate, in order, also for those that cannot be read."""
        found: list[Outcome | None] = [None] * len(pairs)
        if self.policy is not None and self.plan.refresh is not When.ALWAYS:
            index = 0
            bulk = Bulk(self.policy.to_bytes(), self.plan, documents, self._source)
            for some in verify_pairs(pairs, bulk, jobs):
                for outcome in some:
                    found[index] = None if outcome.unsettled else outcome
                    index += 1
                advance(sum(not outcome.unsettled for outcome in some))
        await self._settle(pairs, found, advance, documents=documents)
        return [outcome for outcome in found if outcome is not None]

    async def _settle(
        self, pairs: Sequence[Pair], found: list[Outcome | None], advance: Advance, *, documents: bool
    ) -> None:
        open_ones = [index for index, outcome in enumerate(found) if outcome is None]
        async with self._verification() as verification:
            for start in range(0, len(open_ones), TOGETHER):
                part: dict[int, Certificate] = {}
                for index in open_ones[start : start + TOGETHER]:
                    read = read_pair(pairs[index])
                    if isinstance(read, Outcome):
                        found[index] = read
                        advance(1)
                    else:
                        part[index] = read
                indexes = iter(part)
                async for report in verification.verify(list(part.values())):
                    found[next(indexes)] = outcome_of(report, documents=documents)
                    advance(1)
            self._keep(verification)

    @property
    def _source(self) -> str | None:
        return None if self.found is None else self.found.source.value

    def news(self) -> list[str]:
        """Say which witnesses that were asked serve a newer policy than this one, and who contradicts the others."""
        return [*([] if self._news is None else self._news.said()), *self._contradictions]

    def _keep(self, verification: Verification) -> None:
        """Keep what members signed against the others, where a person finds it."""
        for each in verification.contradictions.values():
            said = f"the witness of {each.member_id} contradicts the others: {each.sentence}"
            try:
                kept = keep_contradictions(data_folder(self.data), [each])
            except OSError as error:
                said += f"; what it signed cannot be kept: {error.strerror}"
            else:
                said += "".join(f"; what it signed is kept in {path}" for path in kept)
            self._contradictions.append(said)

    def _verification(self) -> Verification:
        offline = None if self.policy is None else OfflineVerifier(self.policy.policy, source=self._source)
        return Verification(
            self.plan, offline, open_refresher=self._open_refresher, open_ledger=self._open_ledger
        )

    async def _open_refresher(self, stack: AsyncExitStack) -> Refresher | None:
        # Loaded when it is needed: a verification that asks nobody starts at once.
        from shirushi_client.evidence_session import open_policy
        from shirushi_client.policy_news import PolicyNews

        if self.policy is None:
            return None
        gatherer = await stack.enter_async_context(open_policy(self.policy.policy))
        if gatherer is not None:
            self._news = await stack.enter_async_context(PolicyNews(self.policy.policy, gatherer.witnesses))
        return gatherer

    async def _open_ledger(self, stack: AsyncExitStack) -> Verifier:
        from shirushi_client.session import VERIFIER, open_session
        from shirushi_client.verifier.verifier import Verifier

        session = await stack.enter_async_context(open_session(self.data, VERIFIER))
        return Verifier(session.consortium, session.members)
