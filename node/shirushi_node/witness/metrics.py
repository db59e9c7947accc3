"""What a witness counts, for Prometheus. No commitment, batch or issuer is named in it."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from shirushi_node.witness.alarms import AlarmKind
from shirushi_node.witness.settings import WitnessStatus

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "shirushi_witness"


class Metrics:
    """The figures of one witness."""

    def __init__(self, others: Iterable[str]) -> None:
        self._registry = CollectorRegistry()
        self._size = self._gauge("log_entries", "Entries in the log.")
        self._block = self._gauge("block_height", "Blocks taken in.")
        self._peer = self._gauge("peer_block_height", "Blocks that the peer is known to have.")
        self._lag = self._gauge("lag_blocks", "Blocks of the peer that are not taken in yet.")
        self._cosigned = self._gauge("last_cosignature_timestamp_seconds", "When a head was cosigned last.")
        self._signing = self._gauge("signing", "1 if heads are signed, 0 if not; /health says why.")
        self._time = self._gauge("log_time_seconds", "The ledger's time as of the newest head.")
        self._trouble = self._gauge(
            "trouble", "1 while something keeps blocks from being taken in; /health says what."
        )
        self._alarms = Counter(
            f"{_PREFIX}_alarms",
            "What was noticed about the peer's blocks, by kind; alarms.json has the newest in words.",
            ["kind"],
            registry=self._registry,
        )
        for kind in AlarmKind:
            self._alarms.labels(kind.value)
        self._alarms_told: dict[str, int] = {}
        self._disagreeing = Gauge(
            f"{_PREFIX}_disagreement",
            "1 if a member's witness has signed a head that contradicts this log.",
            ["member"],
            registry=self._registry,
        )
        self.others_seen = Gauge(
            f"{_PREFIX}_other_last_seen_timestamp_seconds",
            "When another member's witness last gave a checkpoint with its cosignature.",
            ["member"],
            registry=self._registry,
        )
        self.others_size = Gauge(
            f"{_PREFIX}_other_log_entries",
            "Entries in the largest log seen with a member's cosignature.",
            ["member"],
            registry=self._registry,
        )
        self.requests = Counter(
            f"{_PREFIX}_http_requests", "Requests, by status.", ["status"], registry=self._registry
        )
        for member in others:
            self._disagreeing.labels(member).set(0)

    def text(self, status: WitnessStatus) -> bytes:
        """Return everything in Prometheus' text format."""
        self._size.set(status.size)
        self._block.set(status.block)
        if status.peer_height is not None:
            self._peer.set(status.peer_height)
            self._lag.set(max(0, status.peer_height - status.block))
        if status.last_cosigned is not None:
            self._cosigned.set(status.last_cosigned)
        self._signing.set(status.refusing is None)
        self._trouble.set(status.trouble is not None)
        if status.time is not None:
            self._time.set(status.time)
        for kind, count in status.alarms.items():
            self._alarms.labels(kind).inc(count - self._alarms_told.get(kind, 0))
            self._alarms_told[kind] = count
        for member in status.disagreeing:
            self._disagreeing.labels(member).set(1)
        return generate_latest(self._registry)

    def _gauge(self, name: str, help_text: str) -> Gauge:
        return Gauge(f"{_PREFIX}_{name}", help_text, registry=self._registry)
