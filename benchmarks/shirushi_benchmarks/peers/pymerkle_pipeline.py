"""The same job as our pipeline's with pymerkle, as somebody writes it who has that library and Python's own.

Included, as in pipeline.py: finding the files, reading and digesting them, salts, commitments, the tree, a proof for each, made,
verified, and written as JSON with salt and digest, and a sync after each batch. It has no seal and no statement of the batch.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path

import pymerkle

from shirushi_benchmarks.measurement import Measurement
from shirushi_benchmarks.peers.documents import SIZE, write_certificates
from shirushi_core.proofs.commitment import SALT_SIZE, commitment

NAME = "pymerkle pipeline"
SUFFIX = ".proof.json"


async def measure_pymerkle(
    *,
    count: int,
    batch: int,
    size: int = SIZE,
    folder: Path | None = None,
    advance: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Measurement:
    """Make proofs of `count` documents, in a folder below `folder` (None: the system's temporary one)."""
    return await asyncio.to_thread(_measured, count, batch, size, folder, advance)


def _measured(
    count: int, batch: int, size: int, where: Path | None, advance: Callable[[str, int, int], None]
) -> Measurement:
    with tempfile.TemporaryDirectory(prefix="shirushi-bench-", dir=where) as name:
        folder = Path(name) / "documents"
        write_certificates(folder, count=count, size=size)
        os.sync()
        done = 0
        cpu, started = time.thread_time(), time.perf_counter()
        files = iter(list(folder.iterdir()))
        while part := list(islice(files, batch)):
            prove(part)
            done += len(part)
            advance(NAME, done, count)
        seconds, cpu = time.perf_counter() - started, time.thread_time() - cpu
        written = sum(file.name.endswith(SUFFIX) for file in folder.iterdir())
    return Measurement(
        name=NAME,
        count=written,
        seconds=seconds,
        unit="documents",
        failures=count - written,
        parameters={"bytes": size, "batch": batch},
        stages={"cpu_seconds_per_thousand": round(1000 * cpu / max(1, written), 4)},
    )


def prove(files: Sequence[Path]) -> None:
    """Make one tree of files and write a verified proof beside each; raises pymerkle.InvalidProof."""
    digests = [sha256(file.read_bytes()).digest() for file in files]
    salts = [os.urandom(SALT_SIZE) for _ in files]
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    tree.append_entries(commitment(salt, digest) for salt, digest in zip(salts, digests, strict=True))
    root = tree.get_root()
    for number, (file, digest, salt) in enumerate(zip(files, digests, salts, strict=True), start=1):
        proof = tree.prove_inclusion(number)
        pymerkle.verify_inclusion(tree.get_leaf(number), root, proof)
        content = {"salt": salt.hex(), "sha256": digest.hex(), "root": root.hex(), "proof": proof.serialize()}
        Path(f"{file}{SUFFIX}").write_text(json.dumps(content), encoding="utf-8")
    os.sync()
