"""Whether the ledger would take an order, as far as that can be known before anything is prepared.

The ledger decides: where it cannot be asked now, or knows no such issuer, nothing is held against the order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from shirushi_client.issuer.batch import Order
from shirushi_client.ledger_errors import LedgerError
from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.issuer import IssuerRecord

MAX_SECONDS_AHEAD = 300
"""How far ahead a certificate's validity may begin: what the contract takes."""

ASKING_SECONDS = 8.0
"""How long the ledger is asked for the issuer's record: enough for one member that does not answer, and another that does."""


class OrderRefusedError(ShirushiError):
    """An order that the ledger would refuse; nothing was prepared, and nothing sent."""


class IssuerRegistry(Protocol):
    """The ledger as it is asked for an issuer's record."""

    async def get_issuer(self, issuer: str) -> IssuerRecord:
        """Return an issuer's present record; raises LedgerError."""


class Permission:
    """What an issuer may issue. Its record is asked for once, and again before anything is refused."""

    def __init__(self, issuer: str, ledger: IssuerRegistry, clock: Callable[[], float]) -> None:
        self._issuer = issuer
        self._ledger = ledger
        self._clock = clock
        self._record: IssuerRecord | None = None

    async def refusal(self, order: Order) -> OrderRefusedError | None:
        """Return why the ledger would refuse new certificates of this order, None if nothing is known against it."""
        latest = int(self._clock()) + MAX_SECONDS_AHEAD
        if order.valid_from is not None and order.valid_from > latest:
            return OrderRefusedError(
                f"validity cannot begin more than {MAX_SECONDS_AHEAD} s from now: expected a time until {latest}, found "
                f"{order.valid_from}; issue when it begins"
            )
        if self._record is None or not self._record.may_issue(order.document_type):
            self._record = await self._ask()
        if self._record is None or self._record.may_issue(order.document_type):
            return None
        listed = ", ".join(self._record.document_types or ()) or "none"
        return OrderRefusedError(
            f"{self._issuer} may not issue {order.document_type}: its record on the ledger lists {listed}; issue as one of "
            "these, or have the members approve a record with more document types"
        )

    async def _ask(self) -> IssuerRecord | None:
        try:
            async with asyncio.timeout(ASKING_SECONDS):
                return await self._ledger.get_issuer(self._issuer)
        except (LedgerError, TimeoutError):
            return None
