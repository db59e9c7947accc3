"""Witnesses on paper: each answers out of a PaperLog, honestly or as a test bends it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence

from tests.support.paper_log import KEYS, MEMBERS, PaperLog, issuer_record

from shirushi_client.witness_client import ServedPolicy, WitnessError
from shirushi_core.proofs import merkle
from shirushi_core.proofs.log_entry import issuance_entry
from shirushi_core.proofs.log_evidence import Head
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.policy_update import SignedPolicy
from shirushi_core.proofs.witness_protocol import ANCHORED, NEWEST, ProofsAnswer, ProofsRequest


@dataclasses.dataclass
class PaperWitness:
    """A member's witness; `bend` changes what it answers, `silent` keeps it from answering at all."""

    member_id: str
    log: PaperLog
    clock: Callable[[], int]
    silent: bool = False
    down: bool = False
    bend: Callable[[ProofsAnswer], ProofsAnswer] = lambda answer: answer
    bend_note: Callable[[SignedNote], SignedNote] = lambda note: note
    size: int | None = None  # the newest head it knows of, if that is not the log's
    asked: int = 0
    until: asyncio.Event | None = None  # it answers nothing before
    policies: list[SignedPolicy] = dataclasses.field(default_factory=list)

    async def note(self, size: int | None = None, wait: int = 0) -> SignedNote:
        await self._answer()
        return self.bend_note(self._note(size or self._newest()))

    async def proofs(self, request: ProofsRequest) -> ProofsAnswer:
        await self._answer()
        log, size = self.log, self._newest()
        anchors = {anchor.statement.batch_id: anchor for anchor in log.anchors}
        if request.head == ANCHORED:
            wanted = max(log.entries.index(issuance_entry(anchors[batch])) for batch in request.batches)
            size = min(each for each in log.roots if each > wanted)
        elif request.head != NEWEST:
            size = int(request.head)
        if size > self._newest():
            raise WitnessError(f"{self.member_id} has not come that far")
        return self.bend(
            ProofsAnswer(
                head=Head(self.bend_note(self._note(size))),
                status_entry=log.status_entry(size),
                batches=tuple(
                    log.inclusion(issuance_entry(anchors[batch]), size) if batch in anchors else None
                    for batch in request.batches
                ),
                issuers=tuple(log.registered(issuer_record(), size) for _ in request.issuers),
                statuses=tuple(log.statuses(*each, size) for each in request.statuses),
                standings=tuple(
                    standing
                    for each in request.standings
                    if (standing := log.standing(each, size)) is not None
                ),
            )
        )

    async def consistency_path(self, first: int, second: int) -> list[bytes]:
        await self._answer()
        return merkle.consistency_path(self.log.entries[:second], first)

    async def served_policy(self) -> ServedPolicy | None:
        if self.down or not self.policies:
            return None
        newest = self.policies[-1].policy
        return ServedPolicy(newest.version, newest.fingerprint)

    async def policy(self, version: int) -> bytes | None:
        await self._answer()
        return next((each.to_bytes() for each in self.policies if each.policy.version == version), None)

    def _newest(self) -> int:
        return len(self.log.entries) if self.size is None else self.size

    def _note(self, size: int) -> SignedNote:
        return KEYS[self.member_id].signatures(self.log.checkpoint(size), self.clock())

    async def _answer(self) -> None:
        self.asked += 1
        if self.down:
            raise WitnessError(f"the witness of {self.member_id} cannot be reached")
        if self.until is not None:
            await self.until.wait()
        if self.silent:
            await asyncio.Event().wait()


def paper_witnesses(
    log: PaperLog, clock: Callable[[], int], members: Sequence[str] = MEMBERS
) -> dict[str, PaperWitness]:
    return {member: PaperWitness(member, log, clock) for member in members}
