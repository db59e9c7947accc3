"""Finding the newest head: liars invent, lag and stall, and the quorum's head is found all the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import pytest
from tests.support.paper_log import BEGIN, KEYS, MEMBERS, PaperLog, issuer_record, trust_policy
from tests.support.paper_witnesses import PaperWitness, paper_witnesses

from shirushi_client.head_gathering import HeadGathering, NewestHead
from shirushi_client.witness_client import WitnessError
from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_core.proofs.confirmation import HeadVerifier
from shirushi_core.proofs.note import SignedNote, VerifierKey

NOW = BEGIN + 1000
PATIENCE = 2.0


def a_log(blocks: int = 4) -> PaperLog:
    log = PaperLog()
    for sequence in range(1, blocks + 1):
        log.add_block(issuers=[issuer_record(sequence)])
    return log


async def newest(witnesses: dict[str, PaperWitness], patience: float = PATIENCE) -> NewestHead:
    heads = HeadVerifier(trust_policy())
    return await HeadGathering(list(witnesses.values()), heads, lambda: NOW, patience).gather()


def invented(member: str, *, size: int = 1 << 40) -> Callable[[SignedNote], SignedNote]:
    """A head that there is nothing of: a new one at every request, signed by who invents it."""
    made = iter(range(1 << 20))

    def bend(note: SignedNote) -> SignedNote:
        number = next(made)
        checkpoint = Checkpoint(
            Checkpoint.from_text(note.text).origin, size + number, number.to_bytes(32, "big")
        )
        return KEYS[member].signatures(checkpoint, NOW)

    return bend


async def test_the_newest_head_is_that_of_all() -> None:
    log = a_log()
    found = await newest(paper_witnesses(log, lambda: NOW))
    assert found.head.checkpoint == log.checkpoint()
    assert found.contradictions == ()


@pytest.mark.parametrize("liars", [MEMBERS[:1], MEMBERS[:2], MEMBERS[3:]])
@pytest.mark.parametrize("sizes", [(8, 8, 8), (8, 6, 6), (8, 6, 4), (4, 6, 8)])
async def test_liars_that_invent_larger_heads_change_nothing_and_are_named_with_what_they_signed(
    liars: Sequence[str], sizes: tuple[int, ...]
) -> None:
    """The honest ones are at different heads of one log; what three of them have reached is what there is."""
    witnesses = paper_witnesses(a_log(), lambda: NOW)
    honest = [member for member in MEMBERS if member not in liars]
    for member, size in zip(honest, sizes, strict=False):
        witnesses[member].size = size
    for member in liars:
        witnesses[member].bend_note = invented(member)
    found = await newest(witnesses)
    assert (
        found.head.checkpoint.size == sorted((witnesses[each].size or 8 for each in honest), reverse=True)[2]
    )
    assert set(liars).isdisjoint(found.members)
    assert {each.member_id for each in found.contradictions} == set(liars)
    for each in found.contradictions:
        assert each.theirs.of(trust_verifier(each.member_id))


def trust_verifier(member_id: str) -> VerifierKey:
    policy = trust_policy()
    member = policy.member(member_id)
    assert member is not None
    keys = [policy.verifier_key(member, key) for key in member.keys if key.use == "cosigner"]
    assert keys[0] is not None
    return keys[0]


async def test_another_head_of_the_same_size_is_named_with_its_signature() -> None:
    witnesses = paper_witnesses(a_log(), lambda: NOW)
    witnesses["haw"].bend_note = invented("haw", size=8)
    found = await newest(witnesses)
    (contradiction,) = found.contradictions
    assert contradiction.member_id == "haw"
    assert "another head of 8 entries" in contradiction.sentence
    assert "haw" in found.problems


async def test_who_is_behind_or_ahead_on_the_same_log_is_not_accused() -> None:
    witnesses = paper_witnesses(a_log(), lambda: NOW)
    for member, size in zip(MEMBERS, (8, 6, 6, 6, 4), strict=True):
        witnesses[member].size = size
    found = await newest(witnesses)
    assert found.head.checkpoint.size == 6
    assert found.contradictions == ()


async def test_liars_that_stall_cost_no_more_than_a_moment() -> None:
    witnesses = paper_witnesses(a_log(), lambda: NOW)
    for member, size in zip(MEMBERS[2:], (8, 6, 4), strict=True):
        witnesses[member].size = size
    for member in MEMBERS[:2]:
        witnesses[member].silent = True
    started = time.monotonic()
    found = await newest(witnesses, patience=30)
    assert found.head.checkpoint.size == 4
    assert time.monotonic() - started < 2


async def test_a_slow_honest_quorum_is_waited_for_although_liars_answer_at_once() -> None:
    witnesses = paper_witnesses(a_log(), lambda: NOW)
    slow = asyncio.Event()
    asyncio.get_running_loop().call_later(1.0, slow.set)
    for member in MEMBERS[:2]:
        witnesses[member].bend_note = invented(member)
    for member in MEMBERS[2:]:
        witnesses[member].until = slow
    started = time.monotonic()
    found = await newest(witnesses, patience=30)
    assert found.head.checkpoint.size == 8
    assert time.monotonic() - started < 3


async def test_without_a_quorum_it_is_said_what_was_wrong_with_whom() -> None:
    witnesses = paper_witnesses(a_log(), lambda: NOW)
    for member in MEMBERS[:3]:
        witnesses[member].silent = True
    with pytest.raises(WitnessError, match="no answer in time"):
        await newest(witnesses, patience=0.1)
