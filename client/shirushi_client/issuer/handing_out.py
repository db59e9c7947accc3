"""Handing out what is owed of an anchored batch: receipts, or a book of them, made, checked and written."""

from __future__ import annotations

import os
from collections.abc import Sequence

from shirushi_client.issuer.batch import Batch, checked_book, checked_receipts
from shirushi_client.issuer.book_files import book_path, write_book
from shirushi_client.issuer.confirmed import ConfirmedEvidence
from shirushi_client.issuer.journal import Delivery, Owed
from shirushi_client.issuer.receipt_files import missing_receipts, write_receipts
from shirushi_core.proofs.anchor import IssuanceAnchor


def hand_out(
    batch: Batch, anchor: IssuanceAnchor, evidence: ConfirmedEvidence, owed: Owed, *, anew: bool
) -> None:
    """Check and write what is owed; `anew`: nothing of it can be there yet.

    Raises ReceiptCheckError before anything is written, ReceiptWriteError. Receipts are on disk for good once `settle` was called.
    """
    if owed.book_folder is not None:
        data = checked_book(batch, anchor, evidence.log, evidence.status)
        write_book(book_path(owed.book_folder, batch.statement.batch_id), data, anew=anew)
    else:
        _write_receipts(batch, anchor, evidence, owed.receipts, anew=anew)


def settle(owed: Owed) -> None:
    """Return when what was handed out is on disk for good."""
    if owed.receipts:
        os.sync()  # one for all: an fsync of each of thousands of small files takes seconds


def written_paths(batch_id: bytes, owed: Owed) -> tuple[str, ...]:
    """Return the files that handing out writes."""
    if owed.book_folder is not None:
        return (book_path(owed.book_folder, batch_id),)
    return tuple(delivery.receipt_path for delivery in owed.receipts)


def _write_receipts(
    batch: Batch,
    anchor: IssuanceAnchor,
    evidence: ConfirmedEvidence,
    deliveries: Sequence[Delivery],
    *,
    anew: bool,
) -> None:
    # All are made before any is written: Python is slower when it calls the system in between.
    indexes = [delivery.index for delivery in deliveries]
    checked = list(checked_receipts(batch, anchor, evidence.text, indexes))
    receipts = zip((delivery.receipt_path for delivery in deliveries), checked, strict=True)
    write_receipts(receipts if anew else missing_receipts(receipts))
