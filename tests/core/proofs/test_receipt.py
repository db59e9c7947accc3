"""Receipts: one exact form, no part exchangeable, unknown fields kept."""

from __future__ import annotations

import dataclasses
import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs.canonical import encode
from shirushi_core.proofs.commitment import commitment
from shirushi_core.proofs.receipt import (
    MAX_RECEIPT_BYTES,
    Receipt,
    ReceiptMismatchError,
    verify_file,
    verify_in_batch,
)
from shirushi_core.proofs.seal import verify_seal

GOLDEN = Path(__file__).parents[2] / "vectors" / "receipt-v1.json"
GOLDEN_DOCUMENT = "所得証明書 2".encode()


def test_the_golden_receipt_still_reads_verifies_and_writes_back():
    receipt = verify_in_batch(Receipt.from_bytes(GOLDEN.read_bytes()))
    assert verify_file(receipt, sha256(GOLDEN_DOCUMENT).digest(), len(GOLDEN_DOCUMENT)) is receipt
    assert receipt.to_bytes() == GOLDEN.read_bytes()
    assert receipt.commitment.hex() == "ca9df096b379cb82750efcd4aac7e1cfe9a7504e1d41ab42a9a4d471751d6405"
    assert (
        receipt.anchor.statement.batch_id.hex()
        == "389ecdcfdc016a2706108fdd698d4e6b936d9254d10a0260b6af5afee916aeee"
    )


def test_the_golden_seal_still_holds(batch):
    receipt = Receipt.from_bytes(GOLDEN.read_bytes())
    assert verify_seal(receipt.anchor.statement, receipt.anchor.seal, batch.public_key)


def test_receipts_of_a_batch_verify_and_survive_their_file(batch):
    for receipt in batch.receipts:
        assert verify_in_batch(Receipt.from_bytes(receipt.to_bytes())) == receipt


def test_the_file_is_the_canonical_form_and_a_newline(batch):
    for receipt in batch.receipts:
        assert receipt.to_bytes() == encode(receipt.to_json()) + b"\n"
        assert Receipt.from_bytes(receipt.to_bytes()).to_json() == receipt.to_json()


def test_a_batch_of_one_has_an_empty_path(single_receipt):
    assert single_receipt.path == ()
    assert verify_in_batch(Receipt.from_bytes(single_receipt.to_bytes())) == single_receipt
    assert single_receipt.to_bytes() == encode(single_receipt.to_json()) + b"\n"


def test_unknown_top_level_fields_are_kept_and_written_back(batch):
    value = batch.receipts[1].to_json() | {"zz_new": {"log": [1, "二"]}, "a": None}
    receipt = Receipt.from_bytes(encode(value) + b"\n")
    assert receipt.extra == {"zz_new": {"log": [1, "二"]}, "a": None}
    assert receipt.to_bytes() == encode(value) + b"\n"
    assert verify_in_batch(receipt) is receipt


def test_extra_fields_cannot_take_the_place_of_the_formats_own(batch):
    with pytest.raises(InvalidInputError, match="extra"):
        dataclasses.replace(batch.receipts[0], extra={"salt": "00"})


def test_no_part_of_another_receipt_fits(batch, other_batch):
    own = batch.receipts[1]
    for other in [*batch.receipts[:1], *batch.receipts[2:], *other_batch.receipts]:
        for part in ("salt", "certificate_sha256", "index", "path", "anchor"):
            if getattr(other, part) == getattr(own, part):
                continue
            with pytest.raises(ShirushiError):
                verify_in_batch(dataclasses.replace(own, **{part: getattr(other, part)}))


def test_a_receipt_is_refused_for_another_file(batch):
    first, second = batch.receipts[:2]
    assert verify_file(first, first.certificate_sha256, first.certificate_size) is first
    with pytest.raises(ReceiptMismatchError, match="this file"):
        verify_file(first, second.certificate_sha256, second.certificate_size)
    with pytest.raises(ReceiptMismatchError):
        verify_file(first, first.certificate_sha256, first.certificate_size + 1)


@settings(max_examples=400)
@given(st.data())
def test_a_mutated_receipt_never_verifies_as_another_content(batch, data):
    original = batch.receipts[2]
    raw = bytearray(original.to_bytes())
    position = data.draw(st.integers(0, len(raw) - 1))
    kind = data.draw(st.sampled_from(["change", "delete", "insert"]))
    byte = data.draw(st.integers(0, 255))
    if kind == "change":
        raw[position] = byte
    elif kind == "delete":
        del raw[position]
    else:
        raw.insert(position, byte)
    try:
        receipt = verify_in_batch(Receipt.from_bytes(bytes(raw)))
        verify_seal(receipt.anchor.statement, receipt.anchor.seal, batch.public_key)
    except ShirushiError:
        return
    kept = ("salt", "certificate_sha256", "index", "path")
    assert [getattr(receipt, part) for part in kept] == [getattr(original, part) for part in kept]
    assert receipt.anchor.statement == original.anchor.statement


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_with_a_typed_error(data):
    with pytest.raises(InvalidInputError):
        Receipt.from_bytes(data)


def set_in(value, path, new):
    *parents, last = path
    for name in parents:
        value = value[name]
    if new is DELETE:
        del value[last]
    else:
        value[last] = new


DELETE = object()
DEFECTS = {
    "another format": (["format"], "shirushi/receipt/v2"),
    "no format": (["format"], DELETE),
    "another ledger than the anchor's": (["ledger"], "shirushi"),
    "no ledger": (["ledger"], DELETE),
    "upper-case salt": (["salt"], "AB" * 32),
    "spaced salt": (["salt"], "ab " * 21 + "a"),
    "short salt": (["salt"], "ab" * 31),
    "long salt": (["salt"], "ab" * 33),
    "salt that is no text": (["salt"], 7),
    "certificate that is no object": (["certificate"], []),
    "extra field in the certificate": (["certificate", "name"], "x"),
    "no size": (["certificate", "size"], DELETE),
    "size that is true": (["certificate", "size"], True),
    "negative size": (["certificate", "size"], -1),
    "short digest": (["certificate", "sha256"], "00"),
    "extra field in the batch": (["batch", "x"], 1),
    "index beyond the batch": (["batch", "index"], 5),
    "negative index": (["batch", "index"], -1),
    "index that is text": (["batch", "index"], "1"),
    "path that is text": (["batch", "path"], "ab"),
    "path too long": (["batch", "path"], ["ab" * 32] * 21),
    "path with a short hash": (["batch", "path"], ["ab"]),
    "path with null": (["batch", "path"], [None]),
    "anchor that is null": (["anchor"], None),
    "extra field in the anchor": (["anchor", "x"], 1),
    "negative anchoring time": (["anchor", "anchored_at"], -1),
    "anchoring time of the far future": (["anchor", "anchored_at"], 2**40 + 1),
    "transaction id in upper case": (["anchor", "tx_id"], "AB" * 32),
    "issuer sequence zero": (["anchor", "issuer_sequence"], 0),
    "seal of another algorithm": (["anchor", "seal", "alg"], "none"),
    "empty signature": (["anchor", "seal", "signature"], ""),
    "long signature": (["anchor", "seal", "signature"], "ab" * 73),
    "batch id of another statement": (["anchor", "statement", "batch_id"], "ab" * 32),
    "size zero": (["anchor", "statement", "size"], 0),
    "document type with a space": (["anchor", "statement", "document_type"], "a b"),
    "validity that ends before it begins": (["anchor", "statement", "valid_until"], 1),
    "statement of another format": (["anchor", "statement", "format"], "shirushi/batch/v2"),
}


@pytest.mark.parametrize(("path", "new"), DEFECTS.values(), ids=DEFECTS.keys())
def test_a_malformed_receipt_is_refused(batch, path, new):
    value = json.loads(batch.receipts[0].to_bytes())
    set_in(value, path, new)
    with pytest.raises(InvalidInputError):
        Receipt.from_bytes(encode(value) + b"\n")


def test_errors_name_the_field_what_was_expected_and_what_was_found(batch):
    value = json.loads(batch.receipts[0].to_bytes())
    value["batch"]["index"] = "one"
    with pytest.raises(InvalidInputError, match=r"receipt: batch.index: expected an integer, found 'one'"):
        Receipt.from_bytes(encode(value) + b"\n")


def test_errors_never_repeat_a_salt(batch):
    value = json.loads(batch.receipts[0].to_bytes())
    value["salt"] = value["salt"].upper()
    with pytest.raises(InvalidInputError) as caught:
        Receipt.from_bytes(encode(value) + b"\n")
    assert value["salt"][:8].lower() not in str(caught.value).lower()


def test_a_file_beyond_the_limit_is_refused(batch):
    value = batch.receipts[0].to_json() | {"padding": "x" * MAX_RECEIPT_BYTES}
    with pytest.raises(InvalidInputError, match="at most"):
        Receipt.from_bytes(encode(value))


@pytest.mark.parametrize(
    ("salt", "digest"), [(b"", bytes(32)), (bytes(31), bytes(32)), (bytes(32), bytes(33))]
)
def test_commitments_take_exact_sizes_only(salt, digest):
    with pytest.raises(InvalidInputError):
        commitment(salt, digest)


def test_a_commitment_is_the_documented_hash():
    salt, digest = bytes(range(32)), sha256(b"document").digest()
    assert commitment(salt, digest) == sha256(b"shirushi/commitment/v1\0" + salt + digest).digest()


@pytest.mark.parametrize("change", ["spaced", "reordered", "no newline", "two newlines", "space before"])
def test_a_receipt_is_read_in_its_one_form_only(batch, change):
    data = batch.receipts[0].to_bytes()
    value = json.loads(data)
    other = {
        "spaced": json.dumps(value).encode() + b"\n",
        "reordered": json.dumps(dict(reversed(value.items())), separators=(",", ":")).encode() + b"\n",
        "no newline": data[:-1],
        "two newlines": data + b"\n",
        "space before": b" " + data,
    }
    with pytest.raises(InvalidInputError):
        Receipt.from_bytes(other[change])
