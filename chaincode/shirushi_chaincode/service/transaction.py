"""One proposal's conversation with the peer: a call, its reply, the next call.

A peer works on one call of a transaction at a time and drops a second one unanswered (core/chaincode/handler.go,
registerTxid), so calls made at once take turns. A call that the contract gives up, as under a timeout, still gets its
reply: the next call waits for it, so that no reply is taken for another call's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from fabric_protos.peer import chaincode_shim_pb2

from shirushi_chaincode.service.errors import PeerError, ProposalEndedError, StreamError
from shirushi_chaincode.service.messages import ChaincodeMessage, Offer, call, kind_name


class Transaction:
    """Asks the peer on behalf of one proposal until it is ended.

    `send` hands bytes to the stream's writer and waits where that is full; `on_refusal` is told of ERROR replies.
    """

    def __init__(
        self,
        channel_id: str,
        tx_id: str,
        offer: Offer,
        send: Callable[[bytes], Awaitable[None]],
        on_refusal: Callable[[], None],
    ) -> None:
        self.channel_id = channel_id
        self.tx_id = tx_id
        self.offer = offer
        self.expired = False  # it took too long, and is being cancelled for it
        self._send = send
        self._on_refusal = on_refusal
        self._turn = asyncio.Lock()
        self._reply: asyncio.Future[Any] | None = None  # until the reply came, whoever still waits for it
        self._late: asyncio.Future[None] | None = None
        self._ended = False
        self._abandoned_queries: list[str] = []

    @property
    def awaits_reply(self) -> bool:
        """Whether a call has been sent whose reply has not come."""
        return self._reply is not None

    async def ask(self, kind: int, payload: bytes) -> bytes:
        """Return the payload of the peer's reply to a call.

        Raises PeerError if the peer refuses, ProposalEndedError once the proposal is over, InvalidInputError for a
        call larger than the peer takes.
        """
        message = call(kind, payload, self.channel_id, self.tx_id)
        async with self._turn:
            while self._abandoned_queries:
                await self._close_query(self._abandoned_queries.pop())
            reply = await self._exchange(message)
        if reply.type == ChaincodeMessage.RESPONSE:
            return bytes(reply.payload)
        self._on_refusal()
        raise PeerError(kind_name(kind), reply.payload.decode("utf-8", "replace"))

    def deliver(self, reply: Any) -> None:
        """Take a RESPONSE or ERROR of the peer; raises StreamError if no call waits for one."""
        waiting = self._reply
        if waiting is None:
            raise StreamError(f"[{self.tx_id}] expected a reply to a call only, found one without")
        self._reply = None
        if not waiting.done():
            waiting.set_result(reply)
        if self._late is not None:
            self._late.set_result(None)
            self._late = None

    def abandon_query(self, query_id: str) -> None:
        """Have a query closed before the next call; the peer closes what is open when the proposal is answered."""
        self._abandoned_queries.append(query_id)

    def inherit(self, earlier: Transaction) -> None:
        """Take over the wait for the reply to a call that an earlier run of the same transaction sent."""
        if earlier.awaits_reply:
            self._reply = asyncio.get_running_loop().create_future()
            self._reply.cancel()
            self._late = asyncio.get_running_loop().create_future()

    def end(self) -> None:
        """Let no further call go out; calls that still wait fail with ProposalEndedError."""
        self._ended = True
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(self._over())
            self._reply.exception()  # whoever waited may have gone
            self._late = asyncio.get_running_loop().create_future()

    async def settled(self) -> None:
        """Wait for the reply to a call that the contract left behind: the same transaction id may run again."""
        if self._late is not None:
            await asyncio.shield(self._late)

    async def _close_query(self, query_id: str) -> None:
        payload = chaincode_shim_pb2.QueryStateClose(id=query_id).SerializeToString()
        await self._exchange(call(ChaincodeMessage.QUERY_STATE_CLOSE, payload, self.channel_id, self.tx_id))

    async def _exchange(self, message: bytes) -> Any:
        if self._late is not None:
            await asyncio.shield(self._late)
        if self._ended:
            raise self._over()
        loop = asyncio.get_running_loop()
        self._reply = reply = loop.create_future()
        try:
            await self._send(message)
        except BaseException:
            self._reply = None  # it was not sent
            raise
        try:
            return await reply
        except asyncio.CancelledError:
            if self._reply is reply:
                self._late = loop.create_future()
            raise

    def _over(self) -> ProposalEndedError:
        return ProposalEndedError(
            f"[{self.tx_id}] expected calls on the ledger while the proposal runs, found one after it ended"
        )
