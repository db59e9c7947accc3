"""OpenAttestation's wrapDocuments, as an issuer calls it: documents/s of the call alone.

Included: for each document a salt for every field (there are 71), the check against its schema (v2, the library's own default), and the digest;
then the batch's tree and each document's proof. Not included: reading and parsing the files, signing, checking the proofs, and
writing what was wrapped. A first call on some of the documents lets the program warm up, and is not counted.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from shirushi_benchmarks.measurement import Measurement
from shirushi_benchmarks.peers.documents import SIZE, write_certificates
from shirushi_benchmarks.peers.node_packages import node_program
from shirushi_benchmarks.peers.programs import measured_program

NAME = "wrapDocuments"
SOURCE = Path(__file__).parent / "open_attestation"
WARM_UP = 100
PATIENCE = 120.0
"""Seconds that it may take beside those of its documents, of which it should do more than ten a second."""


async def measure_wrap_documents(
    *,
    count: int,
    batch: int,
    size: int = SIZE,
    advance: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Measurement:
    """Wrap `count` documents in batches; raises CannotMeasureError where Node.js or the library is missing, MeasuringError."""
    program = node_program(SOURCE, f"OpenAttestation's {NAME}")
    advance(NAME, 0, count)
    with tempfile.TemporaryDirectory(prefix="shirushi-bench-") as folder:
        documents = Path(folder) / "documents"
        write_certificates(documents, count=count, size=size)
        config = Path(folder) / "config.json"
        config.write_text(
            json.dumps({"folder": str(documents), "batch": batch, "warm_up": min(WARM_UP, count)}),
            encoding="utf-8",
        )
        answer = await measured_program(
            ["node", program / "wrap.mjs", config], NAME, folder=program, seconds=PATIENCE + count / 10
        )
    advance(NAME, count, count)
    done = int(answer["count"])
    return Measurement(
        name=NAME,
        count=done,
        seconds=float(answer["seconds"]),
        unit="documents",
        failures=int(answer["failures"]),
        parameters={"bytes": size, "batch": batch},
        stages={"cpu_seconds_per_thousand": round(1000 * float(answer["cpu_seconds"]) / max(1, done), 4)},
    )
