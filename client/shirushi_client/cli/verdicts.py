"""A report as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from shirushi_client.cli.options import Language
from shirushi_client.cli.output import console, moment, plain, table
from shirushi_client.trusted_policies import PolicySource
from shirushi_client.verifier.report import MemberView, Mode, Report
from shirushi_core.proofs.report import Check, CheckName, Result, Verdict
from shirushi_core.shown import shown

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
_SOURCES: dict[str | None, tuple[str, str]] = {
    PolicySource.OPTION: ("--policyで指定", "named by --policy"),
    PolicySource.ENVIRONMENT: ("SHIRUSHI_POLICYで指定", "named by SHIRUSHI_POLICY"),
    PolicySource.DATA_FOLDER: ("データフォルダーのもの", "of the data folder"),
    PolicySource.TRUSTED: ("登録済みのもの", "trusted by you"),
    None: ("プログラムが指定", "given by the program"),
}
_DECIDING = {Verdict.NOT_VALID: Result.FAIL, Verdict.CANNOT_CONFIRM: Result.UNKNOWN}
_WRONG = (Result.FAIL, Result.UNKNOWN)
_SIGNED = ("署名で確認した参加機関", "confirmed by the signatures of")
_NOT_SIGNED = ("署名のない参加機関", "no signature of")
_AGREE = ("回答が一致した参加機関", "same answers from")
_DIFFER = ("回答が異なる参加機関", "other answers from")
_ANSWERED = ("回答した参加機関", "answers from")
_SILENT = ("回答のない参加機関", "no answer from")


def show_report(report: Report, language: Language | None) -> None:
    """Print the verdict, a sentence on what it means, the checks with theirs, as of when it is known, and who confirmed it.

    In one language every check is shown; in both (None) only what speaks against the certificate, or, if nothing
    does, what was not looked at.
    """
    out = console()
    ja, en, style = _VERDICTS[report.verdict]
    test = f"  {_in(language, '【試験用】', '[TEST]', between='')}" if report.test else ""
    out.print(Text.assemble((_in(language, ja, en), style), (test, "magenta"), f"  {shown(report.file)}"))
    out.print(plain(_sentence(report, language)))
    out.print(_checks(_shown(report, language), language, with_codes=out.width >= CODES_WIDTH))
    issuer = report.receipt.anchor.statement.issuer
    if report.issuer is not None:
        issuer = _in(language, report.issuer.name_ja, report.issuer.name_en)
    out.print(plain(f"{_in(language, '発行者', 'issuer')}: {issuer}"))
    out.print(Text(f"{_in(language, '記録', 'anchored')}: {moment(report.receipt.anchor.anchored_at)}"))
    as_of = _in(language, "有効状態の時点", "status as of")
    out.print(Text(f"{as_of}: {moment(report.good_as_of)}"))
    for line in _members(report, language):
        out.print(plain(line))
    out.print(plain(_policy(report, language)))
    out.print()


def _policy(report: Report, language: Language | None) -> str:
    """Say which ledger it is about, and what is believed about it."""
    ledger = f"{_in(language, '台帳', 'ledger')}: {report.receipt.anchor.statement.ledger}"
    policy = report.evidence.policy
    if policy is None:
        believed = _in(language, "接続ファイルにより確認", "by the connection file, no trust policy")
        return f"{ledger}  {believed}"
    where = _in(language, *_SOURCES[policy.source])
    version = _in(language, f"第{policy.version}版", f"version {policy.version}")
    of = "" if policy.ledger == report.receipt.anchor.statement.ledger else f" {policy.ledger}"
    name = _in(language, "信頼ポリシー", "trust policy")
    return f"{ledger}  {name}:{of} {version} {policy.fingerprint.hex()}  {where}"


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
            cells = [Text(result, style=style), plain(sentence)]
            if with_codes:
                cells.append(Text("" if number else check.code, style="dim"))
            made.add_row(*cells)
        if not with_codes and check.result in _WRONG:
            made.add_row("", Text(check.code, style="dim", no_wrap=True))
    return made


def _members(report: Report, language: Language | None) -> Iterator[str]:
    said: dict[tuple[str, str], list[str]] = {}
    say = _said if report.evidence.mode is Mode.LEDGER else _signed
    for member in report.members:
        said.setdefault(say(member), []).append(member.name_ja if language is Language.JA else member.name_en)
    for member in report.members:
        if member.contradicts is not None:
            ja = f"{member.name_ja}の署名は、ほかの参加機関と矛盾しています（{member.contradicts}）"
            yield _in(language, ja, f"{member.name_en} contradicts the others: {member.contradicts}")
    for ja, en in (_SIGNED, _NOT_SIGNED, _AGREE, _DIFFER, _ANSWERED, _SILENT):
        if (ja, en) in said:
            yield f"{_in(language, ja, en)}: {', '.join(said[ja, en])}"


def _signed(member: MemberView) -> tuple[str, str]:
    return _SIGNED if member.status_at is not None or member.log_at is not None else _NOT_SIGNED


def _said(member: MemberView) -> tuple[str, str]:
    if member.agrees is not None:
        return _AGREE if member.agrees else _DIFFER
    return _ANSWERED if member.problem is None else _SILENT


def _sentence(report: Report, language: Language | None) -> str:
    """Say in one sentence what a verdict means for whoever holds the certificate."""
    wrong = [check for check in report.checks if check.result is _DECIDING.get(report.verdict)]
    # Where too few members confirm, much else is open, and only because of that.
    wrong.sort(key=lambda check: check.name is not CheckName.CONFIRMED_BY_MEMBERS)
    as_of = moment(report.judged_at if report.judged_at != report.checked_at else report.good_as_of)
    match report.verdict:
        case Verdict.VALID:
            name_ja = name_en = report.receipt.anchor.statement.issuer
            if report.issuer is not None:
                name_ja, name_en = report.issuer.name_ja, report.issuer.name_en
            ja = f"{name_ja}が発行した証明書で、{as_of}の時点で有効です。"
            en = f"{name_en} issued it, and it was good as of {as_of}."
        case Verdict.NOT_VALID:
            ja, en = "受け取らないでください。", "Do not accept it."
        case Verdict.CANNOT_CONFIRM:
            ja, en = "まだ判断できません。", "Neither accept nor refuse it yet."
    return _in(
        language,
        ja + "".join(check.ja for check in wrong[:1]),
        " ".join([en, *(check.en for check in wrong[:1])]),
    )


def _in(language: Language | None, ja: str, en: str, *, between: str = " / ") -> str:
    if language is None:
        return f"{ja}{between}{en}"
    return ja if language is Language.JA else en
