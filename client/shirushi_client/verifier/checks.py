"""The named checks, as a function over values: receipt, file digest, what members said, who is believed, the time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shirushi_client.hashing import FileDigest
from shirushi_client.verifier.agreement import Agreed, NotAgreed, agree
from shirushi_client.verifier.check_making import make_check, status_check, time_text
from shirushi_client.verifier.demand import NOTHING_ASKED, Demand
from shirushi_client.verifier.evidence import MemberAnswers, Silence, Statuses
from shirushi_client.verifier.receipt_checks import (
    CLOCK_TOLERANCE,
    bound_only,
    demanded,
    file_intact,
    is_consistent,
    is_test,
    recorded_after,
    within_validity,
)
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.issuer import IssuerRecord, KeyUse
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.report import Check, CheckName, Result
from shirushi_core.proofs.seal import SealError, verify_seal
from shirushi_core.proofs.status import StatusRecord, effective_status

MAX_AGE_SECONDS = 900
"""How old the newest time on a member's ledger may be for its answers to count: a quiet ledger's moves every five minutes."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom the verifier believes: a ledger, its members' ids, and how many of them have to agree."""

    ledger: str
    members: tuple[str, ...]
    quorum: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a quorum of members agrees on, question by question, and of when that is.

    Only answers of members whose ledger is of the last MAX_AGE_SECONDS count; `old` are the others that answered. `as_of`: the
    quorum's newest time (unix s), None without a quorum.
    """

    anchor: Agreed[IssuanceAnchor | None] | NotAgreed
    statuses: Agreed[Statuses | None] | NotAgreed
    issuer: Agreed[IssuerRecord | None] | NotAgreed
    times: Mapping[str, int]
    old: tuple[str, ...]
    quorum: int

    @classmethod
    def of(cls, answers: Sequence[MemberAnswers], trust: Trust, now: int) -> Evidence:
        """Weigh the members' answers at a time (unix s)."""
        answered = [said for said in answers if not isinstance(said.time, Silence)]
        times = {
            said.member: said.time
            for said in answered
            if isinstance(said.time, int) and said.time >= now - MAX_AGE_SECONDS
        }
        counted = [said for said in answered if said.member in times]
        anchors = [(said.member, said.anchor) for said in counted if not isinstance(said.anchor, Silence)]
        statuses = [
            (said.member, said.statuses) for said in counted if not isinstance(said.statuses, Silence)
        ]
        issuers = [(said.member, said.issuer) for said in counted if not isinstance(said.issuer, Silence)]
        return cls(
            anchor=agree(anchors, trust.members, trust.quorum),
            statuses=agree(statuses, trust.members, trust.quorum),
            issuer=agree(issuers, trust.members, trust.quorum),
            times=times,
            old=tuple(said.member for said in answered if said.member not in times),
            quorum=trust.quorum,
        )

    @property
    def as_of(self) -> int | None:
        """Of when the status is that a quorum agrees on."""
        if not isinstance(self.statuses, Agreed):
            return None
        return sorted((self.times[member] for member in self.statuses.agreeing), reverse=True)[
            self.quorum - 1
        ]

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
    receipt: Receipt,
    digest: FileDigest,
    evidence: Evidence,
    trust: Trust,
    now: int,
    demand: Demand = NOTHING_ASKED,
) -> list[Check]:
    """Run every check, in the order of CheckName. `now` is unix seconds. Decide on them with `report.decide`.

    Where a past time is asked about, the members' statuses are those of that time.
    """
    bound = is_recorded(receipt, evidence, trust) and is_consistent(receipt)
    return bound_only(_checks(receipt, digest, evidence, trust, now, demand), bound=bound)


def is_recorded(receipt: Receipt, evidence: Evidence, trust: Trust) -> bool:
    """Say whether a quorum of members have exactly the receipt's anchor."""
    agreed = isinstance(evidence.anchor, Agreed) and evidence.anchor.answer == receipt.anchor
    return agreed and knows_ledger(receipt, trust)


def knows_ledger(receipt: Receipt, trust: Trust) -> bool:
    """Say whether the receipt is of the ledger whose members the verifier knows."""
    return receipt.anchor.statement.ledger == trust.ledger


def _checks(
    receipt: Receipt, digest: FileDigest, evidence: Evidence, trust: Trust, now: int, demand: Demand
) -> Iterator[Check]:
    statement, at, as_of = receipt.anchor.statement, demand.at, evidence.as_of
    yield file_intact(receipt, digest, recorded=is_recorded(receipt, evidence, trust))
    yield demanded(statement, demand) or _sealed(receipt, evidence)
    yield _recorded(receipt, evidence, trust, at)
    yield _confirmed(receipt, evidence, trust)
    yield _status(evidence, now)
    yield within_validity(
        statement,
        now if at is None else at,
        slow_clock=as_of is not None and as_of > now + CLOCK_TOLERANCE,
    )
    if as_of is not None:
        age = max(0, now - as_of)
        yield make_check(
            CheckName.STATUS_FRESH_ENOUGH, Result.PASS, "ONLINE", source="members", age_seconds=age
        )
    else:
        yield make_check(CheckName.STATUS_FRESH_ENOUGH, Result.NOT_RUN, "NOT_LEARNED")
    yield make_check(CheckName.TRUST_POLICY_CURRENT, Result.NOT_RUN, "NOT_CHECKED")
    yield is_test(receipt.anchor.statement.ledger, expected=knows_ledger(receipt, trust))


def _sealed(receipt: Receipt, evidence: Evidence) -> Check:
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
        # Absence speaks for nothing: who has no record of it may be behind.
        return make_check(name, Result.UNKNOWN, "NOT_REGISTERED", source="members", issuer=issuer)
    try:
        verify_seal(anchor.statement, anchor.seal, key.public_key)
    except SealError:
        return make_check(name, Result.FAIL, "BROKEN", source="receipt")
    if record.key_at(KeyUse.SEAL, key.key_id, anchor.anchored_at) is None:
        return make_check(
            name, Result.FAIL, "KEY_OUT_OF_WINDOW", source="members", at=time_text(anchor.anchored_at)
        )
    return make_check(name, Result.PASS, "HOLDS", source="members", ja=record.name_ja, en=record.name_en)


def _recorded(receipt: Receipt, evidence: Evidence, trust: Trust, at: int | None) -> Check:
    name, ledger = CheckName.RECORDED_ON_LEDGER, receipt.anchor.statement.ledger
    if not knows_ledger(receipt, trust):
        return make_check(name, Result.UNKNOWN, "OTHER_LEDGER", ledger=ledger, known=trust.ledger)
    if not isinstance(evidence.anchor, Agreed):
        return make_check(name, Result.UNKNOWN, "NOT_LEARNED")
    if evidence.anchor.answer is None:
        return make_check(name, Result.UNKNOWN, "ABSENT", source="members", ledger=ledger)
    if evidence.anchor.answer != receipt.anchor:
        return make_check(name, Result.UNKNOWN, "DIFFERS", source="members")
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
    if answered < quorum <= answered + len(evidence.old):
        texts = {"n": n, "quorum": quorum, "count": answered}
        return make_check(name, Result.UNKNOWN, "OLD_ANSWERS", source="members", **texts)
    if answered < quorum:
        return make_check(
            name, Result.UNKNOWN, "TOO_FEW", source="members", n=n, quorum=quorum, count=answered
        )
    return make_check(name, Result.UNKNOWN, "DISAGREE", source="members", quorum=quorum)


def _status(evidence: Evidence, now: int) -> Check:
    name = CheckName.STATUS
    if not isinstance(evidence.statuses, Agreed):
        return make_check(name, Result.UNKNOWN, "NOT_LEARNED")
    statuses = evidence.statuses.answer
    if statuses is None:
        return make_check(name, Result.NOT_RUN, "NOTHING_RECORDED", source="members")
    age = max(0, now - (evidence.as_of or now))
    return status_check(statuses.batch, statuses.certificate, source="members", age_seconds=age)
