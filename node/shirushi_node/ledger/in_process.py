"""Chaincodes that are objects in this process."""

from __future__ import annotations

import asyncio
import logging
import traceback

from fabric_protos.peer import chaincode_event_pb2

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.chaincode import ERROR, Chaincode, Response
from shirushi_node.ledger.invocation import (
    EXECUTION_TIMEOUT,
    STREAM_TERMINATED,
    ChaincodeFailureError,
    Completion,
    Invocation,
    InvocationError,
    Invoker,
)
from shirushi_node.ledger.stub import InProcessStub

_log = logging.getLogger(__name__)


class InProcessRuntime:
    """Runs one chaincode object.

    What the ledger refuses it (InvalidInputError) is an error response, as a shim makes of it; any other exception is
    what a crash is elsewhere, with Fabric's text for one. The timeout takes effect where the chaincode awaits.
    """

    def __init__(self, chaincode: Chaincode, invoker: Invoker, *, timeout: float) -> None:
        self._chaincode = chaincode
        self._invoker = invoker
        self._timeout = timeout

    async def execute(self, invocation: Invocation) -> Completion:
        """Run a call; raises InvocationError."""
        stub = self._stub(invocation)
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._chaincode.invoke(stub)
        except TimeoutError:
            raise InvocationError(f"error sending: {EXECUTION_TIMEOUT}") from None
        except InvalidInputError as error:
            return Completion(Response(ERROR, str(error)))
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            _log.error(
                "chaincode %s crashed: %s at %s:%s",
                invocation.chaincode,
                type(error).__name__,
                where.filename,
                where.lineno,
            )
            raise InvocationError(f"error sending: {STREAM_TERMINATED}") from None
        return Completion(response, _event(invocation, stub))

    async def close(self) -> None:
        """Do nothing: the object is its owner's."""

    def _stub(self, invocation: Invocation) -> InProcessStub:
        transaction = invocation.transaction
        proposal = transaction.checked.proposal
        if transaction.simulator is None:
            raise InvocationError("invalid invocation: a chaincode runs on a channel only")

        async def call_chaincode(name: str, args: tuple[bytes, ...], channel: str) -> Response:
            target = f"{name}/{channel}" if channel else name
            try:
                return (await self._invoker.call(invocation, target, args)).response
            except (InvocationError, ChaincodeFailureError) as error:
                prefix = f"INVOKE_CHAINCODE failed: transaction ID: {transaction.tx_id}: "
                return Response(ERROR, prefix + str(error))

        return InProcessStub(
            transaction.simulator,
            invocation.chaincode,
            channel_id=proposal.channel_id,
            tx_id=proposal.tx_id,
            args=invocation.args,
            creator=proposal.creator,
            timestamp=(proposal.timestamp_seconds, proposal.timestamp_nanos),
            transient=proposal.transient,
            call_chaincode=call_chaincode,
        )


def _event(invocation: Invocation, stub: InProcessStub) -> chaincode_event_pb2.ChaincodeEvent | None:
    if stub.event is None:
        return None
    name, payload = stub.event
    return chaincode_event_pb2.ChaincodeEvent(
        chaincode_id=invocation.chaincode,
        tx_id=invocation.transaction.tx_id,
        event_name=name,
        payload=payload,
    )
