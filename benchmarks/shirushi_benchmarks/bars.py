"""The bars that the anchoring path is held to, as data, and what a run says of them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shirushi_benchmarks.measurement import Measurement
from shirushi_benchmarks.profiles.bulk import PEAK_MEMORY

PER_SECOND = "per_second"

MANY = 100_000
"""Documents that speak for bulk: with fewer, beginning and ending are a good part of it."""

_RELATIONS: Mapping[str, Callable[[float, float], bool]] = {
    "≥": operator.ge,
    "≤": operator.le,
    "<": operator.lt,
}


class Outcome(StrEnum):
    """What became of a bar."""

    HELD = "held"
    MISSED = "missed"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number out of measurements: those of a name and engine that have these parameters, and at least `count`.

    `quantity` is PER_SECOND, a quantile ("p95", in ms), a stage, or what the names of several stages begin with: the highest counts.
    Of several measurements the fastest speaks; one that failed or was overloaded never does.
    """

    name: str
    engine: str
    quantity: str = PER_SECOND
    parameters: Mapping[str, int | float | str] = field(default_factory=dict)
    count: int = 1

    def of(self, measurements: Sequence[Measurement]) -> float | None:
        """Return the number; None where it was not measured. Raises UnusableError where no measurement of it counts."""
        found = [each for each in measurements if self._is_of(each)]
        if not found:
            return None
        usable = [each for each in found if each.counts]
        if not usable:
            how = "overloaded" if any(each.overloaded for each in found) else "with failures"
            raise UnusableError(f"{self.name} on {self.engine or 'this machine'} was measured only {how}")
        return _quantity(max(usable, key=lambda each: each.rate), self.quantity)

    def _is_of(self, measurement: Measurement) -> bool:
        return (
            (measurement.name, measurement.engine) == (self.name, self.engine)
            and measurement.count + measurement.failures >= self.count
            and all(measurement.parameters.get(key) == value for key, value in self.parameters.items())
        )


class UnusableError(Exception):
    """Measurements that must not be quoted."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What is wanted: a figure, or its ratio to another, in a relation (≥, ≤ or <) to a limit."""

    what: str
    figure: Figure
    limit: float
    unit: str = ""
    over: Figure | None = None
    relation: str = "≥"

    @property
    def wanted(self) -> str:
        """The limit, as people write it."""
        return f"{self.relation} {self.limit:,g}{self.unit}"


@dataclass(frozen=True, slots=True)
class Judged:
    """A bar, what became of it, the number found if one was, and why it is no number else."""

    bar: Bar
    outcome: Outcome
    found: float | None = None
    why: str = ""

    @property
    def said(self) -> str:
        """What was found, as people write it."""
        if self.found is None:
            return self.why or "—"
        digits = 0 if abs(self.found) >= 100 else 2
        return f"{self.found:,.{digits}f}{self.bar.unit}"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "what": self.bar.what,
            "wanted": self.bar.wanted,
            "outcome": self.outcome.value,
            "found": self.found,
            "why": self.why,
        }


def judge(bar: Bar, measurements: Sequence[Measurement]) -> Judged:
    """Hold measurements to a bar. What was measured only with failures or overloaded misses it."""
    try:
        found = bar.figure.of(measurements)
        over = None if bar.over is None else bar.over.of(measurements)
    except UnusableError as error:
        return Judged(bar, Outcome.MISSED, why=str(error))
    if found is None or (bar.over is not None and not over):
        return Judged(bar, Outcome.NOT_MEASURED)
    number = found if over is None else found / over
    held = _RELATIONS[bar.relation](number, bar.limit)
    return Judged(bar, Outcome.HELD if held else Outcome.MISSED, number)


def judge_all(measurements: Sequence[Measurement]) -> list[Judged]:
    """Hold measurements to all bars."""
    return [judge(bar, measurements) for bar in BARS]


def goal_is_reached(judged: Sequence[Judged]) -> bool:
    """Say whether no bar is missed and at least one was measured."""
    outcomes = {each.outcome for each in judged}
    return Outcome.MISSED not in outcomes and Outcome.HELD in outcomes


def _quantity(measurement: Measurement, quantity: str) -> float | None:
    if quantity == PER_SECOND:
        return measurement.rate
    if quantity in measurement.quantiles_ms:
        return measurement.quantiles_ms[quantity]
    return max(
        (value for name, value in measurement.stages.items() if name.startswith(quantity)), default=None
    )


_ALL_UP: Mapping[str, int | float | str] = {"member_down": ""}
_SMALL: Mapping[str, int | float | str] = {"bytes": 2048, "receipts": "books", **_ALL_UP}
_IN_MEMORY: Mapping[str, int | float | str] = {"bytes": 2048, "from": "memory", "to": "book"}

BARS = (
    Bar(
        "bulk, embedded, 2 KB documents to receipts on disk",
        Figure("bulk", "embedded", parameters=_SMALL, count=MANY),
        50_000,
        "/s",
    ),
    Bar(
        "bulk, five-member BFT Fabric, 2 KB documents",
        Figure("bulk", "fabric-bft", parameters=_SMALL, count=MANY),
        20_000,
        "/s",
    ),
    Bar(
        "bulk, five-member BFT Fabric, time to receipt, p99",
        Figure("bulk", "fabric-bft", "p99", _SMALL, count=MANY),
        3000,
        " ms",
        relation="<",
    ),
    Bar(
        "one at a time, 20/s offered, five-member BFT Fabric, p95",
        Figure("one at a time", "fabric-bft", "p95", {"offered": 20, **_ALL_UP}),
        500,
        " ms",
        relation="<",
    ),
    Bar(
        "transactions, embedded ÷ Fabric with one organisation and Raft",
        Figure("transactions", "embedded", parameters=_ALL_UP),
        1.5,
        over=Figure("transactions", "fabric-raft"),
    ),
    Bar(
        "our Gateway client ÷ official Node client",
        Figure("our Gateway client", "fabric-raft"),
        1.0,
        over=Figure("official Node client", "fabric-raft"),
    ),
    Bar(
        "our chaincode service ÷ bare-protocol echo",
        Figure("echo, our chaincode service", "fabric-raft", parameters={"call": "submit"}),
        0.9,
        over=Figure("echo, bare protocol", "fabric-raft", parameters={"call": "submit"}),
    ),
    Bar(
        "pipeline without ledger ÷ OpenAttestation wrapDocuments",
        Figure("pipeline without ledger", "", parameters=_IN_MEMORY),
        50,
        over=Figure("wrapDocuments", "", parameters={"bytes": 2048}),
    ),
    Bar(
        "cost of a document at 10⁶ ÷ at 10³",
        Figure("growth of the journal", "embedded", "issuer_cpu_us_per_document", {"documents": 1_000_000}),
        1.2,
        over=Figure("growth of the journal", "embedded", "issuer_cpu_us_per_document", {"documents": 1_000}),
        relation="≤",
    ),
    Bar(
        "memory of a process while 10⁶ documents are issued, embedded",
        Figure("bulk", "embedded", PEAK_MEMORY, _SMALL, count=1_000_000),
        300,
        " MB",
        relation="<",
    ),
)
"""The bars of the throughput of the anchoring path; ratios are within one run, on the same machine."""
