"""Making a check: its code, with the sentences that belong to it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from shirushi_client.verifier.messages import REASONS_JA, SENTENCES
from shirushi_core.proofs.report import Check, CheckName, Result
from shirushi_core.proofs.status import StatusRecord, effective_status


def make_check(
    name: CheckName,
    result: Result,
    code: str,
    *,
    source: str = "",
    age_seconds: int | None = None,
    **values: str | int,
) -> Check:
    """Return a check; `code` is without the check's name, `values` are what its sentences have places for."""
    return _made(name, result, code, source, age_seconds, tuple(values.items()))


# A verifier of many certificates finds the same again and again: its sentences are written once.
@lru_cache(maxsize=4096)
def _made(
    name: CheckName,
    result: Result,
    code: str,
    source: str,
    age_seconds: int | None,
    values: tuple[tuple[str, str | int], ...],
) -> Check:
    full_code = f"{name.value.upper()}_{code}"
    ja, en = SENTENCES[full_code]
    places = dict(values)
    return Check(name, result, full_code, ja.format_map(places), en.format_map(places), source, age_seconds)


def status_check(
    batch: StatusRecord | None, certificate: StatusRecord | None, *, source: str, age_seconds: int | None
) -> Check:
    """Return the check that the status records of a batch and of a certificate in it lead to."""
    record = effective_status(batch, certificate)
    if record is not None:
        scope = "BATCH_" if record.commitment is None else ""
        return _of_record(Result.FAIL, f"{scope}{record.status.name}", record, source, age_seconds)
    reinstated = certificate or batch
    if reinstated is not None:
        return _of_record(Result.PASS, "REINSTATED", reinstated, source, age_seconds)
    return make_check(CheckName.STATUS, Result.PASS, "VALID", source=source, age_seconds=age_seconds)


def _of_record(
    result: Result, code: str, record: StatusRecord, source: str, age_seconds: int | None
) -> Check:
    return make_check(
        CheckName.STATUS,
        result,
        code,
        source=source,
        age_seconds=age_seconds,
        effective=time_text(record.effective_at),
        reason=record.reason.value,
        reason_ja=REASONS_JA[record.reason.value],
    )


def time_text(seconds: int) -> str:
    """Return a time as text; one beyond the calendar's end is shown as its seconds."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, ValueError, OSError):
        return f"@{seconds}"
