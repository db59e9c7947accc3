"""Making the proofs of one request: in pieces, so that others get their turn, and none twice under one head."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

from shirushi_core.proofs.issuer_standing import IssuerStanding
from shirushi_core.proofs.log_evidence import Head as SignedCheckpoint
from shirushi_core.proofs.log_evidence import RegisteredIssuer, StatusEntryProof
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.witness_protocol import ProofsAnswer, ProofsRequest
from shirushi_node.witness import proofs
from shirushi_node.witness.records import Head
from shirushi_node.witness.server_cache import BoundedCache
from shirushi_node.witness.server_limits import ITEMS_AT_ONCE
from shirushi_node.witness.server_turns import Turns
from shirushi_node.witness.store import LogStore

CACHED_PROOFS = 4096
"""Proofs of batches and statuses that are kept, of some kilobytes each."""

CACHED_ISSUERS = 256
"""Issuers' records with their proofs that are kept."""

SMALL_BYTES = 16 * 1024
"""Of a request that is read at once; a larger one is read in a thread, in its sender's turn."""

Result = TypeVar("Result")
_Item: TypeAlias = tuple[Literal["batches", "issuers", "statuses"], Any]


class Proving(Protocol):
    """What makes proofs: a witness's store, its notes, and its threads."""

    @property
    def store(self) -> LogStore: ...
    def note(self, head: Head) -> SignedNote: ...
    async def prove(self, work: Callable[[], Result]) -> Result: ...


@dataclass(slots=True)
class _Found:
    """What was proved so far; `head` and `status_entry` come with the first piece."""

    head: SignedCheckpoint | None = None
    status_entry: StatusEntryProof | None = None
    values: dict[_Item, Any] = field(default_factory=dict)


class Prover:
    """Makes answers for one witness, a piece at a time."""

    def __init__(self, witness: Proving, turns: Turns) -> None:
        self._witness = witness
        self._turns = turns
        self._proofs: BoundedCache[tuple[_Item, int], Any] = BoundedCache(CACHED_PROOFS)
        self._issuers: BoundedCache[tuple[_Item, int], Any] = BoundedCache(CACHED_ISSUERS)

    async def run(self, address: str, work: Callable[[], Result]) -> Result:
        """Return what some work on the store gives, done in a thread when it is the address's turn."""
        async with self._turns.turn(address):
            proving = asyncio.ensure_future(self._witness.prove(work))
            try:
                return await asyncio.shield(proving)
            except asyncio.CancelledError:
                # The thread goes on, and so does the turn: who asks and goes away takes no more than who stays.
                await asyncio.wait([proving])
                raise

    async def read(self, address: str, data: bytes) -> ProofsRequest:
        """Parse the body of a request; raises InvalidInputError."""
        if len(data) <= SMALL_BYTES:
            return ProofsRequest.from_bytes(data)
        return await self.run(address, lambda: ProofsRequest.from_bytes(data))

    async def answer(self, address: str, asked: ProofsRequest, head: Head) -> bytes:
        """Return the body of the answer under a head; raises ProofError if the store is damaged."""
        items: list[_Item] = [
            *(("batches", each) for each in asked.batches),
            *(("issuers", each) for each in asked.issuers),
            *(("statuses", each) for each in asked.statuses),
        ]
        found = _Found()
        if len(items) <= ITEMS_AT_ONCE:
            return await self.run(address, lambda: self._at_once(asked, items, head, found))
        for start in range(0, len(items), ITEMS_AT_ONCE):
            part = items[start : start + ITEMS_AT_ONCE]
            await self.run(address, lambda part=part: self._prove(part, head, found))  # type: ignore[misc]
        return await self.run(address, lambda: _body(asked, found))

    def _at_once(self, asked: ProofsRequest, items: Sequence[_Item], head: Head, found: _Found) -> bytes:
        self._prove(items, head, found)
        return _body(asked, found)

    def _prove(self, items: Sequence[_Item], head: Head, found: _Found) -> None:
        """Prove some items; raises ProofError."""
        missing = []
        for item in items:
            known = self._cache(item).get((item, head.size))
            if known is None:
                missing.append(item)
            else:
                found.values[item] = known
        if not missing and found.head is not None:
            return
        part = ProofsRequest(
            batches=tuple(each for kind, each in missing if kind == "batches"),
            issuers=tuple(each for kind, each in missing if kind == "issuers"),
            statuses=tuple(each for kind, each in missing if kind == "statuses"),
        )
        answer = proofs.answer(self._witness.store, part, head, self._witness.note)
        found.head, found.status_entry = answer.head, answer.status_entry
        standings = dict(zip(part.standings, answer.standings, strict=False))
        proved: list[tuple[_Item, Any]] = [
            *((("batches", item), value) for item, value in zip(part.batches, answer.batches, strict=True)),
            *(
                (("issuers", item), (value, standings.get(item[0])))
                for item, value in zip(part.issuers, answer.issuers, strict=True)
            ),
            *(
                (("statuses", item), value)
                for item, value in zip(part.statuses, answer.statuses, strict=True)
            ),
        ]
        for item, value in proved:
            found.values[item] = value
            is_there = value[0] is not None if item[0] == "issuers" else value is not None
            if is_there:  # what is not there can be asked for without end
                self._cache(item).put((item, head.size), value)

    def _cache(self, item: _Item) -> BoundedCache[tuple[_Item, int], Any]:
        return self._issuers if item[0] == "issuers" else self._proofs


def _body(asked: ProofsRequest, found: _Found) -> bytes:
    if found.head is None or found.status_entry is None:
        raise AssertionError("every answer has at least one piece")
    issuers: list[tuple[RegisteredIssuer | None, IssuerStanding | None]] = [
        found.values["issuers", each] for each in asked.issuers
    ]
    standings = {issuer: standing for (issuer, _), (_, standing) in zip(asked.issuers, issuers, strict=True)}
    return ProofsAnswer(
        head=found.head,
        status_entry=found.status_entry,
        batches=tuple(found.values["batches", each] for each in asked.batches),
        issuers=tuple(record for record, _ in issuers),
        statuses=tuple(found.values["statuses", each] for each in asked.statuses),
        standings=tuple(each for issuer in asked.standings if (each := standings[issuer]) is not None),
    ).to_bytes()
