"""What a receipt's own evidence proves under a trust policy: each proof led to its head, each head's signatures counted.

Pure and without a network. Receipts of one batch, and batches under one head, share what is found here, so it is found once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.certificate_status import StatusesProof
from shirushi_core.proofs.confirmation import (
    BadSignatureError,
    Confirmation,
    ConfirmationError,
    HeadVerifier,
    OtherLogError,
)
from shirushi_core.proofs.issuer import IssuerRecord
from shirushi_core.proofs.issuer_standing import verify_standing
from shirushi_core.proofs.log_entry import StatusEntry
from shirushi_core.proofs.log_evidence import (
    Head,
    LogEvidence,
    ProvedStatuses,
    StatusEvidence,
    verify_certificate_statuses,
    verify_logged,
    verify_registered,
    verify_status_entry,
)
from shirushi_core.proofs.merkle import ProofError
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.trust_policy import TrustPolicy
from shirushi_core.proofs.unjudged import Mark

FINDINGS_KEPT = 1024
"""Findings about heads, batches and statuses that a verifier remembers."""

Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")


class HeadTrouble(StrEnum):
    """Why a head's signatures cannot be counted."""

    OTHER_LOG = "OTHER_LOG"
    KEY_UNKNOWN = "KEY_UNKNOWN"
    SIGNATURE_BROKEN = "SIGNATURE_BROKEN"


class Proof(StrEnum):
    """How far a proof in a receipt goes."""

    MISSING = "NOT_PROVED"
    BROKEN = "PROOF_BROKEN"
    HOLDS = "HOLDS"


@dataclass(frozen=True, slots=True, eq=False)
class JudgedHead:
    """A head, and who confirmed it; `trouble` instead where that cannot be judged, with the reason in English."""

    head: Head
    confirmation: Confirmation | None
    trouble: HeadTrouble | None = None
    reason: str = ""

    @property
    def is_confirmed(self) -> bool:
        """Whether a quorum confirmed it."""
        return self.confirmation is not None and self.confirmation.is_enough

    @property
    def as_of(self) -> int | None:
        """The newest time at which a quorum said that this was the head."""
        return None if self.confirmation is None else self.confirmation.as_of


@dataclass(frozen=True, slots=True, eq=False)
class JudgedBatch:
    """What the evidence of a batch's receipts proves, as of `now`; the same object for receipts that share their evidence.

    `log`, `status`: the heads. `logged`: that the anchor is under the log's head. `registered`: that the issuer's `record`, which
    the anchor names, is there too. `status_entry`: the status tree's root and of when that is, None if it is not proved.
    `standing`: that `newest` is what that tree says of the issuer. `unchanged`: that nothing in the batch was ever changed;
    otherwise each certificate's own proof says.
    """

    policy: TrustPolicy
    anchor: IssuanceAnchor
    now: int
    log: JudgedHead | None
    logged: Proof
    record: IssuerRecord | None
    registered: Proof
    status: JudgedHead | None
    status_entry: StatusEntry | None
    standing: Proof
    newest: IssuerRecord | Mark | None
    unchanged: bool

    @property
    def is_recorded(self) -> bool:
        """Whether a quorum confirms the anchor."""
        return self.logged is Proof.HOLDS and self.log is not None and self.log.is_confirmed

    @property
    def status_as_of(self) -> int | None:
        """As of when the status is known (unix s): the smaller of what the log says and of what a quorum signed.

        In a log by version 1 of the rules time does not stand; the anchor's own time is the newest that it shows.
        """
        signed = None if self.status is None else self.status.as_of
        if signed is None or self.status_entry is None:
            return None
        if self.status_entry.time is not None:
            return min(self.status_entry.time, signed)
        return min(self.anchor.anchored_at, signed) if self.is_recorded else None

    @property
    def shows_slow_clock(self) -> bool:
        """Whether a quorum's signatures show that the verifier's clock is behind."""
        return any(
            each is not None and each.confirmation is not None and each.confirmation.shows_slow_clock
            for each in (self.log, self.status)
        )

    @property
    def is_standing_needed(self) -> bool:
        """Whether the log says how issuers stand, as it does since version 2 of the rules."""
        return self.status_entry is None or self.status_entry.time is not None

    @property
    def is_forked(self) -> bool:
        """Whether members confirmed two logs: heads of one size with different roots."""
        if self.log is None or self.status is None:
            return False
        log, status = self.log.head.checkpoint, self.status.head.checkpoint
        return log.size == status.size and log.root != status.root

    @property
    def is_status_older(self) -> bool:
        """Whether the status is of a time before the log's head."""
        if self.log is None or self.status is None:
            return False
        return self.status.head.checkpoint.size < self.log.head.checkpoint.size


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What one receipt's evidence proves: its batch's, and its own statuses as far as these are proved under a head."""

    batch: JudgedBatch
    status: Proof
    statuses: ProvedStatuses | None


class EvidenceJudge:
    """Judges receipts under one policy."""

    def __init__(self, policy: TrustPolicy) -> None:
        self.policy = policy
        self._verifier = HeadVerifier(policy)
        self._heads: _Kept[tuple[Head, int], JudgedHead] = _Kept()
        self._batches: _Kept[tuple[int, int, int, int], tuple[_Shared, JudgedBatch]] = _Kept()

    def judge(self, receipt: Receipt, now: int) -> Judged:
        """Return what a receipt's evidence proves at a time (unix seconds)."""
        batch = self._batch(_Shared(receipt.anchor, receipt.log, receipt.status), now)
        if receipt.status is None:
            return Judged(batch, Proof.MISSING, None)
        if batch.status_entry is None:
            return Judged(batch, Proof.BROKEN, None)
        if batch.unchanged:
            return Judged(batch, Proof.HOLDS, _UNCHANGED)
        try:
            batch_id = receipt.anchor.statement.batch_id
            statuses = verify_certificate_statuses(
                receipt.status.statuses, batch.status_entry.root, batch_id, receipt.commitment
            )
        except (ProofError, InvalidInputError):
            return Judged(batch, Proof.BROKEN, None)
        return Judged(batch, Proof.HOLDS, statuses)

    def _batch(self, shared: _Shared, now: int) -> JudgedBatch:
        # By identity: parsed receipts of one batch share these objects, and comparing them would cost more than the check.
        key = (id(shared.anchor), id(shared.log), id(shared.status), now)
        return self._batches.get(key, lambda: (shared, self._judge_batch(shared, now)))[1]

    def _judge_batch(self, shared: _Shared, now: int) -> JudgedBatch:
        anchor, log, status = shared.anchor, shared.log, shared.status
        head = status.head if status is not None else None
        if status is not None and head is None and log is not None:
            head = log.head
        entry = None if status is None or head is None else _status_entry(status, head)
        standing, newest = _standing(anchor, status, entry)
        return JudgedBatch(
            policy=self.policy,
            anchor=anchor,
            now=now,
            log=None if log is None else self._head(log.head, now),
            logged=_logged(anchor, log),
            record=None if log is None or log.issuer is None else log.issuer.record,
            registered=_registered(anchor, log),
            status=None if head is None else self._head(head, now),
            status_entry=entry,
            standing=standing,
            newest=newest,
            unchanged=status is not None
            and entry is not None
            and _is_unchanged(status, entry.root, anchor.statement.batch_id),
        )

    def _head(self, head: Head, now: int) -> JudgedHead:
        return self._heads.get((head, now), lambda: self._judge_head(head, now))

    def _judge_head(self, head: Head, now: int) -> JudgedHead:
        lines = [(each.name, each.key_id) for each in head.note.signatures]
        if lines != sorted(set(lines)):
            reason = "the checkpoint's signatures are not in order, each once"
            return JudgedHead(head, None, HeadTrouble.SIGNATURE_BROKEN, reason)
        try:
            return JudgedHead(head, self._verifier.confirm(head, now))
        except OtherLogError as error:
            return JudgedHead(head, None, HeadTrouble.OTHER_LOG, str(error))
        except BadSignatureError as error:
            return JudgedHead(head, None, HeadTrouble.SIGNATURE_BROKEN, str(error))
        except ConfirmationError as error:
            return JudgedHead(head, None, HeadTrouble.KEY_UNKNOWN, str(error))


_UNCHANGED = ProvedStatuses(None, None)


@dataclass(frozen=True, slots=True, eq=False)
class _Shared:
    anchor: IssuanceAnchor
    log: LogEvidence | None
    status: StatusEvidence | None


class _Kept(Generic[Key, Found]):
    """The newest findings, by what they are about."""

    def __init__(self) -> None:
        self._found: OrderedDict[Key, Found] = OrderedDict()

    def get(self, key: Key, find: Callable[[], Found]) -> Found:
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = find()
            if len(self._found) > FINDINGS_KEPT:
                self._found.popitem(last=False)
        return found


def _logged(anchor: IssuanceAnchor, log: LogEvidence | None) -> Proof:
    if log is None:
        return Proof.MISSING
    try:
        verify_logged(anchor, log.inclusion, log.head.checkpoint)
    except ProofError:
        return Proof.BROKEN
    return Proof.HOLDS


def _registered(anchor: IssuanceAnchor, log: LogEvidence | None) -> Proof:
    if log is None or log.issuer is None:
        return Proof.MISSING
    record = log.issuer.record
    if (record.id, record.sequence) != (anchor.statement.issuer, anchor.issuer_sequence):
        return Proof.BROKEN
    try:
        verify_registered(log.issuer, log.head.checkpoint)
    except ProofError:
        return Proof.BROKEN
    return Proof.HOLDS


def _status_entry(status: StatusEvidence, head: Head) -> StatusEntry | None:
    try:
        return verify_status_entry(status.entry, head.checkpoint)
    except ProofError:
        return None


def _standing(
    anchor: IssuanceAnchor, status: StatusEvidence | None, entry: StatusEntry | None
) -> tuple[Proof, IssuerRecord | Mark | None]:
    if status is None or status.issuer is None:
        return Proof.MISSING, None
    if entry is None:
        return Proof.BROKEN, None
    try:
        return Proof.HOLDS, verify_standing(status.issuer, entry.root, anchor.statement.issuer)
    except (ProofError, InvalidInputError):
        return Proof.BROKEN, None


def _is_unchanged(status: StatusEvidence, root: bytes, batch_id: bytes) -> bool:
    """Say whether a proof is that of a whole batch in which nothing was changed: the same for all its certificates."""
    try:
        nothing = bytes(len(batch_id))
        if StatusesProof.from_bytes(status.statuses.proof, batch_id, nothing).record is not None:
            return False
        statuses = verify_certificate_statuses(status.statuses, root, batch_id, nothing)
    except (ProofError, InvalidInputError):
        return False
    return statuses == _UNCHANGED
