"""The compact receipt: nothing is lost, nothing fits twice, and it fits into one QR code."""

from __future__ import annotations

import dataclasses
import random
from functools import lru_cache
from hashlib import sha256

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.proofs.conftest import build_batch
from tests.support.paper_log import (
    BEGIN,
    KEYS,
    MEMBERS,
    PaperLog,
    PaperStore,
    issuer_record,
    quorum_certificate,
)

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.certificate_status import prove_statuses, record_hash, set_place
from shirushi_core.proofs.checkpoint import sign_as_log
from shirushi_core.proofs.compact import QR_BYTES, CompactError, from_compact, to_compact
from shirushi_core.proofs.log_evidence import (
    CertificateStatuses,
    Head,
    Inclusion,
    LogEvidence,
    StatusEntry,
    StatusEntryProof,
    StatusEvidence,
)
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.status import Reason, Status, StatusRecord
from shirushi_core.proofs.status_tree import EMPTY

BATCH = build_batch(5)
BATCH_ID = BATCH.anchor.statement.batch_id
NOW = BEGIN + 1000


def record(commitment: bytes | None, batch_id: bytes = BATCH_ID) -> StatusRecord:
    return StatusRecord(
        Status.REVOKED, Reason.OTHER, BEGIN + 1, BEGIN + 1, "change-1", "ab" * 32, batch_id, commitment
    )


def the_head(log: PaperLog) -> Head:
    checkpoint = log.checkpoint()
    note = SignedNote(checkpoint.to_text(), (sign_as_log(checkpoint, KEYS["haw"].log),))
    return Head(note, quorum_certificate(checkpoint, [KEYS[each] for each in MEMBERS[:3]], NOW))


@lru_cache
def complete(*, revoked: bool = False) -> Receipt:
    log = PaperLog()
    log.add_block(issuers=[issuer_record()])
    log.add_block(anchors=[BATCH.anchor])
    receipt = BATCH.receipts[2]
    if revoked:
        log.add_block(records=[record(receipt.commitment), record(None)])
    head = the_head(log)
    return dataclasses.replace(
        receipt,
        log=log.log_evidence(BATCH.anchor, head, None),
        status=log.status_evidence(BATCH_ID, receipt.commitment, None, len(log.entries)),
    )


@pytest.mark.parametrize("revoked", [False, True])
def test_a_receipt_comes_back_from_its_compact_form(revoked: bool) -> None:
    receipt = complete(revoked=revoked)
    data = to_compact(receipt)
    assert from_compact(data, receipt.certificate_sha256, receipt.certificate_size) == receipt
    without = to_compact(receipt, with_status=False)
    assert from_compact(without, receipt.certificate_sha256, receipt.certificate_size) == dataclasses.replace(
        receipt, status=None
    )


def test_a_receipt_that_is_not_under_one_certified_head_has_no_compact_form() -> None:
    receipt = complete()
    assert receipt.log is not None
    assert receipt.status is not None
    uncertified = dataclasses.replace(
        receipt, log=dataclasses.replace(receipt.log, head=Head(receipt.log.head.note))
    )
    later = dataclasses.replace(receipt, status=dataclasses.replace(receipt.status, head=receipt.log.head))
    for other in (BATCH.receipts[0], uncertified, later):
        with pytest.raises(CompactError, match="refresh --compact"):
            to_compact(other)


@given(st.data())
@settings(max_examples=300)
def test_no_changed_or_shortened_bytes_are_the_same_receipt(data: st.DataObject) -> None:
    receipt = complete()
    compact = to_compact(receipt)
    at = data.draw(st.integers(0, len(compact) - 1))
    changed = bytearray(compact)
    changed[at] ^= data.draw(st.integers(1, 255))
    for other in (bytes(changed), compact[:at], compact + b"\0"):
        try:
            read = from_compact(other, receipt.certificate_sha256, receipt.certificate_size)
        except InvalidInputError:
            continue
        assert read != receipt


@given(
    st.binary(max_size=100)
    | st.recursive(
        st.none() | st.integers() | st.binary() | st.text(), lambda each: st.lists(each, max_size=30)
    ).map(lambda value: cbor2.dumps(value, canonical=True))
)
def test_arbitrary_bytes_are_refused_with_a_typed_error(data: bytes) -> None:
    with pytest.raises(InvalidInputError):
        from_compact(data, bytes(32), 1)


@pytest.mark.parametrize("data", [b"\x81" * 4000, b"\x9b" + b"\x7f" * 8, b"\xd8\x1c\x81\xd8\x1d\x00"])
def test_hostile_cbor_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInputError):
        from_compact(data, bytes(32), 1)


@pytest.mark.parametrize(("revoked", "depth"), [(False, 24), (True, 22)])
def test_with_4096_certificates_and_a_million_entries_it_fits_into_one_qr_code(
    revoked: bool, depth: int
) -> None:
    """Path lengths of a log of 10^6 entries, and status proofs as deep as a tree of 10^6 batches has them.

    In such a tree a key has 21.3 hashes beside its way on average; 24 are exceeded in fewer than 1 of 1,000 keys.
    """
    rng = random.Random(1)
    batch = build_batch(4096)
    receipt = batch.receipts[1234]
    batch_id = batch.anchor.statement.batch_id
    store, root = PaperStore(), EMPTY
    for number in range(3):
        other = sha256(b"%d" % number).digest()
        changed = record(receipt.commitment if revoked and number == 1 else other, batch_id)
        root = set_place(store, root, batch_id, changed.commitment, record_hash(changed))
    proof = prove_statuses(store, root, batch_id, receipt.commitment)
    siblings = tuple(rng.randbytes(32) for _ in range(depth))
    proof = dataclasses.replace(proof, batch=dataclasses.replace(proof.batch, siblings=siblings))
    log = PaperLog()
    log.add_block(anchors=[batch.anchor])
    head = the_head(log)
    path = tuple(rng.randbytes(32) for _ in range(20))
    statuses = CertificateStatuses(
        proof.to_bytes(batch_id, receipt.commitment),
        None,
        record(receipt.commitment) if revoked else None,
    )
    entry = StatusEntryProof(StatusEntry(1 << 30, bytes(32)), path[:12])
    full = dataclasses.replace(
        receipt,
        log=LogEvidence(head, Inclusion(999_000, path)),
        status=StatusEvidence(None, entry, statuses),
    )
    assert len(to_compact(full, with_status=False)) <= 1600
    assert len(to_compact(full)) <= 2900 < QR_BYTES
