"""What a log proves under a head, and the statuses of batches and certificates."""

from __future__ import annotations

import dataclasses
import time
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.proofs.conftest import build_batch
from tests.support.paper_log import BEGIN, PaperLog, PaperStore, issuer_record

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs.canonical import encode
from shirushi_core.proofs.certificate_status import (
    StatusesProof,
    prove_statuses,
    record_hash,
    set_place,
    verify_statuses,
)
from shirushi_core.proofs.log_evidence import (
    CertificateStatuses,
    ProvedStatuses,
    verify_certificate_statuses,
    verify_logged,
    verify_registered,
    verify_status_entry,
)
from shirushi_core.proofs.merkle import ProofError
from shirushi_core.proofs.receipt import BatchEvidence, Receipt, own_part
from shirushi_core.proofs.status import Reason, Status, StatusRecord
from shirushi_core.proofs.status_tree import EMPTY
from shirushi_core.proofs.witness_protocol import ProofsAnswer, ProofsRequest

BATCH = build_batch(5)
BATCH_ID = BATCH.anchor.statement.batch_id
NOW = BEGIN + 1000


def record(
    commitment: bytes | None, status: Status = Status.REVOKED, batch_id: bytes = BATCH_ID
) -> StatusRecord:
    return StatusRecord(
        status, Reason.OTHER, BEGIN + 100, BEGIN + 100, "change-1", "ab" * 32, batch_id, commitment
    )


@pytest.fixture
def log() -> PaperLog:
    log = PaperLog()
    log.add_block(issuers=[issuer_record()])
    log.add_block(anchors=[BATCH.anchor])
    return log


def test_anchor_issuer_and_status_root_are_led_to_the_checkpoint(log: PaperLog) -> None:
    checkpoint = log.checkpoint()
    evidence = log.log_evidence(BATCH.anchor, log.head(NOW), issuer_record())
    assert verify_logged(BATCH.anchor, evidence.inclusion, checkpoint) == BATCH.anchor
    assert evidence.issuer is not None
    assert verify_registered(evidence.issuer, checkpoint) == issuer_record()
    entry = verify_status_entry(log.status_entry(), checkpoint)
    assert (entry.root, entry.time) == (log.status_root, log.time)


def test_an_entry_that_is_not_the_last_is_no_status_of_the_checkpoint(log: PaperLog) -> None:
    earlier = log.status_entry(2)
    with pytest.raises(ProofError):
        verify_status_entry(earlier, log.checkpoint())


def test_another_anchor_is_not_what_was_logged(log: PaperLog) -> None:
    evidence = log.log_evidence(BATCH.anchor, log.head(NOW), None)
    other = dataclasses.replace(BATCH.anchor, anchored_at=BATCH.anchor.anchored_at + 1)
    with pytest.raises(ProofError):
        verify_logged(other, evidence.inclusion, log.checkpoint())


def test_one_proof_of_absence_serves_every_certificate_of_a_batch(log: PaperLog) -> None:
    proofs = {log.statuses(BATCH_ID, receipt.commitment) for receipt in BATCH.receipts}
    assert len(proofs) == 1
    (statuses,) = proofs
    for receipt in BATCH.receipts:
        proved = verify_certificate_statuses(statuses, log.status_root, BATCH_ID, receipt.commitment)
        assert proved == ProvedStatuses(None, None)


def test_a_revoked_certificate_cannot_be_proved_to_have_no_record(log: PaperLog) -> None:
    unrevoked = log.statuses(BATCH_ID, BATCH.receipts[0].commitment)
    log.add_block(records=[record(BATCH.receipts[0].commitment)])
    with pytest.raises(ProofError):
        verify_certificate_statuses(unrevoked, log.status_root, BATCH_ID, BATCH.receipts[0].commitment)
    neighbour = log.statuses(BATCH_ID, BATCH.receipts[1].commitment)
    assert verify_certificate_statuses(
        neighbour, log.status_root, BATCH_ID, BATCH.receipts[1].commitment
    ) == ProvedStatuses(None, None)
    with pytest.raises(ShirushiError):
        verify_certificate_statuses(neighbour, log.status_root, BATCH_ID, BATCH.receipts[0].commitment)


def test_a_record_beside_the_proof_has_to_be_the_one_that_is_proved(log: PaperLog) -> None:
    commitment = BATCH.receipts[0].commitment
    log.add_block(records=[record(commitment), record(None, Status.SUSPENDED)])
    statuses = log.statuses(BATCH_ID, commitment)
    assert verify_certificate_statuses(statuses, log.status_root, BATCH_ID, commitment) == ProvedStatuses(
        record(None, Status.SUSPENDED), record(commitment)
    )
    for forged in (
        dataclasses.replace(statuses, certificate=None),
        dataclasses.replace(statuses, batch=None),
        dataclasses.replace(statuses, certificate=record(commitment, Status.SUSPENDED)),
        dataclasses.replace(statuses, batch=record(commitment)),
    ):
        with pytest.raises(ProofError):
            verify_certificate_statuses(forged, log.status_root, BATCH_ID, commitment)


numbers = st.integers(0, 5)
changes = st.lists(
    st.tuples(numbers, st.none() | numbers, st.sampled_from(["suspended", "valid"])), max_size=20
)


@given(changes, numbers, numbers)
def test_the_tree_says_of_every_certificate_what_was_set_last(
    made: list[tuple[int, int | None, str]], batch_number: int, number: int
) -> None:
    def key(what: str, n: int) -> bytes:
        return sha256(f"{what} {n}".encode()).digest()

    store, root = PaperStore(), EMPTY
    last: dict[tuple[bytes, bytes | None], bytes] = {}
    for batch, certificate, status in made:
        commitment = None if certificate is None else key("certificate", certificate)
        changed = record(commitment, Status(status), key("batch", batch))
        root = set_place(store, root, changed.batch_id, commitment, record_hash(changed))
        last[changed.batch_id, commitment] = record_hash(changed)
    batch_id, commitment = key("batch", batch_number), key("certificate", number)
    proof = prove_statuses(store, root, batch_id, commitment)
    data = proof.to_bytes(batch_id, commitment)
    assert StatusesProof.from_bytes(data, batch_id, commitment) == proof
    assert verify_statuses(proof, root, batch_id, commitment) == (
        last.get((batch_id, None)),
        last.get((batch_id, commitment)),
    )


@given(st.data())
def test_a_proof_with_any_byte_changed_proves_nothing(data: st.DataObject) -> None:
    log = PaperLog()
    commitment = BATCH.receipts[0].commitment
    log.add_block(records=[record(commitment), record(BATCH.receipts[1].commitment)])
    statuses = log.statuses(BATCH_ID, commitment)
    at = data.draw(st.integers(0, len(statuses.proof) - 1))
    changed = bytearray(statuses.proof)
    changed[at] ^= data.draw(st.integers(1, 255))
    for proof in (bytes(changed), statuses.proof[:at], statuses.proof + b"\0"):
        with pytest.raises(ShirushiError):
            verify_certificate_statuses(
                dataclasses.replace(statuses, proof=proof), log.status_root, BATCH_ID, commitment
            )


def test_evidence_put_into_a_receipts_bytes_is_the_evidence_of_the_receipt(log: PaperLog) -> None:
    receipt = BATCH.receipts[3]
    head = log.head(NOW, quorum=True)
    full = dataclasses.replace(
        receipt,
        log=log.log_evidence(BATCH.anchor, head, issuer_record()),
        status=log.status_evidence(BATCH_ID, receipt.commitment, None, head.checkpoint.size),
    )
    own = own_part(
        receipt.index,
        receipt.path,
        receipt.certificate_sha256,
        receipt.certificate_size,
        receipt.anchor.statement.ledger,
        receipt.salt,
    )
    beginning = b'{"anchor":' + encode(receipt.anchor.to_json()) + b","
    assert beginning + BatchEvidence.of(full.log, full.status).within(own) == full.to_bytes()
    assert beginning + BatchEvidence.of(None, None).within(own) == receipt.to_bytes()
    assert Receipt.from_bytes(full.to_bytes()) == full


def test_a_status_without_any_checkpoint_is_refused(log: PaperLog) -> None:
    status = log.status_evidence(BATCH_ID, BATCH.receipts[0].commitment, None, len(log.entries))
    with pytest.raises(InvalidInputError, match="checkpoint"):
        dataclasses.replace(BATCH.receipts[0], status=status)


def test_requests_and_answers_are_read_as_they_were_written(log: PaperLog) -> None:
    log.add_block(records=[record(BATCH.receipts[0].commitment)])
    commitment = BATCH.receipts[0].commitment
    request = ProofsRequest(
        (BATCH_ID, bytes(32)),
        (("iizuka-city", 1), ("iizuka-city", 2)),
        ((BATCH_ID, commitment), (BATCH_ID, bytes(32))),
        head=7,
        wait=3,
    )
    assert ProofsRequest.from_bytes(request.to_bytes()) == request
    evidence = log.log_evidence(BATCH.anchor, log.head(NOW), issuer_record())
    answer = ProofsAnswer(
        evidence.head,
        log.status_entry(),
        (evidence.inclusion, None),
        (evidence.issuer, None),
        (log.statuses(BATCH_ID, commitment), CertificateStatuses(b"\0\0\0", None, None)),
        tuple(standing for each in request.standings if (standing := log.standing(each)) is not None),
    )
    assert ProofsAnswer.from_bytes(answer.to_bytes(), request) == answer
    before = dataclasses.replace(answer, standings=())
    assert ProofsAnswer.from_bytes(before.to_bytes(), request) == before
    for other in (
        ProofsRequest(request.batches[:1], request.issuers, request.statuses),
        ProofsRequest(request.batches, request.issuers[:1], request.statuses),
        ProofsRequest(request.batches, request.issuers, request.statuses[:1]),
    ):
        with pytest.raises(InvalidInputError, match="expected 1, found 2"):
            ProofsAnswer.from_bytes(answer.to_bytes(), other)


@pytest.mark.parametrize("flood", [b"[],", b"{},", b'"",', b"0,"])
def test_an_answer_costs_no_more_to_refuse_than_what_was_asked_is_worth(flood: bytes) -> None:
    request = ProofsRequest((BATCH_ID,), (("iizuka-city", 1),), ((BATCH_ID, bytes(32)),))
    assert request.answer_bytes < 1 << 20
    for data in (b"[" + flood * (request.answer_bytes // len(flood) - 1) + b"0]", flood * (21 << 20)):
        started = time.process_time()
        with pytest.raises(InvalidInputError):
            ProofsAnswer.from_bytes(data, request)
        assert time.process_time() - started < 1


def test_a_request_names_each_item_once() -> None:
    for items in (
        {"batches": (BATCH_ID,) * 2},
        {"issuers": (("a", 1),) * 2},
        {"statuses": ((BATCH_ID, bytes(32)),) * 2},
    ):
        with pytest.raises(InvalidInputError, match="each item once"):
            ProofsRequest(**items)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"batches":[],"head":"oldest","issuers":[],"statuses":[],"wait":0}',
        b'{"batches":[],"head":0,"issuers":[],"statuses":[],"wait":0}',
        b'{"batches":[],"head":"newest","issuers":[],"statuses":[],"wait":11}',
        b'{"batches":["00"],"head":"newest","issuers":[],"statuses":[],"wait":0}',
        b'{"batches":[],"head":"newest","issuers":[{"id":"A","sequence":1}],"statuses":[],"wait":0}',
        b'{"batches":[],"head":"newest","issuers":[],"statuses":[]}',
    ],
)
def test_a_malformed_request_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInputError):
        ProofsRequest.from_bytes(body)
