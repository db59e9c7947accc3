"""Which way a verification goes, for every wish and whatever there is to work with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.support.paper_log import PaperLog, trust_policy
from tests.support.paper_receipts import NOW, PaperCity, bare_receipts, digest

from shirushi_client.hashing import digest_bytes
from shirushi_client.verifier.demand import Demand, Refreshing
from shirushi_client.verifier.offline_verifier import OfflineVerifier
from shirushi_client.verifier.report import Report
from shirushi_client.verifier.verification_plan import (
    Means,
    Plan,
    PlanError,
    When,
    Wishes,
    demand_not_refreshed,
    demand_refreshed,
    make_plan,
    wants_ledger,
    wants_refresh,
)
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.status import Status

EVERYTHING = Means(policy=True, witnesses=True, peers=True)
POLICY_ALONE = Means(policy=True, witnesses=False, peers=False)
RECIPIENT = Means(policy=True, witnesses=True, peers=False)
PEERS_ALONE = Means(policy=False, witnesses=False, peers=True)

NEVER, IF_NEEDED, ALWAYS = When.NEVER, When.IF_NEEDED, When.ALWAYS


@pytest.mark.parametrize(
    ("wishes", "means", "plan"),
    [
        (Wishes(), EVERYTHING, Plan(ALWAYS, False, IF_NEEDED)),
        (Wishes(), RECIPIENT, Plan(ALWAYS, False, NEVER)),
        (Wishes(), POLICY_ALONE, Plan(NEVER, False, NEVER)),
        (Wishes(), PEERS_ALONE, Plan(NEVER, False, ALWAYS)),
        (Wishes(at=5), PEERS_ALONE, Plan(NEVER, False, ALWAYS, Demand(at=5))),
        (Wishes(policy_named=True), EVERYTHING, Plan(IF_NEEDED, False, NEVER)),
        (Wishes(policy_named=True, at=5), RECIPIENT, Plan(IF_NEEDED, False, NEVER, Demand(at=5))),
        (Wishes(offline=True), EVERYTHING, Plan(NEVER, False, NEVER)),
        (Wishes(offline=True, max_age=60), EVERYTHING, Plan(NEVER, False, NEVER, Demand(60))),
        (Wishes(online=True), EVERYTHING, Plan(ALWAYS, True, NEVER)),
        (Wishes(max_age=60), EVERYTHING, Plan(IF_NEEDED, False, IF_NEEDED, Demand(60))),
        (Wishes(ledger=True), EVERYTHING, Plan(NEVER, False, ALWAYS)),
        (
            Wishes(offline=True, issuer="a", document_type="b"),
            EVERYTHING,
            Plan(NEVER, False, NEVER, Demand(issuer="a", document_type="b")),
        ),
    ],
)
def test_wishes_and_means_make_a_plan(wishes: Wishes, means: Means, plan: Plan) -> None:
    assert make_plan(wishes, means) == plan


@pytest.mark.parametrize(
    ("wishes", "means", "words"),
    [
        (Wishes(offline=True, online=True), EVERYTHING, "exclude each other"),
        (Wishes(offline=True, ledger=True), EVERYTHING, "exclude each other"),
        (Wishes(ledger=True, policy_named=True), EVERYTHING, "neither --policy"),
        (Wishes(ledger=True, max_age=5), EVERYTHING, "nor --max-age"),
        (Wishes(offline=True), PEERS_ALONE, "no trust policy"),
        (Wishes(online=True), PEERS_ALONE, "no trust policy"),
        (Wishes(max_age=5), PEERS_ALONE, "no trust policy"),
        (Wishes(online=True), POLICY_ALONE, "names no witnesses"),
    ],
)
def test_what_cannot_be_done_is_said(wishes: Wishes, means: Means, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        make_plan(wishes, means)


def report_on(receipt: Receipt, *, file: bytes | None = None, **changes: Any) -> Report:
    verifier = OfflineVerifier(replace(trust_policy(), **changes), clock=lambda: NOW)
    return verifier.verify_digest(digest() if file is None else digest_bytes(file), receipt)


def suspended() -> Receipt:
    city = PaperCity()
    city.change(Status.SUSPENDED)
    return city.refreshed()


def revoked() -> Receipt:
    city = PaperCity()
    city.change(Status.REVOKED)
    return city.refreshed()


def elsewhere() -> Receipt:
    return PaperCity(bare_receipts(ledger="elsewhere"), log=PaperLog("elsewhere")).receipt()


REPORTS = {
    "complete": lambda: report_on(PaperCity().receipt()),
    "bare": lambda: report_on(bare_receipts()[0]),
    "suspended": lambda: report_on(suspended()),
    "revoked": lambda: report_on(revoked()),
    "tampered": lambda: report_on(PaperCity().receipt(), file=b"tampered"),
    "damaged": lambda: report_on(replace(PaperCity().receipt(), salt=bytes(32))),
    "of another ledger": lambda: report_on(elsewhere()),
    "under an expired policy": lambda: report_on(PaperCity().receipt(), expires_at=NOW - 1),
}


@pytest.mark.parametrize(
    ("name", "always", "if_needed"),
    [
        ("complete", True, False),
        ("bare", True, True),
        ("suspended", True, False),
        ("revoked", False, False),
        ("tampered", False, False),
        ("damaged", True, True),
        ("of another ledger", False, False),
        ("under an expired policy", True, False),
    ],
)
def test_nobody_is_asked_about_what_is_settled(name: str, always: bool, if_needed: bool) -> None:
    report = REPORTS[name]()
    assert not wants_refresh(Plan(NEVER, False, NEVER), report)
    assert wants_refresh(Plan(ALWAYS, False, NEVER), report) is always
    assert wants_refresh(Plan(IF_NEEDED, False, NEVER), report) is if_needed
    assert wants_ledger(Plan(NEVER, False, IF_NEEDED), report) is if_needed
    assert not wants_ledger(Plan(NEVER, False, NEVER), report)


def test_evidence_that_was_had_now_has_to_meet_the_same_demand() -> None:
    plan = Plan(ALWAYS, True, NEVER, Demand(max_age=5, at=7, issuer="a"))
    assert demand_refreshed(plan) == Demand(5, 7, Refreshing.DONE, "a")


def test_evidence_that_had_to_be_refreshed_and_was_not_confirms_nothing() -> None:
    assert demand_not_refreshed(Plan(ALWAYS, True, NEVER)).refreshing is Refreshing.FAILED_AND_NEEDED
    assert demand_not_refreshed(Plan(ALWAYS, False, NEVER)).refreshing is Refreshing.FAILED
