"""Transactions that the orderers have accepted and peers have yet to commit."""

from __future__ import annotations

from typing import Any

from shirushi_client.gateway.commit import Commit
from shirushi_client.gateway.connection import Connection
from shirushi_client.gateway.identity import SigningIdentity


class SubmittedTransaction(Commit):
    """A submitted transaction: its result, and the question how it was committed."""

    def __init__(
        self,
        connection: Connection,
        identity: SigningIdentity,
        message: Any,
        transaction_id: str,
        result: bytes,
    ) -> None:
        super().__init__(connection, identity, message, transaction_id)
        self._result = result

    @property
    def result(self) -> bytes:
        """What the chaincode returned when the transaction was endorsed; it counts once the transaction commits."""
        return self._result
