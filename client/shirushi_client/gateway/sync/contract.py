"""A smart contract on a channel, without asyncio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shirushi_client.gateway import contract
from shirushi_client.gateway.call_options import CallOptions
from shirushi_client.gateway.sync.event_loop import EventLoopThread
from shirushi_client.gateway.sync.signables import Proposal, SubmittedTransaction


class Contract:
    """A chaincode, or one of the contracts in it; see the asynchronous Contract."""

    def __init__(self, loop: EventLoopThread, inner: contract.Contract) -> None:
        self._loop = loop
        self._inner = inner

    @property
    def chaincode_name(self) -> str:
        """The name of the chaincode on the channel."""
        return self._inner.chaincode_name

    @property
    def contract_name(self) -> str | None:
        """The name of the contract in the chaincode; None for its default contract."""
        return self._inner.contract_name

    def evaluate_transaction(self, name: str, *args: str | bytes) -> bytes:
        """Query the ledger: run a function on one peer and return its result; raises GatewayError."""
        return self._loop.run(self._inner.evaluate_transaction(name, *args))

    def submit_transaction(self, name: str, *args: str | bytes) -> bytes:
        """Change the ledger: endorse, order and commit a transaction and return its result.

        Raises EndorseError, SubmitError, CommitStatusError, or CommitError if it was not committed as valid.
        """
        return self._loop.run(self._inner.submit_transaction(name, *args))

    def evaluate(
        self,
        name: str,
        *,
        arguments: Sequence[str | bytes] = (),
        transient_data: Mapping[str, str | bytes] | None = None,
        endorsing_organizations: Sequence[str] | None = None,
        options: CallOptions | None = None,
    ) -> bytes:
        """Query the ledger as evaluate_transaction does; `endorsing_organizations` limits whose peers may answer."""
        return self._loop.run(
            self._inner.evaluate(
                name,
                arguments=arguments,
                transient_data=transient_data,
                endorsing_organizations=endorsing_organizations,
                options=options,
            )
        )

    def submit(
        self,
        name: str,
        *,
        arguments: Sequence[str | bytes] = (),
        transient_data: Mapping[str, str | bytes] | None = None,
        endorsing_organizations: Sequence[str] | None = None,
        options: CallOptions | None = None,
    ) -> bytes:
        """Change the ledger as submit_transaction does; `endorsing_organizations` names who shall endorse."""
        return self._loop.run(
            self._inner.submit(
                name,
                arguments=arguments,
                transient_data=transient_data,
                endorsing_organizations=endorsing_organizations,
                options=options,
            )
        )

    def submit_async(
        self,
        name: str,
        *,
        arguments: Sequence[str | bytes] = (),
        transient_data: Mapping[str, str | bytes] | None = None,
        endorsing_organizations: Sequence[str] | None = None,
        options: CallOptions | None = None,
    ) -> SubmittedTransaction:
        """Return as soon as the orderers have accepted the transaction; raises EndorseError, SubmitError."""
        submitted = self._loop.run(
            self._inner.submit_async(
                name,
                arguments=arguments,
                transient_data=transient_data,
                endorsing_organizations=endorsing_organizations,
                options=options,
            )
        )
        return SubmittedTransaction(self._loop, submitted)

    def new_proposal(
        self,
        name: str,
        *,
        arguments: Sequence[str | bytes] = (),
        transient_data: Mapping[str, str | bytes] | None = None,
        endorsing_organizations: Sequence[str] | None = None,
    ) -> Proposal:
        """Return a proposal, for those who want to take the steps one by one or sign elsewhere."""
        proposal = self._inner.new_proposal(
            name,
            arguments=arguments,
            transient_data=transient_data,
            endorsing_organizations=endorsing_organizations,
        )
        return Proposal(self._loop, proposal)
