"""Plans carried out: with witnesses that answer, lie, lag or are down, and with a ledger to fall back on."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tests.support.paper_log import BEGIN, MEMBERS, PaperLog, trust_policy
from tests.support.paper_receipts import PaperCity, bare_receipts, digest
from tests.support.paper_witnesses import PaperWitness, paper_witnesses

from shirushi_client.evidence_gathering import EvidenceGatherer
from shirushi_client.ledger_errors import LedgerUnreachableError
from shirushi_client.verifier.demand import Demand
from shirushi_client.verifier.offline_verifier import OfflineVerifier
from shirushi_client.verifier.report import Mode, Report
from shirushi_client.verifier.verification import Certificate, Refresher, Verification
from shirushi_client.verifier.verification_plan import Plan, When
from shirushi_client.witness_client import WitnessError
from shirushi_core.proofs.confirmation import HeadVerifier
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.report import CheckName, Result, Verdict
from shirushi_core.proofs.status import Status
from shirushi_core.proofs.witness_protocol import ProofsAnswer

NOW = BEGIN + 3000
POLICY = trust_policy()
NEWEST = Plan(When.ALWAYS, False, When.NEVER)
"""As in a data folder: the newest status is asked for each time."""

IF_NEEDED = Plan(When.IF_NEEDED, False, When.NEVER)
ONLINE = Plan(When.ALWAYS, True, When.NEVER)
OFFLINE = Plan(When.NEVER, False, When.NEVER)
WITH_LEDGER = Plan(When.ALWAYS, False, When.IF_NEEDED)


@dataclass
class FakeLedger:
    """Stands in for the verifier that asks the members' peers: what it is asked about is valid."""

    asked: list[str] = field(default_factory=list)
    down: bool = False

    async def verify_digest(self, digest: Any, receipt: Receipt, demand: Demand, *, name: str) -> Report:
        self.asked.append(name)
        report = OfflineVerifier(POLICY, clock=lambda: NOW).verify_digest(
            digest, PaperCity().receipt(), name=name
        )
        return replace(report, evidence=replace(report.evidence, mode=Mode.LEDGER))


@dataclass
class Desk:
    """A recipient with a policy, witnesses and a ledger that a test bends."""

    city: PaperCity = field(default_factory=PaperCity)
    plan: Plan = NEWEST
    witnesses: dict[str, PaperWitness] = field(init=False)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    no_address: bool = False

    def __post_init__(self) -> None:
        self.city.log.tick(NOW - 10)
        self.witnesses = paper_witnesses(self.city.log, lambda: NOW)

    async def verify(self, *certificates: Certificate) -> list[Report]:
        async def refresher(stack: AsyncExitStack) -> Refresher | None:
            if self.no_address:
                raise WitnessError("the TLS root is none")
            heads = HeadVerifier(POLICY)
            return EvidenceGatherer(list(self.witnesses.values()), heads, lambda: NOW, patience=0.3)

        async def ledger(stack: AsyncExitStack) -> Any:
            if self.ledger.down:
                raise LedgerUnreachableError("nobody answers")
            return self.ledger

        offline = OfflineVerifier(POLICY, clock=lambda: NOW)
        async with Verification(
            self.plan, offline, open_refresher=refresher, open_ledger=ledger
        ) as verification:
            return [report async for report in verification.verify(certificates)]

    async def one(self, receipt: Receipt | None = None) -> Report:
        (report,) = await self.verify(
            Certificate("0.pdf", digest(), self.city.receipt() if receipt is None else receipt)
        )
        return report

    @property
    def asked(self) -> int:
        return sum(witness.asked for witness in self.witnesses.values())


def fresh(report: Report) -> tuple[Result, str]:
    (check,) = [check for check in report.checks if check.name is CheckName.STATUS_FRESH_ENOUGH]
    return check.result, check.code


async def test_the_newest_status_is_had_from_the_witnesses() -> None:
    desk = Desk()
    issued = desk.city.receipt()
    desk.city.change(Status.REVOKED)
    report = await desk.one(issued)
    assert (report.verdict, report.evidence.mode) == (Verdict.NOT_VALID, Mode.REFRESHED)
    assert report.status is not None
    assert report.good_as_of == NOW - 10


async def test_offline_nobody_is_asked_and_the_receipt_says_as_of_when() -> None:
    desk = Desk(plan=OFFLINE)
    issued = desk.city.receipt()
    desk.city.change(Status.REVOKED)
    report = await desk.one(issued)
    assert (report.verdict, report.evidence.mode, desk.asked) == (Verdict.VALID, Mode.OFFLINE, 0)
    assert report.good_as_of == BEGIN + 100


async def test_a_receipt_that_carries_enough_is_not_asked_about_where_that_is_not_needed() -> None:
    desk = Desk(plan=IF_NEEDED)
    assert (await desk.one()).verdict is Verdict.VALID
    assert desk.asked == 0
    assert (await desk.one(desk.city.receipts[0])).verdict is Verdict.VALID
    assert desk.asked > 0


async def test_a_status_that_is_older_than_allowed_is_refreshed() -> None:
    desk = Desk(plan=replace(IF_NEEDED, demand=Demand(max_age=60)))
    report = await desk.one()
    assert (report.verdict, report.evidence.mode) == (Verdict.VALID, Mode.REFRESHED)


async def test_two_witnesses_that_are_down_change_nothing() -> None:
    desk = Desk()
    desk.witnesses["iizuka"].down = desk.witnesses["haw"].silent = True
    report = await desk.one()
    assert (report.verdict, report.evidence.mode) == (Verdict.VALID, Mode.REFRESHED)
    assert {member.id for member in report.members if member.status_at is not None} == {
        "chaintope",
        "kaguya",
        "gcom",
    }


def unplug(desk: Desk) -> None:
    for witness in desk.witnesses.values():
        witness.down = True


async def test_with_the_network_unplugged_the_receipt_decides_and_the_report_says_so() -> None:
    desk = Desk()
    unplug(desk)
    report = await desk.one()
    assert (report.verdict, report.evidence.mode) == (Verdict.VALID, Mode.OFFLINE)
    assert fresh(report) == (Result.NOT_RUN, "STATUS_FRESH_ENOUGH_NOT_REFRESHED")


async def test_a_tls_root_that_is_none_is_like_an_unplugged_network() -> None:
    desk = Desk(no_address=True)
    assert fresh(await desk.one())[1] == "STATUS_FRESH_ENOUGH_NOT_REFRESHED"


async def test_what_had_to_be_refreshed_and_could_not_cannot_be_confirmed() -> None:
    desk = Desk(plan=ONLINE)
    unplug(desk)
    report = await desk.one()
    assert report.verdict is Verdict.CANNOT_CONFIRM
    assert fresh(report) == (Result.UNKNOWN, "STATUS_FRESH_ENOUGH_REFRESH_FAILED")
    desk = Desk(plan=replace(IF_NEEDED, demand=Demand(max_age=60)))
    unplug(desk)
    report = await desk.one()
    assert report.verdict is Verdict.CANNOT_CONFIRM
    assert fresh(report) == (Result.UNKNOWN, "STATUS_FRESH_ENOUGH_TOO_OLD")


async def test_witnesses_that_stopped_signing_are_not_the_newest_status() -> None:
    desk = Desk()
    for witness in desk.witnesses.values():
        witness.size = (
            desk.city.anchored_size
        )  # signed with fresh times, and of long ago by what stands in it
    report = await desk.one()
    assert (report.verdict, fresh(report)[1]) == (Verdict.VALID, "STATUS_FRESH_ENOUGH_NOT_REFRESHED")
    desk.plan = ONLINE
    report = await desk.one()
    assert report.verdict is Verdict.CANNOT_CONFIRM


async def test_nobody_is_asked_about_a_file_that_was_changed() -> None:
    desk = Desk()
    (report,) = await desk.verify(Certificate("0.pdf", digest(7), desk.city.receipt()))
    assert (report.verdict, desk.asked) == (Verdict.NOT_VALID, 0)


async def test_nobody_is_asked_about_another_ledgers_certificate() -> None:
    desk = Desk()
    other = PaperCity(bare_receipts(ledger="elsewhere-test"), log=PaperLog("elsewhere-test"))
    assert (await desk.one(other.receipt())).verdict is Verdict.CANNOT_CONFIRM
    assert desk.asked == 0


async def test_a_receipt_that_no_log_has_does_not_spoil_the_others() -> None:
    desk = Desk()
    stranger = bare_receipts(1, document_type="stranger")[0]
    certificates = [Certificate(str(n), digest(n), desk.city.receipt(n)) for n in range(3)]
    reports = await desk.verify(*certificates, Certificate("stranger", digest(0), stranger))
    assert [report.verdict for report in reports] == [Verdict.VALID] * 3 + [Verdict.CANNOT_CONFIRM]
    assert [report.file for report in reports] == ["0", "1", "2", "stranger"]
    assert reports[0].evidence.mode is Mode.REFRESHED


async def test_the_ledger_is_asked_only_where_evidence_is_missing() -> None:
    desk = Desk(plan=WITH_LEDGER)
    await desk.one()
    assert desk.ledger.asked == []
    unplug(desk)
    await desk.one()
    assert desk.ledger.asked == []
    report = await desk.one(desk.city.receipts[0])
    assert desk.ledger.asked == ["0.pdf"]
    assert report.evidence.mode is Mode.LEDGER


async def test_without_evidence_witnesses_and_ledger_it_cannot_be_confirmed() -> None:
    desk = Desk(plan=WITH_LEDGER)
    unplug(desk)
    desk.ledger.down = True
    assert (await desk.one(desk.city.receipts[0])).verdict is Verdict.CANNOT_CONFIRM


def hide_revocation(desk: Desk, size: int, members: tuple[str, ...] = MEMBERS[:2]) -> None:
    """Let members answer as if nothing had been revoked: honestly, from before it was."""
    for member in members:
        desk.witnesses[member].size = size


async def test_two_members_that_serve_an_old_status_cannot_hide_a_revocation() -> None:
    desk = Desk()
    issued, before = desk.city.receipt(), len(desk.city.log.entries)
    desk.city.change(Status.REVOKED)
    hide_revocation(desk, before)
    report = await desk.one(issued)
    assert report.verdict is Verdict.NOT_VALID


async def test_two_liars_and_an_honest_member_that_is_cut_off_hide_no_revocation_online() -> None:
    """The three sign the old head with fresh times; what stands in it tells how old it is."""
    desk = Desk(plan=ONLINE)
    issued = desk.city.receipt()
    desk.city.change(Status.REVOKED)
    hide_revocation(desk, desk.city.anchored_size, MEMBERS[:3])
    desk.witnesses[MEMBERS[4]].down = True
    report = await desk.one(issued)
    assert (report.verdict, report.good_as_of) == (Verdict.CANNOT_CONFIRM, BEGIN + 100)
    hide_revocation(desk, desk.city.anchored_size, MEMBERS)
    assert (await desk.one(issued)).verdict is Verdict.CANNOT_CONFIRM


async def test_two_liars_and_an_honest_member_that_is_cut_off_keep_no_certificate_suspended() -> None:
    city = PaperCity()
    city.change(Status.SUSPENDED)
    suspended = len(city.log.entries)
    issued = city.receipt()
    city.log.tick(NOW - 10)
    city.change(Status.VALID)
    desk = Desk(city, plan=ONLINE)
    hide_revocation(desk, suspended, MEMBERS[:3])
    assert (await desk.one(issued)).verdict is Verdict.CANNOT_CONFIRM


@pytest.mark.parametrize("liars", [MEMBERS[:1], MEMBERS[3:]])
async def test_members_that_invent_larger_heads_and_records_change_nothing_and_are_named(
    liars: tuple[str, ...],
) -> None:
    """At every request another head, in which the certificate is revoked."""
    desk = Desk(plan=ONLINE)
    fork = Desk().city
    for number in range(3):
        fork.change(Status.REVOKED, number)
    for member in liars:
        desk.witnesses[member].log = fork.log
    report = await desk.one()
    assert (report.verdict, report.evidence.mode) == (Verdict.VALID, Mode.REFRESHED)
    assert {member.id for member in report.members if member.contradicts is not None} == set(liars)


async def test_two_members_that_sign_a_fork_revoke_nothing() -> None:
    fork = Desk().city
    fork.change(Status.REVOKED)
    desk = Desk()
    for member in MEMBERS[:2]:
        desk.witnesses[member].log = fork.log
    report = await desk.one()
    assert (report.verdict, report.evidence.mode) == (Verdict.VALID, Mode.REFRESHED)


def swapped_proofs(answer: ProofsAnswer) -> ProofsAnswer:
    return replace(answer, statuses=answer.statuses[::-1])


def forged_root(answer: ProofsAnswer) -> ProofsAnswer:
    entry = replace(answer.status_entry, entry=replace(answer.status_entry.entry, root=bytes(32)))
    return replace(answer, status_entry=entry)


def nothing(answer: ProofsAnswer) -> ProofsAnswer:
    return replace(answer, batches=(), issuers=(), statuses=())


def no_batches(answer: ProofsAnswer) -> ProofsAnswer:
    return replace(answer, batches=())


def no_issuers(answer: ProofsAnswer) -> ProofsAnswer:
    return replace(answer, issuers=(*answer.issuers, None))


def no_issuer(answer: ProofsAnswer) -> ProofsAnswer:
    return replace(answer, issuers=(None,))


LIES = [forged_root, nothing, no_batches, no_issuers, no_issuer]


@pytest.mark.parametrize("lie", [*LIES, swapped_proofs])
async def test_forged_proofs_of_two_members_change_no_verdict(lie: Any) -> None:
    desk = Desk()
    receipts = [desk.city.receipt(n) for n in range(2)]
    desk.city.change(Status.REVOKED, 1)
    for member in MEMBERS[:2]:
        desk.witnesses[member].bend = lie
    reports = await desk.verify(*(Certificate(str(n), digest(n), receipts[n]) for n in range(2)))
    assert [report.verdict for report in reports] == [Verdict.VALID, Verdict.NOT_VALID]


@pytest.mark.parametrize("lie", LIES)
async def test_forged_proofs_of_all_members_are_no_proofs(lie: Any) -> None:
    desk = Desk(plan=ONLINE)
    receipts = [desk.city.receipt(n) for n in range(2)]
    desk.city.change(Status.REVOKED, 1)
    for witness in desk.witnesses.values():
        witness.bend = lie
    reports = await desk.verify(*(Certificate(str(n), digest(n), receipts[n]) for n in range(2)))
    assert [report.verdict for report in reports] == [Verdict.CANNOT_CONFIRM] * 2
