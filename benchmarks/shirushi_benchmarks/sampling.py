"""Where a process's time goes: its stack looked at each time it has used a little more of a processor.

The kernel counts the time of all threads, and Python hands the signal to the main one: a sample says what that one is at, or that it
waits. What other threads use is told by their own clocks.
"""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

INTERVAL = 0.005
"""Seconds of processor time between two samples."""

LOOP = "event loop and gRPC"
POLLER = "gRPC's polling thread"

PLACES: Sequence[tuple[str, str]] = (
    ("shirushi_core.fabric.signing", "signatures"),
    ("shirushi_core.proofs.es256", "signatures"),
    ("shirushi_core.fabric.policy", "policies"),
    ("shirushi_core.fabric.identity", "identities"),
    ("shirushi_core.fabric.msp", "identities"),
    ("shirushi_core.fabric.principal", "identities"),
    ("shirushi_core.fabric", "messages"),
    ("shirushi_core.proofs", "contract and its formats"),
    ("shirushi_chaincode", "contract and its formats"),
    ("shirushi_node.ledger.gateway", "gateway"),
    ("shirushi_node.ledger.commit", "blocks and state"),
    ("shirushi_node.ledger.store", "blocks and state"),
    ("shirushi_node.ledger.validation", "blocks and state"),
    ("shirushi_node.ledger.mvcc", "blocks and state"),
    ("shirushi_node.ledger.examination", "blocks and state"),
    ("shirushi_node.ledger.order", "ordering"),
    ("shirushi_node.ledger.ledger", "ordering"),
    ("shirushi_node.ledger", "endorsing"),
    ("shirushi_client.gateway", "gateway client"),
    ("shirushi_client", "client"),
    ("shirushi_benchmarks", "load"),
)
"""What modules do, in words: the first whose name begins so."""


@dataclass(slots=True)
class Sampler:
    """Samples of this process, gathered between `start` and `stop`, both called in its main thread."""

    samples: Counter[str] = field(default_factory=Counter)
    _before: dict[str, float] = field(default_factory=dict)

    def start(self) -> None:
        """Begin to sample."""
        self.samples.clear()
        self._before = _thread_seconds()
        signal.signal(signal.SIGPROF, self._take)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)

    def stop(self) -> dict[str, float]:
        """End, and return the seconds of processor time by what they were used for; other threads by their names."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        used = {name: seconds - self._before.get(name, 0.0) for name, seconds in _thread_seconds().items()}
        main = used.pop(threading.main_thread().name, 0.0)
        total = self.samples.total()
        shares = {label: main * count / total for label, count in self.samples.items()} if total else {}
        return {**shares, **{name: seconds for name, seconds in used.items() if seconds > 0}}

    def _take(self, _: int, frame: FrameType | None) -> None:
        self.samples[label_of(frame)] += 1


def label_of(frame: FrameType | None) -> str:
    """Return what the innermost frame of ours is at; LOOP if there is none, or only one that runs the loop."""
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if name == "asyncio.base_events":
            return LOOP
        if frame.f_code.co_name not in ("main", "run", "<module>"):
            for beginning, label in PLACES:
                if name.startswith(beginning):
                    return label
        frame = frame.f_back
    return LOOP


def per_thing_us(seconds: Mapping[str, float], count: int) -> dict[str, float]:
    """Return microseconds for each of `count` things, the largest first."""
    return {
        name: round(1e6 * used / count, 1)
        for name, used in sorted(seconds.items(), key=lambda each: -each[1])
    }


def _thread_seconds() -> dict[str, float]:
    """Return the processor time of each of Python's threads, by name; threads of a pool are one."""
    found: Counter[str] = Counter()
    for thread in threading.enumerate():
        if thread.ident is not None:
            found[_name(thread)] += time.clock_gettime(time.pthread_getcpuclockid(thread.ident))  # type: ignore[assignment]
    return dict(found)


def _name(thread: threading.Thread) -> str:
    if thread is threading.main_thread():
        return thread.name
    if "_poll_wrapper" in thread.name:
        return POLLER
    return f"thread {thread.name.rstrip('0123456789').rstrip('_-')}"
