"""Coverage-guided fuzzing of everything that a verifier reads: python tests/fuzz/fuzz.py TARGET FOLDER [libFuzzer options].

Needs atheris, which is no dependency of ours (docs/fuzzing.md). A finding is an exception that is not ours, or a changed
receipt that is found valid.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import atheris  # type: ignore[import-not-found]

with atheris.instrument_imports(include=["shirushi_core", "shirushi_client"]):
    from tests.core.proofs.conftest import build_batch
    from tests.support.paper_log import (
        BEGIN,
        KEYS,
        MEMBERS,
        PaperLog,
        issuer_record,
        quorum_certificate,
        signed_policy,
        trust_policy,
    )

    from shirushi_client.hashing import FileDigest
    from shirushi_client.verifier.offline_verifier import OfflineVerifier
    from shirushi_core.errors import ShirushiError
    from shirushi_core.proofs.canonical import encode
    from shirushi_core.proofs.checkpoint import sign_as_log
    from shirushi_core.proofs.compact import from_compact, to_compact
    from shirushi_core.proofs.log_evidence import Head
    from shirushi_core.proofs.note import SignedNote
    from shirushi_core.proofs.policy_update import parse_trusted
    from shirushi_core.proofs.receipt import Receipt
    from shirushi_core.proofs.report import Verdict
    from shirushi_core.proofs.tlog_proof import TlogProof
    from shirushi_core.proofs.witness_protocol import ProofsAnswer, ProofsRequest

NOW = BEGIN + 1000


def complete_receipt(size: int, number: int) -> Receipt:
    """A receipt with everything that one can hold."""
    batch = build_batch(size)
    log = PaperLog()
    log.add_block(issuers=[issuer_record()])
    checkpoint = log.add_block(anchors=[batch.anchor])
    signed = log.head(BEGIN + 900, MEMBERS[:3])
    lines = (sign_as_log(checkpoint, KEYS["haw"].log), *signed.note.signatures)
    certificate = quorum_certificate(checkpoint, [KEYS[each] for each in MEMBERS[:3]], BEGIN + 900)
    head = Head(SignedNote(signed.note.text, lines), certificate)
    receipt = batch.receipts[number]
    batch_id = batch.anchor.statement.batch_id
    return dataclasses.replace(
        receipt,
        log=log.log_evidence(batch.anchor, head, issuer_record()),
        status=log.status_evidence(batch_id, receipt.commitment, None, checkpoint.size),
    )


RECEIPT = complete_receipt(5, 2)
OTHER_BYTES = complete_receipt(6, 1).to_bytes()
DIGEST = FileDigest(RECEIPT.certificate_sha256, RECEIPT.certificate_size)
RECEIPT_BYTES = RECEIPT.to_bytes()
COMPACT_BYTES = to_compact(RECEIPT)
POLICY_BYTES = signed_policy(trust_policy()).to_bytes()
VERIFIER = OfflineVerifier(trust_policy(), clock=lambda: NOW)


def verify_receipt(data: bytes) -> None:
    """A receipt that is not, byte for byte, the good one is not valid."""
    verdict = VERIFIER.verify_digest(DIGEST, Receipt.from_bytes(data)).verdict
    if verdict is Verdict.VALID and data != RECEIPT_BYTES:
        raise AssertionError("a changed receipt is valid")


def verify_changed_fields(data: bytes) -> None:
    """A receipt with up to four fields changed, taken out, or taken from another receipt is not valid either.

    But for what a receipt may do without: the issuer's record where the policy names the seal, and the quorum certificate
    where there are cosignatures enough.
    """
    provider = atheris.FuzzedDataProvider(data)
    value, other = json.loads(RECEIPT_BYTES), json.loads(OTHER_BYTES)
    for _ in range(provider.ConsumeIntInRange(1, 4)):
        _change(provider, value, other)
    receipt = Receipt.from_bytes(encode(value) + b"\n")
    verdict = VERIFIER.verify_digest(DIGEST, receipt).verdict
    if verdict is Verdict.VALID and _needed(receipt) != _needed(RECEIPT):
        raise AssertionError("a changed receipt is valid")


def _needed(receipt: Receipt) -> Receipt:
    if receipt.log is None:
        return receipt
    log = dataclasses.replace(receipt.log, head=Head(receipt.log.head.note), issuer=None)
    return dataclasses.replace(receipt, log=log)


def _change(provider: Any, value: Any, other: Any) -> None:
    """Change one field somewhere below an object or array; `other` is the same place of another receipt."""
    while isinstance(value, (dict, list)) and value:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = keys[provider.ConsumeIntInRange(0, len(keys) - 1)]
        below = value[key]
        has_other = (isinstance(other, dict) and key in other) or (
            isinstance(other, list) and isinstance(key, int) and key < len(other)
        )
        if isinstance(below, (dict, list)) and below and provider.ConsumeProbability() < 0.8:
            value, other = below, other[key] if has_other else None
            continue
        choice = provider.ConsumeIntInRange(0, 3)
        if choice == 0 and isinstance(value, dict):
            del value[key]
        elif choice == 1 and has_other:
            value[key] = other[key]
        elif isinstance(below, int):
            value[key] = below + provider.ConsumeIntInRange(-5, 5)
        elif isinstance(below, str) and below:
            at = provider.ConsumeIntInRange(0, len(below) - 1)
            value[key] = (
                below[:at] + provider.PickValueInList(list("0123456789abcdefAZ+/=\n ")) + below[at + 1 :]
            )
        else:
            value[key] = provider.PickValueInList([None, 0, "", [], {}])
        return


def verify_compact(data: bytes) -> None:
    """Neither is a compact form."""
    receipt = from_compact(data, DIGEST.sha256, DIGEST.size)
    if VERIFIER.verify_digest(DIGEST, receipt).verdict is Verdict.VALID and data != COMPACT_BYTES:
        raise AssertionError("a changed compact receipt is valid")


def read_note(data: bytes) -> None:
    """A note is written as it was read."""
    if SignedNote.from_bytes(data).to_text().encode() != data:
        raise AssertionError("a note has two forms")


def read_tlog_proof(data: bytes) -> None:
    """So is a tlog-proof."""
    if TlogProof.from_bytes(data).to_text().encode() != data:
        raise AssertionError("a tlog-proof has two forms")


def _proof() -> bytes:
    log = RECEIPT.log
    if log is None:
        raise AssertionError("the receipt has no log evidence")
    return TlogProof(log.inclusion.index, log.inclusion.path, log.head.note).to_text().encode()


def _answer() -> bytes:
    log, status = RECEIPT.log, RECEIPT.status
    if log is None or status is None:
        raise AssertionError("the receipt has no evidence")
    standings = () if status.issuer is None else (status.issuer,)
    return ProofsAnswer(
        log.head, status.entry, (log.inclusion,), (log.issuer,), (status.statuses,), standings
    ).to_bytes()


ASKED = ProofsRequest(
    (RECEIPT.anchor.statement.batch_id,),
    ((RECEIPT.anchor.statement.issuer, RECEIPT.anchor.issuer_sequence),),
    ((RECEIPT.anchor.statement.batch_id, RECEIPT.commitment),),
)


TARGETS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "receipt": (verify_receipt, RECEIPT_BYTES),
    "fields": (verify_changed_fields, bytes(64)),
    "compact": (verify_compact, COMPACT_BYTES),
    "policy": (lambda data: parse_trusted(data, NOW), POLICY_BYTES),
    "note": (read_note, RECEIPT.log.head.note.to_text().encode() if RECEIPT.log else b""),
    "tlog-proof": (read_tlog_proof, _proof()),
    "answer": (lambda data: ProofsAnswer.from_bytes(data, ASKED), _answer()),
}


def main() -> None:
    """Fuzz one target, beginning with a good input."""
    target, seed = TARGETS[sys.argv[1]]
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "seed").write_bytes(seed)

    def one(data: bytes) -> None:
        try:
            target(data)
        except ShirushiError:
            return

    atheris.Setup([sys.argv[0], *sys.argv[2:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
