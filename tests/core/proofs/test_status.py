"""Statuses: which changes are allowed, what records say, and which record decides."""

from __future__ import annotations

import itertools
import json

import pytest

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.status import (
    Reason,
    Status,
    StatusChangeError,
    StatusRecord,
    Successor,
    check_change,
    effective_status,
)

ALLOWED = {
    ("valid", "suspended"),
    ("valid", "revoked"),
    ("valid", "superseded"),
    ("suspended", "valid"),
    ("suspended", "revoked"),
    ("suspended", "superseded"),
}


def record(status: str, *, whole_batch: bool = False) -> StatusRecord:
    return StatusRecord(
        status=Status(status),
        reason=Reason.DATA_CORRECTED,
        effective_at=1_790_000_000,
        changed_at=1_790_000_001,
        change_id="change-1",
        tx_id="ab" * 32,
        batch_id=b"b" * 32,
        commitment=None if whole_batch else b"c" * 32,
        successor=Successor(b"d" * 32, b"e" * 32) if status == "superseded" else None,
    )


@pytest.mark.parametrize(("present", "wanted"), list(itertools.product(Status, Status)))
def test_exactly_the_documented_changes_are_allowed(present, wanted):
    if (present, wanted) in ALLOWED:
        check_change(present, wanted)
    else:
        with pytest.raises(StatusChangeError, match=f"is {present} cannot become {wanted}"):
            check_change(present, wanted)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("whole_batch", [True, False])
def test_records_survive_their_json(status, whole_batch):
    original = record(status, whole_batch=whole_batch)
    assert StatusRecord.from_json(json.loads(json.dumps(original.to_json()))) == original


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "expired"),
        ("status", None),
        ("reason", ""),
        ("change_id", "a b"),
        ("change_id", "x" * 65),
        ("effective_at", -1),
        ("changed_at", "now"),
        ("batch_id", "00"),
        ("commitment", "00"),
        ("tx_id", ""),
        ("successor", None),
        ("successor", {"batch_id": "00" * 32}),
        ("unknown", 1),
    ],
)
def test_malformed_records_are_refused(field, value):
    with pytest.raises(InvalidInputError):
        StatusRecord.from_json(record("superseded").to_json() | {field: value})


def test_only_a_superseded_record_names_a_successor():
    successor = record("superseded").to_json()["successor"]
    with pytest.raises(InvalidInputError, match="successor"):
        StatusRecord.from_json(record("revoked").to_json() | {"successor": successor})


def test_no_record_and_valid_records_mean_valid():
    assert effective_status(None, None) is None
    assert effective_status(record("valid", whole_batch=True), record("valid")) is None


@pytest.mark.parametrize(
    ("graver", "lighter"), list(itertools.combinations(["revoked", "superseded", "suspended", "valid"], 2))
)
def test_the_graver_record_decides(graver, lighter):
    assert effective_status(record(graver, whole_batch=True), record(lighter)).status == graver
    assert effective_status(record(lighter, whole_batch=True), record(graver)).status == graver


def test_of_two_equally_grave_records_the_certificates_own_decides():
    own = record("revoked")
    assert effective_status(record("revoked", whole_batch=True), own) is own
