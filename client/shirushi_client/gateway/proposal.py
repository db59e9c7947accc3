"""Transaction proposals: to be evaluated by one peer, or endorsed by as many as the policy wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fabric_protos.gateway import gateway_pb2

from shirushi_client.gateway.call_options import CallOptions
from shirushi_client.gateway.connection import Connection
from shirushi_client.gateway.identity import SigningIdentity
from shirushi_client.gateway.prepared_transaction import check_prepared_for, parse_prepared_transaction
from shirushi_client.gateway.signable import Signable
from shirushi_client.gateway.transaction import Transaction
from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.proposal import build_proposal, transaction_id

NANOSECONDS = 1_000_000_000


class Proposal(Signable):
    """A proposed transaction."""

    def __init__(
        self, connection: Connection, identity: SigningIdentity, message: Any, channel_id: str
    ) -> None:
        super().__init__(connection, identity)
        self._proposed = message  # gateway.ProposedTransaction
        self._channel_id = channel_id

    @property
    def transaction_id(self) -> str:
        """The id of the transaction."""
        return str(self._proposed.transaction_id)

    async def evaluate(self, options: CallOptions | None = None) -> bytes:
        """Run the chaincode on one peer and return its result, changing nothing; raises GatewayError."""
        await self._sign()
        request = gateway_pb2.EvaluateRequest(
            transaction_id=self.transaction_id,
            channel_id=self._channel_id,
            proposed_transaction=self._proposed.proposal,
            target_organizations=self._proposed.endorsing_organizations,
        )
        response = await self._connection.evaluate(request, options)
        return bytes(response.result.payload)

    async def endorse(self, options: CallOptions | None = None) -> Transaction:
        """Collect the endorsements that the transaction needs; raises EndorseError.

        Raises InvalidInputError if the gateway answers with anything but the proposed transaction.
        """
        await self._sign()
        request = gateway_pb2.EndorseRequest(
            transaction_id=self.transaction_id,
            channel_id=self._channel_id,
            proposed_transaction=self._proposed.proposal,
            endorsing_organizations=self._proposed.endorsing_organizations,
        )
        response = await self._connection.endorse(request, options)
        if not response.HasField("prepared_transaction"):
            raise InvalidInputError("the gateway answered an endorsement without a transaction envelope")
        prepared = parse_prepared_transaction(response.prepared_transaction)
        check_prepared_for(prepared, self._message())
        message = gateway_pb2.PreparedTransaction(
            transaction_id=self.transaction_id, envelope=response.prepared_transaction
        )
        return Transaction(self._connection, self._identity, message, prepared)

    def _serialized(self) -> bytes:
        return bytes(self._proposed.SerializeToString())

    def _message(self) -> bytes:
        return bytes(self._proposed.proposal.proposal_bytes)

    def _signature(self) -> bytes:
        return bytes(self._proposed.proposal.signature)

    def _set_signature(self, signature: bytes) -> None:
        self._proposed.proposal.signature = signature


def new_proposed_transaction(
    *,
    channel_id: str,
    chaincode_name: str,
    arguments: Sequence[str | bytes],
    creator: bytes,
    nonce: bytes,
    time_ns: int,
    transient_data: Mapping[str, str | bytes] | None = None,
    endorsing_organizations: Sequence[str] = (),
) -> Any:
    """Build an unsigned gateway.ProposedTransaction; the first argument is the transaction's name.

    Same input, same bytes: nonce and time (nanoseconds of the Unix epoch) come from the caller.
    """
    seconds, nanos = divmod(time_ns, NANOSECONDS)
    proposal = build_proposal(
        channel_id=channel_id,
        chaincode_name=chaincode_name,
        args=[_as_bytes(argument) for argument in arguments],
        creator=creator,
        nonce=nonce,
        seconds=seconds,
        nanos=nanos,
        transient={key: _as_bytes(value) for key, value in (transient_data or {}).items()},
    )
    proposed = gateway_pb2.ProposedTransaction(
        transaction_id=transaction_id(nonce, creator), endorsing_organizations=endorsing_organizations
    )
    proposed.proposal.proposal_bytes = proposal.SerializeToString(deterministic=True)
    return proposed


def _as_bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
