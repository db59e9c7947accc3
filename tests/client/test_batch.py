from __future__ import annotations

import os
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from shirushi_client.hashing import digest_bytes
from shirushi_client.issuer.batch import Batch, ReceiptCheckError, checked_receipts, restore_batch, seal_batch
from shirushi_client.issuer.receipt_check import ReceiptCheck
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.receipt import BatchEvidence, Receipt, own_part, verify_file, verify_in_batch

KEY = ec.generate_private_key(ec.SECP256R1())


def a_batch(size: int, salts: bytes | None = None) -> Batch:
    return seal_batch(
        [digest_bytes(b"%d" % n) for n in range(size)],
        salts or os.urandom(32 * size),
        ledger="shirushi-test",
        issuer="iizuka-city",
        document_type="income-certificate",
        valid_from=1,
        valid_until=None,
        key=KEY,
    )


def an_anchor(batch: Batch) -> IssuanceAnchor:
    return IssuanceAnchor(batch.statement, batch.seal, anchored_at=5, tx_id="0" * 64, issuer_sequence=1)


def own(batch: Batch, index: int) -> bytes:
    """Return what follows the anchor in a receipt."""
    certificate = batch.certificates[index]
    return own_part(
        index,
        batch.paths[index],
        certificate.sha256,
        certificate.size,
        batch.statement.ledger,
        batch.salts[index],
    )


@settings(max_examples=30)
@given(st.integers(1, 40))
def test_every_receipt_is_one_that_a_recipient_can_check(size: int) -> None:
    batch = a_batch(size)
    for index, data in enumerate(checked_receipts(batch, an_anchor(batch), BatchEvidence(), range(size))):
        receipt = Receipt.from_bytes(data)
        certificate = batch.certificates[index]
        verify_file(verify_in_batch(receipt), certificate.sha256, certificate.size)
        assert receipt.to_bytes() == data
        assert receipt.index == index


@given(st.integers(2, 40), st.data())
def test_a_receipt_with_any_byte_changed_is_not_taken_to_prove_its_certificate(
    size: int, data: st.DataObject
) -> None:
    batch = a_batch(size)
    index = data.draw(st.integers(1, size - 1))
    check = ReceiptCheck(batch.statement)
    for each in range(index):  # what it remembers of the neighbours does not speak for this one
        assert check.proves(own(batch, each), each, batch.salts[each], batch.certificates[each])
    right = own(batch, index)
    at = data.draw(st.integers(0, len(right) - 2))  # not the final newline
    wrong = bytearray(right)
    wrong[at] ^= data.draw(st.sampled_from([0x01, 0x20, 0x80]))
    assert not check.proves(bytes(wrong), index, batch.salts[index], batch.certificates[index])
    assert check.proves(right, index, batch.salts[index], batch.certificates[index])


@pytest.mark.parametrize("size", [2, 3, 5, 7, 8])
def test_a_path_is_followed_whatever_order_the_receipts_come_in(size: int) -> None:
    batch = a_batch(size)
    check = ReceiptCheck(batch.statement)
    for index in [*reversed(range(size)), *range(size)]:
        proof = (index, batch.salts[index], batch.certificates[index])
        assert check.proves(own(batch, index), *proof)
        for path in (batch.paths[index][1:], [*batch.paths[index], bytes(32)], batch.paths[index][::-1]):
            if path != batch.paths[index]:
                assert not check.proves(own(replace(batch, paths=[path] * size), index), *proof)


def test_a_restored_batch_makes_the_same_receipts() -> None:
    batch = a_batch(5)
    again = restore_batch(batch.certificates, b"".join(batch.salts), batch.statement, batch.seal)
    anchor = an_anchor(batch)
    assert list(checked_receipts(again, anchor, BatchEvidence(), range(5))) == list(
        checked_receipts(batch, anchor, BatchEvidence(), range(5))
    )


@pytest.mark.parametrize("index", [0, 2])
@pytest.mark.parametrize("defect", ["salt", "certificate", "path"])
def test_a_receipt_that_does_not_prove_its_certificate_is_not_handed_out(index: int, defect: str) -> None:
    batch = a_batch(3)
    if defect == "salt":
        salts = list(batch.salts)
        salts[index] = os.urandom(32)
        batch = replace(batch, salts=salts)
    elif defect == "certificate":
        certificates = list(batch.certificates)
        certificates[index] = digest_bytes(b"another")
        batch = replace(batch, certificates=certificates)
    else:
        paths = [list(path) for path in batch.paths]
        paths[index] = paths[index][:-1]
        batch = replace(batch, paths=paths)
    with pytest.raises(ReceiptCheckError, match=f"certificate {index}"):
        list(checked_receipts(batch, an_anchor(batch), BatchEvidence(), range(3)))
    others = [each for each in range(3) if each != index]
    assert len(list(checked_receipts(batch, an_anchor(batch), BatchEvidence(), others))) == 2


def test_an_anchor_of_another_batch_makes_no_receipts() -> None:
    batch, other = a_batch(3), a_batch(3)
    with pytest.raises(ReceiptCheckError):
        list(checked_receipts(batch, an_anchor(other), BatchEvidence(), [0]))
