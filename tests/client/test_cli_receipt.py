"""`shirushi receipt` and `shirushi refresh`: what a receipt holds, its other forms, and newer evidence."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.core.proofs.conftest import build_batch
from tests.support.paper_log import BEGIN, PaperLog, issuer_record, signed_policy, trust_policy
from tests.support.paper_witnesses import PaperWitness, paper_witnesses
from tests.support.typed_command import Run, one_sentence

from shirushi_client import evidence_session
from shirushi_core.proofs.compact import from_compact
from shirushi_core.proofs.log_entry import issuance_entry
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.status import Reason, Status, StatusRecord
from shirushi_core.proofs.tlog_proof import TlogProof, verify_tlog_proof

BATCH = build_batch(5)


@pytest.fixture
def log() -> PaperLog:
    log = PaperLog()
    log.add_block(issuers=[issuer_record()])
    log.add_block(anchors=[BATCH.anchor])
    return log


@pytest.fixture
def witnesses(log: PaperLog, data: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, PaperWitness]:
    data.mkdir(exist_ok=True)
    (data / "trust-policy.json").write_bytes(signed_policy(trust_policy()).to_bytes())
    found = paper_witnesses(log, lambda: int(time.time()))

    @asynccontextmanager
    async def open_witnesses(*_: Any) -> AsyncIterator[list[PaperWitness]]:
        yield list(found.values())

    monkeypatch.setattr(evidence_session, "open_witnesses", open_witnesses)
    return found


@pytest.fixture
def receipt(tmp_path: Path) -> Path:
    path = tmp_path / "certificate.pdf.receipt.json"
    path.write_bytes(BATCH.receipts[2].to_bytes())
    return path


def read(path: Path) -> Receipt:
    return Receipt.from_bytes(path.read_bytes())


def test_refreshing_completes_a_receipt_and_says_who_confirms(
    witnesses: dict[str, PaperWitness], run: Run, receipt: Path, log: PaperLog
) -> None:
    log.tick(int(time.time()))
    done = run("refresh", receipt, "--json")
    assert done.exit_code == 0, done.stderr
    (found,) = json.loads(done.stdout)["refreshed"]
    assert found["status"] == "valid"
    assert len(found["confirmed_by"]) >= 3
    assert abs(found["as_of"] - time.time()) < 120
    assert read(receipt).log is not None


def test_a_revocation_is_seen_after_a_refresh(
    witnesses: dict[str, PaperWitness], run: Run, receipt: Path, log: PaperLog
) -> None:
    assert run("refresh", receipt).exit_code == 0
    before = read(receipt)
    statement = BATCH.anchor.statement
    log.add_block(
        records=[
            StatusRecord(
                Status.REVOKED,
                Reason.ISSUED_IN_ERROR,
                BEGIN + 9,
                BEGIN + 9,
                "change-1",
                "ab" * 32,
                statement.batch_id,
                before.commitment,
            )
        ]
    )
    assert "revoked" in run("refresh", receipt).stdout
    after = read(receipt)
    assert after.log == before.log
    assert after.status is not None
    assert after.status.head is not None


def test_nothing_is_written_where_no_quorum_confirms(
    witnesses: dict[str, PaperWitness], run: Run, receipt: Path
) -> None:
    before = receipt.read_bytes()
    for member in ("iizuka", "haw", "gcom"):
        witnesses[member].down = True
    assert "no head of the log is confirmed by 3 members" in one_sentence(run("refresh", receipt))
    assert receipt.read_bytes() == before


def test_without_a_policy_it_says_where_one_was_looked_for(data: Path, run: Run, receipt: Path) -> None:
    assert "trust-policy.json cannot be read" in one_sentence(run("refresh", receipt))


def test_what_a_receipt_holds_is_shown_and_not_called_true(
    witnesses: dict[str, PaperWitness], run: Run, receipt: Path
) -> None:
    assert "complete it with `shirushi refresh`" in run("receipt", "show", receipt).stdout
    run("refresh", receipt)
    shown = run("receipt", "show", receipt).stdout
    for text in ("iizuka-city", "cosigned by", "nothing of this was checked"):
        assert text in shown
    assert json.loads(run("receipt", "show", receipt, "--json").stdout) == json.loads(receipt.read_bytes())


def test_the_tlog_proof_leads_the_anchor_to_the_checkpoint(
    witnesses: dict[str, PaperWitness], run: Run, receipt: Path, tmp_path: Path, log: PaperLog
) -> None:
    out = tmp_path / "x.tlog-proof"
    assert "refresh" in one_sentence(run("receipt", "export", receipt, "--tlog-proof", out))
    run("refresh", receipt)
    assert run("receipt", "export", receipt, "--tlog-proof", out).exit_code == 0
    proof = TlogProof.from_bytes(out.read_bytes())
    assert proof.extra == issuance_entry(BATCH.anchor)
    assert verify_tlog_proof(proof, issuance_entry(BATCH.anchor)) == log.checkpoint()


def test_the_compact_form_is_the_same_receipt_and_a_qr_code_of_it_is_a_picture(
    witnesses: dict[str, PaperWitness], run: Run, receipt: Path, tmp_path: Path
) -> None:
    run("refresh", receipt, "--compact")
    assert "certified by" in run("receipt", "show", receipt).stdout
    out = tmp_path / "x.cbor"
    done = run("receipt", "compact", receipt, "--out", out, "--json")
    assert json.loads(done.stdout)["bytes"] == len(out.read_bytes())
    full = read(receipt)
    back = from_compact(out.read_bytes(), full.certificate_sha256, full.certificate_size)
    assert full.log is not None
    assert full.log.head.quorum is not None
    assert back.log is not None
    assert back.log.head.quorum == full.log.head.quorum
    assert dataclasses.replace(back, log=None, status=None) == dataclasses.replace(
        full, log=None, status=None
    )
    for name, begins in (("x.png", b"\x89PNG"), ("x.svg", b"<?xml")):
        assert run("receipt", "compact", receipt, "--out", tmp_path / name).exit_code == 0
        assert (tmp_path / name).read_bytes().startswith(begins)


def test_a_receipt_under_two_heads_is_brought_under_one_for_the_compact_form(
    witnesses: dict[str, PaperWitness], run: Run, receipt: Path, tmp_path: Path, log: PaperLog
) -> None:
    run("refresh", receipt, "--compact")
    log.add_block(issuers=[issuer_record(2)])
    run("refresh", receipt)
    out = tmp_path / "x.cbor"
    assert "refresh --compact" in one_sentence(run("receipt", "compact", receipt, "--out", out))
    assert run("receipt", "compact", receipt, "--out", out, "--without-status").exit_code == 0
    assert run("refresh", receipt, "--compact").exit_code == 0
    assert run("receipt", "compact", receipt, "--out", out).exit_code == 0


def test_a_certificate_is_verified_offline_by_its_compact_receipt(
    witnesses: dict[str, PaperWitness], run: Run, receipt: Path, tmp_path: Path, data: Path
) -> None:
    certificate = tmp_path / "certificate.pdf"
    certificate.write_bytes("所得証明書 2".encode())
    run("refresh", receipt, "--compact")
    out = tmp_path / "x.cbor"
    run("receipt", "compact", receipt, "--out", out)
    options = ("--policy", data / "trust-policy.json", "--offline", "--json", "--receipt", out)
    report = json.loads(run("verify", certificate, *options).stdout)
    codes = {check["name"]: check["code"] for check in report["checks"]}
    assert codes["file_intact"] == "FILE_INTACT_PROVED"
    assert codes["confirmed_by_members"] == "CONFIRMED_BY_MEMBERS_SIGNED"
    assert codes["status"] == "STATUS_VALID"
    certificate.write_bytes(b"another")
    changed = run("verify", certificate, *options)
    assert changed.exit_code == 2  # nobody can tell which of the two was changed
    assert json.loads(changed.stdout)["checks"][0]["code"] == "FILE_INTACT_PATH_BROKEN"
    out.write_bytes(out.read_bytes()[:-1])
    assert "is no receipt" in one_sentence(run("verify", certificate, *options))
