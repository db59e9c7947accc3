"""A report with figures of every kind, made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shirushi_benchmarks.machine import Machine
from shirushi_benchmarks.measurement import Measurement
from shirushi_benchmarks.report import Report
from shirushi_benchmarks.settings import SHORT

MACHINE = Machine("Made-up processor", 2, 8, "Linux 6", "3.11.7", "abc1234", {"shirushi": "0.1.0"})


def one_at_a_time(
    offered: float, p50: float, *, engine: str = "embedded", down: str = "", overloaded: bool = False
) -> Measurement:
    return Measurement(
        "one at a time",
        100,
        100 / offered,
        "certificates",
        engine=engine,
        parameters={"offered": offered, "member_down": down},
        quantiles_ms={"p50": p50, "p95": 1.5 * p50, "p99": 2 * p50},
        overloaded=overloaded,
    )


def bulk(
    rate: float, *, engine: str = "embedded", count: int = 100_000, memory: float = 120.0
) -> Measurement:
    return Measurement(
        "bulk",
        count,
        count / rate,
        "documents",
        engine=engine,
        parameters={"bytes": 2048, "batch": 4096, "receipts": "books", "member_down": ""},
        quantiles_ms={"p50": 500, "p95": 700, "p99": 900},
        stages={
            "peak_memory_mb_issuer": memory,
            "peak_memory_mb_node": 80.0,
            "ledger_bytes_per_thousand": 2000,
        },
    )


def transactions(
    rate: float, *, engine: str = "embedded", in_flight: int = 100, failures: int = 0
) -> Measurement:
    return Measurement(
        "transactions",
        1000,
        1000 / rate,
        "transactions",
        failures,
        engine=engine,
        parameters={
            "in_flight": in_flight,
            "endorsements": 3,
            "certificates_per_batch": 1,
            "member_down": "",
        },
        failed_with={"LedgerRefusedError": failures} if failures else {},
        overloaded=bool(failures),
    )


def one_of(
    name: str, rate: float, engine: str = "", parameters: dict[str, int | float | str] | None = None
) -> Measurement:
    return Measurement(name, 100, 100 / rate, "things", engine=engine, parameters=parameters or {})


def growing(documents: int, us_per_document: float) -> Measurement:
    return Measurement(
        "growth of the journal",
        4096,
        4096 * us_per_document / 1e6,
        "documents",
        engine="embedded",
        parameters={"documents": documents},
        stages={"issuer_cpu_us_per_document": us_per_document},
    )


EVERYTHING = (
    *(one_at_a_time(rate, 50 + rate) for rate in (1, 5, 20)),
    one_at_a_time(50, 3000, overloaded=True),
    *(one_at_a_time(rate, 70 + rate, down="gcom") for rate in (1, 5, 20)),
    *(one_at_a_time(rate, 200 + rate, engine="fabric-bft") for rate in (1, 5, 20)),
    bulk(60_000),
    bulk(15_000, engine="fabric-bft"),
    *(transactions(rate, in_flight=number) for number, rate in ((10, 150), (50, 300), (100, 310))),
    transactions(400, in_flight=200, failures=3),
    *(transactions(rate, engine="fabric-raft", in_flight=number) for number, rate in ((10, 90), (50, 180))),
    one_of("our Gateway client", 200, "fabric-raft"),
    one_of("official Node client", 180, "fabric-raft"),
    one_of("pipeline without ledger", 40_000, parameters={"bytes": 2048, "from": "memory", "to": "book"}),
    one_of("wrapDocuments", 500, parameters={"bytes": 2048}),
    growing(1_000, 50),
    growing(1_000_000, 55),
)


def report(
    measurements: Sequence[Measurement] = EVERYTHING, *, at: str = "2026-11-24T12:00:00+00:00"
) -> Report:
    return Report(at, "shirushi bench --short", MACHINE, "tmpfs", SHORT, measurements)


def on(machine: Machine, made: Report) -> Report:
    """Return a report as if made on another machine."""
    return replace(made, machine=machine)
