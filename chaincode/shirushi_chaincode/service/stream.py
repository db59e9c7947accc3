"""One peer's stream: registration, then many proposals at once.

Chaincode and peer exchange ChaincodeMessages: REGISTER → REGISTERED, READY; then the peer sends TRANSACTION or INIT, the
chaincode its calls (GET_STATE, …), each answered by RESPONSE or ERROR, and COMPLETED at the end. Messages are told apart by
channel and transaction id. One task reads, one writes, each proposal has one; all end with the stream.
Source: core/chaincode/handler.go, fabric-chaincode-go shim/handler.go.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol, TypeAlias

from shirushi_chaincode.service import messages
from shirushi_chaincode.service.errors import StreamError
from shirushi_chaincode.service.execution import execute, rejected
from shirushi_chaincode.service.messages import ChaincodeMessage, Offer, kind_name
from shirushi_chaincode.service.metrics import Metrics, Outcome
from shirushi_chaincode.service.transaction import Transaction
from shirushi_core.fabric.chaincode import Chaincode

UNAVAILABLE = 503
"""Status of the answer to a proposal that was not run; it may be sent again, to another peer or later."""

_REPLIES = frozenset((ChaincodeMessage.RESPONSE, ChaincodeMessage.ERROR))
_CALLS = frozenset((ChaincodeMessage.TRANSACTION, ChaincodeMessage.INIT))

_Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one peer may take up: numbers of messages, seconds."""

    running: int = 512  # proposals at once; more wait for their turn
    waiting: int = 4096  # beyond these, proposals are rejected
    outgoing: int = 1024  # messages to a peer that does not read
    registration: float = 30.0
    proposal: float = 300.0  # a peer gives up earlier, after its chaincode.executetimeout (30 s by default)
    write: float = 60.0  # for a peer to read one message


class Connection(Protocol):
    """Where messages come from and go to."""

    async def read(self) -> bytes | None:
        """Return the next message, None at the end."""
        ...

    async def write(self, message: bytes) -> None:
        """Send a message; raises StreamError."""
        ...


@dataclass(slots=True)
class _Running:
    transaction: Transaction
    task: asyncio.Task[None]
    started: float


class PeerStream:
    """The chaincode's end of one peer's stream."""

    def __init__(
        self, connection: Connection, chaincode: Chaincode, package_id: str, limits: Limits, metrics: Metrics
    ) -> None:
        self._connection = connection
        self._chaincode = chaincode
        self._package_id = package_id
        self._limits = limits
        self._metrics = metrics
        self._offer = Offer()
        self._outgoing: asyncio.Queue[bytes | None] = asyncio.Queue(limits.outgoing)  # None: the end
        self._running: dict[_Key, _Running] = {}
        self._waiting: dict[_Key, Any] = {}
        self._tasks = asyncio.TaskGroup()
        self._idle = asyncio.Event()
        self._draining = False
        self._closed = False
        self._writing_since: float | None = None
        self._broken: StreamError | None = None

    async def run(self) -> None:
        """Serve the peer until it hangs up or the stream has drained; raises StreamError."""
        try:
            async with self._tasks:
                try:
                    await self._converse()
                finally:
                    self._closed = True
        except* StreamError as group:
            self._broken = next(each for each in group.exceptions if isinstance(each, StreamError))
        finally:
            self._give_up()
        if self._broken is not None:
            raise self._broken

    async def drain(self) -> None:
        """Reject proposals from now on, let those that run be answered, and end the stream."""
        self._draining = True
        waiting, self._waiting = self._waiting, {}
        for key in waiting:
            await self._reject(key, "it is shutting down")
        if self._running:
            await self._idle.wait()
        if not self._closed:
            await self._outgoing.put(None)

    async def _converse(self) -> None:
        await self._outgoing.put(messages.register(self._package_id))
        reader = self._tasks.create_task(self._read())
        writer = self._tasks.create_task(self._write())
        watcher = self._tasks.create_task(self._watch())
        await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
        if self._broken is not None:
            await asyncio.wait((writer,))  # it has yet to tell the peer why
        self._closed = True
        for task in (reader, writer, watcher, *(running.task for running in self._running.values())):
            task.cancel()

    async def _read(self) -> None:
        try:
            await self._register()
            while (data := await self._connection.read()) is not None:
                await self._handle(messages.parse_message(data))
        except StreamError as error:
            self._broken = error
            await self._outgoing.put(messages.error(str(error), "", ""))
            await self._outgoing.put(None)

    async def _write(self) -> None:
        try:
            while (message := await self._outgoing.get()) is not None:
                self._writing_since = perf_counter()
                await self._connection.write(message)
                self._writing_since = None
        finally:
            self._closed = True

    async def _watch(self) -> None:
        """Cut off what takes too long. One task looks at all now and then: a timer for each would cost more."""
        write, proposal = self._limits.write, self._limits.proposal
        while True:
            await asyncio.sleep(min(write, proposal) / 4)
            now = perf_counter()
            if self._writing_since is not None and now - self._writing_since > write:
                self._closed = True
                raise StreamError(f"the peer did not read a message within {write:g} s")
            for running in self._running.values():
                if now - running.started > proposal:
                    running.transaction.expired = True
                    running.task.cancel()

    async def _register(self) -> None:
        try:
            async with asyncio.timeout(self._limits.registration):
                await self._expect(ChaincodeMessage.REGISTERED)
                ready = await self._expect(ChaincodeMessage.READY)
        except TimeoutError:
            raise StreamError(
                f"the peer did not register the chaincode within {self._limits.registration:g} s"
            ) from None
        self._offer = messages.parse_offer(ready.payload)

    async def _expect(self, kind: int) -> Any:
        """Return the next message, which is to be of this type; raises StreamError."""
        while (data := await self._connection.read()) is not None:
            message = messages.parse_message(data)
            if message.type == kind:
                return message
            if message.type != ChaincodeMessage.KEEPALIVE:
                raise StreamError(
                    f"expected {kind_name(kind)} from the peer, found {kind_name(message.type)}"
                )
            await self._outgoing.put(messages.KEEPALIVE)
        raise StreamError(f"expected {kind_name(kind)} from the peer, found the end of the stream")

    async def _handle(self, message: Any) -> None:
        kind = message.type
        if kind in _REPLIES:
            running = self._running.get((message.channel_id, message.txid))
            if running is not None:  # a reply may come after its proposal was given up
                running.transaction.deliver(message)
        elif kind in _CALLS:
            await self._begin((message.channel_id, message.txid), message)
        elif kind == ChaincodeMessage.KEEPALIVE:
            await self._outgoing.put(messages.KEEPALIVE)
        else:
            raise StreamError(f"expected calls and replies from the peer, found {kind_name(kind)}")

    async def _begin(self, key: _Key, message: Any) -> None:
        if self._draining:
            await self._reject(key, "it is shutting down")
        elif key in self._running:
            self._supersede(key, message)
        elif len(self._running) < self._limits.running:
            self._start(key, message)
        elif key in self._waiting or len(self._waiting) < self._limits.waiting:
            self._waiting[key] = message
        else:
            await self._reject(key, "too many others run")

    def _start(self, key: _Key, message: Any) -> Transaction:
        transaction = Transaction(*key, self._offer, self._outgoing.put, self._metrics.peer_errors.inc)
        task = self._tasks.create_task(self._serve(key, message, transaction))
        self._running[key] = _Running(transaction, task, perf_counter())
        return transaction

    def _supersede(self, key: _Key, message: Any) -> None:
        """Give up a proposal that the peer gave up: it never runs one transaction id twice at once.

        The earlier run's calls would otherwise be answered in the new one (core/chaincode/transaction_contexts.go).
        """
        earlier = self._running[key]
        earlier.transaction.end()
        earlier.task.cancel()
        self._start(key, message).inherit(earlier.transaction)

    async def _reject(self, key: _Key, reason: str) -> None:
        text = f"the chaincode service did not run the proposal: {reason}; send it to another peer, or again later"
        answer = rejected(text, UNAVAILABLE, *key)
        self._metrics.ended(answer.outcome)
        await self._outgoing.put(answer.message)

    async def _serve(self, key: _Key, message: Any, transaction: Transaction) -> None:
        self._metrics.in_flight += 1
        started, outcome = perf_counter(), Outcome.ABANDONED
        try:
            answer = await execute(self._chaincode, message, transaction, self._limits.proposal)
            if self._is_current(key, transaction):
                await self._outgoing.put(answer.message)
                outcome = answer.outcome
        finally:
            transaction.end()
            self._metrics.in_flight -= 1
            self._metrics.ended(outcome, perf_counter() - started)
            if self._is_current(key, transaction):
                del self._running[key]
            self._start_next()

    def _is_current(self, key: _Key, transaction: Transaction) -> bool:
        running = self._running.get(key)
        return running is not None and running.transaction is transaction

    def _start_next(self) -> None:
        if self._closed:
            return
        if self._waiting and len(self._running) < self._limits.running:
            key = next(iter(self._waiting))
            self._start(key, self._waiting.pop(key))
        elif self._draining and not self._running:
            self._idle.set()

    def _give_up(self) -> None:
        """Account for what the end of the stream left undone, and hold up nobody who waits for it."""
        for _ in self._waiting:
            self._metrics.ended(Outcome.ABANDONED)
        self._waiting.clear()
        self._idle.set()
        while not self._outgoing.empty():
            self._outgoing.get_nowait()
