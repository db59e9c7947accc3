"""kill -9 of an issuer at any moment, against a running consortium: every file gets one receipt, and no file two anchors."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

from tests.support.live_consortium import LiveConsortium

from shirushi_client.issuer.journal import Journal, State
from shirushi_client.issuer.receipt_files import SUFFIX
from shirushi_client.session import VERIFIER, open_session
from shirushi_client.verifier.verifier import Verifier
from shirushi_core.proofs.receipt import Receipt, verify_file, verify_in_batch
from shirushi_core.proofs.report import Verdict

ROOT = Path(__file__).parents[2]
FILES = 320
BATCH_SIZE = 6
KILLS = 7
DOCUMENT_TYPE = "issuer-killed"


def run_until_killed(command: list[str], lines: int, delay: float) -> None:
    """Start an issuer, let it say so many lines, and kill it a moment later."""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(lines):
            assert process.stdout.readline(), "it ended before it was killed"
        time.sleep(delay)  # the moment of the blow, not a wait for anything
        process.kill()


def receipts_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def test_an_issuer_killed_again_and_again_gives_every_file_one_receipt_and_one_anchor(
    live_consortium: LiveConsortium, tmp_path: Path
) -> None:
    source, out, journal_folder = (tmp_path / name for name in ("in", "out", "journal"))
    source.mkdir()
    out.mkdir()
    for number in range(FILES):
        (source / f"{number:03d}.txt").write_text(f"certificate {number}")
    command = [sys.executable, "-m", "tests.support.issuing"]
    command += [str(each) for each in (live_consortium.root, journal_folder, source, out)]
    command += [DOCUMENT_TYPE, str(BATCH_SIZE)]

    moments = random.Random(61)
    seen: dict[str, bytes] = {}
    for kill in range(KILLS):
        # The first lines come before anything new is issued; the later a run, the more of them are repetitions.
        run_until_killed(command, 1 + moments.randint(0, 2 + 6 * kill), moments.uniform(0, 0.05))
        receipts = receipts_in(out)
        assert seen.items() <= receipts.items(), "a receipt that was there has changed"
        seen = receipts
    assert len(seen) < FILES, "the kills came too late to matter"
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)

    receipts = receipts_in(out)
    assert seen.items() <= receipts.items()
    assert receipts.keys() == {f"{number:03d}.txt{SUFFIX}" for number in range(FILES)}
    parsed = {name: Receipt.from_bytes(data) for name, data in receipts.items()}
    for name, receipt in parsed.items():
        certificate = (source / name.removesuffix(SUFFIX)).read_bytes()
        verify_in_batch(verify_file(receipt, sha256(certificate).digest(), len(certificate)))

    on_ledger = asyncio.run(live_consortium.batches(DOCUMENT_TYPE))
    assert sum(anchor.statement.size for anchor in on_ledger) == FILES
    assert {receipt.anchor for receipt in parsed.values()} == set(on_ledger)
    with Journal(journal_folder / "journal.db") as journal:
        assert journal.counts() == {State.DELIVERED: len(on_ledger)}
    verdicts = asyncio.run(verdicts_of_one_of_each_batch(live_consortium, source, out, parsed))
    assert verdicts == [Verdict.VALID] * len(on_ledger)


async def verdicts_of_one_of_each_batch(
    live: LiveConsortium, source: Path, out: Path, receipts: dict[str, Receipt]
) -> list[Verdict]:
    one_of_each = {receipt.anchor.tx_id: name for name, receipt in receipts.items()}
    async with open_session(live.root, VERIFIER) as session:
        verifier = Verifier(session.consortium, session.members)
        return [
            (await verifier.verify(source / name.removesuffix(SUFFIX), out / name)).verdict
            for name in one_of_each.values()
        ]
