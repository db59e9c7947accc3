"""Auditing five members' logs: an honest log is clean, and every lie is named, and found where it begins."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from tests.support.audited_logs import (
    NOW,
    NoBar,
    ServedLog,
    audited,
    bundle_path,
    everyone,
    files_of,
    index_of,
    long_log,
    served,
    tampered,
    the_one,
    who_signed,
)
from tests.support.contract_log import ContractLog
from tests.support.paper_log import MEMBERS, trust_policy

from shirushi_client.audit.audit import Auditor
from shirushi_client.audit.findings import Code
from shirushi_client.audit.report import Outcome
from shirushi_client.audit.words import SENTENCES
from shirushi_core.proofs.log_entry import StatusEntry
from shirushi_core.proofs.tiles import bundle, unbundle


@pytest.fixture(scope="module")
def log() -> ContractLog:
    return asyncio.run(long_log())


class TestFiveHonestMembers:
    async def test_are_clean(self, log: ContractLog) -> None:
        report = await audited(everyone(served(log)))
        assert report.outcome is Outcome.CLEAN
        assert report.findings == ()
        assert [view.name.member_id for view in report.logs] == list(MEMBERS)
        for view in report.logs:
            assert view.agrees
            assert view.read == view.size == len(log.entries)
            assert view.root == log.checkpoint().root
            assert view.status_root == log.status_root

    async def test_are_read_whole(self, log: ContractLog) -> None:
        servers = served(log)
        bar = NoBar()
        await Auditor(trust_policy(), lambda: NOW, bar.watch).audit(everyone(servers))
        assert bar.read == bar.total == 5 * len(log.entries)
        for each in servers.values():
            assert files_of(log.entries).keys() <= set(each.asked)

    async def test_are_clean_at_different_heads_of_one_log(self, log: ContractLog) -> None:
        servers = served(log)
        sizes = sorted(log.roots)
        for member, size in zip(MEMBERS[1:], (sizes[3], sizes[7], sizes[-3], sizes[-2]), strict=True):
            behind = log.copy()
            behind.entries = log.entries[:size]
            behind.roots = {each: root for each, root in log.roots.items() if each <= size}
            servers[member] = ServedLog(member, behind)
        servers["iizuka"].seen = {}
        assert (await audited(everyone(servers))).outcome is Outcome.CLEAN

    async def test_have_their_anchors_listed_for_an_issuer(self, log: ContractLog) -> None:
        report = await audited(everyone(served(log)), issuer="iizuka-city")
        assert report.batches is not None
        assert len(report.batches) == report.counts["iizuka-city"].batches == 323
        document = json.loads(json.dumps(report.to_json()))
        assert document["anchors"][0]["index"] == index_of(log, "issuance")
        assert document["issuers"] == [
            {"batches": 323, "certificates": 970, "id": "iizuka-city", "status_changes": 6}
        ]

    async def test_anchor_nothing_of_an_unknown_issuer(self, log: ContractLog) -> None:
        assert (await audited(everyone(served(log)), issuer="elsewhere")).batches == {}


class TestAForgedTile:
    async def test_is_found_at_the_entry_whose_hash_it_changes(self, log: ContractLog) -> None:
        servers = served(log)
        files = files_of(log.entries)
        path = "tile/0/000"
        servers["haw"].files = {path: files[path][: 32 * 100] + bytes(32) + files[path][32 * 101 :]}
        finding = the_one(await audited(everyone(servers)))
        assert (finding.code, finding.index) == (Code.TILE_FORGED, 100)
        assert finding.source == servers["haw"].name
        assert finding.found == bytes(32).hex()
        assert who_signed(finding) == [{"haw"}]

    async def test_above_the_entries_own_is_found_at_the_first_entry_below_it(self, log: ContractLog) -> None:
        servers = served(log)
        servers["gcom"].files = {"tile/1/000.p/1": bytes(32)}
        finding = the_one(await audited(everyone(servers)))
        assert (finding.code, finding.index) == (Code.TILE_FORGED, 0)

    async def test_of_another_length_is_found(self, log: ContractLog) -> None:
        servers = served(log)
        files = files_of(log.entries)
        servers["haw"].files = {"tile/0/000": files["tile/0/000"][:-32]}
        finding = the_one(await audited(everyone(servers)))
        assert (finding.code, finding.index) == (Code.TILE_FORGED, 255)
        servers["haw"].files = {"tile/0/000": files["tile/0/000"] + bytes(32)}
        assert the_one(await audited(everyone(servers))).index == 255


class TestAnEntry:
    async def test_that_was_changed_is_found_where_it_is(self, log: ContractLog) -> None:
        servers = served(log)
        index = index_of(log, "issuance", 290)
        path = bundle_path(log, index)
        entries = unbundle(files_of(log.entries)[path])
        entries[index % 256] = tampered(entries[index % 256])
        servers["kaguya"].files = {path: bundle(entries)}
        finding = the_one(await audited(everyone(servers)))
        assert (finding.code, finding.index) == (Code.ENTRY_DIFFERS, index)
        assert finding.source == servers["kaguya"].name
        assert finding.evidence[0].entry == entries[index % 256]

    @pytest.mark.parametrize("offset", [0, 17, 255])
    async def test_that_is_missing_is_found_where_it_was(self, log: ContractLog, offset: int) -> None:
        servers = served(log)
        path = bundle_path(log, 0)
        entries = unbundle(files_of(log.entries)[path])
        del entries[offset]
        servers["iizuka"].files = {path: bundle(entries)}
        finding = the_one(await audited(everyone(servers)))
        assert (finding.code, finding.index) == (Code.ENTRY_MISSING, offset)

    async def test_that_cannot_be_told_from_the_next_is_found_with_its_bundle(self, log: ContractLog) -> None:
        servers = served(log)
        servers["iizuka"].files = {"tile/entries/000": b"\xff\xff\x00"}
        finding = the_one(await audited(everyone(servers)))
        assert (finding.code, finding.index) == (Code.ENTRY_MISSING, 0)

    async def test_and_a_tile_that_lead_nowhere_contradict_each_other(self, log: ContractLog) -> None:
        servers = served(log)
        path = bundle_path(log, 0)
        entries = unbundle(files_of(log.entries)[path])
        index = index_of(log, "issuance")
        entries[index] = tampered(entries[index])
        tile = bytearray(files_of(log.entries)["tile/0/000"])
        tile[-32:] = bytes(32)
        servers["iizuka"].files = {path: bundle(entries), "tile/0/000": bytes(tile)}
        finding = the_one(await audited(everyone(servers)))
        assert (finding.code, finding.index) == (Code.TILES_CONTRADICT, index)


class TestALogThatAllMembersSign:
    @pytest.mark.parametrize("number", [4, 8, -3])
    async def test_with_a_wrong_status_root_in_the_middle_is_found_there(
        self, log: ContractLog, number: int
    ) -> None:
        index = index_of(log, "status", number)
        entry = StatusEntry.from_bytes(log.entries[index])
        bent = log.but(index, StatusEntry(entry.block, b"\x42" * 32, entry.time).to_bytes())
        report = await audited(everyone(served(bent)))
        assert {each.code for each in report.findings} == {Code.STATUS_ROOT_DIFFERS}
        assert {each.index for each in report.findings} == {index}
        assert len(report.findings) == 5
        assert report.first_difference is not None
        assert report.first_difference.expected.endswith(entry.root.hex())

    async def test_with_a_batch_anchored_twice_is_found_at_the_second(self, log: ContractLog) -> None:
        bent = log.copy()
        bent.entries.append(log.entries[index_of(log, "issuance")])
        bent.add()
        report = await audited(everyone(served(bent)))
        assert {(each.code, each.index) for each in report.findings} == {
            (Code.ENTRY_AGAINST_RULES, len(log.entries))
        }

    async def test_with_an_entry_of_no_known_kind_is_found_there(self, log: ContractLog) -> None:
        bent = log.copy()
        bent.entries.append(b'{"kind":"coffee"}')
        bent.add()
        report = await audited(everyone(served(bent)))
        assert {(each.code, each.index) for each in report.findings} == {
            (Code.ENTRY_MALFORMED, len(log.entries))
        }

    async def test_that_ends_within_a_block_is_no_head(self, log: ContractLog) -> None:
        bent = log.copy()
        del bent.entries[-1]
        bent.roots[len(bent.entries)] = bent.status_root
        report = await audited(everyone(served(bent)))
        assert {(each.code, each.index) for each in report.findings} == {
            (Code.NOT_A_HEAD, len(bent.entries) - 1)
        }


def test_every_code_has_its_sentences() -> None:
    assert set(SENTENCES) == set(Code)
    for ja, en in SENTENCES.values():
        assert ja.endswith("。")
        assert en.endswith(".")


def test_every_code_is_in_the_auditors_guide() -> None:
    guide = Path(__file__).parents[2] / "docs" / "auditors.md"
    rows = [line.split("|")[1] for line in guide.read_text().splitlines() if line.startswith("| `")]
    documented = {each for row in rows for each in re.findall(r"`([A-Z_]+)`", row)}
    assert documented == set(Code)
