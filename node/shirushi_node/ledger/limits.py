"""How much a node takes on at once, and how long things may take; beyond it requests are refused, not queued.

Source: sampleconfig/core.yaml, internal/peer/node/grpc_limiters.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from shirushi_core.errors import ShirushiError


@dataclass(frozen=True, slots=True)
class Limits:
    """A node's limits; seconds, and requests under way at one member. The defaults are those of Fabric's core.yaml."""

    gateway_requests: int = 500
    endorser_requests: int = 2500
    deliver_streams: int = 2500
    ordering_queue: int = 4096
    execute_timeout: float = 30.0
    endorsement_timeout: float = 30.0
    proposal_time_window: float = 900.0
    stop_timeout: float = 0.5


class TooManyRequestsError(ShirushiError):
    """A request over a service's limit."""


class ConcurrencyLimit:
    """Counts the requests under way at one service."""

    def __init__(self, service: str, limit: int) -> None:
        self._service = service
        self._limit = limit
        self._under_way = 0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one place while a request is under way; raises TooManyRequestsError if there is none."""
        if self._under_way >= self._limit:
            raise TooManyRequestsError(
                f"too many requests for {self._service}, exceeding concurrency limit ({self._limit})"
            )
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
