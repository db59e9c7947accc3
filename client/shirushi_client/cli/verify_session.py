"""What `shirushi verify` stands on: the trust policy, the plan, and how witnesses and peers are reached when they are needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shirushi_client.consortium import FILE_NAME as CONSORTIUM
from shirushi_client.profile import data_folder
from shirushi_client.trust_policy_file import FILE_NAME, read_signed_policy
from shirushi_client.verifier.bulk import Bulk, Outcome, Pair, outcome_of, read_pair, verify_pairs
from shirushi_client.verifier.offline_verifier import OfflineVerifier
from shirushi_client.verifier.report import Report
from shirushi_client.verifier.verification import TOGETHER, Certificate, Refresher, Verification
from shirushi_client.verifier.verification_plan import Means, Plan, When, Wishes, make_plan
from shirushi_core.proofs.policy_update import SignedPolicy

if TYPE_CHECKING:
    from shirushi_client.verifier.verifier import Verifier

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class VerifySession:
    """A plan, and the policy and data folder that it is carried out with."""

    plan: Plan
    policy: SignedPolicy | None
    data: Path | None

    @classmethod
    def open(cls, wishes: Wishes, policy: Path | None, data: Path | None) -> VerifySession:
        """Find the trust policy (named, or the data folder's) and plan; raises TrustPolicyFileError, PlanError."""
        folder = data_folder(data)
        own = folder / FILE_NAME
        signed = None
        if not wishes.ledger and (policy is not None or own.exists()):
            signed = read_signed_policy(policy or own)
        now = int(time.time())
        means = Means(
            policy=signed is not None,
            witnesses=signed is not None and any(each.witness for each in signed.policy.members_at(now)),
            peers=(folder / CONSORTIUM).exists(),
        )
        return cls(make_plan(wishes, means), signed, data)

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
        return found

    async def outcomes(
        self, pairs: Sequence[Pair], jobs: int, advance: Advance, *, documents: bool
    ) -> list[Outcome]:
        """Return an outcome for each certificate, in order, also for those that cannot be read."""
        found: list[Outcome | None] = [None] * len(pairs)
        if self.policy is not None and self.plan.refresh is not When.ALWAYS:
            index = 0
            bulk = Bulk(self.policy.to_bytes(), self.plan, documents)
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

    def _verification(self) -> Verification:
        offline = None if self.policy is None else OfflineVerifier(self.policy.policy)
        return Verification(
            self.plan, offline, open_refresher=self._open_refresher, open_ledger=self._open_ledger
        )

    async def _open_refresher(self, stack: AsyncExitStack) -> Refresher | None:
        # Loaded when it is needed: a verification that asks nobody starts at once.
        from shirushi_client.evidence_session import open_policy

        if self.policy is None:
            return None
        return await stack.enter_async_context(open_policy(self.policy.policy))

    async def _open_ledger(self, stack: AsyncExitStack) -> Verifier:
        from shirushi_client.session import VERIFIER, open_session
        from shirushi_client.verifier.verifier import Verifier

        session = await stack.enter_async_context(open_session(self.data, VERIFIER))
        return Verifier(session.consortium, session.members)
