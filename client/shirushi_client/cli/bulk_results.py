"""What came of many certificates: a summary for people, CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import orjson
from rich.text import Text

from shirushi_client.cli.options import Language
from shirushi_client.cli.output import console, plain, say, table
from shirushi_client.cli.output_files import whole_file
from shirushi_client.verifier.bulk import Outcome
from shirushi_core.proofs.report import Verdict
from shirushi_core.shown import shown

FORMAT = "shirushi/reports/v1"
SHOWN = 50
"""Certificates that are not valid, or could not be confirmed, that are shown one by one."""

UNREAD = "unread"
_WORDS = {
    Verdict.VALID: ("有効", "valid", "green"),
    Verdict.NOT_VALID: ("無効", "not valid", "red"),
    Verdict.CANNOT_CONFIRM: ("確認できません", "cannot be confirmed", "yellow"),
    None: ("判定なし", "could not be read", "red"),
}
_COLUMNS = (
    "file",
    "verdict",
    "test",
    "codes",
    "reason_en",
    "reason_ja",
    "issuer",
    "document_type",
    "anchored_at",
    "valid_until",
    "status",
    "status_as_of",
    "evidence",
    "ledger",
    "policy_version",
    "policy_fingerprint",
    "policy_source",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def show_summary(outcomes: Sequence[Outcome], language: Language | None) -> None:
    """Print those that are not valid with their reasons, and how many of each there are."""
    out, wrong = console(), [each for each in outcomes if each.verdict is not Verdict.VALID]
    rows = table()
    rows.show_header = False
    for _ in range(3):
        rows.add_column(overflow="fold")
    for outcome in wrong[:SHOWN]:
        ja, en, style = _WORDS[outcome.verdict]
        reason = outcome.ja if language is Language.JA else outcome.en
        rows.add_row(
            Text(ja if language is Language.JA else en, style=style), plain(outcome.name), plain(reason)
        )
    if wrong:
        out.print(rows)
    if len(wrong) > SHOWN:
        more = len(wrong) - SHOWN
        say(f"ほか{more}件" if language is Language.JA else f"and {more} more: --csv FILE has them all")
    counts = Counter(each.verdict for each in outcomes)
    test = sum(each.test for each in outcomes)
    if language is Language.JA:
        parts = [f"{_WORDS[verdict][0]} {counts[verdict]}件" for verdict in _WORDS]
        said = f"{len(outcomes)}件を検証: {'、'.join(parts)}"
        say(said + (f"（うち【試験用】{test}件）" if test else ""))
    else:
        parts = [f"{counts[verdict]} {_WORDS[verdict][1]}" for verdict in _WORDS]
        say(f"{len(outcomes)} verified: {', '.join(parts)}" + (f"; {test} of them [TEST]" if test else ""))


def write_csv(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write one line for each certificate, in UTF-8 with the mark that spreadsheets look for; raises OutputFileError."""
    with whole_file(path, encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for outcome in outcomes:
            writer.writerow([_cell(each) for each in _row(outcome)])


def print_reports(outcomes: Sequence[Outcome]) -> None:
    """Print one JSON document: all reports, what could not be read, and how many of each there are."""
    counts = Counter(UNREAD if each.verdict is None else each.verdict.value for each in outcomes)
    summary = {name: counts[name] for name in (*(verdict.value for verdict in Verdict), UNREAD)}
    out, between = sys.stdout, "\n"
    out.write(f'{{"format": "{FORMAT}", "reports": [')
    for outcome in outcomes:
        if outcome.document is not None:
            out.write(between + outcome.document.decode())
            between = ",\n"
    missing = [{"file": each.name, "problem": each.en} for each in outcomes if each.verdict is None]
    out.write(
        f'\n], "summary": {orjson.dumps(summary).decode()}, "unread": {orjson.dumps(missing).decode()}}}\n'
    )


def _row(outcome: Outcome) -> Sequence[str]:
    policy = outcome.policy
    return (
        outcome.name,
        UNREAD if outcome.verdict is None else outcome.verdict.value,
        "test" if outcome.test else "",
        " ".join(outcome.codes),
        outcome.en,
        outcome.ja,
        outcome.issuer,
        outcome.document_type,
        _moment(outcome.anchored_at),
        _moment(outcome.valid_until),
        outcome.status,
        _moment(outcome.status_as_of),
        outcome.mode,
        outcome.ledger,
        "" if policy is None else str(policy.version),
        "" if policy is None else policy.fingerprint.hex(),
        "" if policy is None else policy.source or "",
    )


def _cell(text: str) -> str:
    """Keep a text from being taken for a formula, and on its line."""
    return f"'{shown(text)}" if text.startswith(_FORMULA) else shown(text)


def _moment(seconds: int | None) -> str:
    if seconds is None:
        return ""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"@{seconds}"
