"""Proposals, transactions, commits and event requests, without asyncio. Each stands for its asynchronous namesake."""

from __future__ import annotations

import builtins
from typing import Any, Generic, TypeVar

from shirushi_client.gateway import block_events, chaincode_events, commit, proposal, submitted_transaction
from shirushi_client.gateway import transaction as transactions
from shirushi_client.gateway.call_options import CallOptions
from shirushi_client.gateway.chaincode_events import ChaincodeEvent
from shirushi_client.gateway.signable import Signable as AsyncSignable
from shirushi_client.gateway.status import Status
from shirushi_client.gateway.sync.event_loop import EventLoopThread
from shirushi_client.gateway.sync.event_stream import EventStream

Inner = TypeVar("Inner", bound=AsyncSignable)
InnerCommit = TypeVar("InnerCommit", bound=commit.Commit)
InnerBlockEvents = TypeVar("InnerBlockEvents", bound=block_events.DeliverRequest)


class Signable(Generic[Inner]):
    """A message with a signature of its own; see the asynchronous Signable for offline signing."""

    def __init__(self, loop: EventLoopThread, inner: Inner) -> None:
        self._loop = loop
        self._inner = inner

    @property
    def bytes(self) -> builtins.bytes:
        """The serialized object, with its signature if it has one."""
        return self._inner.bytes

    @property
    def digest(self) -> builtins.bytes:
        """The digest to sign: the gateway's hash of the signed part."""
        return self._inner.digest


class Proposal(Signable[proposal.Proposal]):
    """A proposed transaction."""

    @property
    def transaction_id(self) -> str:
        """The id of the transaction."""
        return self._inner.transaction_id

    def evaluate(self, options: CallOptions | None = None) -> bytes:
        """Run the chaincode on one peer and return its result, changing nothing; raises GatewayError."""
        return self._loop.run(self._inner.evaluate(options))

    def endorse(self, options: CallOptions | None = None) -> Transaction:
        """Collect the endorsements that the transaction needs; raises EndorseError."""
        return Transaction(self._loop, self._loop.run(self._inner.endorse(options)))


class Transaction(Signable[transactions.Transaction]):
    """A transaction with its endorsements."""

    @property
    def transaction_id(self) -> str:
        """The id of the transaction."""
        return self._inner.transaction_id

    @property
    def result(self) -> bytes:
        """What the chaincode returned when the transaction was endorsed; it counts once the transaction commits."""
        return self._inner.result

    def submit(self, options: CallOptions | None = None) -> SubmittedTransaction:
        """Send the transaction to the orderers; raises SubmitError."""
        return SubmittedTransaction(self._loop, self._loop.run(self._inner.submit(options)))


class _Commit(Signable[InnerCommit]):
    @property
    def transaction_id(self) -> str:
        """The id of the transaction."""
        return self._inner.transaction_id

    def get_status(self, options: CallOptions | None = None) -> Status:
        """Wait until the transaction is in a block and return its outcome; raises CommitStatusError."""
        return self._loop.run(self._inner.get_status(options))


class Commit(_Commit[commit.Commit]):
    """The question whether and how a transaction was committed."""


class SubmittedTransaction(_Commit[submitted_transaction.SubmittedTransaction]):
    """A submitted transaction: its result, and the question how it was committed."""

    @property
    def result(self) -> bytes:
        """What the chaincode returned when the transaction was endorsed; it counts once the transaction commits."""
        return self._inner.result


class ChaincodeEventsRequest(Signable[chaincode_events.ChaincodeEventsRequest]):
    """A request to listen to one chaincode's events."""

    def get_events(self, options: CallOptions | None = None) -> EventStream[ChaincodeEvent]:
        """Start to listen; errors, also of signing, are raised by the stream."""
        return EventStream(self._loop, self._loop.call(self._inner.get_events, options))


class _DeliverRequest(Signable[InnerBlockEvents]):
    def get_events(self, options: CallOptions | None = None) -> EventStream[Any]:
        """Start to listen; errors, also of signing, are raised by the stream."""
        return EventStream(self._loop, self._loop.call(self._inner.get_events, options))


class BlockEventsRequest(_DeliverRequest[block_events.BlockEventsRequest]):
    """A request for whole blocks."""


class FilteredBlockEventsRequest(_DeliverRequest[block_events.FilteredBlockEventsRequest]):
    """A request for blocks without payloads."""


class BlockAndPrivateDataEventsRequest(_DeliverRequest[block_events.BlockAndPrivateDataEventsRequest]):
    """A request for blocks with the private data that the caller may see."""
