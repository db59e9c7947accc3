"""One connected chaincode: registration, then many transactions at once over one stream.

Chaincode and peer exchange ChaincodeMessages: REGISTER → REGISTERED, READY; then TRANSACTION or INIT to the chaincode,
its calls (GET_STATE, …) answered by RESPONSE or ERROR, and COMPLETED or ERROR at the end. Messages are told apart by
channel and transaction id. One task reads, one writes. Source: core/chaincode/handler.go.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Protocol

from fabric_protos.peer import chaincode_pb2, chaincode_shim_pb2, proposal_response_pb2
from google.protobuf.message import DecodeError

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.fabric.chaincode import Response
from shirushi_node.ledger.invocation import (
    EXECUTION_TIMEOUT,
    STREAM_TERMINATED,
    ChaincodeFailureError,
    Completion,
    Invocation,
    InvocationError,
    Invoker,
)
from shirushi_node.ledger.shim.state_calls import StateCalls

MAX_WRITE_BATCH = 1000
MAX_KEYS_AT_ONCE = 1000
"""What READY offers the chaincode, as Fabric's core.yaml does."""

OUTGOING_LIMIT = 1024
"""Messages waiting to be written; a chaincode that does not read holds up its own calls only."""

_log = logging.getLogger(__name__)
_Message = chaincode_shim_pb2.ChaincodeMessage


class ShimStreamError(ShirushiError):
    """A stream that broke, or a peer on it that does not keep to the protocol."""


class MessageStream(Protocol):
    """Where messages come from and go to."""

    async def read(self) -> chaincode_shim_pb2.ChaincodeMessage | None:
        """Return the next message, None at the end; raises ShimStreamError."""
        ...

    async def write(self, message: chaincode_shim_pb2.ChaincodeMessage) -> None:
        """Send a message; raises ShimStreamError."""
        ...


@dataclass(slots=True)
class _Running:
    """A transaction that the chaincode works on."""

    invocation: Invocation
    calls: StateCalls
    done: asyncio.Future[chaincode_shim_pb2.ChaincodeMessage]
    busy: bool = False  # a chaincode that it called has not answered yet


class ShimStream:
    """The peer's end of one chaincode's stream."""

    def __init__(self, stream: MessageStream, invoker: Invoker, *, timeout: float) -> None:
        self._stream = stream
        self._invoker = invoker
        self._timeout = timeout
        self._running: dict[tuple[str, str], _Running] = {}
        self._outgoing: asyncio.Queue[chaincode_shim_pb2.ChaincodeMessage] = asyncio.Queue(OUTGOING_LIMIT)
        self._is_open = False

    @property
    def is_open(self) -> bool:
        """Whether the chaincode registered and is still there."""
        return self._is_open

    async def register(self) -> None:
        """Wait for the chaincode to register and tell it that the peer is ready; raises ShimStreamError."""
        message = await self._stream.read()
        while message is not None and message.type == _Message.KEEPALIVE:
            message = await self._stream.read()
        if message is None:
            raise ShimStreamError("the chaincode closed the stream before it registered")
        if message.type != _Message.REGISTER:
            raise ShimStreamError(
                f"[{message.txid}] Fabric side handler cannot handle message ({_name(message.type)}) "
                "while in created state"
            )
        try:
            chaincode_id = chaincode_pb2.ChaincodeID.FromString(message.payload)
        except DecodeError:
            raise ShimStreamError("the chaincode registered with a malformed ChaincodeID") from None
        if not chaincode_id.name:
            raise ShimStreamError("error in handling register chaincode, chaincodeID name is empty")
        await self._stream.write(_Message(type=_Message.REGISTERED))
        offer = chaincode_pb2.ChaincodeAdditionalParams(
            use_write_batch=True,
            max_size_write_batch=MAX_WRITE_BATCH,
            use_get_multiple_keys=True,
            max_size_get_multiple_keys=MAX_KEYS_AT_ONCE,
        )
        await self._stream.write(_Message(type=_Message.READY, payload=offer.SerializeToString()))
        self._is_open = True

    async def run(self) -> None:
        """Serve the chaincode until its stream ends; every transaction that is not answered by then fails."""
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write())
                await self._read(tasks)
                writer.cancel()
        except* ShimStreamError as group:
            for error in group.exceptions:
                _log.warning("chaincode stream ended: %s", error)
        finally:
            self._is_open = False
            for running in self._running.values():
                if not running.done.done():
                    running.done.set_exception(InvocationError(f"error sending: {STREAM_TERMINATED}"))

    async def execute(self, invocation: Invocation) -> Completion:
        """Have the chaincode run a call; raises InvocationError or ChaincodeFailureError."""
        transaction = invocation.transaction
        key = (transaction.channel_id, transaction.tx_id)
        if key in self._running:
            raise InvocationError(
                f"error sending: txid: {transaction.tx_id}({transaction.channel_id}) exists"
            )
        if not self._is_open:
            raise InvocationError(f"error sending: {STREAM_TERMINATED}")
        done: asyncio.Future[chaincode_shim_pb2.ChaincodeMessage] = asyncio.get_running_loop().create_future()
        running = _Running(invocation, StateCalls(invocation), done)
        self._running[key] = running
        try:
            async with asyncio.timeout(self._timeout):
                await self._outgoing.put(_call_message(invocation))
                answer = await done
        except TimeoutError:
            raise InvocationError(f"error sending: {EXECUTION_TIMEOUT}") from None
        finally:
            del self._running[key]
            running.calls.close()
        return _completion(invocation, answer)

    async def _read(self, tasks: asyncio.TaskGroup) -> None:
        while (message := await self._stream.read()) is not None:
            if message.type == _Message.KEEPALIVE:
                continue
            running = self._running.get((message.channel_id, message.txid))
            if message.type in (_Message.COMPLETED, _Message.ERROR):
                if running is not None and not running.done.done():
                    running.done.set_result(message)
            elif message.type == _Message.INVOKE_CHAINCODE and running is not None:
                if not running.busy:
                    running.busy = True
                    tasks.create_task(self._call_chaincode(running, message))
            elif running is None or not running.busy:
                await self._outgoing.put(_answer(running, message))

    async def _write(self) -> None:
        while True:
            message = await self._outgoing.get()
            try:
                async with asyncio.timeout(self._timeout):
                    await self._stream.write(message)
            except TimeoutError:
                raise ShimStreamError(f"the chaincode did not read for {self._timeout} seconds") from None

    async def _call_chaincode(self, running: _Running, message: chaincode_shim_pb2.ChaincodeMessage) -> None:
        answer = await self._nested_answer(running, message)
        running.busy = False
        await self._outgoing.put(answer)

    async def _nested_answer(
        self, running: _Running, message: chaincode_shim_pb2.ChaincodeMessage
    ) -> chaincode_shim_pb2.ChaincodeMessage:
        nested = _Message(txid=message.txid, channel_id=message.channel_id)
        try:
            spec = chaincode_pb2.ChaincodeSpec.FromString(message.payload)
            completion = await self._invoker.call(
                running.invocation, spec.chaincode_id.name, tuple(spec.input.args)
            )
            nested.type = _Message.COMPLETED
            nested.payload = _response_bytes(completion.response)
        except ChaincodeFailureError as error:
            nested.type = _Message.ERROR
            nested.payload = str(error).encode()
        except InvocationError as error:
            return _error(message, str(error))
        except DecodeError:
            return _error(message, "unmarshal failed: proto: cannot parse invalid wire-format data")
        return _reply(message, _Message.RESPONSE, nested.SerializeToString())


def _answer(
    running: _Running | None, message: chaincode_shim_pb2.ChaincodeMessage
) -> chaincode_shim_pb2.ChaincodeMessage:
    """Return the answer to a call on the ledger; raises ShimStreamError for a message that is none."""
    if running is None:
        return _error(message, "no ledger context")
    if not running.calls.knows(message.type):
        raise ShimStreamError(
            f"[{message.txid}] Fabric side handler cannot handle message ({_name(message.type)}) "
            "while in ready state"
        )
    try:
        return _reply(message, _Message.RESPONSE, running.calls.answer(message.type, message.payload))
    except InvalidInputError as error:
        return _error(message, str(error))


def _error(message: chaincode_shim_pb2.ChaincodeMessage, text: str) -> chaincode_shim_pb2.ChaincodeMessage:
    full = f"{_name(message.type)} failed: transaction ID: {message.txid}: {text}"
    return _reply(message, _Message.ERROR, full.encode())


def _reply(
    message: chaincode_shim_pb2.ChaincodeMessage, kind: int, payload: bytes
) -> chaincode_shim_pb2.ChaincodeMessage:
    return _Message(type=kind, payload=payload, txid=message.txid, channel_id=message.channel_id)


def _call_message(invocation: Invocation) -> chaincode_shim_pb2.ChaincodeMessage:
    call = chaincode_pb2.ChaincodeInput(args=invocation.args, is_init=invocation.is_init)
    return _Message(
        type=_Message.INIT if invocation.is_init else _Message.TRANSACTION,
        payload=call.SerializeToString(),
        txid=invocation.transaction.tx_id,
        channel_id=invocation.transaction.channel_id,
        proposal=invocation.transaction.checked.signed,
    )


def _completion(invocation: Invocation, answer: chaincode_shim_pb2.ChaincodeMessage) -> Completion:
    if answer.type == _Message.ERROR:
        raise ChaincodeFailureError(answer.payload.decode("utf-8", "replace"))
    try:
        response = proposal_response_pb2.Response.FromString(answer.payload)
    except DecodeError:
        raise ChaincodeFailureError(
            f"failed to unmarshal response for transaction {invocation.transaction.tx_id}"
        ) from None
    event = None
    if answer.HasField("chaincode_event"):
        event = answer.chaincode_event
        event.chaincode_id = invocation.chaincode
        event.tx_id = invocation.transaction.tx_id
    return Completion(Response(response.status, response.message, response.payload), event)


def _response_bytes(response: Response) -> bytes:
    message = proposal_response_pb2.Response(
        status=response.status, message=response.message, payload=response.payload
    )
    return bytes(message.SerializeToString())


def _name(kind: int) -> str:
    return str(_Message.Type.Name(kind)) if kind in _Message.Type.values() else str(kind)
