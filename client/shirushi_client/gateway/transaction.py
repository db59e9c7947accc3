"""Endorsed transactions, ready to be submitted to the orderers."""

from __future__ import annotations

from typing import Any

from fabric_protos.gateway import gateway_pb2

from shirushi_client.gateway.call_options import CallOptions
from shirushi_client.gateway.connection import Connection
from shirushi_client.gateway.errors import SubmitError
from shirushi_client.gateway.identity import SigningIdentity
from shirushi_client.gateway.prepared_transaction import PreparedTransaction
from shirushi_client.gateway.signable import Signable
from shirushi_client.gateway.submitted_transaction import SubmittedTransaction

_ALREADY_ORDERED = "request already processed"


class Transaction(Signable):
    """A transaction with its endorsements. The client's signature on it is what the orderers and peers check."""

    def __init__(
        self,
        connection: Connection,
        identity: SigningIdentity,
        message: Any,
        prepared: PreparedTransaction,
    ) -> None:
        super().__init__(connection, identity)
        self._prepared_message = message  # gateway.PreparedTransaction
        self._prepared = prepared

    @property
    def transaction_id(self) -> str:
        """The id of the transaction."""
        return self._prepared.transaction_id

    @property
    def result(self) -> bytes:
        """What the chaincode returned when the transaction was endorsed; it counts once the transaction commits."""
        return self._prepared.result

    async def submit(self, options: CallOptions | None = None) -> SubmittedTransaction:
        """Send the transaction to the orderers; raises SubmitError.

        Returning means that it was accepted, not that it was committed: ask the returned object for its status.

        A gateway sends to all BFT orderers, and counts one that has seen the transaction in a block already, because it
        was the last to be sent it, as one that refused; here that means accepted.
        Source: internal/pkg/gateway/submit.go, SmartBFT internal/bft/requestpool.go.
        """
        await self._sign()
        request = gateway_pb2.SubmitRequest(
            transaction_id=self.transaction_id,
            channel_id=self._prepared.channel_id,
            prepared_transaction=self._prepared_message.envelope,
        )
        try:
            await self._connection.submit(request, options)
        except SubmitError as error:
            if not any(_ALREADY_ORDERED in detail.message for detail in error.details):
                raise
        status_request = gateway_pb2.CommitStatusRequest(
            transaction_id=self.transaction_id,
            channel_id=self._prepared.channel_id,
            identity=self._identity.creator,
        )
        message = gateway_pb2.SignedCommitStatusRequest(request=status_request.SerializeToString())
        return SubmittedTransaction(
            self._connection, self._identity, message, self.transaction_id, self.result
        )

    def _serialized(self) -> bytes:
        return bytes(self._prepared_message.SerializeToString())

    def _message(self) -> bytes:
        return bytes(self._prepared_message.envelope.payload)

    def _signature(self) -> bytes:
        return bytes(self._prepared_message.envelope.signature)

    def _set_signature(self, signature: bytes) -> None:
        self._prepared_message.envelope.signature = signature
