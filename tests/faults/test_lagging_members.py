"""Two members that lie and one that is honest and cut off: no wrong verdict as of the time that the report names.

The three show a log as it was before a certificate's status changed, and put fresh times on it. Online, offline and by the ledger, and
in both directions: a revocation that is hidden, and a suspension that has ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.command import shirushi
from tests.support.frozen_witness import FrozenWitness
from tests.support.live_consortium import LiveConsortium
from tests.support.member_relay import Behaviour, Call, MemberRelay, altering

from shirushi_client.evidence_gathering import EvidenceGatherer
from shirushi_client.hashing import digest_file
from shirushi_client.trust_policy_file import read_policy
from shirushi_client.verifier.demand import Demand
from shirushi_client.verifier.offline_verifier import OfflineVerifier
from shirushi_client.verifier.reading import read_receipt
from shirushi_client.verifier.report import Report
from shirushi_client.verifier.verification import Certificate, Refresher, Verification
from shirushi_client.verifier.verification_plan import Plan, When
from shirushi_client.witness_client import Witness, WitnessClient, open_witnesses
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_core.proofs.confirmation import HeadVerifier
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.report import Verdict
from shirushi_core.proofs.trust_policy import TrustPolicy
from shirushi_core.proofs.witness_protocol import ProofsRequest

LIARS, CUT_OFF, HONEST = ("chaintope", "kaguya"), "haw", ("iizuka", "gcom")
ONLINE = Plan(When.ALWAYS, True, When.NEVER)
LATER = 16 * 60
"""Seconds after which what was so before is no answer to what is so now."""


@dataclass(frozen=True)
class Scene:
    """A certificate, the head of the log before its status changed, and the status that it has since."""

    live: LiveConsortium
    file: Path
    before: Checkpoint
    before_time: int
    truth: Verdict

    @property
    def policy(self) -> TrustPolicy:
        return read_policy(self.live.root / "trust-policy.json")

    @property
    def certificate(self) -> Certificate:
        return Certificate.read(self.file, self.receipt_file)

    @property
    def receipt_file(self) -> Path:
        return self.file.with_name(f"{self.file.name}.receipt.json")

    @property
    def receipt(self) -> Receipt:
        return read_receipt(self.receipt_file)

    @asynccontextmanager
    async def witnesses(self, frozen: dict[str, Callable[[], int]]) -> AsyncIterator[list[Witness]]:
        """The members' witnesses, some of which stay at the head before and sign it with times of their own."""
        async with open_witnesses(self.policy, int(time.time())) as real:
            yield [self._witness(each, frozen.get(each.member_id)) for each in real]

    def _witness(self, real: WitnessClient, signs_at: Callable[[], int] | None) -> Witness:
        if signs_at is None:
            return real
        home = self.live.layout.members / real.member_id
        return FrozenWitness(real, home, self.policy.ledger, self.before, signs_at)

    async def verify(self, clock: Callable[[], int], frozen: dict[str, Callable[[], int]]) -> Report:
        """Verify online with some witnesses frozen; the verifier's clock and theirs may be set ahead."""
        async with self.witnesses(frozen) as witnesses:

            async def refresher(stack: AsyncExitStack) -> Refresher:
                return EvidenceGatherer(witnesses, HeadVerifier(self.policy), clock)

            async def no_ledger(stack: AsyncExitStack) -> Any:
                raise AssertionError("the ledger is not to be asked")

            offline = OfflineVerifier(self.policy, clock=clock)
            async with Verification(
                ONLINE, offline, open_refresher=refresher, open_ledger=no_ledger
            ) as verification:
                (report,) = [report async for report in verification.verify([self.certificate])]
                return report


async def newest(live: LiveConsortium) -> tuple[Checkpoint, int]:
    """Return the newest head that the witnesses agree on, and the time that stands in the log there."""
    policy = read_policy(live.root / "trust-policy.json")
    async with open_witnesses(policy, int(time.time())) as witnesses:
        found = await EvidenceGatherer(witnesses, HeadVerifier(policy), time.time).newest_head()
        answer = await witnesses[0].proofs(ProofsRequest(head=found.head.checkpoint.size))
    assert answer.status_entry.entry.time is not None
    return found.head.checkpoint, answer.status_entry.entry.time


def change(live: LiveConsortium, command: str, file: Path, reason: str) -> None:
    done = shirushi(command, file, "--reason", reason, data=live.root)
    assert done.exit_code == 0, done.err


@pytest.fixture(scope="module", params=["revoked", "reinstated"])
def scene(
    request: pytest.FixtureRequest,
    live_consortium: LiveConsortium,
    tmp_path_factory: pytest.TempPathFactory,
) -> Scene:
    live, file = live_consortium, tmp_path_factory.mktemp("lagging") / "certificate.txt"
    file.write_text(f"lagging members: {request.param}")
    assert shirushi("issue", file, "--type", "bad-members", data=live.root).exit_code == 0
    is_revoked = request.param == "revoked"
    if not is_revoked:
        change(live, "suspend", file, "under_investigation")
    before, before_time = asyncio.run(newest(live))
    if is_revoked:
        change(live, "revoke", file, "issued_in_error")
    else:
        change(live, "reinstate", file, "investigation_closed")
    return Scene(live, file, before, before_time, Verdict.NOT_VALID if is_revoked else Verdict.VALID)


def now() -> int:
    return int(time.time())


def later() -> int:
    return now() + LATER


async def test_two_members_that_lie_change_nothing(scene: Scene) -> None:
    report = await scene.verify(now, dict.fromkeys(LIARS, now))
    assert report.verdict is scene.truth


async def test_with_one_that_is_cut_off_the_report_is_right_as_of_the_time_that_it_names(
    scene: Scene,
) -> None:
    report = await scene.verify(now, dict.fromkeys((*LIARS, CUT_OFF), now))
    assert report.good_as_of == scene.before_time
    assert report.verdict is not scene.truth  # what was so at that time


async def test_a_quarter_of_an_hour_later_they_confirm_nothing_whatever_times_they_sign(scene: Scene) -> None:
    signing = dict.fromkeys(LIARS, later) | {CUT_OFF: lambda: scene.before_time + 600}
    report = await scene.verify(later, signing)
    assert (report.verdict, report.good_as_of) == (Verdict.CANNOT_CONFIRM, scene.before_time)
    report = await scene.verify(later, dict.fromkeys((*LIARS, CUT_OFF), later))
    assert (report.verdict, report.good_as_of) == (Verdict.CANNOT_CONFIRM, scene.before_time)


async def test_offline_what_they_signed_is_as_of_then_and_a_week_later_nothing(scene: Scene) -> None:
    async with scene.witnesses(dict.fromkeys((*LIARS, CUT_OFF), later)) as witnesses:
        gatherer = EvidenceGatherer(witnesses, HeadVerifier(scene.policy), later)
        (receipt,) = await gatherer.refresh([scene.receipt])
    digest = digest_file(str(scene.file))
    a_week_later = now() + 7 * 86_400 + LATER
    soon = OfflineVerifier(scene.policy, clock=later).verify_digest(digest, receipt)
    assert soon.good_as_of == scene.before_time
    stale = OfflineVerifier(scene.policy, clock=lambda: a_week_later).verify_digest(digest, receipt)
    assert stale.verdict is Verdict.CANNOT_CONFIRM
    then = OfflineVerifier(scene.policy, clock=lambda: a_week_later)
    asked = then.verify_digest(digest, receipt, Demand(at=scene.before_time + 1))
    assert asked.verdict is Verdict.CANNOT_CONFIRM


def as_before(answer: Any) -> Json:
    """What get_status said before the change; a suspension is what was there in the one case, nothing in the other."""
    record = answer["certificate_status"]
    if record["status"] == "revoked":
        return {**answer, "certificate_status": None}
    suspended = {**record, "reason": "under_investigation", "status": "suspended"}
    return {**answer, "certificate_status": suspended}


def behind(call: Call) -> bytes:
    """Answer as a peer that gets no blocks: from before the change, on a ledger that is old by its own ticks."""
    if call.method == "Evaluate" and call.function == "get_time":
        return altering("get_time", lambda answer: {"time": None})(call)
    return altering("get_status", as_before)(call)


@pytest.mark.parametrize("others", [HONEST, HONEST[:1]], ids=["two more", "one more"])
def test_by_the_ledger_they_bring_about_no_verdict(
    scene: Scene, tmp_path: Path, others: tuple[str, ...]
) -> None:
    lie: Behaviour = altering("get_status", as_before)
    behaviours = dict.fromkeys(LIARS, lie) | {CUT_OFF: behind}
    with_relays = {member: MemberRelay(scene.live, member, each) for member, each in behaviours.items()}
    peers = dict.fromkeys(set(HONEST) - set(others), "127.0.0.1:1")
    for relay in with_relays.values():
        relay.__enter__()
    try:
        peers |= {member: relay.address for member, relay in with_relays.items()}
        view = scene.live.seen_from(tmp_path / "view", peers=peers)
        found = shirushi("verify", scene.file, "--json", data=view)
    finally:
        for relay in with_relays.values():
            relay.__exit__(None, None, None)
    assert found.json["verdict"] == "cannot_confirm"
