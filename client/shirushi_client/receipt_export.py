"""Other forms of a receipt: C2SP's tlog-proof, and the compact form with its QR code."""

from __future__ import annotations

from io import BytesIO

import segno

from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.log_entry import issuance_entry
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.tlog_proof import TlogProof

QR_SCALE = 3
"""Pixels a module of a QR code has."""


class ExportError(ShirushiError):
    """A receipt that has no such form yet."""


def tlog_proof_of(receipt: Receipt) -> TlogProof:
    """Return the proof that a receipt's anchor is in the log; `extra` is the log entry that it is about.

    Raises ExportError for a receipt without log evidence, or without a signature of the log, which C2SP asks of a checkpoint.
    """
    log = receipt.log
    if log is None:
        raise ExportError("the receipt has no proof of the log yet: complete it with `shirushi refresh`")
    origin = log.head.checkpoint.origin
    if not any(line.name == origin for line in log.head.note.signatures):
        raise ExportError(
            "the receipt's checkpoint is not signed by its log: renew it with `shirushi refresh --compact`"
        )
    return TlogProof(log.inclusion.index, log.inclusion.path, log.head.note, issuance_entry(receipt.anchor))


def qr_code(data: bytes, kind: str) -> bytes:
    """Return one QR code of bytes, as `svg` or `png`; raises ExportError if they are too many."""
    out = BytesIO()
    try:
        code = segno.make_qr(data, mode="byte", error="l", boost_error=False)
    except segno.DataOverflowError as error:
        raise ExportError(f"{len(data)} bytes do not fit into one QR code") from error
    code.save(out, kind=kind, scale=QR_SCALE)
    return out.getvalue()
