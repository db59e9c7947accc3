"""Transactions of each writing function of the contract, endorsed and held back, on either engine."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from tests.support.anchors_ledger import IssuingParty, make_record, spki
from tests.support.raw_client import Endorsed, RawClient

from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.proofs.canonical import decode, encode
from shirushi_core.proofs.epoch import EPOCH_SECONDS, EXPIRY_EPOCHS, epoch_of
from shirushi_core.proofs.issuer import IssuerKey, KeyUse

WRITING = ("issue", "set_status", "propose_issuer", "approve_issuer", "withdraw_approval", "tick")
VALID = 0

Connect = Callable[[SigningIdentity], Awaitable[RawClient]]
"""Connects somebody to the first member's peer."""


class MovedClock:
    """This machine's clock, moved by a test: unix seconds."""

    def __init__(self) -> None:
        self._offset = 0.0

    def __call__(self) -> float:
        return time.time() + self._offset

    def set(self, now: int) -> None:
        """Have it be another time, from which on it goes on."""
        self._offset = now + 0.5 - time.time()


class Stage:
    """A ledger with a registered city, a batch of it and an open proposal: room for a transaction of each function."""

    def __init__(
        self,
        connect: Connect,
        user: Callable[[int, str], SigningIdentity],
        clock: MovedClock,
        settle: Callable[[], Awaitable[object]],
        chaincode: str = "anchors",
    ) -> None:
        self.clock = clock
        self._connect, self._settle, self._chaincode = connect, settle, chaincode
        self._admins = [user(member, "admin") for member in range(3)]
        self._anybody = user(3, "client")
        submitter, seal_key = user(0, "issuer"), ec.generate_private_key(ec.SECP256R1())
        window = (0, 1 << 40)
        self._record = make_record(
            "held-back-city",
            submitter.identity.msp_id,
            IssuerKey(KeyUse.SEAL, spki(seal_key), *window),
            IssuerKey(KeyUse.SUBMIT, spki(submitter.key), *window),
        )
        self._city = IssuingParty(self._record, seal_key, submitter)

    async def found(self) -> None:
        """Register the city, anchor a batch, and have the first admin propose a next record."""
        proposed = await self.commit(self._admins[0], "propose_issuer", {"record": self._record.to_json()})
        for admin in self._admins[1:]:
            await self.commit(admin, "approve_issuer", {"proposal_id": proposed["proposal_id"]})
        await self.commit(self._city.submitter, "issue", self._issuance(3))
        record = dataclasses.replace(self._record, sequence=2, name_en="Held Back").to_json()
        proposed = await self.commit(self._admins[0], "propose_issuer", {"record": record})
        self._reference = {"proposal_id": proposed["proposal_id"]}

    async def hold_back(self) -> dict[str, Endorsed]:
        """Have a transaction of each function endorsed at the clock's time, none of which is in another's way."""
        other = dataclasses.replace(self._record, sequence=2, name_en="Other")
        now = int(self.clock())
        calls: Mapping[str, tuple[SigningIdentity, Any]] = {
            "issue": (self._city.submitter, self._issuance(4)),
            "set_status": (
                self._city.submitter,
                self._city.request(self._city.change(0, effective_at=now)),
            ),
            "propose_issuer": (self._admins[2], {"record": other.to_json()}),
            "approve_issuer": (self._admins[1], self._reference),
            "withdraw_approval": (self._admins[0], self._reference),
            "tick": (self._anybody, {}),
        }
        assert tuple(calls) == WRITING
        return {function: await self.endorse(who, function, of) for function, (who, of) in calls.items()}

    async def hand_in(self, held_back: Mapping[str, Endorsed]) -> dict[str, int]:
        """Submit what was held back, one after the other, and return the validation codes."""
        client = await self._connect(self._anybody)
        codes = {}
        for function, endorsed in held_back.items():
            await client.submit(endorsed, self._signer(function))
            codes[function] = (await client.commit_status(endorsed.tx_id)).result
        return codes

    async def tick(self, at: int) -> None:
        """Commit a tick of a time."""
        self.clock.set(at)
        assert await self.commit(self._anybody, "tick", {}) == {"time": at}

    async def ask(self, function: str, argument: Any) -> Any:
        """Ask the first member's peer."""
        client = await self._connect(self._anybody)
        result = await client.evaluate(function, encode(argument), chaincode=self._chaincode, at=self.clock())
        return decode(result.payload)

    async def endorse(self, who: SigningIdentity, function: str, argument: Any) -> Endorsed:
        """Have a transaction endorsed at the clock's time; raises grpc's error for a refusal."""
        client = await self._connect(who)
        return await client.endorse(function, encode(argument), chaincode=self._chaincode, at=self.clock())

    async def commit(self, who: SigningIdentity, function: str, argument: Any) -> Any:
        """Have a transaction endorsed and committed at every member, and return its result."""
        client = await self._connect(who)
        endorsed = await self.endorse(who, function, argument)
        await client.submit(endorsed)
        status = await client.commit_status(endorsed.tx_id)
        assert status.result == VALID, f"{function}: {status.result}"
        await self._settle()
        return decode(endorsed.result)

    async def anchor_again(self) -> Any:
        """Make the issuance that was held back anew, with the clock's time."""
        return await self.commit(self._city.submitter, "issue", self._issuance(4))

    async def hold_back_issuance(self, size: int) -> Endorsed:
        """Have the issuance of a batch endorsed at the clock's time, and hold it back; `size` tells batches apart."""
        return await self.endorse(self._city.submitter, "issue", self._issuance(size))

    def _issuance(self, size: int) -> dict[str, Any]:
        return self._city.issuance(size, valid_from=0, valid_until=None)

    def _signer(self, function: str) -> SigningIdentity:
        signers = {
            "propose_issuer": self._admins[2],
            "approve_issuer": self._admins[1],
            "withdraw_approval": self._admins[0],
            "tick": self._anybody,
        }
        return signers.get(function, self._city.submitter)


def last_second_before_expiry(time: int) -> int:
    """Return the last second whose tick does not end a transaction of some time."""
    return (epoch_of(time) + EXPIRY_EPOCHS) * EPOCH_SECONDS - 1
