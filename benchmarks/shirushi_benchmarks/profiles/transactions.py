"""Transactions a second: one sealed one-certificate batch each, endorsed, ordered, committed, status awaited.

The load comes from one client process; the consortium runs in another. A bounded number is in flight at any moment.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from shirushi_benchmarks.measurement import Measurement, quantiles_ms
from shirushi_client.ledger_errors import LedgerError
from shirushi_client.session import ISSUER, open_session
from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.seal import make_seal


async def measure_transactions(data: Path, *, count: int, in_flight: int) -> Measurement:
    """Anchor `count` batches with `in_flight` under way, over the first member's gateway."""
    async with open_session(data, ISSUER) as session:
        key = session.profile.load_seal_key()
        statements = [
            BatchStatement(
                session.consortium.channel,
                session.profile.issuer_id(),
                "benchmark",
                os.urandom(32),
                1,
                int(time.time()),
            )
            for _ in range(count)
        ]
        arguments: list[Json] = [
            {"seal": make_seal(statement, key).to_json(), "statement": statement.to_json()}
            for statement in statements
        ]
        requests = iter(arguments)
        member = session.members[0]
        durations: list[float] = []
        failures = 0

        async def work() -> None:
            nonlocal failures
            for request in requests:
                started = time.perf_counter()
                try:
                    await member.submit("issue", request)
                except LedgerError:
                    failures += 1
                else:
                    durations.append(time.perf_counter() - started)

        started = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(in_flight):
                tasks.create_task(work())
        seconds = time.perf_counter() - started
    return Measurement(
        name="transactions",
        count=len(durations),
        seconds=seconds,
        unit="transactions",
        failures=failures,
        parameters={"in_flight": in_flight, "endorsements": 3, "certificates_per_batch": 1},
        quantiles_ms=quantiles_ms(durations),
    )
