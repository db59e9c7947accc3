"""The guides for verifiers name every code that a check can give, in both languages, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.client.test_checks import CASES as LEDGER_CASES
from tests.client.test_offline_checks import CASES as OFFLINE_CASES

from shirushi_client.verifier.messages import SENTENCES
from shirushi_core.proofs.report import CheckName, Result

DOCS = Path(__file__).parents[2] / "docs"
RESULTS = {
    "verifiers.md": {
        "pass": Result.PASS,
        "fail": Result.FAIL,
        "unknown": Result.UNKNOWN,
        "not run": Result.NOT_RUN,
    },
    "verifiers.ja.md": {
        "合格": Result.PASS,
        "不合格": Result.FAIL,
        "不明": Result.UNKNOWN,
        "未実施": Result.NOT_RUN,
    },
}
_CODE = re.compile(r"`((?:" + "|".join(name.upper() for name in CheckName) + r")_[A-Z_]+)`")


def documented(page: str) -> dict[str, Result]:
    """Return the codes in a page's tables, with their results."""
    found: dict[str, Result] = {}
    for line in (DOCS / page).read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        for place, cell in enumerate(cells[:-1]):
            result = RESULTS[page].get(cells[place + 1])
            if result is not None:
                found |= dict.fromkeys(_CODE.findall(cell), result)
    return found


@pytest.mark.parametrize("page", RESULTS)
def test_every_code_is_in_the_guide_and_every_code_in_the_guide_can_be_given(page: str) -> None:
    assert documented(page).keys() == SENTENCES.keys()


@pytest.mark.parametrize("page", RESULTS)
def test_the_guide_gives_each_code_the_result_that_it_has(page: str) -> None:
    given: dict[str, Result] = {}
    for ledger_case, _ in LEDGER_CASES.values():
        given |= {code: result for result, code in ledger_case.check().values()}
    for make, _ in OFFLINE_CASES.values():
        given |= {code: result for result, code in make().codes().values()}
    guide = documented(page)
    assert {code: guide[code] for code in given} == given
