"""Entries of the log, out of the contract's events."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.canonical import encode
from shirushi_core.proofs.log_entry import StatusEntry, changed_statuses, entry_bytes, read_event

RECORD = {
    "batch_id": "11" * 32,
    "change_id": "change-1",
    "changed_at": 1790000000,
    "commitment": "22" * 32,
    "effective_at": 1790000000,
    "reason": "issued_in_error",
    "status": "revoked",
    "successor": None,
    "tx_id": "33" * 32,
}


def event(*entries: object) -> bytes:
    return json.dumps({"entries": entries}, sort_keys=True, separators=(",", ":")).encode()


def test_a_status_entry_is_canonical_and_read_back() -> None:
    entry = StatusEntry(7, bytes(range(32)))
    assert entry.to_bytes() == (
        b'{"block":7,"kind":"status","root":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"}'
    )
    assert StatusEntry.from_bytes(entry.to_bytes()) == entry


def test_entries_come_in_the_event_s_order_and_as_it_wrote_them() -> None:
    one, other = {"kind": "issuer_approval", "msp_id": "HawMSP"}, {"kind": "revocation", "record": RECORD}
    entries = read_event(event(one, other))
    assert [entry_bytes(entry) for entry in entries] == [encode(one), encode(other)]
    (record,) = changed_statuses(entries)
    assert record.to_json() == RECORD


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        event(),
        event({"kind": "status"}),
        event({"kind": "other"}),
        event({}),
        event(1),
        event({"kind": "issuer"}).replace(b":", b": "),
    ],
)
def test_an_event_that_the_contract_does_not_make_is_refused(payload: bytes) -> None:
    with pytest.raises(InvalidInputError):
        read_event(payload)


def test_an_entry_too_long_for_the_log_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="at most 65535 bytes"):
        entry_bytes({"kind": "issuer", "name": "x" * 65536})


@given(st.binary(max_size=120))
def test_noise_is_no_status_entry(data: bytes) -> None:
    with pytest.raises(InvalidInputError):
        StatusEntry.from_bytes(data)
