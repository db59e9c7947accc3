"""Growth: a ledger that was filled is a real one, goes on from where it stands, and is measured whole."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.network.test_witnesses import signing, wait_until
from tests.support.command import shirushi
from tests.support.live_consortium import LiveConsortium

from shirushi_benchmarks.document_types import GROWTH_CERTIFICATE
from shirushi_benchmarks.measurement import Measurement
from shirushi_benchmarks.processes import cpu_seconds
from shirushi_benchmarks.profiles import growth
from shirushi_benchmarks.profiles.growth_issuing import RUNS
from shirushi_benchmarks.profiles.growth_ledger import Filled, count, fill, opened
from shirushi_benchmarks.profiles.growth_memory import SAMPLE_SECONDS, Watch
from shirushi_benchmarks.profiles.growth_transactions import CERTIFICATES, GrowthError
from shirushi_benchmarks.profiles.growth_witness import catch_up
from shirushi_client.ledger_errors import LedgerError
from shirushi_client.session import ISSUER, open_session
from shirushi_core.proofs.canonical import Json
from shirushi_network.layout import Layout
from shirushi_node.ledger.store import StoreError

ANCHORS = 300
BATCH = 64
MEMBERS = ["iizuka", "chaintope", "haw", "kaguya", "gcom"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("growth")


@pytest.fixture(scope="module")
def measured(root: Path) -> list[Measurement]:
    """What is measured of a ledger that is filled to ANCHORS; it stays, and is down."""
    return list(growth.measure_ledger(root, root / "scratch", [ANCHORS], lambda _: None, batch=BATCH))


@pytest.fixture(scope="module")
def filled(measured: Sequence[Measurement], root: Path) -> Layout:
    return Layout(root / "consortium")


@pytest.fixture
def live(filled: Layout) -> Iterator[LiveConsortium]:
    """The embedded consortium on the ledger that was filled, with every witness signing."""
    consortium = LiveConsortium(filled)
    consortium.up()
    wait_until(lambda: signing(consortium) == set(MEMBERS), "all to sign")
    yield consortium
    consortium.down()


def held(layout: Layout) -> Filled:
    with opened(layout) as store:
        return count(store)


def by_name(measured: Sequence[Measurement], name: str) -> Measurement:
    (found,) = [each for each in measured if each.name == f"growth: {name}"]
    return found


class TestWhatIsMeasured:
    def test_at_a_mark_has_these_names(self, measured: Sequence[Measurement]) -> None:
        assert [each.name.removeprefix("growth: ") for each in measured] == [
            "a witness catches up from nothing",
            "a witness catches up from half",
            "a witness restarts",
            "a witness signs a head",
            "the embedded consortium starts",
            "one batch more is anchored",
            "documents are issued",
            "receipts are verified",
        ]
        assert {each.parameters["anchors"] for each in measured} == {ANCHORS}
        assert {each.engine for each in measured} == {"embedded"}
        assert not any(each.failures for each in measured)
        assert all(each.seconds > 0 for each in measured)

    def test_of_a_witness_is_every_anchor_and_what_it_takes(self, measured: Sequence[Measurement]) -> None:
        whole = by_name(measured, "a witness catches up from nothing")
        half = by_name(measured, "a witness catches up from half")
        assert whole.count == ANCHORS
        assert half.count + half.stages["entries_before"] == whole.stages["log_entries"] > ANCHORS
        assert whole.stages["witness_peak_resident_mb"] > whole.stages["witness_peak_private_mb"] > 10
        disk = by_name(measured, "a witness restarts").stages
        assert disk["witness_bytes_per_anchor"] > 500

    def test_of_documents_is_every_receipt_and_how_long_it_is(self, measured: Sequence[Measurement]) -> None:
        issued = by_name(measured, "documents are issued")
        assert issued.count == RUNS * BATCH
        assert issued.stages["issuer_cpu_us_per_document"] > 0
        receipts = by_name(measured, "receipts are verified")
        assert receipts.count == BATCH
        assert receipts.stages["batch_path_hashes"] == 6
        assert receipts.stages["receipt_bytes"] > receipts.stages["compact_bytes"] > 500
        assert 0 < receipts.stages["log_path_hashes"] <= receipts.stages["log_path_hashes_longest"] == 9

    def test_of_the_ledger_is_its_disk_by_certificate(self, measured: Sequence[Measurement]) -> None:
        disk = by_name(measured, "the embedded consortium starts").stages
        assert disk["ledger_bytes_per_anchor"] > 5000
        assert disk["ledger_bytes_per_certificate"] == pytest.approx(
            disk["ledger_bytes_per_anchor"] / CERTIFICATES, rel=0.02
        )

    def test_of_a_journal_is_the_same_work_at_each_mark(self, filled: Layout, root: Path) -> None:
        found = list(
            growth.measure_documents(root, root / "scratch", [100, 600], lambda _: None, batch=BATCH)
        )
        assert [(each.name, each.parameters["documents"], each.count) for each in found] == [
            ("growth of the journal", 100, RUNS * BATCH),
            ("growth of the journal", 600, RUNS * BATCH),
        ]
        assert not any(each.failures for each in found)

    def test_at_a_mark_that_the_ledger_has_left_behind_is_nothing(self, filled: Layout, root: Path) -> None:
        told: list[str] = []
        assert list(growth.measure_ledger(root, root / "scratch", [100], told.append, batch=BATCH)) == []
        assert told == [f"passing over 100 anchors: the ledger has {held(filled).anchors}"]


class TestTheFilledLedger:
    def test_is_found_clean_by_an_audit_of_blocks_and_all_witnesses(self, live: LiveConsortium) -> None:
        run = shirushi("audit", "--blocks", "--json", data=live.root)
        assert (run.exit_code, run.json["outcome"], run.json["findings"]) == (0, "clean", [])
        assert [log["member"] for log in run.json["logs"]] == ["iizuka", *MEMBERS]
        assert all(log["agrees"] and log["read"] == log["size"] > ANCHORS for log in run.json["logs"])

    async def test_has_anchors_that_every_member_finds(self, live: LiveConsortium) -> None:
        anchors = await live.batches(GROWTH_CERTIFICATE)
        assert len(anchors) > ANCHORS * 0.98
        assert {anchor.statement.size for anchor in anchors} == {CERTIFICATES}
        argument: Json = {"batch_id": anchors[-1].statement.batch_id.hex()}
        async with open_session(live.root, ISSUER) as session:
            for member in session.members:
                assert await member.evaluate("get_batch", argument) == anchors[-1].to_json()

    async def test_has_certificates_that_were_revoked(self, filled: Layout) -> None:
        found = held(filled)
        assert found.anchors - found.batches == 1

    def test_takes_certificates_that_verify(self, live: LiveConsortium, tmp_path: Path) -> None:
        certificate = tmp_path / "certificate.txt"
        certificate.write_text("issued after the ledger was filled")
        assert shirushi("issue", certificate, "--type", "income-certificate", data=live.root).exit_code == 0
        verified = shirushi("verify", certificate, "--json", data=live.root)
        assert (verified.exit_code, verified.json["verdict"]) == (0, "valid")

    async def test_refuses_a_batch_that_it_has(self, live: LiveConsortium) -> None:
        anchor = (await live.batches(GROWTH_CERTIFICATE))[0]
        argument: Json = {
            "seal": anchor.seal.to_json(),
            "statement": {**anchor.statement.to_json(), "valid_until": anchor.statement.valid_from + 1},
        }
        async with open_session(live.root, ISSUER) as session:
            with pytest.raises(LedgerError, match="BATCH_EXISTS"):
                await session.members[0].submit("issue", argument)

    def test_is_not_filled_while_the_consortium_is_up(self, live: LiveConsortium) -> None:
        with pytest.raises(StoreError, match="in use"):
            fill(live.layout, 10_000, lambda _: None)

    def test_grows_on_by_whole_blocks(self, filled: Layout, tmp_path: Path) -> None:
        before = held(filled)
        after = fill(filled, before.anchors + 150, lambda _: None)
        assert after == held(filled)
        assert (after.anchors, after.height) == (before.anchors + 200, before.height + 2)
        assert catch_up(filled, tmp_path / "witness").entries > after.anchors


class TestAFolderWithoutAnIssuer:
    def test_is_not_filled(self, root: Path, filled: Layout, tmp_path: Path) -> None:
        empty = Layout(tmp_path)
        for path in (filled.topology, filled.genesis):
            (tmp_path / path.name).write_bytes(path.read_bytes())
        for name in ("members", "users"):
            (tmp_path / name).symlink_to(filled.root / name)
        with pytest.raises(GrowthError, match="bring the consortium up once"):
            fill(empty, 100, lambda _: None)


class TestWatchingAProcess:
    def test_counts_memory_and_time_of_this_one(self) -> None:
        with Watch(os.getpid()) as watch:
            block = bytearray(os.urandom(64 << 20))
            time.sleep(3 * SAMPLE_SECONDS)
        assert watch.private_mb > len(block) >> 20
        assert watch.resident_mb >= watch.private_mb
        assert cpu_seconds(os.getpid()) > 0

    def test_counts_nothing_of_one_that_is_not_there(self) -> None:
        with Watch(0) as watch:
            pass
        assert watch.stages("it") == {"it_peak_private_mb": 0.0, "it_peak_resident_mb": 0.0}
