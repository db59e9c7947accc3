"""The verdict: fails win, doubt never reads as valid or as not valid."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shirushi_core.proofs.canonical import encode
from shirushi_core.proofs.report import Check, CheckName, Result, Verdict, decide, to_json

OPTIONAL = [CheckName.STATUS_FRESH_ENOUGH, CheckName.TRUST_POLICY_CURRENT]
REQUIRED = [name for name in CheckName if name not in OPTIONAL]


def report(**results: Result) -> list[Check]:
    return [
        Check(name, results.get(name, Result.PASS), f"{name}_CODE".upper(), "文。", "A sentence.")
        for name in CheckName
    ]


def test_all_passed_is_valid():
    assert decide(report()) is Verdict.VALID


@pytest.mark.parametrize("name", CheckName)
@pytest.mark.parametrize("other", Result)
def test_one_failure_is_not_valid_whatever_else_is_unknown(name, other):
    rest = dict.fromkeys(CheckName, other)
    assert decide(report(**(rest | {name: Result.FAIL}))) is Verdict.NOT_VALID


@pytest.mark.parametrize(
    ("name", "result"), list(itertools.product(REQUIRED, [Result.UNKNOWN, Result.NOT_RUN]))
)
def test_doubt_about_a_required_check_cannot_confirm(name, result):
    assert decide(report(**{name: result})) is Verdict.CANNOT_CONFIRM


@pytest.mark.parametrize("name", REQUIRED)
def test_a_required_check_left_out_cannot_confirm(name):
    assert decide([check for check in report() if check.name is not name]) is Verdict.CANNOT_CONFIRM


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_optional_check_may_be_left_out_or_not_run_but_not_be_unknown(name):
    assert decide(report(**{name: Result.NOT_RUN})) is Verdict.VALID
    assert decide([check for check in report() if check.name is not name]) is Verdict.VALID
    assert decide(report(**{name: Result.UNKNOWN})) is Verdict.CANNOT_CONFIRM


def test_nothing_checked_cannot_confirm():
    assert decide([]) is Verdict.CANNOT_CONFIRM


@given(st.lists(st.tuples(st.sampled_from(CheckName), st.sampled_from(Result)), max_size=20), st.randoms())
def test_order_does_not_matter_and_trouble_alone_never_gives_not_valid(results, random):
    checks = [Check(name, result, "C", "", "") for name, result in results]
    verdict = decide(checks)
    random.shuffle(checks)
    assert decide(checks) is verdict
    assert (verdict is Verdict.NOT_VALID) == any(check.result is Result.FAIL for check in checks)


def test_a_check_is_reported_in_both_languages():
    check = Check(CheckName.STATUS, Result.PASS, "STATUS_VALID", "有効です。", "It is valid.", "iizuka", 3)
    assert encode(to_json(check)).decode() == (
        '{"age_seconds":3,"code":"STATUS_VALID","message":{"en":"It is valid.","ja":"有効です。"},'
        '"name":"status","result":"pass","source":"iizuka"}'
    )
