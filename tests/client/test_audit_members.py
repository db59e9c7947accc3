"""Auditing members against each other: a fork is found where it begins, whoever shows what to whom."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.audited_logs import (
    NOW,
    ServedLog,
    audited,
    everyone,
    files_of,
    index_of,
    long_log,
    served,
    the_one,
    who_signed,
)
from tests.support.contract_log import ContractLog
from tests.support.paper_log import KEYS, MEMBERS

from shirushi_client.audit.findings import Code, SourceKind, SourceName
from shirushi_client.audit.report import Outcome
from shirushi_client.audit.sources import FolderSource
from shirushi_core.proofs.canonical import decode, encode
from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_core.proofs.note import SignedNote


@pytest.fixture(scope="module")
def log() -> ContractLog:
    return asyncio.run(long_log())


class TestAForkedMember:
    async def test_is_found_at_the_first_entry_that_is_another(self, log: ContractLog) -> None:
        index = index_of(log, "issuance", 270)
        fork = log.copy()
        other = decode(log.entries[index])
        other["anchor"]["tx_id"] = "ab" * 32  # type: ignore[call-overload,index]
        fork.entries[index] = encode(other)
        servers = served(log)
        servers["chaintope"] = ServedLog("chaintope", fork)
        for each in servers.values():
            each.seen = {}
        report = await audited(everyone(servers))
        finding = the_one(report)
        assert (finding.code, finding.index) == (Code.LOGS_DIFFER, index)
        assert (finding.source, finding.other) == (servers["chaintope"].name, servers["iizuka"].name)
        assert [each.entry for each in finding.evidence] == [fork.entries[index], log.entries[index]]
        assert who_signed(finding) == [{"chaintope"}, {"iizuka"}]
        assert [view.agrees for view in report.logs] == [True, False, True, True, True]

    async def test_that_is_behind_is_found_with_both_notes_at_its_size(self, log: ContractLog) -> None:
        index = index_of(log, "revocation", 1)
        size = next(each for each in sorted(log.roots) if each > index)
        fork = log.but(index, None)
        fork.entries = fork.entries[: size - 1]
        fork.roots = {size - 1: fork.status_root}
        servers = served(log)
        servers["haw"] = ServedLog("haw", fork)
        report = await audited(everyone(servers))
        found = next(each for each in report.findings if each.code is Code.LOGS_DIFFER)
        assert found.index == index
        assert report.first_difference is not None
        assert report.first_difference.index == index

    async def test_whose_blocks_end_elsewhere_is_found_in_the_first_block(self, log: ContractLog) -> None:
        fork = log.copy()
        fork.entries = [log.entries[0], log.entries[2]]
        fork.roots = {2: fork.status_root}
        servers = served(log)
        servers["haw"] = ServedLog("haw", fork)
        report = await audited(everyone(servers))
        found = next(each for each in report.findings if each.code is Code.LOGS_DIFFER)
        assert (found.source, found.index) == (servers["haw"].name, 1)

    async def test_that_shows_another_member_another_head_is_found_by_what_that_one_saw(
        self, log: ContractLog
    ) -> None:
        servers = served(log)
        size = sorted(log.roots)[-2]
        fork = Checkpoint(log.checkpoint().origin, size, b"\x17" * 32)
        servers["iizuka"].seen["gcom"] = KEYS["gcom"].signatures(fork, NOW - 30)
        finding = the_one(await audited(everyone(servers)))
        assert finding.code is Code.SIGNED_ANOTHER_HEAD
        assert (finding.source, finding.other) == (servers["gcom"].name, servers["iizuka"].name)
        assert who_signed(finding) == [{"gcom"}, {"gcom"}]

    async def test_that_cannot_be_asked_is_found_by_what_others_saw(self, log: ContractLog) -> None:
        servers = served(log)
        servers["gcom"].down = True
        fork = Checkpoint(log.checkpoint().origin, sorted(log.roots)[4], b"\x17" * 32)
        servers["haw"].seen["gcom"] = KEYS["gcom"].signatures(fork, NOW - 30)
        report = await audited(everyone(servers))
        assert [each.code for each in report.findings] == [Code.SIGNED_ANOTHER_HEAD, Code.MEMBER_UNREACHABLE]
        assert report.outcome is Outcome.DIFFERENCE

    async def test_that_went_back_to_a_smaller_head_is_found_by_what_others_saw(
        self, log: ContractLog
    ) -> None:
        servers = served(log)
        size = sorted(log.roots)[-2]
        behind = log.copy()
        behind.entries, behind.roots = log.entries[:size], {size: log.roots[size]}
        servers["kaguya"] = ServedLog("kaguya", behind, signed_at=NOW - 5)
        report = await audited(everyone(servers))
        assert {each.code for each in report.findings} == {Code.SIGNED_BACKWARDS}
        assert {each.source for each in report.findings} == {servers["kaguya"].name}

    async def test_is_not_accused_by_a_note_that_it_did_not_sign(self, log: ContractLog) -> None:
        servers = served(log)
        fork = Checkpoint(log.checkpoint().origin, len(log.entries), b"\x17" * 32)
        servers["iizuka"].seen["gcom"] = KEYS["iizuka"].signatures(fork, NOW - 30)
        honest = KEYS["gcom"].signatures(log.checkpoint(), NOW - 30)
        servers["haw"].seen["gcom"] = SignedNote(fork.to_text(), honest.signatures)
        assert (await audited(everyone(servers))).outcome is Outcome.CLEAN


class TestOwnBlocks:
    async def test_are_what_all_members_are_held_against(self, log: ContractLog, tmp_path: Path) -> None:
        for path, data in files_of(log.entries).items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(data)
        name = SourceName(SourceKind.BLOCKS, "haw", "ピア", "the peer of Haw")
        index = index_of(log, "issuance", 1)
        fork = log.but(index, None)
        fork.roots = {size - (size > index): root for size, root in log.roots.items()}
        sources = [*everyone(served(fork)), FolderSource(tmp_path, name)]
        report = await audited(sources)
        found = [each for each in report.findings if each.code is Code.LOGS_DIFFER]
        assert [each.source.member_id for each in found if each.source] == list(MEMBERS)
        assert {(each.index, each.other) for each in found} == {(index, name)}
        assert [view.agrees for view in report.logs] == [False] * 5 + [True]
        assert report.counts["iizuka-city"].batches == 323  # as the blocks have it

    async def test_that_go_further_than_the_members_agree_with_them(
        self, log: ContractLog, tmp_path: Path
    ) -> None:
        for path, data in files_of(log.entries).items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(data)
        name = SourceName(SourceKind.BLOCKS, "haw", "ピア", "the peer of Haw")
        behind = log.copy()
        size = sorted(log.roots)[-2]
        behind.entries, behind.roots = log.entries[:size], {size: log.roots[size]}
        report = await audited([FolderSource(tmp_path, name), *everyone(served(behind))])
        assert (report.outcome, report.findings) == (Outcome.CLEAN, ())
