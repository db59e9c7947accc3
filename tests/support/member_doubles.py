"""Members whose gateways run the real contract on one in-memory ledger, and can be told to fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support.anchors_ledger import (
    CHANNEL,
    MEMBERS,
    Consortium,
    IssuingParty,
    Ledger,
    Outcome,
    make_record,
    spki,
)

from shirushi_client import consortium as connection
from shirushi_client.ledger_errors import LedgerUnreachableError
from shirushi_client.member_contract import contract_error
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.issuer import IssuerKey, KeyUse

ALWAYS = (0, 1 << 40)
ISSUER = "iizuka-city"


class MemberDouble:
    """One member: answers like its gateway would, or fails as told."""

    def __init__(self, member: connection.Member, ledger: Ledger, who: SigningIdentity) -> None:
        self.member = member
        self.ledger = ledger
        self.who = who
        self.down = False
        self.hangs = False
        self.hangs_at = ""  # one function
        self.requests_to_lose = 0  # not done, and no reply
        self.replies_to_lose = 0  # done, and no reply
        self.lie: Callable[[str, Any], Any] | None = None
        self.calls: list[str] = []
        self.is_hanging = asyncio.Event()

    async def evaluate(self, function: str, argument: Json) -> Json:
        await self._reached(function)
        answer = _answer(await self.ledger.simulate(self.who, function, argument))
        return self.lie(function, answer) if self.lie else answer

    async def submit(self, function: str, argument: Json) -> Json:
        await self._reached(function)
        if self.requests_to_lose:
            self.requests_to_lose -= 1
            raise LedgerUnreachableError("the request was lost")
        answer = _answer(await self.ledger.submit(self.who, function, argument))
        if self.replies_to_lose:
            self.replies_to_lose -= 1
            raise LedgerUnreachableError("the reply was lost")
        return answer

    async def _reached(self, function: str) -> None:
        self.calls.append(function)
        if self.hangs or self.hangs_at == function:
            self.is_hanging.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        if self.down:
            raise LedgerUnreachableError(f"{self.member.id} is down")


class City:
    """A consortium of five members, a registered issuer in it, and the members as a client sees them."""

    def __init__(self, party: IssuingParty, ledger: Ledger, folder: Path) -> None:
        self.party = party
        self.ledger = ledger
        self.connection = connection.Consortium(
            channel=CHANNEL,
            quorum=3,
            members=tuple(
                connection.Member(
                    id=msp_id.removesuffix("MSP").lower(),
                    msp_id=msp_id,
                    name_ja=f"機関{msp_id}",
                    name_en=msp_id.removesuffix("MSP"),
                    peer=f"127.0.0.1:{number}",
                    tls_root=folder / "tls.pem",
                )
                for number, msp_id in enumerate(MEMBERS, start=1)
            ),
        )
        self.members = [MemberDouble(member, ledger, party.submitter) for member in self.connection.members]

    def clock(self) -> float:
        """The time of ledger and clients alike."""
        return float(self.ledger.now)


async def found_city(folder: Path, *, now: int | None = None) -> City:
    """Found a consortium and register an issuer whose keys are in their windows at any time."""
    consortium = Consortium()
    if now is not None:
        consortium.ledger.now = now
    party = consortium.issuing_party(ISSUER, "IizukaMSP")
    keys = (
        IssuerKey(KeyUse.SEAL, spki(party.seal_key), *ALWAYS),
        IssuerKey(KeyUse.SUBMIT, spki(party.submitter.key), *ALWAYS),
    )
    party = replace(party, record=make_record(ISSUER, "IizukaMSP", *keys))
    await consortium.adopt(party.record)
    return City(party, consortium.ledger, folder)


def _answer(outcome: Outcome) -> Any:
    if outcome.response.status >= 400:
        error = contract_error([f"chaincode response {outcome.response.status}, {outcome.response.message}"])
        assert error is not None
        raise error
    return outcome.result
