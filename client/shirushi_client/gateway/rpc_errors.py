"""How failures of gRPC calls become typed errors."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from shirushi_client.gateway.error_details import DETAILS_TRAILER, parse_details
from shirushi_client.gateway.errors import ErrorDetail, GatewayError
from shirushi_core.errors import InvalidInputError


@contextmanager
def typed_errors(kind: type[GatewayError], transaction_id: str | None = None) -> Iterator[None]:
    """Raise failures of the call inside as errors of this kind.

    gRPC reports a call that somebody else cancelled, by closing its channel, as a cancelled task. Left so, it would
    end the caller's task without a word; only a cancellation of that very task passes unchanged.
    """
    try:
        yield
    except grpc.RpcError as error:
        raise _typed(error, kind, transaction_id) from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise kind(
            "the call was cancelled on this side, as when its channel is closed",
            code=grpc.StatusCode.CANCELLED,
            transaction_id=transaction_id,
        ) from error


def _typed(error: Any, kind: type[GatewayError], transaction_id: str | None) -> GatewayError:
    details: list[ErrorDetail] = []
    notes: list[str] = []
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_TRAILER:
            try:
                details.extend(parse_details(value))
            except InvalidInputError as undecodable:
                notes.append(str(undecodable))
    typed = kind(error.details() or "", code=error.code(), details=details, transaction_id=transaction_id)
    for note in notes:
        typed.add_note(note)
    return typed
