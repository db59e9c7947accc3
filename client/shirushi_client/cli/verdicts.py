"""A report as a person reads it."""

from __future__ import annotations

from rich.text import Text

from shirushi_client.cli.options import Language
from shirushi_client.cli.output import console, moment, table
from shirushi_client.verifier.report import MemberView, Report
from shirushi_core.proofs.report import Result, Verdict

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


def show_report(report: Report, language: Language | None) -> None:
    """Print the verdict, the checks with their sentences, and who answered.

    In one language every check is shown; in both (None) those that passed go without saying.
    """
    out = console()
    ja, en, style = _VERDICTS[report.verdict]
    test = _in(language, "試験用", "TEST") if report.test else ""
    out.print(
        Text.assemble(
            (_in(language, ja, en), style), (f"  [{test}]" if test else "", "magenta"), f"  {report.file}"
        )
    )
    checks = table("", "", "")
    checks.show_header = False
    for check in report.checks:
        if language is None and check.result is Result.PASS:
            continue
        result_ja, result_en, result_style = _RESULTS[check.result]
        checks.add_row(
            Text(_in(language, result_ja, result_en), style=result_style),
            Text(_in(language, check.ja, check.en, between="\n")),
            Text(check.code, style="dim"),
        )
    out.print(checks)
    issuer = report.receipt.anchor.statement.issuer
    if report.issuer is not None:
        issuer = _in(language, report.issuer.name_ja, report.issuer.name_en)
    out.print(Text(f"{_in(language, '発行者', 'issuer')}: {issuer}"))
    out.print(Text(f"{_in(language, '記録', 'anchored')}: {moment(report.receipt.anchor.anchored_at)}"))
    members = ", ".join(_member(member, language) for member in report.members)
    out.print(Text(f"{_in(language, '参加機関', 'members')}: {members}"))
    out.print()


def _member(member: MemberView, language: Language | None) -> str:
    if member.agrees is not None:
        said = _in(language, "一致", "agrees") if member.agrees else _in(language, "不一致", "differs")
    elif member.answers is not None and member.answers.problem is None:
        said = _in(language, "回答あり", "answered")
    else:
        said = _in(language, "回答なし", "no answer")
    name = member.name_ja if language is Language.JA else member.name_en
    return f"{name} ({said})"


def _in(language: Language | None, ja: str, en: str, *, between: str = " / ") -> str:
    if language is None:
        return f"{ja}{between}{en}"
    return ja if language is Language.JA else en
