"""The named checks, as a function over values: receipt, file digest, what the receipt's evidence proves, the time.

Nobody is asked anything. A check fails only on positive evidence against the certificate, confirmed by a quorum or plain in the
receipt itself; whatever is missing or broken in the evidence is `unknown`, never `fail` and never `pass`.
"""

from __future__ import annotations

from functools import lru_cache

from shirushi_client.hashing import FileDigest
from shirushi_client.verifier.check_making import make_check, status_check, time_text
from shirushi_client.verifier.confirmed_check import confirmed_by_members
from shirushi_client.verifier.demand import Demand, Refreshing
from shirushi_client.verifier.proved import Judged, JudgedBatch, Proof
from shirushi_client.verifier.receipt_checks import (
    bound_only,
    demanded,
    file_intact,
    is_consistent,
    is_test,
    recorded_after,
    within_validity,
)
from shirushi_client.verifier.sealed_check import sealed_by_issuer
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.report import Check, CheckName, Result
from shirushi_core.proofs.status import Status, StatusRecord, effective_status
from shirushi_core.proofs.unjudged import Mark

SOURCE = "log"
"""Where evidence came from that members signed as their log."""

ONLINE_SECONDS = 900
"""How old a status may be that was asked for just now: a quiet ledger's time moves every five minutes."""


def run_offline_checks(receipt: Receipt, digest: FileDigest, judged: Judged, demand: Demand) -> list[Check]:
    """Run every check, in the order of CheckName. Decide on them with `report.decide`."""
    batch = judged.batch
    sealed, recorded, confirmed, *rest = _shared(batch, demand)
    checks = [
        file_intact(receipt, digest, recorded=batch.is_recorded),
        sealed,
        recorded,
        confirmed,
        _status(judged, demand),
        *rest,
    ]
    return bound_only(checks, bound=batch.is_recorded and is_consistent(receipt))


@lru_cache(maxsize=256)
def _shared(batch: JudgedBatch, demand: Demand) -> tuple[Check, ...]:
    """Return the checks that receipts of one batch with the same evidence have in common."""
    statement = batch.anchor.statement
    return (
        demanded(statement, demand) or sealed_by_issuer(batch),
        _recorded(batch, demand.at),
        confirmed_by_members(batch),
        within_validity(
            statement,
            batch.now if demand.at is None else demand.at,
            slow_clock=batch.shows_slow_clock,
            fast_clock=_seems_fast(batch, demand),
        ),
        _fresh_enough(batch, demand),
        _policy_current(batch),
        is_test(statement.ledger, expected=statement.ledger == batch.policy.ledger),
    )


def _recorded(batch: JudgedBatch, at: int | None) -> Check:
    name, ledger = CheckName.RECORDED_ON_LEDGER, batch.anchor.statement.ledger
    if ledger != batch.policy.ledger:
        return make_check(name, Result.UNKNOWN, "OTHER_LEDGER", ledger=ledger, known=batch.policy.ledger)
    if batch.log is None or batch.logged is not Proof.HOLDS:
        return make_check(name, Result.UNKNOWN, batch.logged.value, source="receipt")
    if not batch.is_recorded:
        return make_check(name, Result.UNKNOWN, "NOT_CONFIRMED", source="receipt")
    late = None if at is None else recorded_after(batch.anchor, at, SOURCE)
    return late or make_check(
        name,
        Result.PASS,
        "LOGGED",
        source=SOURCE,
        ledger=ledger,
        at=time_text(batch.anchor.anchored_at),
    )


def _seems_fast(batch: JudgedBatch, demand: Demand) -> bool:
    """Say whether evidence that was had just now is of long ago by the verifier's clock."""
    as_of = batch.status_as_of
    return demand.refreshing is Refreshing.DONE and as_of is not None and batch.now - as_of > ONLINE_SECONDS


def _status(judged: Judged, demand: Demand) -> Check:
    name, batch = CheckName.STATUS, judged.batch
    if judged.statuses is None or batch.status is None:
        return make_check(name, Result.UNKNOWN, judged.status.value, source="receipt")
    as_of = batch.status_as_of
    if as_of is None or batch.is_forked:
        return make_check(name, Result.UNKNOWN, "NOT_CONFIRMED", source="receipt")
    if batch.is_status_older:
        return make_check(name, Result.UNKNOWN, "BEFORE_RECORD", source="receipt")
    of_batch, of_certificate = judged.statuses.batch, judged.statuses.certificate
    if isinstance(of_batch, Mark) or isinstance(of_certificate, Mark):
        return make_check(name, Result.UNKNOWN, "UNJUDGED", source=SOURCE)
    age = max(0, batch.now - as_of)
    if demand.at is not None:
        return _status_at(of_batch, of_certificate, demand.at, as_of, age)
    record = effective_status(of_batch, of_certificate)
    if record is not None and record.status is Status.SUSPENDED and age > allowed_age(batch, demand):
        # A suspension is temporary: what was so then says nothing of now.
        return make_check(
            name, Result.UNKNOWN, "SUSPENDED_THEN", source=SOURCE, age_seconds=age, as_of=time_text(as_of)
        )
    return status_check(of_batch, of_certificate, source=SOURCE, age_seconds=age)


def _status_at(
    of_batch: StatusRecord | None, of_certificate: StatusRecord | None, at: int, as_of: int, age: int
) -> Check:
    """Judge a past time by the newest records: what is effective since before it decides, if nothing came after."""
    name, asked = CheckName.STATUS, time_text(at)
    decided = [
        record if record is not None and record.effective_at <= at else None
        for record in (of_batch, of_certificate)
    ]
    check = status_check(*decided, source=SOURCE, age_seconds=age)
    record = effective_status(*decided)
    if record is not None and record.status is not Status.SUSPENDED:
        return check  # final, whatever came later
    if as_of < at:
        return make_check(
            name, Result.UNKNOWN, "DATE_NOT_COVERED", source=SOURCE, asked=asked, as_of=time_text(as_of)
        )
    if any(record is not None and record.effective_at > at for record in (of_batch, of_certificate)):
        return make_check(name, Result.UNKNOWN, "DATE_NEEDS_HISTORY", source=SOURCE, asked=asked)
    if decided == [None, None]:
        return make_check(name, Result.PASS, "DATE_VALID", source=SOURCE, age_seconds=age, asked=asked)
    return check


def allowed_age(batch: JudgedBatch, demand: Demand) -> int:
    """Return how old the status may be, in seconds."""
    if demand.max_age is not None:
        return demand.max_age
    if demand.refreshing is Refreshing.DONE:
        return ONLINE_SECONDS
    return batch.policy.status_max_age_of(batch.anchor.statement.document_type)


def _fresh_enough(batch: JudgedBatch, demand: Demand) -> Check:
    name, as_of = CheckName.STATUS_FRESH_ENOUGH, batch.status_as_of
    if as_of is None:
        return make_check(name, Result.NOT_RUN, "NOT_LEARNED")
    age, limit = max(0, batch.now - as_of), allowed_age(batch, demand)
    texts = {
        "as_of": time_text(as_of),
        "old": duration_text(age),
        "old_ja": duration_text(age, japanese=True),
    }
    if demand.refreshing is Refreshing.FAILED_AND_NEEDED:
        return make_check(name, Result.UNKNOWN, "REFRESH_FAILED", source=SOURCE, age_seconds=age, **texts)
    if demand.at is not None and demand.max_age is None:
        # Whether it reaches to the time asked about, the status check says; how old it is by now does not matter.
        return make_check(name, Result.PASS, "AS_OF", source=SOURCE, age_seconds=age, **texts)
    if age > limit:
        texts |= {"limit": duration_text(limit), "limit_ja": duration_text(limit, japanese=True)}
        return make_check(name, Result.UNKNOWN, "TOO_OLD", source=SOURCE, age_seconds=age, **texts)
    usual = batch.policy.status_max_age_of(batch.anchor.statement.document_type)
    if age > usual:
        texts |= {"limit": duration_text(usual), "limit_ja": duration_text(usual, japanese=True)}
        return make_check(name, Result.PASS, "LAXER", source=SOURCE, age_seconds=age, **texts)
    if demand.refreshing is Refreshing.FAILED:
        return make_check(name, Result.NOT_RUN, "NOT_REFRESHED", source=SOURCE, age_seconds=age, **texts)
    return make_check(name, Result.PASS, "AS_OF", source=SOURCE, age_seconds=age, **texts)


def _policy_current(batch: JudgedBatch) -> Check:
    name, policy = CheckName.TRUST_POLICY_CURRENT, batch.policy
    if policy.expires_at is None:
        return make_check(name, Result.PASS, "OPEN_ENDED", source="configuration", version=policy.version)
    end = time_text(policy.expires_at)
    expired = batch.now > policy.expires_at
    result, code = (Result.UNKNOWN, "EXPIRED") if expired else (Result.PASS, "HOLDS")
    return make_check(name, result, code, source="configuration", version=policy.version, end=end)


def duration_text(seconds: int, *, japanese: bool = False) -> str:
    """Return a time span as text, in the largest unit that it fills twice: "90 s", "5 min", "36 h", "7 d"."""
    for en, ja, size in (("d", "日", 86_400), ("h", "時間", 3600), ("min", "分", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{ja}" if japanese else f"{seconds // size} {en}"
    return f"{seconds}秒" if japanese else f"{seconds} s"
