"""What each member says about a batch, a certificate's status and an issuer, asked of all of them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from shirushi_client.ledger_errors import (
    BATCH_NOT_FOUND,
    ISSUER_NOT_FOUND,
    ContractError,
    LedgerAnswerError,
    LedgerError,
)
from shirushi_client.member_contract import EVALUATE_SECONDS, MemberContract
from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import fields
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.issuer import IssuerRecord
from shirushi_core.proofs.status import StatusRecord

MEMBER_SECONDS = EVALUATE_SECONDS + 1.0
"""How long one member may take for everything it is asked; the others do not wait longer for it either."""

MAX_HISTORY = 1 << 20
"""Status records that one certificate or batch may have had."""

_TIME_FIELDS = frozenset({"time"})
_STATUS_FIELDS = frozenset({"batch_id", "batch_status", "certificate_status", "commitment"})

Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True)
class Silence:
    """A question that a member did not answer, or not in a way that can be used, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Statuses:
    """The status records of a certificate and of its batch; None where there is none."""

    batch: StatusRecord | None
    certificate: StatusRecord | None


@dataclass(frozen=True, slots=True)
class MemberAnswers:
    """What one member said. None: that there is no such batch or issuer.

    `time`: of when its ledger was before it said the rest: the newest time there (unix s), None if there is none of late.
    """

    member: str
    time: int | Silence | None
    anchor: IssuanceAnchor | Silence | None
    statuses: Statuses | Silence | None
    issuer: IssuerRecord | Silence | None

    @property
    def problem(self) -> str | None:
        """Why the first unanswered question was not answered, if one was."""
        said = (self.time, self.anchor, self.statuses, self.issuer)
        silences = [each for each in said if isinstance(each, Silence)]
        return silences[0].reason if silences else None


async def ask_members(
    members: Sequence[MemberContract],
    *,
    batch_id: bytes,
    commitment: bytes,
    issuer: str,
    at: int | None = None,
) -> list[MemberAnswers]:
    """Ask all members concurrently; trouble with one shows in its answers only, and takes MEMBER_SECONDS at most.

    `at`: a past time (unix seconds) that the statuses are asked for.
    """
    return list(
        await asyncio.gather(
            *(
                _ask_member(member, batch_id=batch_id, commitment=commitment, issuer=issuer, at=at)
                for member in members
            )
        )
    )


async def _ask_member(
    member: MemberContract, *, batch_id: bytes, commitment: bytes, issuer: str, at: int | None
) -> MemberAnswers:
    def anchor(value: Json) -> IssuanceAnchor:
        parsed = IssuanceAnchor.from_json(value)
        _about(parsed.statement.batch_id == batch_id, "batch")
        return parsed

    def statuses(value: Json) -> Statuses:
        return parse_statuses(value, batch_id, commitment)

    def record(value: Json) -> IssuerRecord:
        parsed = IssuerRecord.from_json(value)
        _about(parsed.id == issuer, "issuer")
        return parsed

    target: dict[str, Json] = {"batch_id": batch_id.hex(), "commitment": commitment.hex()}

    async def histories() -> Json:
        return [
            await member.evaluate("get_history", target | {"commitment": None}),
            await member.evaluate("get_history", target),
        ]

    def statuses_then(value: Json) -> Statuses:
        of_batch, of_certificate = fields.an_array(value, "get_history", 2, 2)
        return Statuses(
            status_at(of_batch, batch_id, None, at or 0),
            status_at(of_certificate, batch_id, commitment, at or 0),
        )

    # First, so that the rest is of that time or later.
    time = await _answer(lambda: member.evaluate("get_time", {}), _time, "")
    if isinstance(time, Silence):
        return MemberAnswers(member.member.id, time, time, time, time)
    said = await asyncio.gather(
        _answer(lambda: member.evaluate("get_batch", {"batch_id": batch_id.hex()}), anchor, BATCH_NOT_FOUND),
        _answer(lambda: member.evaluate("get_status", target), statuses, BATCH_NOT_FOUND)
        if at is None
        else _answer(histories, statuses_then, BATCH_NOT_FOUND),
        _answer(lambda: member.evaluate("get_issuer", {"issuer": issuer}), record, ISSUER_NOT_FOUND),
    )
    return MemberAnswers(member.member.id, time, *said)


def _time(value: Json) -> int | None:
    members = fields.an_object(value, "get_time", _TIME_FIELDS)
    time = fields.an_optional_integer(members["time"], "get_time: time")
    return None if time is None else fields.check_time(time, "get_time: time")


def parse_statuses(value: Json, batch_id: bytes, commitment: bytes) -> Statuses:
    """Parse an answer to get_status; raises InvalidInputError, LedgerAnswerError if it is about something else."""
    members = fields.an_object(value, "get_status", _STATUS_FIELDS)
    of_batch, of_certificate = _record(members["batch_status"]), _record(members["certificate_status"])
    _about(of_batch is None or (of_batch.batch_id, of_batch.commitment) == (batch_id, None), "batch's status")
    _about(
        of_certificate is None
        or (of_certificate.batch_id, of_certificate.commitment) == (batch_id, commitment),
        "certificate's status",
    )
    return Statuses(of_batch, of_certificate)


def status_at(value: Json, batch_id: bytes, commitment: bytes | None, at: int) -> StatusRecord | None:
    """Return the record of an answer to get_history that was in force at a time; raises as `parse_statuses` does.

    That is the last one that is effective since before it: a change made later may reach back.
    """
    found = None
    for each in fields.an_array(value, "get_history", 0, MAX_HISTORY):
        record = StatusRecord.from_json(each)
        _about((record.batch_id, record.commitment) == (batch_id, commitment), "status")
        if record.effective_at <= at:
            found = record
    return found


async def _answer(
    ask: Callable[[], Awaitable[Json]], parse: Callable[[Json], Parsed], absent: str
) -> Parsed | Silence | None:
    try:
        async with asyncio.timeout(MEMBER_SECONDS):
            return parse(await ask())
    except TimeoutError:
        return Silence(f"no answer within {MEMBER_SECONDS:g} s")
    except ContractError as error:
        return None if error.code == absent else Silence(str(error))
    except (LedgerError, InvalidInputError) as error:
        return Silence(str(error))


def _record(value: Json) -> StatusRecord | None:
    return None if value is None else StatusRecord.from_json(value)


def _about(asked: bool, what: str) -> None:
    if not asked:
        raise LedgerAnswerError(f"it answered about another {what} than the one it was asked about")
