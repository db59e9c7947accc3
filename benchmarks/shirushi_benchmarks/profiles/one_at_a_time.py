"""Citizens ask one by one: how soon the receipt is there, at how many requests a second.

Each request is a certificate of its own, issued as it comes; the issuer gathers those that come within a moment. The time is
from when the request was due until the receipt, with the signatures of a quorum in it, is on disk for good.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from shirushi_benchmarks.document_types import BENCHMARK
from shirushi_benchmarks.issuing import open_issuer
from shirushi_benchmarks.load import Offered, offer
from shirushi_benchmarks.measurement import Measurement, quantiles_ms
from shirushi_benchmarks.networks import RunningNetwork
from shirushi_benchmarks.settings import Advance, Settings
from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.issuer import Issuer
from shirushi_client.issuer.receipt_files import SUFFIX, write_receipt

NAME = "one at a time"
CERTIFICATE_BYTES = 2048

HELD_MS = 500.0
"""The wait that a rate has to keep: 19 of 20 citizens wait less."""

SEED = 20261124
WRITERS = 8


async def measure_one_at_a_time(
    network: RunningNetwork, folder: Path, settings: Settings, advance: Advance
) -> list[Measurement]:
    """Offer each of the rates in turn, and measure the time to the receipt; a rate that was not held is marked overloaded."""
    with ThreadPoolExecutor(WRITERS) as writers:
        async with open_issuer(network.layout.root, folder / "journal.db") as issuer:
            await issuer.issue(os.urandom(CERTIFICATE_BYTES), Order(BENCHMARK))  # connections are made here
            return [
                _measured(
                    network, await _step(issuer, writers, folder / f"{rate:g}", rate, settings, advance)
                )
                for rate in settings.offered
            ]


async def _step(
    issuer: Issuer,
    writers: ThreadPoolExecutor,
    folder: Path,
    rate: float,
    settings: Settings,
    advance: Advance,
) -> Offered:
    folder.mkdir()
    seconds = max(settings.step_seconds, settings.step_requests / rate)
    answered = 0

    async def request(number: int) -> None:
        receipt = await issuer.issue(os.urandom(CERTIFICATE_BYTES), Order(BENCHMARK))
        path = folder / f"{number:07d}.pdf{SUFFIX}"
        await asyncio.get_running_loop().run_in_executor(writers, _keep, path, receipt)

    def tell() -> None:
        nonlocal answered
        answered += 1
        advance(f"{rate:g} citizens a second", answered, max(answered, round(rate * seconds)))

    return await offer(rate, seconds, request, SEED, answered=tell)


def _keep(path: Path, receipt: bytes) -> None:
    """Write a receipt and return when it is on disk for good: its bytes, and its name in the folder."""
    write_receipt(str(path), receipt)
    for each in (path, path.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _measured(network: RunningNetwork, step: Offered) -> Measurement:
    return Measurement(
        name=NAME,
        count=len(step.durations),
        seconds=step.seconds,
        unit="certificates",
        failures=step.failed,
        engine=network.kind.value,
        parameters={"offered": step.rate, "member_down": network.down},
        quantiles_ms=quantiles_ms(step.durations),
        stages={"achieved_share": round(step.achieved_share, 3)},
        failed_with=step.failures,
        overloaded=not step.is_held(HELD_MS),
    )
