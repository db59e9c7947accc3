"""The shell around the contract: what needs a clock, and what becomes of errors."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

from shirushi_chaincode.contract.errors import Code, ContractError
from shirushi_chaincode.contract.functions import call
from shirushi_core.fabric.chaincode import ERROR, ERROR_THRESHOLD, OK, Response, Stub
from shirushi_core.proofs.canonical import encode

MAX_CLOCK_SKEW = 300
"""Seconds that a proposal's timestamp may be off the endorsing member's clock."""

_log = logging.getLogger(__name__)


class AnchorsChaincode:
    """The anchors contract as a chaincode, whichever engine runs it (implements fabric.chaincode.Chaincode).

    `clock` returns unix seconds. Answers: 200 and canonical JSON; 400 and "CODE: sentence" where the rules refuse;
    500 and INTERNAL for anything unforeseen, with no data of the request or of the ledger in it.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    async def invoke(self, stub: Stub) -> Response:
        """Run one transaction."""
        try:
            self._check_clock(stub)
            return Response(OK, payload=encode(await call(stub)))
        except ContractError as error:
            return Response(ERROR_THRESHOLD, message=str(error))
        except Exception as error:
            # Frames and the kind of error only: its text may repeat what a caller sent.
            frames = "".join(traceback.format_tb(error.__traceback__))
            _log.error("transaction %s failed with %s\n%s", stub.tx_id, type(error).__name__, frames)
            return Response(
                ERROR, message=f"{Code.INTERNAL}: the contract could not finish, and nothing was written"
            )

    def _check_clock(self, stub: Stub) -> None:
        seconds, nanos = stub.timestamp
        skew = seconds + nanos / 1e9 - self._clock()
        if abs(skew) > MAX_CLOCK_SKEW:
            raise ContractError(
                Code.CLOCK_SKEW,
                f"the proposal's timestamp is {skew:+.0f} s off this member's clock, at most {MAX_CLOCK_SKEW} s are "
                "allowed; set the clock of the machine that made it",
            )
