"""Every outcome of every check, as tables; and what no minority and no outage can bring about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from shirushi_client.hashing import FileDigest, digest_bytes
from shirushi_client.issuer.batch import checked_receipts, seal_batch
from shirushi_client.verifier.checks import (
    MAX_AGE_SECONDS,
    Evidence,
    Trust,
    run_checks,
)
from shirushi_client.verifier.demand import NOTHING_ASKED, Demand
from shirushi_client.verifier.evidence import MemberAnswers, Silence, Statuses
from shirushi_client.verifier.messages import REASONS_JA, SENTENCES
from shirushi_client.verifier.receipt_checks import CLOCK_TOLERANCE
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.issuer import IssuerKey, IssuerRecord, IssuerState, KeyUse
from shirushi_core.proofs.receipt import BatchEvidence, Receipt
from shirushi_core.proofs.report import CheckName, Result, Verdict, decide
from shirushi_core.proofs.status import Reason, Status, StatusRecord, Successor

NOW = 1_790_000_000
ANCHORED = NOW - 3600
MEMBERS = ("a", "b", "c", "d", "e")
TRUST = Trust("shirushi-test", MEMBERS, 3)
CERTIFICATE = b"certificate"
DIGEST = digest_bytes(CERTIFICATE)
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())


def seal_key(key: ec.EllipticCurvePrivateKey, *window: int) -> IssuerKey:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return IssuerKey(KeyUse.SEAL, der, *(window or (0, 1 << 40)))


def record(*keys: IssuerKey) -> IssuerRecord:
    return IssuerRecord("iizuka-city", "IizukaMSP", "飯塚市", "Iizuka City", 1, IssuerState.ACTIVE, keys)


def a_receipt(*, ledger: str = "shirushi-test", anchored_at: int = ANCHORED, **changes: Any) -> Receipt:
    options: dict[str, Any] = {"document_type": "income", "valid_from": NOW - 7200, "valid_until": NOW + 7200}
    batch = seal_batch(
        [digest_bytes(CERTIFICATE), digest_bytes(b"another")],
        bytes(64),
        ledger=ledger,
        issuer="iizuka-city",
        key=KEY,
        **(options | changes),
    )
    anchor = IssuanceAnchor(batch.statement, batch.seal, anchored_at, "0" * 64, 1)
    (data,) = checked_receipts(batch, anchor, BatchEvidence(), [0])
    return Receipt.from_bytes(data)


RECEIPT = a_receipt()


def a_status(status: Status, *, whole_batch: bool = False, receipt: Receipt = RECEIPT) -> StatusRecord:
    return StatusRecord(
        status=status,
        reason=Reason.DATA_CORRECTED,
        effective_at=NOW - 60,
        changed_at=NOW - 60,
        change_id="change",
        tx_id="1" * 64,
        batch_id=receipt.anchor.statement.batch_id,
        commitment=None if whole_batch else receipt.commitment,
        successor=Successor(bytes(32), bytes(32)) if status is Status.SUPERSEDED else None,
    )


@dataclass
class Case:
    """What a verifier has before it; by default everything is as it should be."""

    receipt: Receipt = RECEIPT
    digest: FileDigest = DIGEST
    trust: Trust = TRUST
    now: int = NOW
    demand: Demand = NOTHING_ASKED
    truth: MemberAnswers | None = None
    answers: list[MemberAnswers] | None = None

    def said(self, **changes: Any) -> MemberAnswers:
        truth = MemberAnswers("", NOW, self.receipt.anchor, Statuses(None, None), record(seal_key(KEY)))
        return replace(self.truth or truth, **changes)

    def check(self) -> dict[CheckName, tuple[Result, str]]:
        return {each.name: (each.result, each.code) for each in self.run()}

    def run(self) -> list[Any]:
        answers = self.answers
        if answers is None:
            answers = [self.said(member=member) for member in self.trust.members]
        evidence = Evidence.of(answers, self.trust, self.now)
        return run_checks(self.receipt, self.digest, evidence, self.trust, self.now, self.demand)

    @property
    def verdict(self) -> Verdict:
        return decide(self.run())


def everyone_says(case: Case, **changes: Any) -> Case:
    case.answers = [case.said(member=member, **changes) for member in case.trust.members]
    return case


NOT_YET = NOW + CLOCK_TOLERANCE + 1
REAL = Trust("iizuka-certificates", MEMBERS, 3)
REAL_RECEIPT = a_receipt(ledger="iizuka-certificates")

CASES: dict[str, tuple[Case, Verdict]] = {
    "FILE_INTACT_PROVED": (Case(), Verdict.VALID),
    "FILE_INTACT_DIGEST_DIFFERS": (Case(digest=digest_bytes(b"tampered")), Verdict.NOT_VALID),
    "FILE_INTACT_PATH_BROKEN": (Case(receipt=replace(RECEIPT, salt=bytes([1] * 32))), Verdict.CANNOT_CONFIRM),
    "FILE_INTACT_NOTHING_PROVED": (
        Case(digest=digest_bytes(b"tampered"), answers=[]),
        Verdict.CANNOT_CONFIRM,
    ),
    "FILE_INTACT_SIZE_DIFFERS": (Case(receipt=replace(RECEIPT, certificate_size=1)), Verdict.CANNOT_CONFIRM),
    "SEALED_BY_ISSUER_HOLDS": (Case(), Verdict.VALID),
    "SEALED_BY_ISSUER_BROKEN": (
        everyone_says(
            Case(
                receipt=replace(
                    RECEIPT,
                    anchor=replace(
                        RECEIPT.anchor,
                        seal=replace(
                            RECEIPT.anchor.seal, signature=a_receipt(valid_from=1).anchor.seal.signature
                        ),
                    ),
                )
            )
        ),
        Verdict.NOT_VALID,
    ),
    "SEALED_BY_ISSUER_KEY_OUT_OF_WINDOW": (
        everyone_says(Case(), issuer=record(seal_key(KEY, 0, ANCHORED - 1))),
        Verdict.NOT_VALID,
    ),
    "SEALED_BY_ISSUER_NOT_REGISTERED": (
        everyone_says(Case(), issuer=record(seal_key(OTHER_KEY))),
        Verdict.CANNOT_CONFIRM,
    ),
    "SEALED_BY_ISSUER_OTHER_ISSUER": (Case(demand=Demand(issuer="another-city")), Verdict.NOT_VALID),
    "SEALED_BY_ISSUER_OTHER_TYPE": (Case(demand=Demand(document_type="tax")), Verdict.NOT_VALID),
    "SEALED_BY_ISSUER_NOT_PROVED": (
        Case(demand=Demand(document_type="tax"), answers=[]),
        Verdict.CANNOT_CONFIRM,
    ),
    "SEALED_BY_ISSUER_NOT_LEARNED": (everyone_says(Case(), issuer=Silence("down")), Verdict.CANNOT_CONFIRM),
    "RECORDED_ON_LEDGER_AGREED": (Case(), Verdict.VALID),
    "RECORDED_ON_LEDGER_DIFFERS": (
        everyone_says(Case(), anchor=replace(RECEIPT.anchor, anchored_at=ANCHORED + 1)),
        Verdict.CANNOT_CONFIRM,
    ),
    "RECORDED_ON_LEDGER_ABSENT": (everyone_says(Case(), anchor=None, statuses=None), Verdict.CANNOT_CONFIRM),
    "RECORDED_ON_LEDGER_AFTER_DATE": (Case(demand=Demand(at=ANCHORED - 1)), Verdict.NOT_VALID),
    "RECORDED_ON_LEDGER_NOT_BOUND": (
        Case(receipt=replace(RECEIPT, salt=bytes([1] * 32)), demand=Demand(at=ANCHORED - 1)),
        Verdict.CANNOT_CONFIRM,
    ),
    "RECORDED_ON_LEDGER_NOT_LEARNED": (Case(answers=[]), Verdict.CANNOT_CONFIRM),
    "RECORDED_ON_LEDGER_OTHER_LEDGER": (Case(receipt=REAL_RECEIPT, answers=[]), Verdict.CANNOT_CONFIRM),
    "CONFIRMED_BY_MEMBERS_QUORUM": (Case(), Verdict.VALID),
    "CONFIRMED_BY_MEMBERS_ABSENCE": (
        everyone_says(Case(), anchor=None, statuses=None),
        Verdict.CANNOT_CONFIRM,
    ),
    "CONFIRMED_BY_MEMBERS_OLD_ANSWERS": (
        everyone_says(Case(), time=NOW - MAX_AGE_SECONDS - 1),
        Verdict.CANNOT_CONFIRM,
    ),
    "CONFIRMED_BY_MEMBERS_TOO_FEW": (
        Case(answers=[Case().said(member=m) for m in "ab"]),
        Verdict.CANNOT_CONFIRM,
    ),
    "CONFIRMED_BY_MEMBERS_DISAGREE": (
        Case(
            answers=[Case().said(member=m) for m in "ab"]
            + [Case().said(member=m, statuses=Statuses(None, a_status(Status.REVOKED))) for m in "cd"]
        ),
        Verdict.CANNOT_CONFIRM,
    ),
    "CONFIRMED_BY_MEMBERS_OTHER_LEDGER": (Case(receipt=REAL_RECEIPT, answers=[]), Verdict.CANNOT_CONFIRM),
    "STATUS_VALID": (Case(), Verdict.VALID),
    **{
        f"STATUS_{'REINSTATED' if status is Status.VALID else status.name}": (
            everyone_says(Case(), statuses=Statuses(None, a_status(status))),
            Verdict.VALID if status is Status.VALID else Verdict.NOT_VALID,
        )
        for status in Status
    },
    **{
        f"STATUS_BATCH_{status.name}": (
            everyone_says(Case(), statuses=Statuses(a_status(status, whole_batch=True), None)),
            Verdict.NOT_VALID,
        )
        for status in (Status.REVOKED, Status.SUSPENDED, Status.SUPERSEDED)
    },
    "STATUS_NOTHING_RECORDED": (
        everyone_says(Case(), anchor=None, statuses=None),
        Verdict.CANNOT_CONFIRM,
    ),
    "STATUS_NOT_BOUND": (
        everyone_says(
            Case(receipt=replace(RECEIPT, salt=bytes([1] * 32))),
            statuses=Statuses(a_status(Status.REVOKED, whole_batch=True), None),
        ),
        Verdict.CANNOT_CONFIRM,
    ),
    "STATUS_NOT_LEARNED": (everyone_says(Case(), statuses=Silence("down")), Verdict.CANNOT_CONFIRM),
    "WITHIN_VALIDITY_HOLDS": (everyone_says(Case(now=NOW + 7200), time=NOW + 7200), Verdict.VALID),
    "WITHIN_VALIDITY_NOT_PROVED": (Case(now=NOW + 7201, answers=[]), Verdict.CANNOT_CONFIRM),
    "WITHIN_VALIDITY_CLOCK_BEHIND": (
        everyone_says(Case(receipt=a_receipt(valid_from=NOT_YET)), time=NOT_YET),
        Verdict.CANNOT_CONFIRM,
    ),
    "WITHIN_VALIDITY_OPEN_ENDED": (everyone_says(Case(receipt=a_receipt(valid_until=None))), Verdict.VALID),
    "WITHIN_VALIDITY_NOT_YET": (
        everyone_says(Case(receipt=a_receipt(valid_from=NOT_YET))),
        Verdict.NOT_VALID,
    ),
    "WITHIN_VALIDITY_EXPIRED": (everyone_says(Case(now=NOW + 7201), time=NOW + 7201), Verdict.NOT_VALID),
    "STATUS_FRESH_ENOUGH_ONLINE": (Case(), Verdict.VALID),
    "STATUS_FRESH_ENOUGH_NOT_LEARNED": (Case(answers=[]), Verdict.CANNOT_CONFIRM),
    "TRUST_POLICY_CURRENT_NOT_CHECKED": (Case(), Verdict.VALID),
    "IS_TEST_REAL": (Case(receipt=REAL_RECEIPT, trust=REAL), Verdict.VALID),
    "IS_TEST_EXPECTED": (Case(), Verdict.VALID),
    "IS_TEST_UNEXPECTED": (Case(trust=REAL, answers=[]), Verdict.CANNOT_CONFIRM),
}


@pytest.mark.parametrize("code", CASES)
def test_each_outcome_has_its_code_and_its_verdict(code: str) -> None:
    case, verdict = CASES[code]
    assert code in {found for _, found in case.check().values()}
    assert case.verdict is verdict


def test_every_code_has_a_case_and_sentences_in_both_languages() -> None:
    assert CASES.keys() <= SENTENCES.keys()
    assert all(ja and en and ja != en for ja, en in SENTENCES.values())
    assert {reason.value for reason in Reason} == REASONS_JA.keys()


def test_every_code_belongs_to_one_check() -> None:
    for case, _ in CASES.values():
        for check in case.run():
            assert check.code.startswith(check.name.value.upper())


def test_every_check_is_reported_once_and_in_order() -> None:
    for case, _ in CASES.values():
        assert [check.name for check in case.run()] == list(CheckName)


def test_without_members_nothing_speaks_against_a_certificate() -> None:
    assert Case(digest=digest_bytes(b"tampered"), answers=[]).verdict is Verdict.CANNOT_CONFIRM
    assert Case(now=NOW + 99_999, answers=[]).verdict is Verdict.CANNOT_CONFIRM


def test_a_status_is_as_of_the_time_that_a_quorum_has() -> None:
    times = (NOW, NOW - 10, NOW - 700, NOW - 800, NOW - 5000)
    case = Case()
    case.answers = [case.said(member=member, time=at) for member, at in zip(MEMBERS, times, strict=True)]
    evidence = Evidence.of(case.answers, TRUST, NOW)
    assert (evidence.as_of, evidence.old) == (NOW - 700, ("e",))
    assert case.verdict is Verdict.VALID


@pytest.mark.parametrize(("truth", "lie"), [(Status.VALID, Status.REVOKED), (Status.REVOKED, Status.VALID)])
@pytest.mark.parametrize("old", [None, NOW - MAX_AGE_SECONDS - 1])
def test_two_liars_and_an_honest_member_that_is_behind_bring_about_no_verdict(
    truth: Status, lie: Status, old: int | None
) -> None:
    """The fifth member is down; the honest one that is behind says what was so long ago, which is what the liars say."""

    def said(status: Status) -> Statuses:
        return Statuses(None, None if status is Status.VALID else a_status(status))

    case = Case()
    case.answers = [
        *(case.said(member=member, statuses=said(lie)) for member in "ab"),
        case.said(member="c", statuses=said(lie), time=old),
        case.said(member="d", statuses=said(truth)),
    ]
    assert case.verdict is Verdict.CANNOT_CONFIRM


def test_an_issuers_clock_a_little_ahead_is_no_reason_to_refuse() -> None:
    assert everyone_says(Case(receipt=a_receipt(valid_from=NOW + CLOCK_TOLERANCE))).verdict is Verdict.VALID


def test_a_certificates_record_and_its_batchs_the_graver_one_decides() -> None:
    statuses = Statuses(a_status(Status.REVOKED, whole_batch=True), a_status(Status.VALID))
    assert everyone_says(Case(), statuses=statuses).check()[CheckName.STATUS] == (
        Result.FAIL,
        "STATUS_BATCH_REVOKED",
    )


def test_a_reason_and_a_date_are_in_both_sentences() -> None:
    case = everyone_says(Case(), statuses=Statuses(None, a_status(Status.REVOKED)))
    (check,) = [check for check in case.run() if check.name is CheckName.STATUS]
    assert "data_corrected" in check.en
    assert "記載内容の訂正" in check.ja
    assert "2026-09-21" in check.en
    assert "2026-09-21" in check.ja


def test_a_seal_is_judged_at_the_time_it_was_anchored_not_now() -> None:
    closed_since = record(seal_key(KEY, 0, ANCHORED))
    assert everyone_says(Case(), issuer=closed_since).verdict is Verdict.VALID


LIES: list[Callable[[MemberAnswers], MemberAnswers]] = [
    lambda said: replace(said, anchor=None, statuses=None),
    lambda said: replace(
        said, anchor=replace(RECEIPT.anchor, tx_id=sha256(said.member.encode()).hexdigest())
    ),
    lambda said: replace(said, statuses=Statuses(None, None)),
    lambda said: replace(said, statuses=Statuses(None, a_status(Status.REVOKED))),
    lambda said: replace(said, statuses=Statuses(a_status(Status.SUSPENDED, whole_batch=True), None)),
    lambda said: replace(said, issuer=None),
    lambda said: replace(said, issuer=record(seal_key(OTHER_KEY))),
]
OUTAGES: list[Callable[[MemberAnswers], MemberAnswers]] = [
    lambda said: replace(said, anchor=Silence("down"), statuses=Silence("down"), issuer=Silence("down")),
    lambda said: replace(said, time=Silence("down")),
    lambda said: replace(said, time=None),
    lambda said: replace(said, anchor=Silence("down")),
    lambda said: replace(said, statuses=Silence("down")),
    lambda said: replace(said, issuer=Silence("down")),
]
TRUTHS = {
    Verdict.VALID: MemberAnswers("", NOW, RECEIPT.anchor, Statuses(None, None), record(seal_key(KEY))),
    Verdict.NOT_VALID: MemberAnswers(
        "", NOW, RECEIPT.anchor, Statuses(None, a_status(Status.REVOKED)), record(seal_key(KEY))
    ),
}


@settings(max_examples=200)
@given(
    st.sampled_from(list(TRUTHS)),
    st.lists(st.sampled_from(MEMBERS), max_size=2, unique=True),
    st.lists(st.sampled_from([*LIES, *OUTAGES]), min_size=2, max_size=2),
)
def test_a_minority_that_lies_or_is_down_never_changes_a_verdict(
    verdict: Verdict, faulty: list[str], faults: list[Callable[[MemberAnswers], MemberAnswers]]
) -> None:
    case = Case(truth=TRUTHS[verdict])
    said = {member: case.said(member=member) for member in MEMBERS}
    for member, fault in zip(faulty, faults, strict=False):
        said[member] = fault(said[member])
    case.answers = list(said.values())
    assert case.verdict is verdict


@settings(max_examples=200)
@given(
    st.sampled_from(list(TRUTHS)),
    st.lists(st.sampled_from([None, *OUTAGES]), min_size=5, max_size=5),
)
def test_outages_give_the_truth_or_no_answer_never_the_other_verdict(
    verdict: Verdict, faults: list[Callable[[MemberAnswers], MemberAnswers] | None]
) -> None:
    case = Case(truth=TRUTHS[verdict])
    said = [case.said(member=member) for member in MEMBERS]
    case.answers = [fault(each) if fault else each for each, fault in zip(said, faults, strict=True)]
    assert case.verdict in (verdict, Verdict.CANNOT_CONFIRM)


def test_one_members_answers_given_five_times_count_once() -> None:
    assert Case(answers=[Case().said(member="a")] * 5).verdict is Verdict.CANNOT_CONFIRM


def test_answers_of_strangers_count_for_nothing() -> None:
    assert (
        Case(answers=[Case().said(member=f"stranger{n}") for n in range(5)]).verdict is Verdict.CANNOT_CONFIRM
    )
