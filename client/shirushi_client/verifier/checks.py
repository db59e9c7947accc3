"""The named checks, as a function over values: receipt, file digest, what members said, who is believed, the time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from shirushi_client.hashing import FileDigest
from shirushi_client.verifier.agreement import Agreed, NotAgreed, agree
from shirushi_client.verifier.evidence import MemberAnswers, Silence, Statuses
from shirushi_client.verifier.messages import REASONS_JA, SENTENCES
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.batch import is_test_ledger
from shirushi_core.proofs.issuer import IssuerRecord, KeyUse
from shirushi_core.proofs.receipt import Receipt, ReceiptMismatchError, verify_file, verify_in_batch
from shirushi_core.proofs.report import Check, CheckName, Result
from shirushi_core.proofs.seal import SealError, verify_seal
from shirushi_core.proofs.status import Status, StatusRecord, effective_status

SETTLING_SECONDS = 30
"""How long after anchoring a member may not have a record yet: until then its absence is doubt, not a forgery."""

CLOCK_TOLERANCE = 300
"""Seconds that an issuer's clock may be ahead of the verifier's: what the members tolerate too."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom the verifier believes: a ledger, its members' ids, and how many of them have to agree."""

    ledger: str
    members: tuple[str, ...]
    quorum: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a quorum of members agrees on, question by question."""

    anchor: Agreed[IssuanceAnchor | None] | NotAgreed
    statuses: Agreed[Statuses | None] | NotAgreed
    issuer: Agreed[IssuerRecord | None] | NotAgreed

    @classmethod
    def of(cls, answers: Sequence[MemberAnswers], trust: Trust) -> Evidence:
        """Weigh the members' answers."""
        anchors = [(said.member, said.anchor) for said in answers if not isinstance(said.anchor, Silence)]
        statuses = [
            (said.member, said.statuses) for said in answers if not isinstance(said.statuses, Silence)
        ]
        issuers = [(said.member, said.issuer) for said in answers if not isinstance(said.issuer, Silence)]
        return cls(
            anchor=agree(anchors, trust.members, trust.quorum),
            statuses=agree(statuses, trust.members, trust.quorum),
            issuer=agree(issuers, trust.members, trust.quorum),
        )

    @property
    def is_complete(self) -> bool:
        """Whether there is a quorum for an answer to every question."""
        return not any(isinstance(each, NotAgreed) for each in (self.anchor, self.statuses, self.issuer))

    @property
    def confirming(self) -> tuple[str, ...]:
        """The members that are with the quorum on every question."""
        answers = (self.anchor, self.statuses, self.issuer)
        agreeing = [set(answer.agreeing) for answer in answers if isinstance(answer, Agreed)]
        if len(agreeing) < len(answers) or not isinstance(self.anchor, Agreed):
            return ()
        return tuple(member for member in self.anchor.agreeing if all(member in each for each in agreeing))

    @property
    def status(self) -> StatusRecord | None:
        """The status record that decides, if the members agree on one."""
        if not isinstance(self.statuses, Agreed) or self.statuses.answer is None:
            return None
        return effective_status(self.statuses.answer.batch, self.statuses.answer.certificate)


def run_checks(
    receipt: Receipt, digest: FileDigest, evidence: Evidence, trust: Trust, now: int
) -> list[Check]:
    """Run every check, in the order of CheckName. `now` is unix seconds. Decide on them with `report.decide`.

    What needs no member is checked whatever the members say: a changed file fails even when all of them are down.
    """
    return list(_checks(receipt, digest, evidence, trust, now))


def knows_ledger(receipt: Receipt, trust: Trust) -> bool:
    """Say whether the receipt is of the ledger whose members the verifier knows."""
    return receipt.anchor.statement.ledger == trust.ledger


def _checks(
    receipt: Receipt, digest: FileDigest, evidence: Evidence, trust: Trust, now: int
) -> Iterator[Check]:
    yield _file_intact(receipt, digest)
    yield _sealed(receipt, evidence, now)
    yield _recorded(receipt, evidence, trust, now)
    yield _confirmed(receipt, evidence, trust)
    yield _status(evidence)
    yield _within_validity(receipt, now)
    if isinstance(evidence.statuses, Agreed):
        yield _check(CheckName.STATUS_FRESH_ENOUGH, Result.PASS, "ONLINE", source="members", age_seconds=0)
    else:
        yield _check(CheckName.STATUS_FRESH_ENOUGH, Result.NOT_RUN, "NOT_LEARNED")
    yield _check(CheckName.TRUST_POLICY_CURRENT, Result.NOT_RUN, "NOT_CHECKED")
    yield _is_test(receipt, trust)


def _file_intact(receipt: Receipt, digest: FileDigest) -> Check:
    name = CheckName.FILE_INTACT
    try:
        verify_file(receipt, digest.sha256, digest.size)
    except ReceiptMismatchError:
        return _check(name, Result.FAIL, "DIGEST_DIFFERS", source="file")
    try:
        verify_in_batch(receipt)
    except ReceiptMismatchError:
        return _check(name, Result.FAIL, "PATH_BROKEN", source="receipt")
    return _check(name, Result.PASS, "PROVED", source="file")


def _sealed(receipt: Receipt, evidence: Evidence, now: int) -> Check:
    """Judge the seal by the issuer's registered keys, at the time it was anchored."""
    name, anchor = CheckName.SEALED_BY_ISSUER, receipt.anchor
    if not isinstance(evidence.issuer, Agreed):
        return _check(name, Result.UNKNOWN, "NOT_LEARNED")
    record, issuer = evidence.issuer.answer, anchor.statement.issuer
    key = None
    if record is not None:
        named = [key for key in record.keys if (key.use, key.key_id) == (KeyUse.SEAL, anchor.seal.key_id)]
        key = named[0] if named else None
    if record is None or key is None:
        if _just_anchored(receipt, now):
            return _check(name, Result.UNKNOWN, "SETTLING", source="members")
        code = "NOT_REGISTERED" if record is None else "KEY_UNKNOWN"
        return _check(name, Result.FAIL, code, source="members", issuer=issuer)
    try:
        verify_seal(anchor.statement, anchor.seal, key.public_key)
    except SealError:
        return _check(name, Result.FAIL, "BROKEN", source="receipt")
    if record.key_at(KeyUse.SEAL, key.key_id, anchor.anchored_at) is None:
        return _check(name, Result.FAIL, "KEY_OUT_OF_WINDOW", source="members", at=_time(anchor.anchored_at))
    return _check(name, Result.PASS, "HOLDS", source="members", ja=record.name_ja, en=record.name_en)


def _recorded(receipt: Receipt, evidence: Evidence, trust: Trust, now: int) -> Check:
    name, ledger = CheckName.RECORDED_ON_LEDGER, receipt.anchor.statement.ledger
    if not knows_ledger(receipt, trust):
        return _check(name, Result.UNKNOWN, "OTHER_LEDGER", ledger=ledger, known=trust.ledger)
    if not isinstance(evidence.anchor, Agreed):
        return _check(name, Result.UNKNOWN, "NOT_LEARNED")
    if evidence.anchor.answer is None:
        if _just_anchored(receipt, now):
            return _check(name, Result.UNKNOWN, "SETTLING", source="members")
        return _check(name, Result.FAIL, "ABSENT", source="members", ledger=ledger)
    if evidence.anchor.answer != receipt.anchor:
        return _check(name, Result.FAIL, "DIFFERS", source="members")
    return _check(
        name, Result.PASS, "AGREED", source="members", ledger=ledger, at=_time(receipt.anchor.anchored_at)
    )


def _confirmed(receipt: Receipt, evidence: Evidence, trust: Trust) -> Check:
    name = CheckName.CONFIRMED_BY_MEMBERS
    if not knows_ledger(receipt, trust):
        return _check(name, Result.NOT_RUN, "OTHER_LEDGER")
    n, quorum, count = len(trust.members), trust.quorum, len(evidence.confirming)
    if count >= quorum:
        # Agreement is no confirmation of the certificate where what is agreed on is that there is none.
        absent = isinstance(evidence.anchor, Agreed) and evidence.anchor.answer is None
        code = "ABSENCE" if absent else "QUORUM"
        return _check(name, Result.PASS, code, source="members", n=n, quorum=quorum, count=count)
    answered = min(n - len(each.silent) for each in (evidence.anchor, evidence.statuses, evidence.issuer))
    if answered < quorum:
        return _check(name, Result.UNKNOWN, "TOO_FEW", source="members", n=n, quorum=quorum, count=answered)
    return _check(name, Result.UNKNOWN, "DISAGREE", source="members", quorum=quorum)


def _status(evidence: Evidence) -> Check:
    name = CheckName.STATUS
    if not isinstance(evidence.statuses, Agreed):
        return _check(name, Result.UNKNOWN, "NOT_LEARNED")
    statuses, record = evidence.statuses.answer, evidence.status
    if statuses is None:
        return _check(name, Result.NOT_RUN, "NOTHING_RECORDED", source="members")
    if record is not None:
        scope = "BATCH_" if record.commitment is None else ""
        return _status_check(Result.FAIL, f"{scope}{record.status.name}", record)
    reinstated = statuses.certificate or statuses.batch
    if reinstated is not None and reinstated.status is Status.VALID:
        return _status_check(Result.PASS, "REINSTATED", reinstated)
    return _check(name, Result.PASS, "VALID", source="members", age_seconds=0)


def _within_validity(receipt: Receipt, now: int) -> Check:
    name, statement = CheckName.WITHIN_VALIDITY, receipt.anchor.statement
    start = _time(statement.valid_from)
    if now + CLOCK_TOLERANCE < statement.valid_from:
        return _check(name, Result.FAIL, "NOT_YET", source="receipt", start=start)
    if statement.valid_until is None:
        return _check(name, Result.PASS, "OPEN_ENDED", source="receipt", start=start)
    end = _time(statement.valid_until)
    if now > statement.valid_until:
        return _check(name, Result.FAIL, "EXPIRED", source="receipt", end=end)
    return _check(name, Result.PASS, "HOLDS", source="receipt", start=start, end=end)


def _is_test(receipt: Receipt, trust: Trust) -> Check:
    """Let a test ledger's certificates pass only where the verifier itself was set up for that ledger."""
    name, ledger = CheckName.IS_TEST, receipt.anchor.statement.ledger
    if not is_test_ledger(ledger):
        return _check(name, Result.PASS, "REAL", source="receipt")
    if knows_ledger(receipt, trust):
        return _check(name, Result.PASS, "EXPECTED", source="configuration")
    return _check(name, Result.FAIL, "UNEXPECTED", source="receipt", ledger=ledger)


def _just_anchored(receipt: Receipt, now: int) -> bool:
    return abs(now - receipt.anchor.anchored_at) <= SETTLING_SECONDS


def _status_check(result: Result, code: str, record: StatusRecord) -> Check:
    return _check(
        CheckName.STATUS,
        result,
        code,
        source="members",
        age_seconds=0,
        effective=_time(record.effective_at),
        reason=record.reason.value,
        reason_ja=REASONS_JA[record.reason.value],
    )


def _check(
    name: CheckName,
    result: Result,
    code: str,
    *,
    source: str = "",
    age_seconds: int | None = None,
    **values: str | int,
) -> Check:
    full_code = f"{name.value.upper()}_{code}"
    ja, en = SENTENCES[full_code]
    return Check(name, result, full_code, ja.format_map(values), en.format_map(values), source, age_seconds)


def _time(seconds: int) -> str:
    """Return a time as text; one beyond the calendar's end is shown as its seconds."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, ValueError, OSError):
        return f"@{seconds}"
