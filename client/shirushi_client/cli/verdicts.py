"""A report as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from shirushi_client.cli.options import Language
from shirushi_client.cli.output import console, moment, table
from shirushi_client.verifier.report import MemberView, Report
from shirushi_core.proofs.report import Check, Result, Verdict

CODES_WIDTH = 110
"""Columns from which on there is room for the checks' codes beside their sentences."""

_VERDICTS = {
    Verdict.VALID: ("有効", "VALID", "bold green"),
    Verdict.NOT_VALID: ("無効", "NOT VALID", "bold red"),
    Verdict.CANNOT_CONFIRM: ("確認できません", "CANNOT CONFIRM", "bold yellow"),
}
_RESULTS = {
    Result.PASS: ("合格", "pass", "green"),
    Result.FAIL: ("不合格", "fail", "red"),
    Result.UNKNOWN: ("不明", "unknown", "yellow"),
    Result.NOT_RUN: ("未実施", "not run", "dim"),
}
_WRONG = (Result.FAIL, Result.UNKNOWN)
_AGREE = ("回答が一致した参加機関", "same answers from")
_DIFFER = ("回答が異なる参加機関", "other answers from")
_ANSWERED = ("回答した参加機関", "answers from")
_SILENT = ("回答のない参加機関", "no answer from")


def show_report(report: Report, language: Language | None) -> None:
    """Print the verdict, the checks with their sentences, and who answered.

    In one language every check is shown; in both (None) only what speaks against the certificate, or, if nothing
    does, what was not looked at.
    """
    out = console()
    ja, en, style = _VERDICTS[report.verdict]
    test = f"  {_in(language, '【試験用】', '[TEST]', between='')}" if report.test else ""
    out.print(Text.assemble((_in(language, ja, en), style), (test, "magenta"), f"  {report.file}"))
    out.print(_checks(_shown(report, language), language, with_codes=out.width >= CODES_WIDTH))
    issuer = report.receipt.anchor.statement.issuer
    if report.issuer is not None:
        issuer = _in(language, report.issuer.name_ja, report.issuer.name_en)
    out.print(Text(f"{_in(language, '発行者', 'issuer')}: {issuer}"))
    out.print(Text(f"{_in(language, '記録', 'anchored')}: {moment(report.receipt.anchor.anchored_at)}"))
    for line in _members(report.members, language):
        out.print(Text(line))
    out.print()


def _shown(report: Report, language: Language | None) -> list[Check]:
    if language is not None:
        return list(report.checks)
    wrong = [check for check in report.checks if check.result in _WRONG]
    return wrong or [check for check in report.checks if check.result is Result.NOT_RUN]


def _checks(checks: Sequence[Check], language: Language | None, *, with_codes: bool) -> Table:
    """Return the checks as rows; where it is narrow, codes only of what is wrong, below the sentences."""
    made = table()
    made.show_header = False
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    if with_codes:
        made.add_column(no_wrap=True)
    for check in checks:
        result_ja, result_en, style = _RESULTS[check.result]
        said = [
            (result, sentence)
            for shown, result, sentence in (
                (Language.JA, result_ja, check.ja),
                (Language.EN, result_en, check.en),
            )
            if language in (shown, None)
        ]
        for number, (result, sentence) in enumerate(said):
            cells = [Text(result, style=style), Text(sentence)]
            if with_codes:
                cells.append(Text("" if number else check.code, style="dim"))
            made.add_row(*cells)
        if not with_codes and check.result in _WRONG:
            made.add_row("", Text(check.code, style="dim", no_wrap=True))
    return made


def _members(members: Sequence[MemberView], language: Language | None) -> Iterator[str]:
    said: dict[tuple[str, str], list[str]] = {_AGREE: [], _DIFFER: [], _ANSWERED: [], _SILENT: []}
    for member in members:
        said[_said(member)].append(member.name_ja if language is Language.JA else member.name_en)
    for (ja, en), names in said.items():
        if names:
            yield f"{_in(language, ja, en)}: {', '.join(names)}"


def _said(member: MemberView) -> tuple[str, str]:
    if member.agrees is not None:
        return _AGREE if member.agrees else _DIFFER
    if member.answers is not None and member.answers.problem is None:
        return _ANSWERED
    return _SILENT


def _in(language: Language | None, ja: str, en: str, *, between: str = " / ") -> str:
    if language is None:
        return f"{ja}{between}{en}"
    return ja if language is Language.JA else en
