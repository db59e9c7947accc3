"""Named checks and the verdict they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from shirushi_core.proofs.canonical import Json


class Verdict(StrEnum):
    """The one answer a recipient gets."""

    VALID = "valid"
    NOT_VALID = "not_valid"
    CANNOT_CONFIRM = "cannot_confirm"


class CheckName(StrEnum):
    """Every check a verifier can run, in the order a report lists them."""

    FILE_INTACT = "file_intact"
    SEALED_BY_ISSUER = "sealed_by_issuer"
    RECORDED_ON_LEDGER = "recorded_on_ledger"
    CONFIRMED_BY_MEMBERS = "confirmed_by_members"
    STATUS = "status"
    WITHIN_VALIDITY = "within_validity"
    STATUS_FRESH_ENOUGH = "status_fresh_enough"
    TRUST_POLICY_CURRENT = "trust_policy_current"
    IS_TEST = "is_test"


_REQUIRED = frozenset(CheckName) - {CheckName.STATUS_FRESH_ENOUGH, CheckName.TRUST_POLICY_CURRENT}


class Result(StrEnum):
    """What a check found. `unknown` is trouble in finding out; `not_run` is said, never hidden."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_RUN = "not_run"


@dataclass(frozen=True, slots=True)
class Check:
    """One check's outcome.

    `code` is globally unique and stable ("FILE_INTACT_DIGEST_DIFFERS"); `ja` and `en` are one sentence each;
    `source` says where the evidence came from; `age_seconds` how old it is, where that means something.
    """

    name: CheckName
    result: Result
    code: str
    ja: str
    en: str
    source: str = ""
    age_seconds: int | None = None


def decide(checks: Sequence[Check]) -> Verdict:
    """Return not_valid if any check failed; else cannot_confirm if any required check is unknown or not run; else valid.

    Required: every check but STATUS_FRESH_ENOUGH and TRUST_POLICY_CURRENT, which may be `not_run`
    or left out. `unknown` in any check is doubt, and a required check that is not among `checks` was not run.
    """
    results = {(check.name, check.result) for check in checks}
    if any(result is Result.FAIL for _, result in results):
        return Verdict.NOT_VALID
    if any(
        result is Result.UNKNOWN or (result is Result.NOT_RUN and name in _REQUIRED)
        for name, result in results
    ):
        return Verdict.CANNOT_CONFIRM
    passed = {name for name, result in results if result is Result.PASS}
    return Verdict.VALID if passed >= _REQUIRED else Verdict.CANNOT_CONFIRM


def to_json(check: Check) -> dict[str, Json]:
    """Return {"age_seconds", "code", "message": {"en", "ja"}, "name", "result", "source"}."""
    return {
        "age_seconds": check.age_seconds,
        "code": check.code,
        "message": {"en": check.en, "ja": check.ja},
        "name": check.name.value,
        "result": check.result.value,
        "source": check.source,
    }
