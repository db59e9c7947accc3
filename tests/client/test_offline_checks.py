"""Every outcome of every check on a receipt's own evidence; and what no minority, and no broken evidence, can bring about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.client.test_checks import CASES as LEDGER_CASES
from tests.support.paper_log import (
    BEGIN,
    KEYS,
    MEMBERS,
    SEAL_KEY,
    PaperLog,
    issuer_record,
    quorum_certificate,
    seal_chain,
    trust_policy,
)
from tests.support.paper_receipts import (
    ANCHORED,
    NOW,
    SIGNED,
    PaperCity,
    bare_receipts,
    digest,
)

from shirushi_client.hashing import FileDigest, digest_bytes
from shirushi_client.verifier.messages import SENTENCES
from shirushi_client.verifier.offline_checks import Demand, Refreshing, duration_text
from shirushi_client.verifier.offline_verifier import OfflineVerifier
from shirushi_client.verifier.report import Report
from shirushi_core.proofs import es256
from shirushi_core.proofs.issuer import IssuerKey
from shirushi_core.proofs.issuer import KeyUse as IssuerKeyUse
from shirushi_core.proofs.log_evidence import Head
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.report import CheckName, Result, Verdict
from shirushi_core.proofs.status import Status
from shirushi_core.proofs.trust_policy import PolicyIssuer, PolicyMember, SealChain, TrustPolicy
from shirushi_core.proofs.window import Window

pytestmark = pytest.mark.usefixtures("no_network")

OTHER_KEY = ec.derive_private_key(0x0DD, ec.SECP256R1())
POLICY = trust_policy()
WINDOW = Window(BEGIN - 1000)
VALID, NOT_VALID, CANNOT_CONFIRM = Verdict.VALID, Verdict.NOT_VALID, Verdict.CANNOT_CONFIRM


@dataclass
class Case:
    """What a verifier has before it; by default everything is as it should be."""

    receipt: Receipt = field(default_factory=lambda: PaperCity().receipt())
    digest: FileDigest = field(default_factory=digest)
    policy: TrustPolicy = POLICY
    demand: Demand = field(default_factory=Demand)
    now: int = NOW

    def report(self) -> Report:
        verifier = OfflineVerifier(self.policy, clock=lambda: self.now)
        return verifier.verify_digest(self.digest, self.receipt, self.demand)

    def codes(self) -> dict[CheckName, tuple[Result, str]]:
        return {check.name: (check.result, check.code) for check in self.report().checks}


def city(**changes: object) -> PaperCity:
    return PaperCity(**changes)  # type: ignore[arg-type]


def with_log(receipt: Receipt, **changes: object) -> Receipt:
    assert receipt.log is not None
    return replace(receipt, log=replace(receipt.log, **changes))  # type: ignore[arg-type]


def with_status(receipt: Receipt, **changes: object) -> Receipt:
    assert receipt.status is not None
    return replace(receipt, status=replace(receipt.status, **changes))  # type: ignore[arg-type]


def with_seal(receipt: Receipt, signature: bytes) -> Receipt:
    seal = replace(receipt.anchor.seal, signature=signature)
    return replace(receipt, anchor=replace(receipt.anchor, seal=seal))


def changed(status: Status, number: int | None = 0, *, effective_at: int = BEGIN + 1000) -> PaperCity:
    made = PaperCity()
    made.change(status, number, effective_at=effective_at)
    return made


def no_seals() -> TrustPolicy:
    return replace(POLICY, issuers=())


def sealed_by(key: ec.EllipticCurvePrivateKey, *, window: Window = WINDOW, **policy: int) -> TrustPolicy:
    seals = (SealChain(seal_chain(key), window),)
    issuer = PolicyIssuer("iizuka-city", "飯塚市", "Iizuka City", seals)
    return replace(POLICY, issuers=(issuer,), **policy)  # type: ignore[arg-type]


def a_record(*keys: ec.EllipticCurvePrivateKey, not_after: int = 1 << 40) -> object:
    made = tuple(
        IssuerKey(IssuerKeyUse.SEAL, es256.public_key_der(key), BEGIN - 1000, not_after) for key in keys
    )
    return replace(issuer_record(), keys=made)


def forked_status() -> Receipt:
    """The record under one head, the status under another of the same size, both signed by a quorum."""
    one, other = PaperCity(), PaperCity()
    other.log.entries[0] = b"rewritten"
    other.change(Status.REVOKED, 1)
    one.change(Status.REVOKED, 1)
    receipt = one.receipt(head=one.head())
    status_head = other.head()
    assert receipt.log is not None
    size = status_head.checkpoint.size
    batch_id = one.anchor.statement.batch_id
    status = other.log.status_evidence(batch_id, receipt.commitment, status_head, size)
    return replace(receipt, status=status)


def older_status() -> Receipt:
    """A status from before a certificate was revoked, put beside a newer proof of its record."""
    made = PaperCity()
    before = made.receipt()
    made.change(Status.REVOKED)
    after = made.receipt(head=made.head())
    assert before.log is not None
    return replace(after, status=replace(before.status, head=before.log.head))  # type: ignore[type-var]


def other_ledger() -> Receipt:
    receipts = bare_receipts(ledger="elsewhere-test")
    return PaperCity(receipts, log=PaperLog("elsewhere-test")).receipt()


def other_ledgers_head() -> Receipt:
    elsewhere = PaperLog("elsewhere-test")
    made = PaperCity()
    elsewhere.entries = list(made.log.entries)
    return with_log(made.receipt(), head=elsewhere.head(SIGNED))


def bad_signature() -> Receipt:
    made = PaperCity()
    note, later = made.head(), made.head(SIGNED + 1)
    first = replace(note.note.signatures[0], signature=later.note.signatures[1].signature)
    lines = (first, *note.note.signatures[1:])
    return made.receipt(head=Head(SignedNote(note.note.text, lines)))


def broken_path(receipt: Receipt) -> Receipt:
    assert receipt.log is not None
    inclusion = replace(receipt.log.inclusion, path=(bytes(32), *receipt.log.inclusion.path[1:]))
    return with_log(receipt, inclusion=inclusion)


def broken_registration(receipt: Receipt) -> Receipt:
    assert receipt.log is not None
    assert receipt.log.issuer is not None
    return with_log(receipt, issuer=replace(receipt.log.issuer, record=issuer_record(2)))


def few(*members: str) -> Case:
    made = PaperCity()
    return Case(made.receipt(head=made.head(members=members)))


def real() -> Case:
    ledger = "iizuka-certificates"
    made = PaperCity(bare_receipts(ledger=ledger), log=PaperLog(ledger))
    return Case(made.receipt(), policy=replace(POLICY, ledger=ledger))


AT = Demand(at=BEGIN + 2000)

CASES: dict[str, tuple[Callable[[], Case], Verdict]] = {
    "FILE_INTACT_PROVED": (Case, VALID),
    "FILE_INTACT_DIGEST_DIFFERS": (lambda: Case(digest=digest_bytes(b"tampered")), NOT_VALID),
    "FILE_INTACT_PATH_BROKEN": (
        lambda: Case(replace(PaperCity().receipt(), salt=bytes([1] * 32))),
        NOT_VALID,
    ),
    "SEALED_BY_ISSUER_CERTIFIED": (Case, VALID),
    "SEALED_BY_ISSUER_REGISTERED": (lambda: Case(policy=no_seals()), VALID),
    "SEALED_BY_ISSUER_CERTIFIED_ONLY": (lambda: Case(PaperCity().receipt(issuer=False)), VALID),
    "SEALED_BY_ISSUER_BROKEN": (
        lambda: Case(with_seal(PaperCity().receipt(), bare_receipts(valid_from=1)[0].anchor.seal.signature)),
        NOT_VALID,
    ),
    "SEALED_BY_ISSUER_KEY_UNKNOWN": (
        lambda: Case(city(record=a_record(OTHER_KEY)).receipt(), policy=no_seals()),
        NOT_VALID,
    ),
    "SEALED_BY_ISSUER_KEY_OUT_OF_WINDOW": (
        lambda: Case(
            city(receipts=bare_receipts(), record=a_record(SEAL_KEY, not_after=ANCHORED - 1)).receipt()
        ),
        NOT_VALID,
    ),
    "SEALED_BY_ISSUER_CERTIFICATE_NOT_GOOD": (
        lambda: Case(policy=sealed_by(SEAL_KEY, window=Window(BEGIN - 1000, ANCHORED - 1))),
        NOT_VALID,
    ),
    "SEALED_BY_ISSUER_NOT_CERTIFIED": (
        lambda: Case(policy=sealed_by(OTHER_KEY, issued_at=ANCHORED)),
        NOT_VALID,
    ),
    "SEALED_BY_ISSUER_CERTIFICATE_NOT_KNOWN": (lambda: Case(policy=sealed_by(OTHER_KEY)), CANNOT_CONFIRM),
    "SEALED_BY_ISSUER_NO_RECORD": (
        lambda: Case(PaperCity().receipt(issuer=False), policy=no_seals()),
        CANNOT_CONFIRM,
    ),
    "SEALED_BY_ISSUER_PROOF_BROKEN": (
        lambda: Case(broken_registration(PaperCity().receipt())),
        CANNOT_CONFIRM,
    ),
    "SEALED_BY_ISSUER_NOT_PROVED": (lambda: few("iizuka", "haw"), CANNOT_CONFIRM),
    "RECORDED_ON_LEDGER_LOGGED": (Case, VALID),
    "RECORDED_ON_LEDGER_AFTER_DATE": (lambda: Case(demand=Demand(at=ANCHORED - 1)), NOT_VALID),
    "RECORDED_ON_LEDGER_NOT_PROVED": (lambda: Case(bare_receipts()[0]), CANNOT_CONFIRM),
    "RECORDED_ON_LEDGER_PROOF_BROKEN": (lambda: Case(broken_path(PaperCity().receipt())), CANNOT_CONFIRM),
    "RECORDED_ON_LEDGER_NOT_CONFIRMED": (lambda: few("iizuka"), CANNOT_CONFIRM),
    "RECORDED_ON_LEDGER_OTHER_LEDGER": (lambda: Case(other_ledger()), NOT_VALID),
    "CONFIRMED_BY_MEMBERS_SIGNED": (Case, VALID),
    "CONFIRMED_BY_MEMBERS_SIGNED_EACH": (
        lambda: Case(PaperCity().refreshed(members=MEMBERS[2:])),
        VALID,
    ),
    "CONFIRMED_BY_MEMBERS_TOO_FEW_SIGNED": (lambda: few("iizuka", "haw"), CANNOT_CONFIRM),
    "CONFIRMED_BY_MEMBERS_NO_EVIDENCE": (lambda: Case(bare_receipts()[0]), CANNOT_CONFIRM),
    "CONFIRMED_BY_MEMBERS_OTHER_LEDGER": (lambda: Case(other_ledger()), NOT_VALID),
    "CONFIRMED_BY_MEMBERS_OTHER_LOG": (lambda: Case(other_ledgers_head()), CANNOT_CONFIRM),
    "CONFIRMED_BY_MEMBERS_KEY_UNKNOWN": (
        lambda: Case(policy=trust_policy(MEMBERS[2:], quorum=2)),
        CANNOT_CONFIRM,
    ),
    "CONFIRMED_BY_MEMBERS_SIGNATURE_BROKEN": (lambda: Case(bad_signature()), CANNOT_CONFIRM),
    "CONFIRMED_BY_MEMBERS_FORKED": (lambda: Case(forked_status()), CANNOT_CONFIRM),
    "STATUS_VALID": (Case, VALID),
    **{
        f"STATUS_{'REINSTATED' if status is Status.VALID else status.name}": (
            lambda status=status: Case(changed(status).refreshed()),
            VALID if status is Status.VALID else NOT_VALID,
        )
        for status in Status
    },
    **{
        f"STATUS_BATCH_{status.name}": (
            lambda status=status: Case(changed(status, None).refreshed()),
            NOT_VALID,
        )
        for status in (Status.REVOKED, Status.SUSPENDED, Status.SUPERSEDED)
    },
    "STATUS_DATE_VALID": (lambda: Case(PaperCity().refreshed(), demand=AT), VALID),
    "STATUS_DATE_NOT_COVERED": (lambda: Case(demand=AT), CANNOT_CONFIRM),
    "STATUS_DATE_NEEDS_HISTORY": (
        lambda: Case(changed(Status.REVOKED).refreshed(), demand=Demand(at=BEGIN + 500)),
        CANNOT_CONFIRM,
    ),
    "STATUS_NOT_PROVED": (lambda: Case(replace(PaperCity().receipt(), status=None)), CANNOT_CONFIRM),
    "STATUS_PROOF_BROKEN": (
        lambda: Case(with_status(PaperCity().receipt(), entry=changed(Status.REVOKED).log.status_entry())),
        CANNOT_CONFIRM,
    ),
    "STATUS_NOT_CONFIRMED": (
        lambda: Case(changed(Status.REVOKED).refreshed(members=MEMBERS[:2])),
        CANNOT_CONFIRM,
    ),
    "STATUS_BEFORE_RECORD": (lambda: Case(older_status()), CANNOT_CONFIRM),
    "WITHIN_VALIDITY_HOLDS": (Case, VALID),
    "WITHIN_VALIDITY_OPEN_ENDED": (
        lambda: Case(city(receipts=bare_receipts(valid_until=None)).receipt()),
        VALID,
    ),
    "WITHIN_VALIDITY_NOT_YET": (
        lambda: Case(city(receipts=bare_receipts(valid_from=NOW + 301)).receipt()),
        NOT_VALID,
    ),
    "WITHIN_VALIDITY_EXPIRED": (lambda: Case(now=BEGIN + 100_001), NOT_VALID),
    "STATUS_FRESH_ENOUGH_AS_OF": (lambda: Case(demand=Demand(max_age=NOW - SIGNED)), VALID),
    "STATUS_FRESH_ENOUGH_TOO_OLD": (lambda: Case(demand=Demand(max_age=NOW - SIGNED - 1)), CANNOT_CONFIRM),
    "STATUS_FRESH_ENOUGH_NOT_REFRESHED": (lambda: Case(demand=Demand(refreshing=Refreshing.FAILED)), VALID),
    "STATUS_FRESH_ENOUGH_REFRESH_FAILED": (
        lambda: Case(demand=Demand(refreshing=Refreshing.FAILED_AND_NEEDED)),
        CANNOT_CONFIRM,
    ),
    "STATUS_FRESH_ENOUGH_NOT_LEARNED": (lambda: Case(bare_receipts()[0]), CANNOT_CONFIRM),
    "TRUST_POLICY_CURRENT_HOLDS": (lambda: Case(policy=replace(POLICY, expires_at=NOW)), VALID),
    "TRUST_POLICY_CURRENT_OPEN_ENDED": (Case, VALID),
    "TRUST_POLICY_CURRENT_EXPIRED": (
        lambda: Case(policy=replace(POLICY, expires_at=NOW - 1)),
        CANNOT_CONFIRM,
    ),
    "IS_TEST_REAL": (real, VALID),
    "IS_TEST_EXPECTED": (Case, VALID),
    "IS_TEST_UNEXPECTED": (lambda: Case(other_ledger()), NOT_VALID),
}


@pytest.mark.parametrize("code", CASES)
def test_each_outcome_has_its_code_and_its_verdict(code: str) -> None:
    make, verdict = CASES[code]
    case = make()
    assert code in {found for _, found in case.codes().values()}
    assert case.report().verdict is verdict


def test_every_code_has_a_case_and_sentences_in_both_languages() -> None:
    assert CASES.keys() | LEDGER_CASES.keys() == SENTENCES.keys()
    assert all(ja and en and ja != en for ja, en in SENTENCES.values())


def test_every_check_is_reported_once_and_in_order_and_has_its_own_codes() -> None:
    for make, _ in CASES.values():
        checks = make().report().checks
        assert [check.name for check in checks] == list(CheckName)
        assert all(check.code.startswith(check.name.value.upper()) for check in checks)


def test_what_is_broken_or_missing_in_the_evidence_is_doubt_and_never_a_refusal() -> None:
    for code, (make, verdict) in CASES.items():
        if verdict is CANNOT_CONFIRM:
            assert Result.FAIL not in {result for result, _ in make().codes().values()}, code


def test_a_changed_file_is_not_valid_even_without_evidence() -> None:
    assert Case(bare_receipts()[0], digest_bytes(b"tampered")).report().verdict is NOT_VALID


def test_a_key_that_is_not_confirmed_to_be_unregistered_is_doubt() -> None:
    made = city(record=a_record(OTHER_KEY))
    case = Case(made.receipt(head=made.head(members=MEMBERS[:2])), policy=no_seals())
    assert case.report().verdict is CANNOT_CONFIRM


def test_a_seal_is_judged_at_the_time_it_was_anchored_not_now() -> None:
    closed_since = city(record=a_record(SEAL_KEY, not_after=ANCHORED))
    policy = sealed_by(SEAL_KEY, window=Window(BEGIN - 1000, ANCHORED))
    assert Case(closed_since.receipt(), policy=policy).report().verdict is VALID


def test_a_key_that_the_policy_ended_before_the_anchoring_seals_nothing_although_it_is_registered() -> None:
    policy = sealed_by(SEAL_KEY, window=Window(BEGIN - 1000, ANCHORED - 1))
    assert Case(policy=policy).codes()[CheckName.SEALED_BY_ISSUER][0] is Result.FAIL


def test_a_seal_whose_certificate_had_expired_is_not_good() -> None:
    late = BEGIN + 4000 * 86_400
    made = city(receipts=bare_receipts(anchored_at=late, valid_from=late, valid_until=None))
    case = Case(made.receipt(head=made.head(late)), now=late + 60)
    assert case.codes()[CheckName.SEALED_BY_ISSUER] == (Result.FAIL, "SEALED_BY_ISSUER_CERTIFICATE_NOT_GOOD")


def test_the_sentence_names_who_signed_and_who_was_not_counted_and_why() -> None:
    made = PaperCity()
    members = tuple(
        replace(member, window=Window(BEGIN - 1000, SIGNED - 1)) if member.id == "gcom" else member
        for member in POLICY.members
    )
    receipt = made.receipt(head=made.head(members=("iizuka", "haw", "kaguya", "gcom")))
    report = Case(receipt, policy=replace(POLICY, members=members)).report()
    (check,) = [check for check in report.checks if check.name is CheckName.CONFIRMED_BY_MEMBERS]
    assert "Iizuka, Haw, Kaguya" in check.en
    assert "Not counted: gcom, for it was no member when it signed." in check.en
    assert "gcom" in check.ja
    assert report.verdict is VALID


def test_a_receipt_of_an_old_time_is_still_valid_after_members_and_keys_have_changed() -> None:
    def ended(member: PolicyMember) -> PolicyMember:
        end = Window(BEGIN - 1000, BEGIN + 500)
        return replace(member, window=end, keys=tuple(replace(key, window=end) for key in member.keys))

    members = tuple(ended(each) if each.id in MEMBERS[:2] else each for each in POLICY.members)
    policy = replace(POLICY, members=members)
    assert Case(policy=policy).report().verdict is VALID
    refreshed_by_former_members = PaperCity().refreshed()
    assert Case(refreshed_by_former_members, policy=policy).report().verdict is CANNOT_CONFIRM


def test_a_quorum_certificate_alone_is_enough_and_names_its_signers() -> None:
    made = PaperCity()
    checkpoint = made.log.checkpoint()
    signers = [KEYS[member] for member in ("haw", "iizuka", "kaguya")]
    note = made.head(members=("haw",)).note
    head = Head(note, quorum_certificate(checkpoint, signers, SIGNED))
    report = Case(made.receipt(head=head)).report()
    assert report.verdict is VALID
    assert report.evidence.log is not None
    assert set(report.evidence.log.members) == {"haw", "iizuka", "kaguya"}


def test_one_member_counts_once_in_cosignature_and_quorum_certificate() -> None:
    made = PaperCity()
    certificate = quorum_certificate(made.log.checkpoint(), [KEYS["haw"], KEYS["iizuka"]], SIGNED)
    head = Head(made.head(members=("haw", "iizuka")).note, certificate)
    case = Case(made.receipt(head=head))
    assert case.codes()[CheckName.CONFIRMED_BY_MEMBERS][1] == "CONFIRMED_BY_MEMBERS_TOO_FEW_SIGNED"


def test_a_member_that_signs_three_times_is_no_quorum() -> None:
    made = PaperCity()
    notes = [made.head(SIGNED + n, ("haw",)).note for n in range(3)]
    note = SignedNote(notes[0].text, tuple(line for each in notes for line in each.signatures))
    assert Case(made.receipt(head=Head(note))).report().verdict is CANNOT_CONFIRM


def test_signature_lines_in_another_order_are_not_taken() -> None:
    made = PaperCity()
    note = made.head().note
    turned = SignedNote(note.text, note.signatures[::-1])
    assert Case(made.receipt(head=Head(turned))).report().verdict is CANNOT_CONFIRM


def test_signatures_from_the_future_do_not_count() -> None:
    made = PaperCity()
    ahead = made.receipt(head=made.head(NOW + 301))
    assert Case(ahead).report().verdict is CANNOT_CONFIRM
    assert Case(ahead, now=NOW + 1).report().verdict is VALID


def test_the_age_of_a_status_is_that_of_the_quorum_not_of_its_newest_signature() -> None:
    made = PaperCity()
    old, new = made.head(SIGNED, MEMBERS[:2]).note, made.head(NOW, MEMBERS[2:3]).note
    lines = sorted((*old.signatures, *new.signatures), key=lambda line: line.name)
    receipt = made.receipt(head=Head(SignedNote(old.text, tuple(lines))))
    (check,) = [each for each in Case(receipt).report().checks if each.name is CheckName.STATUS_FRESH_ENOUGH]
    assert check.age_seconds == NOW - SIGNED


def test_a_fork_that_a_minority_signed_proves_nothing() -> None:
    fork = PaperCity()
    fork.log.entries[0] = b"rewritten"
    forked = PaperCity(log=fork.log)
    receipt = forked.receipt(head=forked.head(members=MEMBERS[:2]))
    codes = Case(receipt).codes()
    assert codes[CheckName.CONFIRMED_BY_MEMBERS][0] is Result.UNKNOWN
    assert codes[CheckName.RECORDED_ON_LEDGER][0] is Result.UNKNOWN
    assert codes[CheckName.STATUS][0] is Result.UNKNOWN


def test_a_revocation_that_only_a_minority_signed_revokes_nothing() -> None:
    assert Case(changed(Status.REVOKED).refreshed(members=MEMBERS[:2])).report().verdict is CANNOT_CONFIRM


def test_a_certificates_record_and_its_batchs_the_graver_one_decides() -> None:
    made = changed(Status.SUSPENDED)
    made.change(Status.REVOKED, None)
    assert Case(made.refreshed()).codes()[CheckName.STATUS] == (Result.FAIL, "STATUS_BATCH_REVOKED")


def test_another_certificates_revocation_leaves_this_one_valid() -> None:
    made = changed(Status.REVOKED, 1)
    assert Case(made.refreshed(0), digest(0)).report().verdict is VALID
    assert Case(made.refreshed(1), digest(1)).report().verdict is NOT_VALID


def test_another_certificates_proof_of_status_is_not_taken() -> None:
    made = changed(Status.REVOKED, 0)
    revoked, good = made.refreshed(0), made.refreshed(1)
    assert good.status is not None
    assert Case(replace(revoked, status=good.status)).report().verdict is CANNOT_CONFIRM


@pytest.mark.parametrize(
    ("status", "effective_at", "at", "verdict"),
    [
        (Status.REVOKED, BEGIN + 1000, BEGIN + 1500, NOT_VALID),
        (Status.REVOKED, BEGIN + 1000, BEGIN + 999, CANNOT_CONFIRM),
        (Status.SUSPENDED, BEGIN + 1000, BEGIN + 1500, NOT_VALID),
        (Status.VALID, BEGIN + 1000, BEGIN + 1500, VALID),
        (Status.VALID, BEGIN + 1000, BEGIN + 999, CANNOT_CONFIRM),
    ],
)
def test_a_past_date_is_judged_by_what_was_in_force_then(
    status: Status, effective_at: int, at: int, verdict: Verdict
) -> None:
    receipt = changed(status, effective_at=effective_at).refreshed()
    assert Case(receipt, demand=Demand(at=at)).report().verdict is verdict


def test_at_a_past_date_an_expired_certificate_was_valid() -> None:
    made = city(receipts=bare_receipts(valid_until=BEGIN + 900))
    receipt = made.receipt(status_head=made.head(BEGIN + 2000))
    assert Case(receipt).report().verdict is NOT_VALID
    assert Case(receipt, demand=Demand(at=BEGIN + 800)).report().verdict is VALID


def test_a_revocation_reported_for_a_past_date_is_in_the_report() -> None:
    report = Case(changed(Status.REVOKED).refreshed(), demand=AT).report()
    assert report.status is not None
    assert report.status.status is Status.REVOKED
    assert report.judged_at == AT.at


def test_the_report_says_who_confirmed_what_and_when() -> None:
    report = Case(PaperCity().refreshed(members=MEMBERS[2:])).report()
    value = report.to_json()
    assert value["evidence"] == {
        "log": {"as_of": SIGNED, "members": sorted(MEMBERS[:3]), "size": 4},
        "mode": "offline",
        "policy": {
            "expires_at": None,
            "fingerprint": trust_policy().fingerprint.hex(),
            "ledger": "shirushi-test",
            "source": None,
            "version": 1,
        },
        "status": {"as_of": BEGIN + 2000, "members": sorted(MEMBERS[2:]), "size": 4},
    }
    members = {member.id: member for member in report.members}
    assert (members["haw"].agrees, members["haw"].log_at, members["haw"].status_at) == (
        True,
        SIGNED,
        BEGIN + 2000,
    )
    assert (members["iizuka"].agrees, members["iizuka"].status_at) == (None, None)
    assert members["iizuka"].problem == "its signature is not in the receipt"


def test_the_report_names_the_member_whose_signature_does_not_hold() -> None:
    (check,) = [
        check
        for check in Case(bad_signature()).report().checks
        if check.name is CheckName.CONFIRMED_BY_MEMBERS
    ]
    assert "iizuka" in check.en or "chaintope" in check.en


@pytest.mark.parametrize(
    ("seconds", "en", "ja"),
    [
        (0, "0 s", "0秒"),
        (119, "119 s", "119秒"),
        (120, "2 min", "2分"),
        (7200, "2 h", "2時間"),
        (864_000, "10 d", "10日"),
    ],
)
def test_time_spans_are_said_in_the_unit_that_fits(seconds: int, en: str, ja: str) -> None:
    assert (duration_text(seconds), duration_text(seconds, japanese=True)) == (en, ja)
