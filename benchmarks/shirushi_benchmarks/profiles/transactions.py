"""Transactions a second: one sealed one-certificate batch each, endorsed, ordered, committed, status awaited.

The load comes from this process; the network runs in others. A bounded number is in flight at any moment; the best of several
such numbers is what the network does.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from shirushi_benchmarks.measurement import Measurement, quantiles_ms
from shirushi_benchmarks.networks import RunningNetwork
from shirushi_benchmarks.settings import Advance, Settings
from shirushi_client.ledger_errors import LedgerError
from shirushi_client.member_contract import MemberContract
from shirushi_client.session import ISSUER, Session, open_session
from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.seal import make_seal

NAME = "transactions"


async def measure_transactions(
    network: RunningNetwork, folder: Path, settings: Settings, advance: Advance
) -> list[Measurement]:
    """Anchor batches of one with each of the numbers in flight in turn, over the first member's gateway.

    A step ends after `settings.transactions`, or when no more is begun after `settings.step_seconds`. One with failures is
    marked overloaded.
    """
    measurements = []
    async with open_session(network.layout.root, ISSUER) as session:
        key = session.profile.load_seal_key()
        await session.members[0].submit("issue", _request(session, key))  # connections are made here
        for in_flight in settings.in_flight:
            requests = [_request(session, key) for _ in range(settings.transactions)]
            what = f"{in_flight} transactions in flight"
            durations, failed, seconds = await _step(
                session.members[0],
                requests,
                in_flight,
                settings.step_seconds,
                lambda done, what=what: advance(what, done, settings.transactions),  # type: ignore[misc]
            )
            measurements.append(
                Measurement(
                    name=NAME,
                    count=len(durations),
                    seconds=seconds,
                    unit="transactions",
                    failures=failed.total(),
                    engine=network.kind.value,
                    parameters={
                        "in_flight": in_flight,
                        "endorsements": len(session.consortium.members) // 2 + 1,
                        "certificates_per_batch": 1,
                        "member_down": network.down,
                    },
                    quantiles_ms=quantiles_ms(durations),
                    failed_with=dict(failed),
                    overloaded=bool(failed),
                )
            )
    return measurements


async def load_of(
    network: RunningNetwork,
    count: int,
    in_flight: int,
    seconds: float,
    advance: Advance,
    begin: Callable[[], None],
    end: Callable[[], None],
) -> tuple[list[float], Counter[str], float]:
    """Run one step by itself, and call `begin` and `end` around what is measured of it."""
    async with open_session(network.layout.root, ISSUER) as session:
        key = session.profile.load_seal_key()
        requests = [_request(session, key) for _ in range(count)]
        await session.members[0].submit("issue", _request(session, key))
        begin()
        found = await _step(
            session.members[0], requests, in_flight, seconds, lambda done: advance(NAME, done, count)
        )
        end()
    return found


async def _step(
    member: MemberContract,
    requests: Iterable[Json],
    in_flight: int,
    seconds: float,
    tell: Callable[[int], None],
) -> tuple[list[float], Counter[str], float]:
    """Return the seconds of each that was committed, the failures by their error, and how long all took."""
    waiting = iter(requests)
    durations: list[float] = []
    failed: Counter[str] = Counter()
    started = time.perf_counter()

    async def work() -> None:
        for request in waiting:
            begun = time.perf_counter()
            if begun - started > seconds:
                return
            try:
                await member.submit("issue", request)
            except LedgerError as error:
                failed[type(error).__name__] += 1
            else:
                durations.append(time.perf_counter() - begun)
                tell(len(durations))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(in_flight):
            tasks.create_task(work())
    return durations, failed, time.perf_counter() - started


def _request(session: Session, key: ec.EllipticCurvePrivateKey) -> Json:
    statement = BatchStatement(
        session.consortium.channel,
        session.profile.issuer_id(),
        "benchmark",
        os.urandom(32),
        1,
        int(time.time()),
    )
    seal = make_seal(statement, key)
    return {"seal": seal.to_json(), "statement": statement.to_json()}
