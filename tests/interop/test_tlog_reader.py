"""An independent reader of C2SP tlog-proofs, written from the specifications for Node.js, takes what we make."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.core.proofs.conftest import build_batch
from tests.support.paper_log import BEGIN, KEYS, LEDGER, MEMBERS, PaperLog, issuer_record

from shirushi_core.proofs.checkpoint import cosigner_key, log_key, origin_of, sign_as_log
from shirushi_core.proofs.log_entry import issuance_entry
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.tlog_proof import TlogProof
from shirushi_core.proofs.trust_policy import cosigner_name

READER = Path(__file__).with_name("tlog") / "verify.mjs"
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="Node.js is not installed")


def a_proof() -> tuple[TlogProof, bytes]:
    log = PaperLog()
    log.add_block(issuers=[issuer_record()])
    batches = [build_batch(size) for size in range(1, 12)]
    log.add_block(anchors=[batch.anchor for batch in batches])
    entry = issuance_entry(batches[6].anchor)
    inclusion, checkpoint = log.inclusion(entry), log.checkpoint()
    note = log.head(BEGIN + 60, MEMBERS[:3]).note
    signed = SignedNote(note.text, (sign_as_log(checkpoint, KEYS["haw"].log), *note.signatures))
    return TlogProof(inclusion.index, inclusion.path, signed, b"receipt"), entry


def read(proof: str, entry: bytes, *, quorum: int = 3) -> subprocess.CompletedProcess[str]:
    keys: dict[str, Any] = {
        "log": [
            str(log_key(origin_of(LEDGER), each.log.public_key().public_bytes_raw()))
            for each in KEYS.values()
        ],
        "witnesses": [
            str(cosigner_key(cosigner_name(LEDGER, name), each.cosigner.public_key().public_bytes_raw()))
            for name, each in KEYS.items()
        ],
    }
    request = {"proof": proof, "entry": base64.b64encode(entry).decode(), "quorum": quorum} | keys
    return subprocess.run(
        [str(NODE), str(READER)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_it_verifies_an_anchor_under_a_cosigned_checkpoint() -> None:
    proof, entry = a_proof()
    done = read(proof.to_text(), entry)
    assert done.returncode == 0, done.stderr
    names = {cosigner_name(LEDGER, member) for member in MEMBERS[:3]}
    assert {name for name, _ in json.loads(done.stdout)["cosigned"]} == names
    assert {time for _, time in json.loads(done.stdout)["cosigned"]} == {BEGIN + 60}


def test_it_refuses_another_entry_another_root_and_too_few_witnesses() -> None:
    proof, entry = a_proof()
    text = proof.to_text()
    size = text.split("\n\n")[1].split("\n")[1]
    assert read(text, entry + b" ").returncode != 0
    assert read(text.replace(f"\n{size}\n", f"\n{int(size) + 1}\n"), entry).returncode != 0
    assert read(text, entry, quorum=4).returncode != 0
