"""The named checks, as a function over values: receipt, file digest, what members said, who is believed, the time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shirushi_client.hashing import FileDigest
from shirushi_client.verifier.agreement import Agreed, NotAgreed, agree
from shirushi_client.verifier.check_making import make_check, status_check, time_text
from shirushi_client.verifier.evidence import MemberAnswers, Silence, Statuses
from shirushi_client.verifier.receipt_checks import file_intact, is_test, recorded_after, within_validity
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.issuer import IssuerRecord, KeyUse
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.report import Check, CheckName, Result
from shirushi_core.proofs.seal import SealError, verify_seal
from shirushi_core.proofs.status import StatusRecord, effective_status

SETTLING_SECONDS = 30
"""How long after anchoring a member may not have a record yet: until then its absence is doubt, not a forgery."""


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
    receipt: Receipt, digest: FileDigest, evidence: Evidence, trust: Trust, now: int, at: int | None = None
) -> list[Check]:
    """Run every check, in the order of CheckName. `now` is unix seconds. Decide on them with `report.decide`.

    `at`: a past time that the certificate is judged at; the members' statuses are then those of that time.

    What needs no member is checked whatever the members say: a changed file fails even when all of them are down.
    """
    return list(_checks(receipt, digest, evidence, trust, now, at))


def knows_ledger(receipt: Receipt, trust: Trust) -> bool:
    """Say whether the receipt is of the ledger whose members the verifier knows."""
    return receipt.anchor.statement.ledger == trust.ledger


def _checks(
    receipt: Receipt, digest: FileDigest, evidence: Evidence, trust: Trust, now: int, at: int | None
) -> Iterator[Check]:
    yield file_intact(receipt, digest)
    yield _sealed(receipt, evidence, now)
    yield _recorded(receipt, evidence, trust, now, at)
    yield _confirmed(receipt, evidence, trust)
    yield _status(evidence)
    yield within_validity(receipt.anchor.statement, now if at is None else at)
    if isinstance(evidence.statuses, Agreed):
        yield make_check(
            CheckName.STATUS_FRESH_ENOUGH, Result.PASS, "ONLINE", source="members", age_seconds=0
        )
    else:
        yield make_check(CheckName.STATUS_FRESH_ENOUGH, Result.NOT_RUN, "NOT_LEARNED")
    yield make_check(CheckName.TRUST_POLICY_CURRENT, Result.NOT_RUN, "NOT_CHECKED")
    yield is_test(receipt.anchor.statement.ledger, expected=knows_ledger(receipt, trust))


def _sealed(receipt: Receipt, evidence: Evidence, now: int) -> Check:
    """Judge the seal by the issuer's registered keys, at the time it was anchored."""
    name, anchor = CheckName.SEALED_BY_ISSUER, receipt.anchor
    if not isinstance(evidence.issuer, Agreed):
        return make_check(name, Result.UNKNOWN, "NOT_LEARNED")
    record, issuer = evidence.issuer.answer, anchor.statement.issuer
    key = None
    if record is not None:
        named = [key for key in record.keys if (key.use, key.key_id) == (KeyUse.SEAL, anchor.seal.key_id)]
        key = named[0] if named else None
    if record is None or key is None:
        if _just_anchored(receipt, now):
            return make_check(name, Result.UNKNOWN, "SETTLING", source="members")
        code = "NOT_REGISTERED" if record is None else "KEY_UNKNOWN"
        return make_check(name, Result.FAIL, code, source="members", issuer=issuer)
    try:
        verify_seal(anchor.statement, anchor.seal, key.public_key)
    except SealError:
        return make_check(name, Result.FAIL, "BROKEN", source="receipt")
    if record.key_at(KeyUse.SEAL, key.key_id, anchor.anchored_at) is None:
        return make_check(
            name, Result.FAIL, "KEY_OUT_OF_WINDOW", source="members", at=time_text(anchor.anchored_at)
        )
    return make_check(name, Result.PASS, "HOLDS", source="members", ja=record.name_ja, en=record.name_en)


def _recorded(receipt: Receipt, evidence: Evidence, trust: Trust, now: int, at: int | None) -> Check:
    name, ledger = CheckName.RECORDED_ON_LEDGER, receipt.anchor.statement.ledger
    if not knows_ledger(receipt, trust):
        return make_check(name, Result.UNKNOWN, "OTHER_LEDGER", ledger=ledger, known=trust.ledger)
    if not isinstance(evidence.anchor, Agreed):
        return make_check(name, Result.UNKNOWN, "NOT_LEARNED")
    if evidence.anchor.answer is None:
        if _just_anchored(receipt, now):
            return make_check(name, Result.UNKNOWN, "SETTLING", source="members")
        return make_check(name, Result.FAIL, "ABSENT", source="members", ledger=ledger)
    if evidence.anchor.answer != receipt.anchor:
        return make_check(name, Result.FAIL, "DIFFERS", source="members")
    late = None if at is None else recorded_after(receipt.anchor, at, "members")
    return late or make_check(
        name, Result.PASS, "AGREED", source="members", ledger=ledger, at=time_text(receipt.anchor.anchored_at)
    )


def _confirmed(receipt: Receipt, evidence: Evidence, trust: Trust) -> Check:
    name = CheckName.CONFIRMED_BY_MEMBERS
    if not knows_ledger(receipt, trust):
        return make_check(name, Result.NOT_RUN, "OTHER_LEDGER")
    n, quorum, count = len(trust.members), trust.quorum, len(evidence.confirming)
    if count >= quorum:
        # Agreement is no confirmation of the certificate where what is agreed on is that there is none.
        absent = isinstance(evidence.anchor, Agreed) and evidence.anchor.answer is None
        code = "ABSENCE" if absent else "QUORUM"
        return make_check(name, Result.PASS, code, source="members", n=n, quorum=quorum, count=count)
    answered = min(n - len(each.silent) for each in (evidence.anchor, evidence.statuses, evidence.issuer))
    if answered < quorum:
        return make_check(
            name, Result.UNKNOWN, "TOO_FEW", source="members", n=n, quorum=quorum, count=answered
        )
    return make_check(name, Result.UNKNOWN, "DISAGREE", source="members", quorum=quorum)


def _status(evidence: Evidence) -> Check:
    name = CheckName.STATUS
    if not isinstance(evidence.statuses, Agreed):
        return make_check(name, Result.UNKNOWN, "NOT_LEARNED")
    statuses = evidence.statuses.answer
    if statuses is None:
        return make_check(name, Result.NOT_RUN, "NOTHING_RECORDED", source="members")
    return status_check(statuses.batch, statuses.certificate, source="members", age_seconds=0)


def _just_anchored(receipt: Receipt, now: int) -> bool:
    return abs(now - receipt.anchor.anchored_at) <= SETTLING_SECONDS
