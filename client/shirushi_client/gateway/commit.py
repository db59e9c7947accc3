"""Asking for the outcome of a submitted transaction."""

from __future__ import annotations

from typing import Any

from shirushi_client.gateway.call_options import CallOptions
from shirushi_client.gateway.connection import Connection
from shirushi_client.gateway.identity import SigningIdentity
from shirushi_client.gateway.signable import Signable
from shirushi_client.gateway.status import Status, new_status


class Commit(Signable):
    """The question whether and how a transaction was committed."""

    def __init__(
        self, connection: Connection, identity: SigningIdentity, message: Any, transaction_id: str
    ) -> None:
        super().__init__(connection, identity)
        self._request = message  # gateway.SignedCommitStatusRequest
        self._transaction_id = transaction_id

    @property
    def transaction_id(self) -> str:
        """The id of the transaction."""
        return self._transaction_id

    async def get_status(self, options: CallOptions | None = None) -> Status:
        """Wait until the transaction is in a block of the gateway's peer and return its outcome.

        Raises CommitStatusError if it cannot be learned; the question can be asked again.
        """
        await self._sign()
        response = await self._connection.commit_status(self._request, self._transaction_id, options)
        return new_status(response.result, self._transaction_id, response.block_number)

    def _serialized(self) -> bytes:
        return bytes(self._request.SerializeToString())

    def _message(self) -> bytes:
        return bytes(self._request.request)

    def _signature(self) -> bytes:
        return bytes(self._request.signature)

    def _set_signature(self, signature: bytes) -> None:
        self._request.signature = signature
