"""Gathering what members confirm: a quorum is enough, and one that lies, lags or is silent changes nothing."""

from __future__ import annotations

import asyncio
import dataclasses
import time

import pytest
from tests.core.proofs.conftest import build_batch
from tests.support.paper_log import BEGIN, KEYS, MEMBERS, PaperLog, issuer_record, trust_policy
from tests.support.paper_witnesses import PaperWitness, paper_witnesses

from shirushi_client.evidence_gathering import EvidenceGatherer
from shirushi_client.witness_client import WitnessError
from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.confirmation import HeadVerifier
from shirushi_core.proofs.log_evidence import Head, verify_logged
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.status import Reason, Status, StatusRecord
from shirushi_core.proofs.witness_protocol import ProofsAnswer

NOW = BEGIN + 1000
BATCH = build_batch(4)


def now() -> int:
    return NOW


def a_log() -> PaperLog:
    log = PaperLog()
    log.add_block(issuers=[issuer_record()])
    log.add_block(anchors=[BATCH.anchor])
    return log


def gatherer(witnesses: dict[str, PaperWitness], patience: float = 0.5) -> EvidenceGatherer:
    return EvidenceGatherer(
        list(witnesses.values()), HeadVerifier(trust_policy()), lambda: NOW, patience=patience
    )


def revoked(receipt: Receipt) -> StatusRecord:
    statement: BatchStatement = receipt.anchor.statement
    return StatusRecord(
        Status.REVOKED,
        Reason.ISSUED_IN_ERROR,
        BEGIN + 500,
        BEGIN + 500,
        "change-1",
        "ab" * 32,
        statement.batch_id,
        receipt.commitment,
    )


async def test_a_batch_is_confirmed_at_the_head_of_its_own_block_though_the_log_has_grown() -> None:
    log = a_log()
    first = log.checkpoint()
    log.add_block(issuers=[issuer_record(2)])
    gathered = await gatherer(paper_witnesses(log, now)).of_batch(BATCH.anchor)
    assert gathered.is_complete
    assert gathered.log is not None
    assert gathered.log.head.checkpoint == first
    assert gathered.status is not None
    assert gathered.status.head is None
    verify_logged(BATCH.anchor, gathered.log.inclusion, first)
    assert gathered.log.issuer is not None
    assert gathered.log.issuer.record == issuer_record()


@pytest.mark.parametrize("certified", [False, True])
async def test_the_evidence_has_only_signatures_that_count_and_a_quorum_certificate_if_asked_for(
    certified: bool,
) -> None:
    witnesses = list(paper_witnesses(a_log(), now).values())
    heads = HeadVerifier(trust_policy())
    gathered = await EvidenceGatherer(
        witnesses, heads, lambda: NOW, patience=0.5, certified=certified
    ).of_batch(BATCH.anchor)
    assert gathered.log is not None
    confirmation = HeadVerifier(trust_policy()).verify(gathered.log.head, NOW)
    assert set(confirmation.members) == set(gathered.members)
    certificate = gathered.log.head.quorum
    assert (certificate is not None) == certified
    assert certificate is None or len(certificate.signers) >= 3


async def test_a_quorum_is_not_kept_waiting_by_the_silent() -> None:
    witnesses = paper_witnesses(a_log(), now)
    witnesses["iizuka"].silent = witnesses["gcom"].silent = True
    began = time.monotonic()
    gathered = await gatherer(witnesses, patience=30).of_batch(BATCH.anchor)
    assert time.monotonic() - began < 5
    assert gathered.is_complete
    assert set(gathered.members) == {"chaintope", "haw", "kaguya"}


async def test_fewer_than_a_quorum_are_given_out_as_fewer() -> None:
    witnesses = paper_witnesses(a_log(), now)
    for member in MEMBERS[2:]:
        witnesses[member].down = True
    gathered = await gatherer(witnesses).of_batch(BATCH.anchor)
    assert not gathered.is_complete
    assert set(gathered.members) == set(MEMBERS[:2])
    assert set(gathered.problems) == set(MEMBERS[2:])
    assert gathered.log is not None
    assert gathered.log.head.quorum is None


async def test_nobody_there_is_no_evidence_and_no_error() -> None:
    gathered = await gatherer({}).of_batch(BATCH.anchor)
    assert (gathered.log, gathered.status, gathered.members) == (None, None, ())


def of_another_ledger(answer: ProofsAnswer) -> ProofsAnswer:
    log = PaperLog("other-test")
    log.add_block(issuers=[issuer_record()])
    log.add_block(anchors=[BATCH.anchor])
    return dataclasses.replace(answer, head=Head(KEYS["iizuka"].signatures(log.checkpoint(), NOW)))


def with_a_wrong_path(answer: ProofsAnswer) -> ProofsAnswer:
    found = answer.batches[0]
    assert found is not None
    broken = dataclasses.replace(found, path=(bytes(32), *found.path[1:]))
    return dataclasses.replace(answer, batches=(broken,))


def of_nothing(answer: ProofsAnswer) -> ProofsAnswer:
    return dataclasses.replace(answer, batches=(None,), issuers=())


def with_a_forged_signature(answer: ProofsAnswer) -> ProofsAnswer:
    note = answer.head.note
    lines = [
        dataclasses.replace(each, signature=each.signature[:-1] + bytes([each.signature[-1] ^ 1]))
        for each in note.signatures
    ]
    return dataclasses.replace(answer, head=Head(SignedNote(note.text, tuple(lines))))


def with_anothers_signature(answer: ProofsAnswer) -> ProofsAnswer:
    other = KEYS["haw"].signatures(answer.head.checkpoint, NOW)
    return dataclasses.replace(answer, head=Head(other))


def with_another_batch_s_status(answer: ProofsAnswer) -> ProofsAnswer:
    return dataclasses.replace(
        answer, statuses=(dataclasses.replace(answer.statuses[0], proof=b"\0\0\x01" + bytes(64)),)
    )


def from_the_future(answer: ProofsAnswer) -> ProofsAnswer:
    return dataclasses.replace(
        answer, head=Head(KEYS["iizuka"].signatures(answer.head.checkpoint, NOW + 9999))
    )


@pytest.mark.parametrize(
    "lie",
    [
        of_another_ledger,
        with_a_wrong_path,
        of_nothing,
        with_a_forged_signature,
        with_anothers_signature,
        with_another_batch_s_status,
        from_the_future,
    ],
)
async def test_a_lying_member_is_named_and_not_counted(lie: object) -> None:
    witnesses = paper_witnesses(a_log(), now)
    witnesses["iizuka"].bend = lie  # type: ignore[assignment]
    for member in ("kaguya", "gcom"):
        witnesses[member].down = True
    gathered = await gatherer(witnesses).of_batch(BATCH.anchor)
    assert set(gathered.members) == {"chaintope", "haw"}
    assert not gathered.is_complete
    assert "iizuka" in gathered.problems


async def test_a_member_that_signs_a_fork_is_outvoted_and_named() -> None:
    log, fork = a_log(), PaperLog()
    fork.add_block(issuers=[issuer_record()])
    fork.add_block(anchors=[build_batch(2).anchor, BATCH.anchor])
    witnesses = paper_witnesses(log, now)
    witnesses["iizuka"].log = fork
    gathered = await gatherer(witnesses).of_batch(BATCH.anchor)
    assert gathered.is_complete
    assert gathered.log is not None
    assert gathered.log.head.checkpoint == log.checkpoint()
    assert "iizuka" not in gathered.members


async def test_a_refreshed_receipt_has_the_newest_status_and_keeps_its_log_evidence() -> None:
    log = a_log()
    receipt = BATCH.receipts[1]
    witnesses = paper_witnesses(log, now)
    (first,) = await gatherer(witnesses).refresh([receipt])
    assert first.status is not None
    assert first.status.head is None
    log.add_block(records=[revoked(receipt)])
    (second,) = await gatherer(witnesses).refresh([first])
    assert second.log == first.log
    assert second.status is not None
    assert second.status.statuses.certificate == revoked(receipt)
    assert second.status.head is not None
    assert second.status.head.checkpoint == log.checkpoint()
    assert Receipt.from_bytes(second.to_bytes()) == second


async def test_refreshing_completes_what_too_few_had_confirmed() -> None:
    log = a_log()
    receipt = BATCH.receipts[0]
    incomplete = dataclasses.replace(
        receipt, log=log.log_evidence(BATCH.anchor, log.head(NOW, MEMBERS[:2]), issuer_record())
    )
    (complete,) = await gatherer(paper_witnesses(log, now)).refresh([incomplete])
    assert complete.log is not None
    assert HeadVerifier(trust_policy()).confirm(complete.log.head, NOW).is_enough


async def test_members_that_are_a_block_apart_agree_on_the_head_that_a_quorum_has_reached() -> None:
    log = a_log()
    sizes = [len(log.entries)]
    log.add_block(records=[revoked(BATCH.receipts[0])])
    witnesses = paper_witnesses(log, now)
    witnesses["iizuka"].size = witnesses["haw"].size = witnesses["gcom"].size = sizes[0]
    head = (await gatherer(witnesses).newest_head()).head
    assert head.checkpoint.size == sizes[0]


async def test_no_quorum_for_any_head_is_said_and_nothing_is_refreshed() -> None:
    witnesses = paper_witnesses(a_log(), now)
    for member in MEMBERS[:3]:
        witnesses[member].down = True
    with pytest.raises(WitnessError, match="no head of the log is confirmed by 3 members"):
        await gatherer(witnesses).refresh([BATCH.receipts[0]])


async def test_another_witness_is_asked_where_the_first_gives_a_forged_proof() -> None:
    witnesses = paper_witnesses(a_log(), now)
    witnesses["iizuka"].bend = with_a_wrong_path
    (refreshed,) = await gatherer(witnesses).refresh([BATCH.receipts[0]])
    assert refreshed.status is not None


async def test_a_change_is_waited_for_until_a_quorum_of_witnesses_shows_it() -> None:
    log = a_log()
    before = len(log.entries)
    record = revoked(BATCH.receipts[0])
    log.add_block(records=[record])
    witnesses = paper_witnesses(log, now)
    for member in MEMBERS[:3]:
        witnesses[member].size = before
    waiting = asyncio.create_task(gatherer(witnesses, patience=10).until_shown(record))
    while sum(witness.asked for witness in witnesses.values()) < 20:
        await asyncio.sleep(0)
        assert not waiting.done()
        await asyncio.sleep(0.01)
    witnesses["haw"].size = None
    shown = await asyncio.wait_for(waiting, 5)
    assert set(shown.members) == {"haw", "kaguya", "gcom"}
    assert shown.is_enough


async def test_a_change_that_too_few_show_is_said_to_be_shown_by_those() -> None:
    log = a_log()
    before = len(log.entries)
    record = revoked(BATCH.receipts[0])
    log.add_block(records=[record])
    witnesses = paper_witnesses(log, now)
    for member in MEMBERS[1:]:
        witnesses[member].size = before
    shown = await gatherer(witnesses).until_shown(record)
    assert shown.members == ("iizuka",)
    assert not shown.is_enough
