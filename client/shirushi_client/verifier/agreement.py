"""What distinct members agree on."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Answer = TypeVar("Answer", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Agreed(Generic[Answer]):
    """An answer that at least a quorum of members gave, and who did not give it."""

    answer: Answer
    agreeing: tuple[str, ...]
    dissenting: tuple[str, ...]
    silent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotAgreed:
    """No one answer has a quorum. `contradictory`: members answered, but not the same."""

    answering: tuple[str, ...]
    silent: tuple[str, ...]
    contradictory: bool


def agree(
    answers: Iterable[tuple[str, Answer]], members: Sequence[str], quorum: int
) -> Agreed[Answer] | NotAgreed:
    """Return the one answer that at least `quorum` of `members` gave.

    `answers` are (member id, answer); who gave none is silent. A member counts once however often it answers, not at
    all if its answers differ, and nobody else counts. Two answers with a quorum each, possible only where the quorum
    is half of the members or fewer, agree on nothing.
    """
    said: dict[str, set[Answer]] = {}
    for member, answer in answers:
        said.setdefault(member, set()).add(answer)
    votes: dict[Answer, list[str]] = {}
    for member in dict.fromkeys(members):
        if len(said.get(member, ())) == 1:
            votes.setdefault(next(iter(said[member])), []).append(member)
    silent = tuple(member for member in dict.fromkeys(members) if member not in said)
    winners = [(answer, who) for answer, who in votes.items() if len(who) >= quorum]
    if len(winners) == 1:
        answer, agreeing = winners[0]
        dissenting = tuple(
            member for member in dict.fromkeys(members) if member in said and member not in agreeing
        )
        return Agreed(answer, tuple(agreeing), dissenting, silent)
    answering = tuple(member for member in dict.fromkeys(members) if member in said)
    contradictory = len(votes) > 1 or any(len(said[member]) > 1 for member in answering)
    return NotAgreed(answering, silent, contradictory)
