"""What a chaincode service counts, for Prometheus. Nothing of a request is in it: no names, keys, ids or arguments."""

from __future__ import annotations

from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_DURATIONS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Outcome(StrEnum):
    """How a proposal ended."""

    OK = "ok"  # answered with a status below 400
    REFUSED = "refused"  # answered by the chaincode with a status from 400
    FAILED = "failed"  # the chaincode raised, or took too long
    REJECTED = "rejected"  # never run: the service is draining or has too many
    ABANDONED = "abandoned"  # given up by the peer, or its stream ended


class Metrics:
    """The counters of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        prefix = "shirushi_chaincode"
        self.in_flight = 0
        in_flight = Gauge(f"{prefix}_proposals_in_flight", "Proposals that run.", registry=self._registry)
        in_flight.set_function(lambda: self.in_flight)
        proposals = Counter(
            f"{prefix}_proposals", "Proposals by how they ended.", ["outcome"], registry=self._registry
        )
        self._ended = {outcome: proposals.labels(outcome.value) for outcome in Outcome}
        self._duration = Histogram(
            f"{prefix}_proposal_duration_seconds",
            "From the start of a proposal to its answer.",
            buckets=_DURATIONS,
            registry=self._registry,
        )
        self.streams = Gauge(
            f"{prefix}_peer_streams_open", "Peers that are connected.", registry=self._registry
        )
        self.peer_errors = Counter(
            f"{prefix}_peer_errors", "Calls that a peer answered with ERROR.", registry=self._registry
        )
        self.broken_streams = Counter(
            f"{prefix}_peer_streams_broken",
            "Streams that ended because of what came over them.",
            registry=self._registry,
        )

    def ended(self, outcome: Outcome, seconds: float | None = None) -> None:
        """Count a proposal; `seconds` is how long it ran, None if it did not."""
        self._ended[outcome].inc()
        if seconds is not None:
            self._duration.observe(seconds)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)
