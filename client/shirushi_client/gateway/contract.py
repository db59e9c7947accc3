"""A smart contract on a channel, and the verbs to call it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence

from shirushi_client.gateway.call_options import CallOptions
from shirushi_client.gateway.connection import Connection
from shirushi_client.gateway.errors import CommitError
from shirushi_client.gateway.identity import SigningIdentity
from shirushi_client.gateway.proposal import Proposal, new_proposed_transaction
from shirushi_client.gateway.submitted_transaction import SubmittedTransaction

NONCE_BYTES = 24
"""The length of a nonce as all Fabric clients make it."""


class Contract:
    """A chaincode, or one of the contracts in it.

    Each verb is defined by the next: submit_transaction by submit, submit by submit_async and the commit status,
    submit_async by new_proposal, endorse and submit. Call options given to a verb apply to each call that it makes.
    """

    def __init__(
        self,
        connection: Connection,
        identity: SigningIdentity,
        channel_name: str,
        chaincode_name: str,
        contract_name: str | None,
    ) -> None:
        self._connection = connection
        self._identity = identity
        self._channel_name = channel_name
        self._chaincode_name = chaincode_name
        self._contract_name = contract_name

    @property
    def chaincode_name(self) -> str:
        """The name of the chaincode on the channel."""
        return self._chaincode_name

    @property
    def contract_name(self) -> str | None:
        """The name of the contract in the chaincode; None for its default contract."""
        return self._contract_name

    async def evaluate_transaction(self, name: str, *args: str | bytes) -> bytes:
        """Query the ledger: run a function on one peer and return its result; raises GatewayError."""
        return await self.evaluate(name, arguments=args)

    async def submit_transaction(self, name: str, *args: str | bytes) -> bytes:
        """Change the ledger: endorse, order and commit a transaction and return its result.

        Raises EndorseError, SubmitError, CommitStatusError, or CommitError if it was not committed as valid.
        """
        return await self.submit(name, arguments=args)

    async def evaluate(
        self,
        name: str,
        *,
        arguments: Sequence[str | bytes] = (),
        transient_data: Mapping[str, str | bytes] | None = None,
        endorsing_organizations: Sequence[str] | None = None,
        options: CallOptions | None = None,
    ) -> bytes:
        """Query the ledger as evaluate_transaction does; `endorsing_organizations` limits whose peers may answer."""
        proposal = self.new_proposal(
            name,
            arguments=arguments,
            transient_data=transient_data,
            endorsing_organizations=endorsing_organizations,
        )
        return await proposal.evaluate(options)

    async def submit(
        self,
        name: str,
        *,
        arguments: Sequence[str | bytes] = (),
        transient_data: Mapping[str, str | bytes] | None = None,
        endorsing_organizations: Sequence[str] | None = None,
        options: CallOptions | None = None,
    ) -> bytes:
        """Change the ledger as submit_transaction does; `endorsing_organizations` names who shall endorse."""
        submitted = await self.submit_async(
            name,
            arguments=arguments,
            transient_data=transient_data,
            endorsing_organizations=endorsing_organizations,
            options=options,
        )
        status = await submitted.get_status(options)
        if not status.successful:
            raise CommitError(
                f"transaction {status.transaction_id} failed to commit with status code {int(status.code)}"
                f" ({status.code_name}) in block {status.block_number}",
                code=status.code,
                transaction_id=status.transaction_id,
                block_number=status.block_number,
            )
        return submitted.result

    async def submit_async(
        self,
        name: str,
        *,
        arguments: Sequence[str | bytes] = (),
        transient_data: Mapping[str, str | bytes] | None = None,
        endorsing_organizations: Sequence[str] | None = None,
        options: CallOptions | None = None,
    ) -> SubmittedTransaction:
        """Return as soon as the orderers have accepted the transaction; raises EndorseError, SubmitError."""
        proposal = self.new_proposal(
            name,
            arguments=arguments,
            transient_data=transient_data,
            endorsing_organizations=endorsing_organizations,
        )
        transaction = await proposal.endorse(options)
        return await transaction.submit(options)

    def new_proposal(
        self,
        name: str,
        *,
        arguments: Sequence[str | bytes] = (),
        transient_data: Mapping[str, str | bytes] | None = None,
        endorsing_organizations: Sequence[str] | None = None,
    ) -> Proposal:
        """Return a proposal, for those who want to take the steps one by one or sign elsewhere.

        transient_data reaches the endorsing peers but never the ledger. Without endorsing_organizations the gateway
        finds the endorsers by the policy.
        """
        qualified_name = f"{self._contract_name}:{name}" if self._contract_name else name
        message = new_proposed_transaction(
            channel_id=self._channel_name,
            chaincode_name=self._chaincode_name,
            arguments=[qualified_name, *arguments],
            creator=self._identity.creator,
            nonce=secrets.token_bytes(NONCE_BYTES),
            time_ns=time.time_ns(),
            transient_data=transient_data,
            endorsing_organizations=endorsing_organizations or (),
        )
        return Proposal(self._connection, self._identity, message, self._channel_name)
