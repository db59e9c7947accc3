"""Finding the newest head that a quorum signs now, whatever a minority says.

Members sign the same heads at slightly different moments, and each says which is its newest. Every size that somebody names is asked
for of all who are beyond it, so a head that a liar invents, however large, costs the others nothing. Whoever signs a head that does not
fit the one that a quorum signed is named, and the signed head is kept: it is the proof.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shirushi_client.head_signatures import HeadSignatures
from shirushi_client.witness_client import Witness, WitnessError
from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_core.proofs.confirmation import HeadVerifier
from shirushi_core.proofs.log_evidence import Head
from shirushi_core.proofs.merkle import ProofError, verify_consistency
from shirushi_core.proofs.note import SignedNote

GRACE_SECONDS = 0.5
"""How much longer the others are waited for once a quorum has signed a head: one of them may have a newer one."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A head that a member signed and that is not one of the log that a quorum signs: `theirs` proves it by the signature."""

    member_id: str
    sentence: str
    theirs: SignedNote


@dataclass(frozen=True, slots=True)
class NewestHead:
    """The newest head that a quorum signs, who signed it, what was wrong with whom, and who contradicts it."""

    head: Head
    members: tuple[str, ...]
    problems: Mapping[str, str]
    contradictions: tuple[Contradiction, ...]


class HeadGathering:
    """One search for the newest head. `clock` is unix seconds, `patience` seconds for each round of questions."""

    def __init__(
        self,
        witnesses: Sequence[Witness],
        heads: HeadVerifier,
        clock: Callable[[], float],
        patience: float,
    ) -> None:
        self._witnesses = witnesses
        self._signatures = HeadSignatures(heads, clock)
        self._patience = patience
        self._newest: dict[str, SignedNote] = {}
        self._problems: dict[str, str] = {}

    async def gather(self, *, certified: bool = False) -> NewestHead:
        """Return the newest head; raises WitnessError if no quorum signs one.

        `certified`: with a quorum certificate, if there are shares enough of one minute.
        """
        await self._ask()
        confirmed = self._signatures.confirmed()
        if not confirmed:
            why = "; ".join(self._problems.values()) or "they signed different heads"
            raise WitnessError(
                f"no head of the log is confirmed by {self._signatures.quorum} members now, of "
                f"{len(self._witnesses)} asked: {why}"
            )
        newest = max(confirmed, key=lambda each: each.size)
        contradictions = await self._contradictions(newest)
        return NewestHead(
            self._signatures.head(newest, certified=certified),
            self._signatures.confirmation(newest).members,
            self._problems | {each.member_id: each.sentence for each in contradictions},
            contradictions,
        )

    async def _ask(self) -> None:
        """Ask everybody for its newest head, and who is beyond another's for that one too, until a quorum has signed one."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._patience
        waiting: dict[asyncio.Future[SignedNote], tuple[Witness, int | None]] = {
            asyncio.ensure_future(each.note()): (each, None) for each in self._witnesses
        }
        try:
            while waiting and (left := end - loop.time()) > 0:
                done, _ = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    witness, size = waiting.pop(task)
                    if self._take(witness, task) and size is None:
                        for other, earlier in self._further(witness):
                            waiting[asyncio.ensure_future(other.note(earlier, 1))] = (other, earlier)
                if done and self._signatures.confirmed():
                    end = min(end, loop.time() + GRACE_SECONDS)
            if not self._signatures.confirmed():
                self._problems |= {each.member_id: "no answer in time" for each, _ in waiting.values()}
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def _take(self, witness: Witness, task: asyncio.Future[SignedNote]) -> bool:
        """Take a member's note in, and say whether it is its own and holds."""
        member = witness.member_id
        try:
            note = task.result()
            size = self._signatures.add(member, note).size
        except ShirushiError as error:
            self._problems[member] = str(error)
            return False
        if member not in self._newest or size > _size(self._newest[member]):
            self._newest[member] = note
        return True

    def _further(self, witness: Witness) -> Iterator[tuple[Witness, int]]:
        """Yield who is to be asked for which earlier head, now that one more has said where it is."""
        size = _size(self._newest[witness.member_id])
        for other in self._witnesses:
            if other.member_id not in self._newest or other is witness:
                continue
            others_size = _size(self._newest[other.member_id])
            if others_size > size:
                yield other, size
            elif others_size < size:
                yield witness, others_size

    async def _contradictions(self, confirmed: Checkpoint) -> tuple[Contradiction, ...]:
        """Find out whose newest head does not fit; who is merely behind cannot be told from who is not, and is not named."""
        by_id = {each.member_id: each for each in self._witnesses}
        suspects = [
            (by_id[member], note)
            for member, note in self._newest.items()
            if note.text != confirmed.to_text() and _size(note) >= confirmed.size
        ]
        found = await asyncio.gather(*(self._contradiction(*each, confirmed) for each in suspects))
        return tuple(each for each in found if each is not None)

    async def _contradiction(
        self, witness: Witness, note: SignedNote, confirmed: Checkpoint
    ) -> Contradiction | None:
        theirs = Checkpoint.from_text(note.text)
        if theirs.size == confirmed.size:
            sentence = f"it signed another head of {theirs.size} entries than a quorum did"
            return Contradiction(witness.member_id, sentence, note)
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                path = await witness.consistency_path(confirmed.size, theirs.size)
            verify_consistency(confirmed.size, theirs.size, confirmed.root, theirs.root, path)
        except ProofError:
            sentence = (
                f"it signed a head of {theirs.size} entries and does not prove that this extends the one of "
                f"{confirmed.size} that a quorum signed"
            )
            return Contradiction(witness.member_id, sentence, note)
        except (TimeoutError, WitnessError) as error:
            self._problems.setdefault(witness.member_id, str(error) or "it did not prove its head in time")
        return None


def _size(note: SignedNote) -> int:
    return Checkpoint.from_text(note.text).size
