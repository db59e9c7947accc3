"""What ours is compared with is measured as it says, with tiny counts: the figures are for quiet machines."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pymerkle
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from shirushi_benchmarks.measurement import Measurement
from shirushi_benchmarks.peers import official_client
from shirushi_benchmarks.peers.documents import income_certificates, write_certificates
from shirushi_benchmarks.peers.echo_chaincode import measure_echoes
from shirushi_benchmarks.peers.errors import CannotMeasureError, MeasuringError
from shirushi_benchmarks.peers.node_packages import node_program
from shirushi_benchmarks.peers.official_client import measure_gateway_clients
from shirushi_benchmarks.peers.pipeline import from_files, measure_pipeline
from shirushi_benchmarks.peers.programs import measured_program
from shirushi_benchmarks.peers.pymerkle_pipeline import measure_pymerkle, prove
from shirushi_benchmarks.peers.servers import server_process
from shirushi_benchmarks.peers.wrap_documents import measure_wrap_documents
from shirushi_client.book_extraction import books_in, extract_receipts
from shirushi_client.hashing import digest_bytes
from shirushi_client.issuer.sources import files_to_issue
from shirushi_client.session import ISSUER, open_session
from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.commitment import commitment
from shirushi_core.proofs.merkle import leaf_hash
from shirushi_core.proofs.receipt import Receipt, verify_file, verify_in_batch
from shirushi_network.layout import Layout


@pytest.fixture
def node() -> None:
    """Skip what needs Node.js where it is not."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on PATH")


def figures(measurements: Sequence[Measurement]) -> list[tuple[str, str, int, int]]:
    """Return (name, engine, count, failures) of measurements, each of which took its time."""
    assert all(each.seconds > 0 for each in measurements)
    return [(each.name, each.engine, each.count, each.failures) for each in measurements]


async def anchored(layout: Layout) -> int:
    """Return how many batches are on the ledger, at most a hundred."""
    async with open_session(layout.root, ISSUER) as session:
        return len((await session.ledger.list_batches(session.profile.issuer_id(), 100, "")).batches)


async def test_both_gateway_clients_send_the_same_number_of_transactions_on_each_engine(
    node: None, embedded: Layout
) -> None:
    before = await anchored(embedded)
    told = []
    ours, theirs = await measure_gateway_clients(
        embedded.root, engine="embedded", count=8, in_flight=2, advance=lambda *step: told.append(step)
    )
    assert figures([ours, theirs]) == [
        ("our Gateway client", "embedded", 8, 0),
        ("official Node client", "embedded", 8, 0),
    ]
    assert ours.parameters == theirs.parameters == {"in_flight": 2, "turns": 2}
    assert all(each.stages["client_cpu_seconds_per_thousand"] > 0 for each in (ours, theirs))
    assert all(each.quantiles_ms["p99"] >= each.quantiles_ms["p50"] > 0 for each in (ours, theirs))
    turns = [(name, turn) for turn in (0, 1) for name in (ours.name, theirs.name)]
    assert told == [(name, done, 2) for name, turn in turns for done in (turn, turn + 1)]
    warm_ups = 2 * 4
    assert await anchored(embedded) - before == 16 + warm_ups


async def test_both_gateway_clients_are_measured_on_real_fabric(node: None, raft: Layout) -> None:
    measured = await measure_gateway_clients(raft.root, engine="fabric-raft", count=8, in_flight=4)
    assert figures(measured) == [
        ("our Gateway client", "fabric-raft", 8, 0),
        ("official Node client", "fabric-raft", 8, 0),
    ]


async def test_what_a_client_cannot_send_counts_as_failed(
    node: None, embedded: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        official_client, "issue_requests", lambda session, count: [b"{}" for _ in range(count)]
    )
    told: list[str] = []
    measured = await measure_gateway_clients(
        embedded.root,
        engine="embedded",
        count=4,
        in_flight=1,
        advance=lambda what, done, total: told.append(what),
    )
    assert [(each.count, each.failures) for each in measured] == [(0, 4), (0, 4)]
    assert sum(", the first failure: EndorseError" in what for what in told) == 4


async def test_both_echoes_are_called_by_submit_and_by_evaluate_and_measuring_can_be_repeated(
    raft: Layout,
) -> None:
    for _ in range(2):
        measured = await measure_echoes(raft.root, engine="fabric-raft", count=6, in_flight=3)
        assert (
            figures(measured)
            == [
                ("echo, bare protocol", "fabric-raft", 6, 0),
                ("echo, our chaincode service", "fabric-raft", 6, 0),
            ]
            * 2
        )
        assert [each.parameters["call"] for each in measured] == ["submit", "submit", "evaluate", "evaluate"]
        assert all("chaincode_cpu_seconds_per_thousand" in each.stages for each in measured)


async def test_of_a_server_that_does_not_start_the_last_words_are_told(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "shirushi_chaincode.service",
        "nothing:here",
        "--address",
        "x",
        "--id",
        "y",
    ]
    with pytest.raises(MeasuringError, match=r"ours did not begin to serve: .*expected HOST:PORT"):
        async with server_process(command, "ours", tmp_path / "log"):
            pass


async def test_a_server_is_ended_and_tells_what_it_has_used_of_the_processor(tmp_path: Path) -> None:
    script = "sum(range(10**7)); print('serving', flush=True); import time; time.sleep(600)"
    async with server_process([sys.executable, "-c", script], "it", tmp_path / "log") as server:
        used = server.cpu_seconds()
        assert used is None or used > 0
    with pytest.raises(ProcessLookupError):
        os.kill(server.process_id, 0)


def test_without_node_it_is_said_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        CannotMeasureError,
        match="the official Node client cannot be measured here, because npm is not on PATH",
    ):
        node_program(official_client.SOURCE, "the official Node client")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("import sys; sys.exit('no such file')", "it ended with code 1: no such file"),
        ("print('done')", "it printed no JSON: done"),
        ("import time; time.sleep(60)", "it was not done within 1 s"),
    ],
)
async def test_of_a_program_that_breaks_the_last_words_are_told(
    tmp_path: Path, script: str, words: str
) -> None:
    with pytest.raises(MeasuringError, match=words):
        await measured_program([sys.executable, "-c", script], "it", folder=tmp_path, seconds=1)


async def test_the_three_pipelines_are_measured_over_documents_of_the_same_size(
    node: None, tmp_path: Path
) -> None:
    counts = {"count": 25, "batch": 10}
    ours = await measure_pipeline(**counts, folder=tmp_path)
    theirs = [
        await measure_wrap_documents(**counts),
        await measure_pymerkle(**counts, folder=tmp_path),
    ]
    assert figures(ours) == [("pipeline without ledger", "", 25, 0)] * 4
    assert figures(theirs) == [("wrapDocuments", "", 25, 0), ("pymerkle pipeline", "", 25, 0)]
    same = {"bytes": 2048, "batch": 10}
    assert [each.parameters for each in ours] == [
        {**same, "from": source, "to": result}
        for source in ("files", "memory")
        for result in ("receipts", "book")
    ]
    assert all(each.parameters == same for each in theirs)
    assert all(each.stages["cpu_seconds_per_thousand"] > 0 for each in (*ours, *theirs))
    assert list(tmp_path.iterdir()) == []


def test_the_documents_are_certificates_of_one_size_of_which_no_two_are_alike() -> None:
    made = list(income_certificates(20, 2048))
    assert {len(each) for each in made} == {2048}
    assert len(set(made)) == 20
    assert all(json.loads(each)["issuers"][0]["name"] == "飯塚市" for each in made)
    with pytest.raises(InvalidInputError, match=r"documents: expected at least 1[0-9]{3} bytes, found 200"):
        next(income_certificates(1, 200))


def test_our_pipeline_writes_receipts_that_prove_their_files(tmp_path: Path) -> None:
    paths = write_certificates(tmp_path / "documents", count=5)
    files = list(files_to_issue([tmp_path / "documents"]))
    assert from_files(files, ec.generate_private_key(ec.SECP256R1()), "receipts") == 5
    for path in paths:
        receipt = Receipt.from_bytes(Path(f"{path}.receipt.json").read_bytes())
        digest = digest_bytes(path.read_bytes())
        verify_in_batch(verify_file(receipt, digest.sha256, digest.size))


def test_our_pipeline_writes_books_that_prove_their_files(tmp_path: Path) -> None:
    write_certificates(tmp_path / "documents", count=5)
    files = list(files_to_issue([tmp_path / "documents"]))
    assert from_files(files, ec.generate_private_key(ec.SECP256R1()), "book") == 5
    assert [len(part) for part in extract_receipts(books_in(tmp_path / "documents"), files)] == [5]


def test_pymerkles_pipeline_writes_proofs_of_the_commitments(tmp_path: Path) -> None:
    paths = write_certificates(tmp_path / "documents", count=5)
    prove(paths)
    roots = set()
    for path in paths:
        written = json.loads(Path(f"{path}.proof.json").read_bytes())
        assert written["sha256"] == digest_bytes(path.read_bytes()).sha256.hex()
        proof = pymerkle.InclusionProof.deserialize(written["proof"])
        leaf = leaf_hash(commitment(bytes.fromhex(written["salt"]), bytes.fromhex(written["sha256"])))
        pymerkle.verify_inclusion(leaf, bytes.fromhex(written["root"]), proof)
        roots.add(written["root"])
    assert len(roots) == 1
