"""Gathering what members' witnesses confirm: for a batch that was just anchored, and for receipts that want something newer.

All witnesses are asked at once. Whatever one answers is verified before it is used, and one that lies, lags or is silent costs
nothing but its own signature: gathering ends a moment after a quorum has signed the same head.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from shirushi_client.head_gathering import Contradiction, HeadGathering, NewestHead
from shirushi_client.head_signatures import HeadSignatures
from shirushi_client.witness_answers import Answers, Hedged
from shirushi_client.witness_client import Witness, WitnessError
from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs import merkle
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.certificate_status import StatusesProof
from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_core.proofs.confirmation import ConfirmationError, HeadVerifier
from shirushi_core.proofs.issuer_standing import IssuerStanding, verify_standing
from shirushi_core.proofs.log_entry import StatusEntry
from shirushi_core.proofs.log_evidence import (
    Head,
    LogEvidence,
    StatusEvidence,
    verify_certificate_statuses,
    verify_logged,
    verify_registered,
    verify_status_entry,
)
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.status import StatusRecord
from shirushi_core.proofs.trust_policy import TrustPolicy
from shirushi_core.proofs.witness_protocol import (
    ANCHORED,
    MAX_WAIT_SECONDS,
    ProofsAnswer,
    ProofsRequest,
)

GATHER_SECONDS = 5
"""How long an issuer waits for a quorum to log and sign a batch before it hands out receipts that are to be completed."""

BATCH_GRACE_SECONDS = 0.1
"""How much longer the others are waited for once a quorum has signed a batch's head: all that are well make it by then."""

HEDGE_SECONDS = 0.5
"""How long a witness may take to prove receipts before the next one is asked too."""

TOGETHER = 128
"""Receipts asked about in one request: what a lying witness can answer is bounded by what it was asked."""

SHOWN_POLL_SECONDS = 0.02
"""How often a witness is asked whether it has logged a change."""

NO_COMMITMENT = bytes(merkle.HASH_SIZE)
"""Asked for where the answer is about a whole batch in which nothing has changed."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was gathered about a batch: evidence as far as it goes, who confirmed it, and what was wrong, by member.

    `log` and `status` are None if no witness proved the batch.
    """

    log: LogEvidence | None
    status: StatusEvidence | None
    members: tuple[str, ...]
    quorum: int
    problems: Mapping[str, str]

    @property
    def is_complete(self) -> bool:
        """Whether a quorum confirmed it."""
        return self.log is not None and len(self.members) >= self.quorum


@dataclass(frozen=True, slots=True)
class ShownBy:
    """The members whose witnesses show a status change, and how many it takes."""

    members: tuple[str, ...]
    quorum: int

    @property
    def is_enough(self) -> bool:
        """Whether whoever verifies with the newest status sees it."""
        return len(self.members) >= self.quorum


class EvidenceGatherer:
    """Gathers from some witnesses, under a policy. `clock` is unix seconds."""

    def __init__(
        self,
        witnesses: Sequence[Witness],
        heads: HeadVerifier,
        clock: Callable[[], float],
        *,
        patience: float = GATHER_SECONDS,
        certified: bool = False,
    ) -> None:
        """`certified`: batches get a quorum certificate too, which the compact form of their receipts takes."""
        self._certified = certified
        self._witnesses = witnesses
        self._heads = heads
        self._clock = clock
        self._patience = patience
        self.contradictions: dict[str, Contradiction] = {}
        """The first that each member was found in."""

    @property
    def policy(self) -> TrustPolicy:
        """The policy that says whose signatures count."""
        return self._heads.policy

    @property
    def witnesses(self) -> Sequence[Witness]:
        """Those that are asked."""
        return self._witnesses

    async def of_batch(self, anchor: IssuanceAnchor) -> Gathered:
        """Gather what confirms a batch: at the first head that has it, which is the same at every member."""
        batch_id = anchor.statement.batch_id
        request = ProofsRequest(
            batches=(batch_id,),
            issuers=((anchor.statement.issuer, anchor.issuer_sequence),),
            statuses=((batch_id, NO_COMMITMENT),),
            head=ANCHORED,
            wait=min(MAX_WAIT_SECONDS, max(1, int(self._patience))),
        )
        problems: dict[str, str] = {}
        signatures = HeadSignatures(self._heads, self._clock)
        proofs: dict[Checkpoint, ProofsAnswer] = {}
        async with Answers(
            self._witnesses, lambda each: each.proofs(request), self._patience, problems
        ) as answers:
            while (answered := await answers.next()) is not None:
                member, answer = answered
                try:
                    _check_batch(answer, request, anchor)
                    checkpoint = signatures.add(member, answer.head.note)
                except (ShirushiError, ValueError) as error:
                    problems[member] = str(error)
                    continue
                proofs.setdefault(checkpoint, answer)
                if signatures.confirmation(checkpoint).is_enough:
                    answers.hurry(BATCH_GRACE_SECONDS)
        best = signatures.most_signed()
        if best is None:
            return Gathered(None, None, (), signatures.quorum, problems)
        problems |= dict.fromkeys(
            signatures.signers_of_others(best), "it signed another head than the others"
        )
        answer, head, confirmation = (
            proofs[best],
            signatures.head(best, certified=self._certified),
            signatures.confirmation(best),
        )
        inclusion, issuer = answer.batches[0], answer.issuers[0]
        if inclusion is None:
            raise InvalidInputError("the proof of a batch that was checked is gone")
        return Gathered(
            log=LogEvidence(head, inclusion, issuer),
            status=StatusEvidence(
                None, answer.status_entry, answer.statuses[0], next(iter(answer.standings), None)
            ),
            members=confirmation.members,
            quorum=confirmation.quorum,
            problems=problems,
        )

    async def newest_head(self, *, certified: bool = False) -> NewestHead:
        """Return the newest head that a quorum signs now; raises WitnessError.

        `certified`: with a quorum certificate, if there are shares enough.
        """
        gathering = HeadGathering(self._witnesses, self._heads, self._clock, self._patience)
        newest = await gathering.gather(certified=certified)
        for each in newest.contradictions:
            self.contradictions.setdefault(each.member_id, each)
        return newest

    async def until_shown(self, record: StatusRecord) -> ShownBy:
        """Wait until a quorum of witnesses show a status record under their newest heads, and return who does.

        From then on whoever refreshes a receipt sees it. Fewer are returned if patience ends before.
        """
        commitment = NO_COMMITMENT if record.commitment is None else record.commitment
        request = ProofsRequest(statuses=((record.batch_id, commitment),))
        wanted = HeadSignatures(self._heads, self._clock).quorum
        showing: list[str] = []

        async def shows(witness: Witness) -> str:
            while True:
                try:
                    if _shows(await witness.proofs(request), record, commitment):
                        return witness.member_id
                except (InvalidInputError, merkle.ProofError) as error:
                    raise WitnessError(str(error)) from error
                await asyncio.sleep(SHOWN_POLL_SECONDS)

        async with Answers(self._witnesses, shows, self._patience, {}) as answers:
            while len(showing) < wanted and (answered := await answers.next()) is not None:
                showing.append(answered[1])
        return ShownBy(tuple(showing), wanted)

    async def refresh(self, receipts: Sequence[Receipt], *, compact: bool = False) -> list[Receipt]:
        """Return receipts with the newest status there is, and with log evidence where they had none that is enough.

        `compact` makes them ready for the compact form: all under one head, with a quorum certificate.

        Raises WitnessError if no quorum confirms a head now, or no witness proves a receipt's batch and status under it.
        """
        newest = await self.newest_head(certified=compact)
        refreshed: list[Receipt] = []
        for start in range(0, len(receipts), TOGETHER):
            refreshed += await self._refresh(receipts[start : start + TOGETHER], newest, compact)
        return refreshed

    async def _refresh(self, receipts: Sequence[Receipt], newest: NewestHead, compact: bool) -> list[Receipt]:
        anchors = {receipt.anchor.statement.batch_id: receipt.anchor for receipt in receipts}
        issuers = list(
            dict.fromkeys((each.statement.issuer, each.issuer_sequence) for each in anchors.values())
        )
        # The same certificate may be asked about twice: it is asked for once.
        wanted = dict.fromkeys((each.anchor.statement.batch_id, each.commitment) for each in receipts)
        request = ProofsRequest(
            batches=tuple(anchors),
            issuers=tuple(issuers),
            statuses=tuple(wanted),
            head=newest.head.checkpoint.size,
        )
        problems = dict(newest.problems)
        # Who signed the head has it; the next is asked as soon as one has failed, or taken long.
        signers = sorted(self._witnesses, key=lambda each: each.member_id not in newest.members)
        async with Hedged(
            signers, lambda each: each.proofs(request), HEDGE_SECONDS, self._patience, problems
        ) as answers:
            while (answered := await answers.next()) is not None:
                member, answer = answered
                try:
                    return self._refreshed(receipts, answer, request, newest.head, compact)
                except (ConfirmationError, InvalidInputError, merkle.ProofError) as error:
                    problems[member] = str(error)
        raise WitnessError(
            f"no witness proves these receipts under the head of size {newest.head.checkpoint.size}: "
            f"{'; '.join(problems.values())}"
        )

    def _refreshed(
        self,
        receipts: Sequence[Receipt],
        answer: ProofsAnswer,
        request: ProofsRequest,
        head: Head,
        compact: bool,
    ) -> list[Receipt]:
        checkpoint = head.checkpoint
        asked = (len(request.batches), len(request.issuers), len(request.statuses))
        found = (len(answer.batches), len(answer.issuers), len(answer.statuses))
        if answer.head.checkpoint != checkpoint or found != asked:
            raise InvalidInputError("its proofs are under another head, or of something else")
        entry = verify_status_entry(answer.status_entry, checkpoint)
        standings = _standings(answer, request, entry)
        inclusions = dict(zip(request.batches, answer.batches, strict=True))
        registered = dict(zip(request.issuers, answer.issuers, strict=True))
        refreshed = []
        proved = dict(zip(request.statuses, answer.statuses, strict=True))
        for receipt in receipts:
            statement = receipt.anchor.statement
            statuses = proved[statement.batch_id, receipt.commitment]
            inclusion = inclusions[statement.batch_id]
            if inclusion is None:
                raise InvalidInputError(f"it has no batch {statement.batch_id.hex()}")
            verify_logged(receipt.anchor, inclusion, checkpoint)
            verify_certificate_statuses(statuses, entry.root, statement.batch_id, receipt.commitment)
            named = (statement.issuer, receipt.anchor.issuer_sequence)
            issuer = registered[named]
            if issuer is None or (issuer.record.id, issuer.record.sequence) != named:
                raise InvalidInputError("it did not give the issuer's record that the batch names")
            verify_registered(issuer, checkpoint)
            log = receipt.log
            if compact or log is None or not self._is_good(log, receipt.anchor):
                log = LogEvidence(head, inclusion, issuer)
            own = None if log.head == head else head
            standing = standings.get(statement.issuer)
            status = StatusEvidence(own, answer.status_entry, statuses, standing)
            refreshed.append(replace(receipt, log=log, status=status))
        return refreshed

    def _is_good(self, log: LogEvidence, anchor: IssuanceAnchor) -> bool:
        """Say whether log evidence is complete and can stay as it is."""
        try:
            verify_logged(anchor, log.inclusion, log.head.checkpoint)
            if log.issuer is not None:
                verify_registered(log.issuer, log.head.checkpoint)
            confirmation = self._heads.confirm(log.head, int(self._clock()))
        except (ConfirmationError, merkle.ProofError):
            return False
        return confirmation.is_enough and log.issuer is not None

    def _quorum(self) -> int:
        return self.policy.quorum_at(int(self._clock())) or len(self.policy.members) + 1


def _check_batch(answer: ProofsAnswer, request: ProofsRequest, anchor: IssuanceAnchor) -> None:
    """Raise unless an answer proves an anchor, its issuer's record and that nothing in its batch was changed."""
    if (len(answer.batches), len(answer.issuers), len(answer.statuses)) != (1, 1, 1):
        raise InvalidInputError("it answered something else than it was asked")
    checkpoint, inclusion, issuer = answer.head.checkpoint, answer.batches[0], answer.issuers[0]
    if inclusion is None or issuer is None:
        raise InvalidInputError("it has not logged the batch yet")
    verify_logged(anchor, inclusion, checkpoint)
    if (issuer.record.id, issuer.record.sequence) != (anchor.statement.issuer, anchor.issuer_sequence):
        raise InvalidInputError("it gave another issuer's record")
    verify_registered(issuer, checkpoint)
    entry = verify_status_entry(answer.status_entry, checkpoint)
    _standings(answer, request, entry)
    batch_id, statuses = anchor.statement.batch_id, answer.statuses[0]
    verify_certificate_statuses(statuses, entry.root, batch_id, NO_COMMITMENT)
    if StatusesProof.from_bytes(statuses.proof, batch_id, NO_COMMITMENT).record is not None:
        raise InvalidInputError("its status proof is not of a batch in which nothing has changed")


def _standings(answer: ProofsAnswer, request: ProofsRequest, entry: StatusEntry) -> dict[str, IssuerStanding]:
    """Return how the issuers asked about stand, verified; nothing in a log by version 1 of the rules. Raises as `verify_standing`."""
    asked = request.standings if entry.time is not None else ()
    if len(answer.standings) != len(asked):
        raise InvalidInputError("it did not say how each issuer stands")
    found = dict(zip(asked, answer.standings, strict=True))
    for issuer, standing in found.items():
        verify_standing(standing, entry.root, issuer)
    return found


def _shows(answer: ProofsAnswer, record: StatusRecord, commitment: bytes) -> bool:
    if len(answer.statuses) != 1:
        raise InvalidInputError("it answered something else than it was asked")
    root = verify_status_entry(answer.status_entry, answer.head.checkpoint).root
    proved = verify_certificate_statuses(answer.statuses[0], root, record.batch_id, commitment)
    return record == (proved.batch if record.commitment is None else proved.certificate)
