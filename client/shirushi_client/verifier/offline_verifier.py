"""Verifying without a network: a file, its receipt and a trust policy in, a report out.

    verifier = OfflineVerifier(read_policy(Path("trust-policy.json")))
    report = verifier.verify(Path("tanaka.pdf"), Path("tanaka.pdf.receipt.json"))

Synchronous, and made for many certificates: what receipts have in common is checked once. One thread at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from shirushi_client.hashing import FileDigest, digest_file
from shirushi_client.verifier.demand import NOTHING_ASKED, Demand
from shirushi_client.verifier.offline_checks import run_offline_checks
from shirushi_client.verifier.proved import EvidenceJudge, Judged, JudgedBatch, JudgedHead, Proof
from shirushi_client.verifier.reading import read_receipt_of, receipt_if_valid
from shirushi_client.verifier.report import EvidenceView, HeadView, MemberView, Mode, PolicyView, Report
from shirushi_core.proofs.issuer import IssuerRecord
from shirushi_core.proofs.log_evidence import deciding
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.status import StatusRecord, effective_status
from shirushi_core.proofs.trust_policy import PolicyIssuer, PolicyMember, TrustPolicy
from shirushi_core.proofs.unjudged import Mark


class OfflineVerifier:
    """Verifies certificates by what their receipts carry, under one trust policy. `clock` is unix seconds."""

    def __init__(
        self, policy: TrustPolicy, *, clock: Callable[[], float] = time.time, source: str | None = None
    ) -> None:
        """`source` is where the policy came from, for the reports (`trusted_policies.PolicySource`)."""
        self.policy = policy
        self._view = PolicyView.of(policy, source)
        self._judge = EvidenceJudge(policy)
        self._clock = clock

    def verify(self, file: Path, receipt_file: Path, demand: Demand = NOTHING_ASKED) -> Report:
        """Verify a file with its receipt file; raises CertificateFileError, ReceiptFileError."""
        digest = digest_file(str(file), follow_links=True)
        receipt = read_receipt_of(receipt_file, digest)
        return self.verify_digest(digest, receipt, demand, name=file.name)

    def verify_digest(
        self,
        digest: FileDigest,
        receipt: Receipt,
        demand: Demand = NOTHING_ASKED,
        *,
        name: str = "",
        mode: Mode = Mode.OFFLINE,
    ) -> Report:
        """Verify a certificate whose digest is known; `name` is what the report calls it, `mode` where its evidence came from."""
        now = int(self._clock())
        judged = self._judge.judge(receipt, now)
        at = now if demand.at is None else demand.at
        record = _deciding_record(judged, demand.at)
        return Report(
            file=name,
            receipt=receipt,
            checked_at=now,
            checks=tuple(run_offline_checks(receipt, digest, judged, demand)),
            status=record,
            issuer=_issuer(judged.batch),
            quorum=self.policy.quorum_at(now) or len(self.policy.members),
            members=_members(judged.batch, _status_text(judged, record)),
            evidence=_evidence(judged.batch, mode, self._view),
            judged_at=at,
            good_as_of=judged.batch.status_as_of,
        )

    def verify_or_raise(self, file: Path, receipt_file: Path, demand: Demand = NOTHING_ASKED) -> Receipt:
        """Return the receipt of a valid certificate; raises NotValidError, CannotConfirmError, or as `verify` does."""
        return receipt_if_valid(self.verify(file, receipt_file, demand))


def _deciding_record(judged: Judged, at: int | None) -> StatusRecord | None:
    if judged.statuses is None or judged.batch.status_as_of is None:
        return None
    records = [
        record if isinstance(record, StatusRecord) and (at is None or record.effective_at <= at) else None
        for record in (judged.statuses.batch, judged.statuses.certificate)
    ]
    return effective_status(*records)


def _status_text(judged: Judged, record: StatusRecord | None) -> str | None:
    if judged.status is not Proof.HOLDS or judged.statuses is None:
        return None
    if isinstance(deciding(judged.statuses), Mark):
        return None
    return "valid" if record is None else record.status.value


@lru_cache(maxsize=256)
def _issuer(batch: JudgedBatch) -> IssuerRecord | PolicyIssuer | None:
    """Return who a quorum or the policy says the issuer is."""
    if batch.is_recorded and batch.registered is Proof.HOLDS:
        return batch.record
    return batch.policy.issuer(batch.anchor.statement.issuer)


@lru_cache(maxsize=256)
def _evidence(batch: JudgedBatch, mode: Mode, policy: PolicyView) -> EvidenceView:
    return EvidenceView(
        mode,
        _head(batch.log),
        _head(batch.status, None if batch.status_entry is None else batch.status_entry.time),
        policy,
    )


def _head(judged: JudgedHead | None, time: int | None = None) -> HeadView | None:
    if judged is None:
        return None
    members = () if judged.confirmation is None else judged.confirmation.members
    return HeadView(judged.head.checkpoint.size, judged.as_of, members, time)


@lru_cache(maxsize=256)
def _members(batch: JudgedBatch, status: str | None) -> tuple[MemberView, ...]:
    known = batch.policy.members_at(batch.now)
    also = [
        member
        for member in batch.policy.members
        if member not in known
        and any(_time(head, member.id) is not None for head in (batch.log, batch.status))
    ]
    return tuple(_member(batch, member, status) for member in (*known, *also))


def _member(batch: JudgedBatch, member: PolicyMember, status: str | None) -> MemberView:
    log_at, status_at = _time(batch.log, member.id), _time(batch.status, member.id)
    confirmed = batch.is_recorded and batch.status is not None and batch.status.is_confirmed
    confirms_record = log_at is not None and batch.logged is Proof.HOLDS
    return MemberView(
        member.id,
        member.name_ja,
        member.name_en,
        agrees=True if confirmed and log_at is not None and status_at is not None else None,
        anchor=f"tx {batch.anchor.tx_id}" if confirms_record else None,
        status=status if status_at is not None else None,
        issuer_sequence=batch.anchor.issuer_sequence
        if confirms_record and batch.registered is Proof.HOLDS
        else None,
        log_at=log_at,
        status_at=status_at,
        problem=_problem(batch, member.id, log_at is not None and status_at is not None),
    )


def _time(head: JudgedHead | None, member: str) -> int | None:
    return None if head is None or head.confirmation is None else head.confirmation.times.get(member)


def _problem(batch: JudgedBatch, member: str, signed_both: bool) -> str | None:
    if signed_both:
        return None
    for head in (batch.log, batch.status):
        if head is not None and head.confirmation is not None and member in head.confirmation.not_counted:
            return head.confirmation.not_counted[member]
    for head in (batch.log, batch.status):
        if head is not None and head.confirmation is None:
            return head.reason
    return "its signature is not in the receipt"
