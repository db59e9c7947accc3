"""The checks that need nobody's word: of file, receipt and clock.

A check fails only for a certificate that is *bound*: its receipt leads from its own commitment to a batch that is proved to be on
the ledger. A receipt that does not has been damaged, and what it says speaks for nothing and against nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from shirushi_client.hashing import FileDigest
from shirushi_client.verifier.check_making import make_check, time_text
from shirushi_client.verifier.demand import Demand
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.batch import BatchStatement, is_test_ledger
from shirushi_core.proofs.receipt import Receipt, ReceiptMismatchError, verify_in_batch
from shirushi_core.proofs.report import Check, CheckName, Result

CLOCK_TOLERANCE = 300
"""Seconds that an issuer's clock may be ahead of the verifier's: what the members tolerate too."""

_UNBOUND = {
    CheckName.SEALED_BY_ISSUER: "NOT_PROVED",
    CheckName.RECORDED_ON_LEDGER: "NOT_BOUND",
    CheckName.STATUS: "NOT_BOUND",
    CheckName.WITHIN_VALIDITY: "NOT_PROVED",
}


def is_consistent(receipt: Receipt) -> bool:
    """Say whether the receipt leads from its own commitment to the batch root that it names."""
    try:
        verify_in_batch(receipt)
    except ReceiptMismatchError:
        return False
    return True


def file_intact(receipt: Receipt, digest: FileDigest, *, recorded: bool) -> Check:
    """Check that the file is the one that was issued; `recorded`: that the receipt's anchor is proved to be on the ledger."""
    name = CheckName.FILE_INTACT
    if not is_consistent(receipt):
        return make_check(name, Result.UNKNOWN, "PATH_BROKEN", source="receipt")
    if receipt.certificate_sha256 != digest.sha256:
        if not recorded:
            return make_check(name, Result.UNKNOWN, "NOTHING_PROVED", source="file")
        return make_check(name, Result.FAIL, "DIGEST_DIFFERS", source="file")
    if receipt.certificate_size != digest.size:
        # The digest decides; the size beside it is not part of what was anchored.
        return make_check(name, Result.UNKNOWN, "SIZE_DIFFERS", source="receipt")
    return make_check(name, Result.PASS, "PROVED", source="file")


def bound_only(checks: Iterable[Check], *, bound: bool) -> list[Check]:
    """Return the checks, with `unknown` for each that fails although the certificate is not bound to the ledger."""
    return [
        make_check(check.name, Result.UNKNOWN, _UNBOUND[check.name], source="receipt")
        if check.result is Result.FAIL and not bound and check.name in _UNBOUND
        else check
        for check in checks
    ]


def demanded(statement: BatchStatement, demand: Demand) -> Check | None:
    """Return the failed check of a certificate that is another issuer's or of another type than was demanded; None for one that is not."""
    name = CheckName.SEALED_BY_ISSUER
    if demand.issuer not in (None, statement.issuer):
        wanted = {"issuer": statement.issuer, "demanded": demand.issuer or ""}
        return make_check(name, Result.FAIL, "OTHER_ISSUER", source="receipt", age_seconds=None, **wanted)
    if demand.document_type not in (None, statement.document_type):
        types = {"type": statement.document_type, "demanded": demand.document_type or ""}
        return make_check(name, Result.FAIL, "OTHER_TYPE", source="receipt", age_seconds=None, **types)
    return None


def within_validity(
    statement: BatchStatement, at: int, *, slow_clock: bool = False, fast_clock: bool = False
) -> Check:
    """Check that a time is within a statement's validity.

    `slow_clock`: it is proved that the verifier's clock is behind, `fast_clock`: it seems to be ahead; then nothing fails by it.
    """
    name, start = CheckName.WITHIN_VALIDITY, time_text(statement.valid_from)
    if at + CLOCK_TOLERANCE < statement.valid_from:
        if slow_clock:
            return make_check(name, Result.UNKNOWN, "CLOCK_BEHIND", source="receipt", start=start)
        return make_check(name, Result.FAIL, "NOT_YET", source="receipt", start=start)
    if statement.valid_until is None:
        return make_check(name, Result.PASS, "OPEN_ENDED", source="receipt", start=start)
    end = time_text(statement.valid_until)
    if at > statement.valid_until:
        if fast_clock:
            return make_check(name, Result.UNKNOWN, "CLOCK_AHEAD", source="receipt", end=end)
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
    return make_check(name, Result.UNKNOWN, "UNEXPECTED", source="receipt", ledger=ledger)
