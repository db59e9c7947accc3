"""Receipt books: one exact form, every receipt in them the one that would have been written by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.proofs.conftest import build_batch
from tests.support.paper_receipts import PaperCity

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.receipt import ReceiptMismatchError, verify_in_batch
from shirushi_core.proofs.receipt_book import ReceiptBook, verify_book

BATCH = build_batch(5)


def book_of(receipts) -> ReceiptBook:
    first = receipts[0]
    return ReceiptBook(
        first.anchor,
        b"".join(receipt.salt for receipt in receipts),
        b"".join(receipt.certificate_sha256 for receipt in receipts),
        tuple(receipt.certificate_size for receipt in receipts),
        first.log,
        first.status,
    )


BOOK = book_of(BATCH.receipts)


def test_every_receipt_of_a_batch_comes_out_as_it_would_have_been_written():
    book = verify_book(ReceiptBook.from_bytes(BOOK.to_bytes()))
    for index, receipt in enumerate(BATCH.receipts):
        assert book.index_of(receipt.certificate_sha256) == index
        assert verify_in_batch(book.receipt(index)).to_bytes() == receipt.to_bytes()


def test_what_members_confirm_is_in_every_receipt_of_it():
    city = PaperCity()
    receipts = [city.receipt(number) for number in range(len(city.receipts))]
    book = verify_book(ReceiptBook.from_bytes(book_of(receipts).to_bytes()))
    assert [book.receipt(index).to_bytes() for index in range(len(receipts))] == [
        receipt.to_bytes() for receipt in receipts
    ]


def test_the_shared_parts_are_written_once():
    large = build_batch(500)
    assert len(book_of(large.receipts).to_bytes()) < 500 * 140 + 2000


def test_bytes_of_another_certificate_are_in_no_place():
    assert BOOK.index_of(bytes(32)) is None
    with pytest.raises(ReceiptMismatchError, match="below 5, found 5"):
        BOOK.receipt(5)


@pytest.mark.parametrize("column", ["salts", "digests"])
def test_a_book_with_another_salt_or_digest_does_not_hold(column: str):
    changed = bytes([getattr(BOOK, column)[0] ^ 1]) + getattr(BOOK, column)[1:]
    with pytest.raises(ReceiptMismatchError, match="do not lead to the root"):
        verify_book(replace(BOOK, **{column: changed}))


@pytest.mark.parametrize("column", ["salts", "digests", "sizes"])
def test_a_book_that_lacks_certificates_is_none(column: str):
    with pytest.raises(InvalidInputError, match="receipt book: certificates"):
        replace(BOOK, **{column: getattr(BOOK, column)[:-1]})


def test_a_size_out_of_range_is_refused():
    for wrong in (-1, 1 << 53):
        with pytest.raises(InvalidInputError, match="sizes"):
            replace(BOOK, sizes=(*BOOK.sizes[:-1], wrong))


def test_the_file_is_canonical_and_ends_with_a_newline():
    data = BOOK.to_bytes()
    for wrong in (data[:-1], data + b"\n", b" " + data, data.replace(b'"format"', b'"extra":1,"format"')):
        with pytest.raises(InvalidInputError):
            ReceiptBook.from_bytes(wrong)


@given(st.data())
def test_no_changed_byte_gives_a_book_that_holds(data: st.DataObject):
    right = BOOK.to_bytes()
    at = data.draw(st.integers(0, len(right) - 1))
    wrong = bytearray(right)
    wrong[at] ^= data.draw(st.integers(1, 255))
    try:
        book = verify_book(ReceiptBook.from_bytes(bytes(wrong)))
    except (InvalidInputError, ReceiptMismatchError):
        return
    # Seal, time and sizes are proved elsewhere: by the verifier, and against the file.
    assert (book.salts, book.digests, book.anchor.statement.root) == (
        BOOK.salts,
        BOOK.digests,
        BATCH.anchor.statement.root,
    )


@given(st.binary(max_size=300))
def test_other_bytes_are_refused_in_a_sentence(data: bytes):
    with pytest.raises(InvalidInputError):
        ReceiptBook.from_bytes(data)
