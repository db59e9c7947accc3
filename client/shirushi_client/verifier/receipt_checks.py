"""The checks that need nobody's word: of file, receipt and clock."""

from __future__ import annotations

from shirushi_client.hashing import FileDigest
from shirushi_client.verifier.check_making import make_check, time_text
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.batch import BatchStatement, is_test_ledger
from shirushi_core.proofs.receipt import Receipt, ReceiptMismatchError, verify_file, verify_in_batch
from shirushi_core.proofs.report import Check, CheckName, Result

CLOCK_TOLERANCE = 300
"""Seconds that an issuer's clock may be ahead of the verifier's: what the members tolerate too."""


def file_intact(receipt: Receipt, digest: FileDigest) -> Check:
    """Check that the file is the receipt's, and the receipt its batch's."""
    name = CheckName.FILE_INTACT
    try:
        verify_file(receipt, digest.sha256, digest.size)
    except ReceiptMismatchError:
        return make_check(name, Result.FAIL, "DIGEST_DIFFERS", source="file")
    try:
        verify_in_batch(receipt)
    except ReceiptMismatchError:
        return make_check(name, Result.FAIL, "PATH_BROKEN", source="receipt")
    return make_check(name, Result.PASS, "PROVED", source="file")


def within_validity(statement: BatchStatement, at: int) -> Check:
    """Check that a time is within a statement's validity."""
    name, start = CheckName.WITHIN_VALIDITY, time_text(statement.valid_from)
    if at + CLOCK_TOLERANCE < statement.valid_from:
        return make_check(name, Result.FAIL, "NOT_YET", source="receipt", start=start)
    if statement.valid_until is None:
        return make_check(name, Result.PASS, "OPEN_ENDED", source="receipt", start=start)
    end = time_text(statement.valid_until)
    if at > statement.valid_until:
        return make_check(name, Result.FAIL, "EXPIRED", source="receipt", end=end)
    return make_check(name, Result.PASS, "HOLDS", source="receipt", start=start, end=end)


def recorded_after(anchor: IssuanceAnchor, at: int, source: str) -> Check | None:
    """Return the failed check of a certificate that was recorded only after a time, None for one that was there then."""
    if anchor.anchored_at <= at:
        return None
    when, asked = time_text(anchor.anchored_at), time_text(at)
    return make_check(
        CheckName.RECORDED_ON_LEDGER, Result.FAIL, "AFTER_DATE", source=source, at=when, asked=asked
    )


def is_test(ledger: str, *, expected: bool) -> Check:
    """Let a test ledger's certificates pass only where the verifier itself was set up for that ledger."""
    name = CheckName.IS_TEST
    if not is_test_ledger(ledger):
        return make_check(name, Result.PASS, "REAL", source="receipt")
    if expected:
        return make_check(name, Result.PASS, "EXPECTED", source="configuration")
    return make_check(name, Result.FAIL, "UNEXPECTED", source="receipt", ledger=ledger)
