"""The ledger as issuers and look-ups use it: safe to repeat, patient with lost replies, not bound to one member."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from shirushi_client.ledger_errors import (
    BATCH_NOT_FOUND,
    ContractError,
    LedgerAnswerError,
    LedgerUnreachableError,
)
from shirushi_client.member_contract import MemberContract
from shirushi_client.status_change import StatusChange
from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import fields
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.issuer import IssuerRecord
from shirushi_core.proofs.seal import Seal
from shirushi_core.proofs.status import StatusRecord

ATTEMPTS = 6
"""How often one request is made before giving up."""

FIRST_PAUSE = 0.1
"""Seconds before the second attempt; doubled for each further one, so that a busy ledger is not made busier."""

GIVE_UP_SECONDS = 120.0
"""How long one request may take, all attempts together."""

MAX_PAGE = 100
"""Entries that the contract gives at most on one page."""

Answer = TypeVar("Answer")


class IssuingLedger(Protocol):
    """The ledger as an issuer uses it. Every method is safe to repeat: the same request has the same result."""

    @property
    def name(self) -> str:
        """The ledger's name: its channel."""

    async def submit_issue(self, statement: BatchStatement, seal: Seal) -> IssuanceAnchor:
        """Anchor a batch, or return the anchor it has; returns when it is committed; raises LedgerError."""

    async def submit_status(
        self, change_id: str, issuer: str, changes: Sequence[StatusChange]
    ) -> tuple[StatusRecord, ...]:
        """Change statuses, all or none, or return the records that this change made before; raises LedgerError."""

    async def get_issuer(self, issuer: str) -> IssuerRecord:
        """Return an issuer's present record; raises LedgerError."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the batches of an issuer; `bookmark` asks for the next page and is empty after the last."""

    batches: tuple[IssuanceAnchor, ...]
    bookmark: str


class LedgerClient:
    """The ledger through any of several members' gateways: first the first one, later the one that answered last.

    A member that does not answer costs each request a deadline; so whoever stood in for it is asked first from then on.
    """

    def __init__(
        self,
        name: str,
        members: Sequence[MemberContract],
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self._members = members
        self._preferred = 0
        self._pause = pause

    async def submit_issue(self, statement: BatchStatement, seal: Seal) -> IssuanceAnchor:
        """Anchor a batch, or return the anchor it has.

        After a lost reply the batch is looked up first, and sent again only if it is not there; the contract answers
        a batch that it has with its first anchor, so that sending it twice changes nothing.
        """

        async def look_up(member: MemberContract) -> IssuanceAnchor | None:
            anchor = await _get_batch(member, statement.batch_id)
            return anchor if anchor is not None and anchor.statement == statement else None

        async def send(member: MemberContract) -> IssuanceAnchor:
            argument: Json = {"seal": seal.to_json(), "statement": statement.to_json()}
            return _parse(IssuanceAnchor.from_json, await member.submit("issue", argument))

        return await self._until_known(send, look_up)

    async def submit_status(
        self, change_id: str, issuer: str, changes: Sequence[StatusChange]
    ) -> tuple[StatusRecord, ...]:
        """Change statuses, all or none, or return the records that this change made before."""
        argument: Json = {
            "change_id": change_id,
            "changes": [change.to_json() for change in changes],
            "issuer": issuer,
        }

        async def send(member: MemberContract) -> tuple[StatusRecord, ...]:
            return _parse(_records, await member.submit("set_status", argument))

        return await self._until_known(send)

    async def submit(self, function: str, argument: Json) -> Json:
        """Submit another function of the contract through the first member, once: it need not be safe to repeat."""
        return await self._members[0].submit(function, argument)

    async def evaluate(self, function: str, argument: Json) -> Json:
        """Ask members until one answers."""

        async def ask(member: MemberContract) -> Json:
            return await member.evaluate(function, argument)

        return await self._until_known(ask, attempts=len(self._members))

    async def get_batch(self, batch_id: bytes) -> IssuanceAnchor | None:
        """Return a batch's anchor, None if it has none."""

        async def ask(member: MemberContract) -> IssuanceAnchor | None:
            return await _get_batch(member, batch_id)

        return await self._until_known(ask, attempts=len(self._members))

    async def get_issuer(self, issuer: str) -> IssuerRecord:
        """Return an issuer's present record."""
        return _parse(IssuerRecord.from_json, await self.evaluate("get_issuer", {"issuer": issuer}))

    async def get_history(self, batch_id: bytes, commitment: bytes | None) -> tuple[StatusRecord, ...]:
        """Return every status that a certificate, or a whole batch, was given, oldest first."""
        argument: Json = {
            "batch_id": batch_id.hex(),
            "commitment": None if commitment is None else commitment.hex(),
        }
        return _parse(_history, await self.evaluate("get_history", argument))

    async def list_batches(self, issuer: str, page_size: int, bookmark: str = "") -> Page:
        """Return a page of an issuer's batches."""
        argument: Json = {"bookmark": bookmark, "issuer": issuer, "page_size": page_size}
        return _parse(_page, await self.evaluate("list_batches", argument))

    async def _until_known(
        self,
        send: Callable[[MemberContract], Awaitable[Answer]],
        look_up: Callable[[MemberContract], Awaitable[Answer | None]] | None = None,
        *,
        attempts: int = ATTEMPTS,
    ) -> Answer:
        """Send to one member after another until one says what happened."""
        last: LedgerUnreachableError | TimeoutError | None = None
        first = self._preferred
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                for attempt in range(attempts):
                    number = (first + attempt) % len(self._members)
                    member = self._members[number]
                    try:
                        if attempt:
                            await self._pause(FIRST_PAUSE * 2 ** (attempt - 1))
                            if look_up and (known := await look_up(member)) is not None:
                                self._preferred = number
                                return known
                        answer = await send(member)
                        self._preferred = number
                        return answer
                    except LedgerUnreachableError as error:
                        last = error
        except TimeoutError as error:
            last = last or error
        raise LedgerUnreachableError(
            f"no member said what became of the request; it is safe to make it again. Last: {last}"
        ) from last


async def _get_batch(member: MemberContract, batch_id: bytes) -> IssuanceAnchor | None:
    try:
        return _parse(
            IssuanceAnchor.from_json, await member.evaluate("get_batch", {"batch_id": batch_id.hex()})
        )
    except ContractError as error:
        if error.code == BATCH_NOT_FOUND:
            return None
        raise


def _parse(parse: Callable[[Json], Answer], value: Json) -> Answer:
    try:
        return parse(value)
    except InvalidInputError as error:
        raise LedgerAnswerError(f"the ledger's answer is not what its interface says: {error}") from error


def _records(value: Json) -> tuple[StatusRecord, ...]:
    members = fields.an_object(value, "set_status", frozenset({"change_id", "records"}), others=True)
    return _history(members["records"])


def _history(value: Json) -> tuple[StatusRecord, ...]:
    return tuple(StatusRecord.from_json(record) for record in fields.an_array(value, "records", 0, 1 << 20))


def _page(value: Json) -> Page:
    members = fields.an_object(value, "list_batches", frozenset({"batches", "bookmark"}), others=True)
    batches = fields.an_array(members["batches"], "list_batches: batches", 0, MAX_PAGE)
    bookmark = members["bookmark"]
    if not isinstance(bookmark, str):
        raise fields.unexpected("list_batches: bookmark", "a string", bookmark)
    return Page(tuple(IssuanceAnchor.from_json(batch) for batch in batches), bookmark)
