"""System chaincodes: what peers answer out of the ledger and its configuration, without any state of their own."""

from __future__ import annotations

from typing import Protocol

from shirushi_core.fabric.chaincode import ERROR, OK, Response
from shirushi_node.ledger.invocation import Invocation


class SystemChaincode(Protocol):
    """A chaincode that is part of the peer."""

    name: str

    def invoke(self, invocation: Invocation) -> Response:
        """Answer a call; what is wrong with it is an error response."""
        ...


def success(payload: bytes) -> Response:
    """Return a response with a payload."""
    return Response(OK, payload=payload)


def failure(message: str) -> Response:
    """Return an error response."""
    return Response(ERROR, message)


def called_by_chaincode(invocation: Invocation) -> str | None:
    """Return the name of the chaincode the client asked for if it is another one, else None."""
    name = invocation.transaction.checked.proposal.chaincode_name
    return None if name == invocation.chaincode else name
