"""Runs a chaincode for one proposal, and makes an answer of whatever comes of it.

An answer is always COMPLETED with a response, also where the chaincode raises: the peer then tells its client the
response's status and message. (ERROR would do, but reaches the client as the failure of an invocation rather than as an
answer: core/chaincode/chaincode_support.go, processChaincodeExecutionResult.)
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from dataclasses import dataclass
from typing import Any

from fabric_protos.peer import chaincode_pb2
from google.protobuf.message import DecodeError

from shirushi_chaincode.service.messages import completed, failure
from shirushi_chaincode.service.metrics import Outcome
from shirushi_chaincode.service.stub import ShimStub
from shirushi_chaincode.service.transaction import Transaction
from shirushi_core.errors import ShirushiError
from shirushi_core.fabric.chaincode import ERROR, ERROR_THRESHOLD, Chaincode, Response
from shirushi_core.fabric.proposal import ProposalError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """COMPLETED, ready to be sent, and what it stands for."""

    outcome: Outcome
    message: bytes


async def execute(chaincode: Chaincode, message: Any, transaction: Transaction, limit: float) -> Answer:
    """Return the answer to a TRANSACTION or INIT; raises nothing but cancellation.

    A transaction that was cancelled because it `expired` is answered too; `limit` is the time it had, in seconds.
    """
    try:
        answer = await _run(chaincode, message, transaction)
        transaction.end()
        await transaction.settled()
        return answer
    except ShirushiError as error:
        return _failed(transaction, str(error))
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None:
            raise
        if transaction.expired and task.uncancel() == 0:
            return _failed(transaction, f"the chaincode did not answer within {limit:g} s")
        if task.cancelling():
            raise
        return _failed(transaction, "the chaincode failed with CancelledError")
    except (Exception, SystemExit) as error:
        # Frames and the kind of error only: its text may repeat what a caller sent or what the ledger holds.
        frames = "".join(traceback.format_tb(error.__traceback__))
        _log.error("transaction %s failed with %s\n%s", transaction.tx_id, type(error).__name__, frames)
        return _failed(transaction, f"the chaincode failed with {type(error).__name__}; its log says where")


def rejected(text: str, status: int, channel_id: str, tx_id: str) -> Answer:
    """Return the answer to a proposal that is not run."""
    return Answer(Outcome.REJECTED, completed(failure(text, status), None, channel_id, tx_id))


async def _run(chaincode: Chaincode, message: Any, transaction: Transaction) -> Answer:
    stub = _stub(message, transaction)
    response = await chaincode.invoke(stub)
    if not isinstance(response, Response):
        raise TypeError("a chaincode returns a Response")
    outcome = Outcome.OK if response.status < ERROR_THRESHOLD else Outcome.REFUSED
    answer = Answer(outcome, completed(response, stub.event, transaction.channel_id, transaction.tx_id))
    await stub.flush_writes()
    return answer


def _stub(message: Any, transaction: Transaction) -> ShimStub:
    try:
        call = chaincode_pb2.ChaincodeInput.FromString(message.payload)
    except DecodeError:
        raise ProposalError("failed to unmarshal input: expected a ChaincodeInput") from None
    return ShimStub(transaction, call, message.proposal)


def _failed(transaction: Transaction, text: str) -> Answer:
    transaction.end()
    response = completed(failure(text, ERROR), None, transaction.channel_id, transaction.tx_id)
    return Answer(Outcome.FAILED, response)
