"""What a consortium that is up costs on the ledger it has: starting, anchoring, issuing, and how long its proofs are."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shirushi_benchmarks.document_types import GROWTH_ANCHOR
from shirushi_benchmarks.issuing import open_issuer
from shirushi_benchmarks.measurement import Measurement, quantiles_ms
from shirushi_benchmarks.processes import cpu_seconds
from shirushi_benchmarks.profiles.bulk import make_documents
from shirushi_benchmarks.profiles.growth_issuing import (
    DOCUMENT_BYTES,
    RUNS,
    issue_folder,
    issuing,
)
from shirushi_benchmarks.profiles.growth_ledger import Filled, Progress, allocated_bytes
from shirushi_benchmarks.profiles.growth_memory import Watch
from shirushi_benchmarks.profiles.growth_transactions import CERTIFICATES, GrowthError
from shirushi_benchmarks.settings import Documents
from shirushi_client.hashing import digest_bytes
from shirushi_client.session import ISSUER, open_session
from shirushi_client.trust_policy_file import FILE_NAME, read_policy
from shirushi_client.verifier.offline_verifier import OfflineVerifier
from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.canonical import encode
from shirushi_core.proofs.compact import to_compact
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.report import Verdict
from shirushi_core.proofs.seal import make_seal
from shirushi_network import bring_up
from shirushi_network.layout import Layout

ENGINE = "embedded"
ANCHORED_BATCHES = 50
PATIENCE = 120.0
POLL_SECONDS = 0.05

Parameters = Mapping[str, int | float | str]


def measure_consortium(
    layout: Layout,
    work: Path,
    filled: Filled,
    parameters: Parameters,
    progress: Progress,
    batch: int,
) -> Iterator[Measurement]:
    """Measure what needs the consortium up on its ledger."""
    ledger_bytes = allocated_bytes(layout.ledger)
    started = time.perf_counter()
    pid = start(layout, progress)
    seconds = time.perf_counter() - started
    try:
        with Watch(pid) as memory:
            anchoring = asyncio.run(_anchor(layout, pid, parameters))
            issued = asyncio.run(_issue(layout, work, pid, parameters, batch))
            receipts = asyncio.run(_receipts(layout, work, parameters, batch))
    finally:
        bring_up.down(layout)
    yield Measurement(
        name="growth: the embedded consortium starts",
        count=1,
        seconds=seconds,
        unit="starts",
        engine=ENGINE,
        parameters=parameters,
        stages={
            **disk("ledger", ledger_bytes, filled),
            "certificates_million": round(filled.certificates / 1e6, 2),
            **memory.stages("node"),
        },
    )
    yield anchoring
    yield issued
    yield receipts


def disk(what: str, size: int, filled: Filled) -> dict[str, float]:
    """Return what a folder of so many bytes comes to, under names for a measurement."""
    return {
        f"{what}_mb": round(size / 1e6, 1),
        f"{what}_bytes_per_anchor": round(size / filled.anchors),
        f"{what}_bytes_per_certificate": round(size / filled.certificates, 1),
    }


async def _anchor(layout: Layout, pid: int, parameters: Parameters) -> Measurement:
    """Anchor batches one after the other, each awaited until it is committed."""
    durations = []
    async with open_session(layout.root, ISSUER) as session:
        key, ledger, cpu = session.profile.load_seal_key(), session.ledger, cpu_seconds(pid)
        for _ in range(ANCHORED_BATCHES):
            statement = BatchStatement(
                session.consortium.channel,
                session.profile.issuer_id(),
                GROWTH_ANCHOR,
                os.urandom(32),
                CERTIFICATES,
                int(time.time()),
            )
            started = time.perf_counter()
            await ledger.submit_issue(statement, make_seal(statement, key))
            durations.append(time.perf_counter() - started)
        cpu = cpu_seconds(pid) - cpu
    return Measurement(
        name="growth: one batch more is anchored",
        count=ANCHORED_BATCHES,
        seconds=sum(durations),
        unit="batches",
        engine=ENGINE,
        parameters=parameters,
        quantiles_ms=quantiles_ms(durations),
        stages={"node_cpu_ms_per_batch": round(1000 * cpu / ANCHORED_BATCHES, 1)},
    )


async def _issue(layout: Layout, work: Path, pid: int, parameters: Parameters, batch: int) -> Measurement:
    """Issue full batches one after the other, from files to receipts on disk."""
    folders = [work / "documents" / str(number) for number in range(RUNS)]
    for each in folders:
        make_documents(each, Documents(batch, DOCUMENT_BYTES))
    async with open_issuer(layout.root, work / "journal.db", batch=batch) as issuer:
        cpu = cpu_seconds(pid)
        runs = [await issue_folder(issuer, each) for each in folders]
        cpu = cpu_seconds(pid) - cpu
    return issuing(
        "growth: documents are issued",
        runs,
        RUNS * batch,
        {**parameters, "batch": batch},
        {"node_cpu_us_per_document": round(1e6 * cpu / (RUNS * batch), 1)},
    )


async def _receipts(layout: Layout, work: Path, parameters: Parameters, batch: int) -> Measurement:
    """Issue a batch whose receipts have a compact form too, and verify them offline; lengths are those of its first one."""
    folder = work / "certified"
    make_documents(folder, Documents(batch, DOCUMENT_BYTES))
    async with open_issuer(layout.root, work / "certified.db", batch=batch, certified=True) as issuer:
        await issue_folder(issuer, folder)
    files = sorted(folder.rglob("*.pdf"))
    verifier = OfflineVerifier(read_policy(layout.root / FILE_NAME))
    digests = [digest_bytes(file.read_bytes()) for file in files]
    written = [Path(f"{file}.receipt.json").read_bytes() for file in files]
    plain = next((work / "documents" / "0").rglob("*.receipt.json")).stat().st_size
    started = time.perf_counter()
    receipts = [Receipt.from_bytes(each) for each in written]
    valid = sum(
        verifier.verify_digest(digest, receipt).verdict is Verdict.VALID
        for digest, receipt in zip(digests, receipts, strict=True)
    )
    seconds = time.perf_counter() - started
    log, status = receipts[0].log, receipts[0].status
    if log is None or status is None:
        raise GrowthError(f"expected evidence in {files[0]}'s receipt, found none: see {layout.log}")
    return Measurement(
        name="growth: receipts are verified",
        count=len(receipts),
        seconds=seconds,
        unit="receipts",
        failures=len(receipts) - valid,
        engine=ENGINE,
        parameters={**parameters, "batch": batch},
        stages={
            "log_path_hashes": len(log.inclusion.path),
            "log_path_hashes_longest": (log.head.checkpoint.size - 1).bit_length(),
            "batch_path_hashes": len(receipts[0].path),
            "receipt_bytes": plain,
            "receipt_bytes_with_quorum_certificate": len(written[0]),
            "compact_bytes": len(to_compact(receipts[0])),
            "status_evidence_bytes": len(encode(status.to_json())),
            "status_tree_proof_bytes": len(status.statuses.proof),
        },
    )


def start(layout: Layout, progress: Progress) -> int:
    """Bring the consortium up, and return its process's id once every witness signs; raises GrowthError."""
    status = bring_up.up(layout, base_port=None, progress=progress)
    deadline = time.monotonic() + PATIENCE
    while waiting := _not_signing(status):
        if time.monotonic() > deadline:
            raise GrowthError(f"waited {PATIENCE:.0f} s in vain for the witnesses to sign: {waiting[0]}")
        time.sleep(POLL_SECONDS)
        status = bring_up.status(layout)
    return int(status["pid"])


def _not_signing(status: dict[str, Any]) -> list[str]:
    return [
        f"{member['id']}: {member['witness']['refusing']}"
        for member in status["members"]
        if member["witness"]["refusing"] is not None
    ]
