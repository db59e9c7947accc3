"""Receipts in forms that others read."""

from __future__ import annotations

from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.checkpoint import origin_of
from shirushi_core.proofs.log_entry import issuance_entry
from shirushi_core.proofs.log_evidence import verify_logged
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.tlog_proof import TlogProof


class ReceiptFormError(ShirushiError):
    """A receipt that does not carry what another form needs."""


def tlog_proof_of(receipt: Receipt) -> TlogProof:
    """Return the C2SP tlog-proof of a receipt's anchor, its log entry as extra data.

    Raises ReceiptFormError for a receipt without log evidence, or without a signature of the log, which C2SP asks of a checkpoint;
    ProofError for evidence that does not hold.
    """
    log = receipt.log
    if log is None:
        raise ReceiptFormError("the receipt does not carry a proof from the log yet: refresh it first")
    origin = origin_of(receipt.anchor.statement.ledger)
    if log.head.checkpoint.origin != origin or not any(
        line.name == origin for line in log.head.note.signatures
    ):
        raise ReceiptFormError("the receipt's checkpoint is not signed by its log: refresh it first")
    verify_logged(receipt.anchor, log.inclusion, log.head.checkpoint)
    return TlogProof(log.inclusion.index, log.inclusion.path, log.head.note, issuance_entry(receipt.anchor))
