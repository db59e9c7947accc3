"""One figure, and how it is written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One figure: how much, in how long, with what parameters, and what failed.

    `name` says what was measured, `engine` on what ("embedded", "fabric-bft", "fabric-raft"; "" where no ledger is in it).
    Together with `parameters` they are the same in every run, so that runs can be compared. `quantiles_ms` are of the time that
    one of the things counted took, `stages` are further figures whose names say their units, `failed_with` counts the failures
    by the name of their error. `overloaded`: more was asked than could be done, so the figures show that, and nothing else.
    """

    name: str
    count: int
    seconds: float
    unit: str
    failures: int = 0
    engine: str = ""
    parameters: Mapping[str, int | float | str] = field(default_factory=dict)
    quantiles_ms: Mapping[str, float] = field(default_factory=dict)
    stages: Mapping[str, float] = field(default_factory=dict)
    failed_with: Mapping[str, int] = field(default_factory=dict)
    overloaded: bool = False

    @property
    def rate(self) -> float:
        """How many a second; 0 of nothing."""
        return self.count / self.seconds if self.count else 0.0

    @property
    def counts(self) -> bool:
        """Whether its figures may be quoted: something was done, nothing failed, and it was not overloaded."""
        return self.count > 0 and not self.failures and not self.overloaded

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, the rate included."""
        return {**asdict(self), "per_second": round(self.rate, 1)}


def quantiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    """Return p50, p95 and p99 of durations, in milliseconds; {} of none."""
    ordered = sorted(seconds)
    return {
        f"p{percent}": round(1000 * ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 1)
        for percent in PERCENTILES
        if ordered
    }
