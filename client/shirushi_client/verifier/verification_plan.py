"""How a verification goes: by the receipt's own evidence, with newer evidence from witnesses, or by asking the ledger.

Pure: what was asked for and what there is to work with go in, a plan comes out; `verification.py` carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from shirushi_client.verifier.demand import NOTHING_ASKED, Demand, Refreshing
from shirushi_client.verifier.report import Report
from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.report import CheckName, Result, Verdict

_PASSING = frozenset({"STATUS_SUSPENDED", "STATUS_BATCH_SUSPENDED"})
"""Codes of failures that newer evidence may take back."""


class PlanError(ShirushiError):
    """A verification that cannot be made as it was asked for."""


class When(StrEnum):
    """When something is done."""

    NEVER = "never"
    IF_NEEDED = "if_needed"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for. `max_age` in seconds, `at` in unix seconds; `policy_named`: a trust policy was named for this.

    `issuer`, `document_type`: whose certificate and what it has to be, None for any.
    """

    offline: bool = False
    online: bool = False
    ledger: bool = False
    max_age: int | None = None
    at: int | None = None
    policy_named: bool = False
    issuer: str | None = None
    document_type: str | None = None

    @property
    def demand(self) -> Demand:
        """What is asked of a certificate and its evidence."""
        return Demand(self.max_age, self.at, issuer=self.issuer, document_type=self.document_type)


@dataclass(frozen=True, slots=True)
class Means:
    """What there is to work with: a trust policy, witnesses that it names, a consortium's peers and an identity to ask them as."""

    policy: bool
    witnesses: bool
    peers: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done for each certificate, in this order: judge its evidence, refresh it, ask the ledger.

    `demand` is what is asked of the receipt's own evidence; `must_refresh`: without newer evidence nothing can be confirmed.
    """

    refresh: When
    must_refresh: bool
    ledger: When
    demand: Demand = NOTHING_ASKED


def make_plan(wishes: Wishes, means: Means) -> Plan:
    """Return the plan; raises PlanError for wishes that exclude each other, or that there are no means for.

    With a policy that was named, the receipt decides where it carries enough. With a data folder's own, the newest status is asked
    for each time, and the receipt decides where it cannot be had.
    """
    chosen = [name for name in ("offline", "online", "ledger") if getattr(wishes, name)]
    if len(chosen) > 1:
        raise PlanError(f"--{chosen[0]} and --{chosen[1]} exclude each other")
    if wishes.ledger and (wishes.policy_named or wishes.max_age is not None):
        raise PlanError("--ledger asks the members' peers now: it takes neither --policy nor --max-age")
    if wishes.ledger or not means.policy:
        if wishes.offline or wishes.online or wishes.max_age is not None:
            raise PlanError("there is no trust policy to judge evidence by: name one with --policy")
        return Plan(When.NEVER, False, When.ALWAYS, wishes.demand)
    if wishes.offline:
        return Plan(When.NEVER, False, When.NEVER, wishes.demand)
    if wishes.online:
        if not means.witnesses:
            raise PlanError(
                "the trust policy names no witnesses to ask: get a newer one, or leave --online out"
            )
        return Plan(When.ALWAYS, True, When.NEVER, wishes.demand)
    only_if_needed = wishes.policy_named or wishes.max_age is not None
    refresh = When.IF_NEEDED if only_if_needed else When.ALWAYS
    # Peers are believed by the connection file, not by the policy: who names a policy means that one.
    ledger = When.IF_NEEDED if means.peers and not wishes.policy_named else When.NEVER
    return Plan(refresh if means.witnesses else When.NEVER, False, ledger, wishes.demand)


def wants_refresh(plan: Plan, report: Report) -> bool:
    """Say whether a report on a receipt's own evidence is a reason to get newer evidence.

    What is not valid for good is not asked about, nor a certificate of another ledger.
    """
    if plan.refresh is When.NEVER or _is_settled(report):
        return False
    return plan.refresh is When.ALWAYS or _is_in_doubt(report)


def wants_ledger(plan: Plan, report: Report) -> bool:
    """Say whether a report is a reason to ask the members' peers."""
    return plan.ledger is When.IF_NEEDED and not _is_settled(report) and _is_in_doubt(report)


def demand_refreshed(plan: Plan) -> Demand:
    """Return what is asked of evidence that was had just now."""
    return replace(plan.demand, refreshing=Refreshing.DONE)


def demand_not_refreshed(plan: Plan) -> Demand:
    """Return what is asked of a receipt's own evidence where no newer could be had."""
    refreshing = Refreshing.FAILED_AND_NEEDED if plan.must_refresh else Refreshing.FAILED
    return replace(plan.demand, refreshing=refreshing)


def takes_as_refreshed(plan: Plan, report: Report) -> bool:
    """Say whether a report on evidence had just now stands; where the newest there is is old, nothing newer could be had."""
    stale = any(check.code == "STATUS_FRESH_ENOUGH_TOO_OLD" for check in report.checks)
    return not stale or plan.must_refresh or plan.demand.max_age is not None


def _is_settled(report: Report) -> bool:
    if any(check.code == "RECORDED_ON_LEDGER_OTHER_LEDGER" for check in report.checks):
        return True
    return any(check.result is Result.FAIL and check.code not in _PASSING for check in report.checks)


def _is_in_doubt(report: Report) -> bool:
    if report.verdict is not Verdict.CANNOT_CONFIRM:
        return False
    return any(
        check.result is Result.UNKNOWN and check.name is not CheckName.TRUST_POLICY_CURRENT
        for check in report.checks
    )
