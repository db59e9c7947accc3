"""What passes between an endorser and whatever runs a chaincode."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from fabric_protos.peer import chaincode_event_pb2

from shirushi_core.errors import ShirushiError
from shirushi_core.fabric.chaincode import Response
from shirushi_node.ledger.proposals import CheckedProposal
from shirushi_node.ledger.simulator import Simulator

STREAM_TERMINATED = "chaincode stream terminated"
"""Fabric's text for a chaincode that crashed; the gateway tries another peer when it sees it."""

EXECUTION_TIMEOUT = "timeout expired while executing transaction"


class InvocationError(ShirushiError):
    """A chaincode that could not be run to an answer: not there, crashed, too slow, or not to be called so."""


class ChaincodeFailureError(ShirushiError):
    """A chaincode that answered with an ERROR message in place of a response."""


@dataclass(slots=True)
class Transaction:
    """One proposal as one member's peer simulates it; chaincodes that call each other share it."""

    checked: CheckedProposal
    msp_id: str
    simulator: Simulator | None
    chaincodes: set[str] = field(default_factory=set)  # all that were run in it

    @property
    def tx_id(self) -> str:
        """The proposal's transaction id."""
        return self.checked.proposal.tx_id

    @property
    def channel_id(self) -> str:
        """The proposal's channel."""
        return self.checked.proposal.channel_id


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of one chaincode."""

    transaction: Transaction
    chaincode: str
    args: tuple[bytes, ...]
    is_init: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """What a chaincode answered."""

    response: Response
    event: chaincode_event_pb2.ChaincodeEvent | None = None


class Runtime(Protocol):
    """Something that runs chaincodes."""

    async def execute(self, invocation: Invocation) -> Completion:
        """Run a call; raises InvocationError or ChaincodeFailureError."""
        ...

    async def close(self) -> None:
        """Give back what it holds."""
        ...


class Invoker(Protocol):
    """Runs the chaincodes that chaincodes call."""

    async def call(self, invocation: Invocation, name: str, args: tuple[bytes, ...]) -> Completion:
        """Run the chaincode named (`name`, `name:version` or `name/channel`) inside an invocation's transaction.

        Raises InvocationError or ChaincodeFailureError.
        """
        ...
