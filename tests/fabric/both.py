"""Asking a real node and an embedded one the same, and comparing what they say."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, TypeAlias

import grpc
from fabric_protos.peer import proposal_pb2
from tests.fabric.bad_requests import Proposed
from tests.fabric.forging import Signer, cast_of
from tests.fabric.twins import Twins
from tests.support.raw_client import RawClient

from shirushi_client.gateway.error_details import DETAILS_TRAILER, parse_details

Call: TypeAlias = Callable[[RawClient], Awaitable[Any]]


class Both:
    """A client of the first member's real nodes and one of its embedded ones."""

    def __init__(self, twins: Twins) -> None:
        self.twins = twins
        self.cast: Mapping[str, Signer] = cast_of(twins.layout, twins.topology)
        self._stack = AsyncExitStack()
        self.clients = twins.run(self._stack.enter_async_context(twins.clients()))

    def close(self) -> None:
        """End the embedded nodes."""
        self.twins.run(self._stack.aclose())

    def answer(self, call: Call) -> Any:
        """Return what both are answered; fails unless it is the same."""

        async def ask() -> list[Any]:
            return [await told(call, client) for client in self.clients]

        theirs, ours = self.twins.run(ask())
        assert ours == theirs
        return theirs

    def proposal(self, wanted: Proposed, client: RawClient) -> proposal_pb2.SignedProposal:
        """Return a proposal; an argument CHANNEL stands for the channel's name."""
        args = tuple(client.channel_id if each == "CHANNEL" else each for each in wanted.args)
        return replace(wanted, args=args).signed(client, self.cast)


async def told(call: Call, client: RawClient) -> Any:
    """Return an answer, or how the call failed: status, text, and what each endpoint said."""
    try:
        return await call(client)
    except grpc.aio.AioRpcError as error:
        trailer = dict(error.trailing_metadata() or ()).get(DETAILS_TRAILER)
        details = parse_details(trailer) if isinstance(trailer, bytes) else ()
        if error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED):
            return "no answer in time"
        return (
            error.code().name,
            plain(error.details() or ""),
            sorted((detail.msp_id, plain(detail.message)) for detail in details),
        )


def plain(text: str) -> str:
    """Return a text without what differs between two moments and two networks."""
    text = text.replace("\u00a0", " ")
    text = re.sub(r"127\.0\.0\.1:[0-9]+", "ADDRESS", text)
    text = re.sub(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z", "TIME", text)
    return re.sub(r"\b[0-9a-f]{64}\b", "HASH", text)
