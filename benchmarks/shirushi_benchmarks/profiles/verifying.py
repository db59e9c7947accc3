"""Verifying receipts: offline in one process, cold and with a checkpoint seen before, and online by asking every member."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path

from shirushi_benchmarks.document_types import BENCHMARK
from shirushi_benchmarks.issuing import open_issuer
from shirushi_benchmarks.measurement import Measurement, quantiles_ms
from shirushi_benchmarks.networks import RunningNetwork
from shirushi_benchmarks.settings import Advance, Settings
from shirushi_client.hashing import FileDigest, digest_bytes
from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.issued import FileToIssue
from shirushi_client.session import VERIFIER, open_session
from shirushi_client.trust_policy_file import FILE_NAME, read_policy
from shirushi_client.verifier.offline_verifier import OfflineVerifier
from shirushi_client.verifier.verifier import Verifier
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.report import Verdict

DOCUMENT_BYTES = 200


async def measure_verifying(
    network: RunningNetwork, folder: Path, settings: Settings, advance: Advance
) -> list[Measurement]:
    """Issue certificates one by one and in one batch, and verify their receipts by bytes, digests being known.

    The cold ones are anchored one after the other, so that hardly two have a head in common; the others share one.
    """
    data = network.layout.root
    single = await _issued(
        data,
        folder / "single",
        settings.cold,
        1,
        _telling(advance, "certificates by themselves", settings.cold),
    )
    batch = await _issued(
        data,
        folder / "batch",
        settings.cached,
        settings.cached,
        _telling(advance, "certificates of one batch", settings.cached),
    )
    policy = read_policy(data / FILE_NAME)
    warm = OfflineVerifier(policy)
    _verify(warm, batch[:1])
    fresh = OfflineVerifier(policy)
    return [_measured("verify cold", fresh, single), _measured("verify cached", warm, batch)]


async def measure_verifying_online(
    network: RunningNetwork, folder: Path, settings: Settings, advance: Advance
) -> list[Measurement]:
    """Issue certificates in one batch, and verify one after the other by asking the peers of all members at once."""
    data, durations, failed = network.layout.root, [], 0
    receipts = await _issued(data, folder, settings.online, settings.online, lambda _: None)
    async with open_session(data, VERIFIER) as session:
        verifier = Verifier(session.consortium, session.members)
        await verifier.verify_digest(
            receipts[0][0], Receipt.from_bytes(receipts[0][1])
        )  # connections are made here
        started = time.perf_counter()
        for number, (digest, receipt) in enumerate(receipts):
            begun = time.perf_counter()
            report = await verifier.verify_digest(digest, Receipt.from_bytes(receipt))
            if report.verdict is Verdict.VALID:
                durations.append(time.perf_counter() - begun)
            else:
                failed += 1
            advance("verifying online", number + 1, settings.online)
        seconds = time.perf_counter() - started
        return [
            Measurement(
                name="verify online",
                count=len(durations),
                seconds=seconds,
                unit="receipts",
                failures=failed,
                engine=network.kind.value,
                parameters={"members": len(session.members), "member_down": network.down},
                quantiles_ms=quantiles_ms(durations),
            )
        ]


def _telling(advance: Advance, what: str, total: int) -> Callable[[int], None]:
    return lambda done: advance(what, done, total)


def _measured(
    name: str, verifier: OfflineVerifier, receipts: Sequence[tuple[FileDigest, bytes]]
) -> Measurement:
    started = time.perf_counter()
    valid, heads = _verify(verifier, receipts)
    return Measurement(
        name=name,
        count=len(receipts),
        seconds=time.perf_counter() - started,
        unit="receipts",
        failures=len(receipts) - valid,
        stages={
            "heads": heads,
            "receipt_bytes": sum(len(data) for _, data in receipts) // max(1, len(receipts)),
        },
    )


def _verify(verifier: OfflineVerifier, receipts: Sequence[tuple[FileDigest, bytes]]) -> tuple[int, int]:
    """Return how many are valid, and under how many heads they are."""
    valid, heads = 0, set()
    for digest, data in receipts:
        receipt = Receipt.from_bytes(data)
        valid += verifier.verify_digest(digest, receipt).verdict is Verdict.VALID
        if receipt.log is not None:
            heads.add(receipt.log.head.checkpoint.size)
    return valid, len(heads)


async def _issued(
    data: Path, folder: Path, count: int, batch: int, tell: Callable[[int], None]
) -> list[tuple[FileDigest, bytes]]:
    """Issue made-up certificates in batches, and return their digests and receipts."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number in range(count):
        path = folder / f"{number}.bin"
        path.write_bytes(os.urandom(DOCUMENT_BYTES))
        files.append(FileToIssue(str(path), f"{path}.receipt.json"))
    async with (
        open_issuer(data, folder.parent / f"{folder.name}.db", batch=batch) as issuer,
        aclosing(issuer.issue_files(files, Order(BENCHMARK))) as parts,
    ):
        done = 0
        async for part in parts:
            done += len(part)
            tell(done)
    return [
        (digest_bytes(Path(file.path).read_bytes()), Path(file.receipt_path).read_bytes()) for file in files
    ]
