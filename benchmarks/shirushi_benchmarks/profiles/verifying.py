"""Verifying receipts offline: how many a second one process does, cold and with a checkpoint it has seen before."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

from shirushi_benchmarks.measurement import Measurement
from shirushi_client.evidence_session import open_gatherer
from shirushi_client.hashing import FileDigest, digest_bytes
from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.issued import FileToIssue
from shirushi_client.issuer.issuer import Issuer
from shirushi_client.issuer.journal import Journal
from shirushi_client.session import ISSUER, open_session
from shirushi_client.trust_policy_file import FILE_NAME, read_policy
from shirushi_client.verifier.offline_verifier import OfflineVerifier
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.report import Verdict

DOCUMENT_BYTES = 200


async def measure_verifying(data: Path, folder: Path, *, cold: int, cached: int) -> list[Measurement]:
    """Issue certificates one by one and in one batch, and verify their receipts by bytes, digests being known.

    The cold ones are anchored one after the other, so that hardly two have a head in common; the others share one.
    """
    single = await _issued(data, folder / "single", cold, 1)
    batch = await _issued(data, folder / "batch", cached, cached)
    policy = read_policy(data / FILE_NAME)
    warm = OfflineVerifier(policy)
    _verify(warm, batch[:1])
    fresh = OfflineVerifier(policy)
    return [_measured("verify cold", fresh, single), _measured("verify cached", warm, batch)]


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
        parameters={
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


async def _issued(data: Path, folder: Path, count: int, batch: int) -> list[tuple[FileDigest, bytes]]:
    folder.mkdir(parents=True)
    files = []
    for number in range(count):
        path = folder / f"{number}.bin"
        path.write_bytes(os.urandom(DOCUMENT_BYTES))
        files.append(FileToIssue(str(path), f"{path}.receipt.json"))
    async with open_session(data, ISSUER) as session, open_gatherer(data) as evidence:
        with Journal(folder.parent / f"{folder.name}.db") as journal:
            async with (
                Issuer(
                    name=session.profile.issuer_id(),
                    seal_key=session.profile.load_seal_key(),
                    ledger=session.ledger,
                    journal=journal,
                    evidence=evidence,
                    max_count=batch,
                ) as issuer,
                aclosing(issuer.issue_files(files, Order("benchmark"))) as parts,
            ):
                async for _ in parts:
                    pass
    return [
        (digest_bytes(Path(file.path).read_bytes()), Path(file.receipt_path).read_bytes()) for file in files
    ]
