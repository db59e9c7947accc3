"""An audit's report as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from shirushi_client.audit.findings import Evidence, Finding, Kind
from shirushi_client.audit.report import AuditReport, LogView, Outcome
from shirushi_client.cli.options import Language
from shirushi_client.cli.output import console, day_and_time, moment, plain, say, shortened, show_rows

SHOWN = 20
"""Findings that are shown in words; of more, only the number is. --json has all."""

_OUTCOMES = {
    Outcome.CLEAN: ("相違なし", "CLEAN", "bold green"),
    Outcome.DIFFERENCE: ("相違あり", "DIFFERENCE FOUND", "bold red"),
    Outcome.INCOMPLETE: ("一部確認できず", "NOT EVERYTHING COULD BE CHECKED", "bold yellow"),
}
_AGREES = {True: ("一致", "yes"), False: ("不一致", "NO"), None: ("—", "—")}
_STYLES = {Kind.DIFFERENCE: "red", Kind.INCOMPLETE: "yellow"}


def show_audit(report: AuditReport, language: Language | None) -> None:
    """Print the answer, the logs that were read, and what was found, the first difference first."""
    ja, en, style = _OUTCOMES[report.outcome]
    out = console()
    out.print(Text.assemble((_in(language, ja, en), style), f"  {report.ledger}"))
    if report.logs:
        show_rows(
            ("log", "entries", "root", "signed", "agrees"),
            [_row(log, language) for log in report.logs],
            wrapped=("log",),
            spare=("signed",),
        )
    for finding in report.findings[:SHOWN]:
        _show_finding(finding, language)
    if len(report.findings) > SHOWN:
        say(f"… +{len(report.findings) - SHOWN} (--json)")
    _show_anchors(report, language)


def _row(log: LogView, language: Language | None) -> tuple[str, ...]:
    name = log.name
    read = f"{log.read}" if log.read == log.size else f"{log.read}/{log.size}"
    return (
        f"{_in(language, name.name_ja, name.name_en)} ({name.kind})",
        read,
        shortened(log.root),
        day_and_time(log.cosigned_at),
        _in(language, *_AGREES[log.agrees]),
    )


def _show_finding(finding: Finding, language: Language | None) -> None:
    out = console()
    style = _STYLES[finding.kind]
    for shown, sentence in ((Language.JA, finding.ja), (Language.EN, finding.en)):
        if language in (shown, None):
            out.print(plain(sentence, style))
    out.print(Text(f"  {finding.code}", style="dim"))
    for line in _details(finding, language):
        out.print(plain(f"  {line}"))


def _details(finding: Finding, language: Language | None) -> Iterator[str]:
    if finding.kind is Kind.DIFFERENCE and finding.expected and finding.source is not None:
        yield f"{_in(language, '期待', 'expected')}: {finding.expected}"
        yield f"{_in(language, '実際', 'found')}: {finding.found}"
    for evidence in finding.evidence:
        if evidence.note is not None:
            yield _signed(evidence, language)


def _signed(evidence: Evidence, language: Language | None) -> str:
    """Say who signed which head, and when."""
    note = evidence.note
    _, size, root = ("", "", "") if note is None else note.text.split("\n")[:3]
    members = sorted({each.member_id for each in evidence.signatures if each.holds})
    times = [each.time for each in evidence.signatures if each.holds and each.time is not None]
    at = f", {moment(max(times))}" if times else ""
    by = ", ".join(members) or _in(language, "署名なし", "nobody")
    return f"{_in(language, '署名', 'signed')}: {by}{at}: {size} {root}"


def _show_anchors(report: AuditReport, language: Language | None) -> None:
    if report.batches is not None:
        show_rows(
            ("entry", "batch", "type", "size", "anchored", "transaction"),
            [
                (
                    str(batch.index),
                    shortened(batch_id),
                    batch.document_type,
                    str(batch.size),
                    day_and_time(batch.anchored_at),
                    shortened(batch.tx_id),
                )
                for batch_id, batch in report.batches.items()
            ],
            wrapped=("type",),
            spare=("transaction",),
        )
    elif report.counts:
        show_rows(
            ("issuer", "batches", "certificates", "status changes"),
            [
                (issuer, str(counts.batches), str(counts.certificates), str(counts.changes))
                for issuer, counts in sorted(report.counts.items())
            ],
        )
    listed = report.reconciliation
    if listed is not None:
        parts = _reconciled(
            listed.matched,
            len(listed.anchored_not_listed),
            len(listed.listed_not_anchored),
            len(listed.differing),
            language,
        )
        say(f"{listed.name}: {'; '.join(parts)}")


def _reconciled(
    matched: int, extra: int, missing: int, differing: int, language: Language | None
) -> Sequence[str]:
    return (
        f"{_in(language, '一致', 'matched')} {matched}",
        f"{_in(language, '台帳のみ', 'anchored and not listed')} {extra}",
        f"{_in(language, '一覧のみ', 'listed and not anchored')} {missing}",
        f"{_in(language, '件数相違', 'differing counts')} {differing}",
    )


def _in(language: Language | None, ja: str, en: str) -> str:
    if language is None:
        return ja if ja == en else f"{ja} / {en}"
    return ja if language is Language.JA else en
