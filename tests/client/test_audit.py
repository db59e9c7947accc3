"""Auditing five members' logs: an honest log is clean, and every lie is named, and found where it begins."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.anchors_ledger import START
from tests.support.audited_logs import NOW, NoBar, ServedLog, audited, bundle_path, files_of, served
from tests.support.contract_log import ContractLog, lively_log
from tests.support.paper_log import KEYS, MEMBERS, trust_policy

from shirushi_client.audit.audit import STALE_SECONDS, Auditor
from shirushi_client.audit.findings import Code, Finding, Kind, SourceKind, SourceName
from shirushi_client.audit.report import AuditReport, Outcome
from shirushi_client.audit.sources import FolderSource
from shirushi_client.audit.words import SENTENCES
from shirushi_core.proofs.canonical import decode, encode
from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_core.proofs.log_entry import StatusEntry
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.tiles import bundle, unbundle
from shirushi_core.proofs.trust_policy import KeyUse


async def long_log() -> ContractLog:
    """A lively log that goes on for three tiles, of which one is full."""
    log = await lively_log()
    for number in range(8):
        await log.issue(*[f"type-{number}-{n}" for n in range(40)])
    await log.change("later", log.city.change(1, 4, status="revoked", effective_at=START))
    return log


@pytest.fixture(scope="module")
def log() -> ContractLog:
    return asyncio.run(long_log())


def index_of(log: ContractLog, kind: str, number: int = 0) -> int:
    return [n for n, entry in enumerate(log.entries) if f'"kind":"{kind}"'.encode() in entry][number]


def everyone(servers: dict[str, ServedLog]) -> Sequence[ServedLog]:
    return list(servers.values())


def the_one(report: AuditReport) -> Finding:
    (finding,) = report.findings
    return finding


def tampered(entry: bytes) -> bytes:
    """An entry in canonical form that says something else."""
    changed = decode(entry)
    changed["anchor"]["statement"]["valid_until"] += 1  # type: ignore[call-overload,index,operator]
    return encode(changed)


def who_signed(finding: Finding) -> list[set[str]]:
    return [{each.member_id for each in evidence.signatures} for evidence in finding.evidence]


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
        bent = log.but(index, StatusEntry(entry.block, b"\x42" * 32).to_bytes())
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


class TestAForkedMember:
    async def test_is_found_at_the_first_entry_that_is_another(self, log: ContractLog) -> None:
        index = index_of(log, "issuance", 270)
        fork = log.but(index, log.entries[index].replace(b'"tx_id":"', b'"tx_id":"', 1))
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


class TestASignedHead:
    async def test_whose_root_its_tiles_do_not_have_is_found_with_who_signed_which(
        self, log: ContractLog
    ) -> None:
        servers = served(log)
        bent = Checkpoint(log.checkpoint().origin, len(log.entries), b"\x66" * 32)
        servers["haw"].checkpoint = bent
        report = await audited(everyone(servers))
        finding = next(each for each in report.findings if each.code is Code.ROOT_DIFFERS)
        assert (finding.source, finding.other) == (servers["haw"].name, servers["iizuka"].name)
        assert (finding.expected, finding.found) == (log.checkpoint().root.hex(), "66" * 32)
        assert who_signed(finding) == [{"haw"}, {"iizuka"}]
        notes = [each.note for each in finding.evidence]
        assert [note.text for note in notes if note] == [bent.to_text(), log.checkpoint().to_text()]

    async def test_of_another_ledger_is_not_read_any_further(self, log: ContractLog) -> None:
        servers = served(log)
        servers["haw"].checkpoint = Checkpoint("shirushi/elsewhere", 3, b"\x66" * 32)
        finding = the_one(await audited(everyone(servers)))
        assert (finding.code, finding.found) == (Code.CHECKPOINT_OTHER_LOG, "shirushi/elsewhere")
        assert servers["haw"].asked == []

    async def test_with_a_signature_that_does_not_hold_is_found(self, log: ContractLog) -> None:
        class Bent(ServedLog):
            async def note(self, size: int | None = None) -> SignedNote:
                other = KEYS["haw"].signatures(self.log.checkpoint(sorted(self.log.roots)[0]), NOW - 10)
                return SignedNote(self.log.checkpoint().to_text(), other.signatures)

        servers = served(log)
        servers["haw"] = Bent("haw", log)
        report = await audited(everyone(servers))
        assert [each.code for each in report.findings] == [
            Code.CHECKPOINT_BAD_SIGNATURE,
            Code.CHECKPOINT_NOT_SIGNED,
        ]

    async def test_by_another_members_key_is_not_signed(self, log: ContractLog) -> None:
        class Borrowed(ServedLog):
            async def note(self, size: int | None = None) -> SignedNote:
                return KEYS["gcom"].signatures(self.log.checkpoint(), NOW - 10)

        servers = served(log)
        servers["haw"] = Borrowed("haw", log)
        finding = the_one(await audited(everyone(servers)))
        assert (finding.code, finding.kind) == (Code.CHECKPOINT_NOT_SIGNED, Kind.INCOMPLETE)

    async def test_says_with_which_keys_and_when_it_was_signed(self, log: ContractLog) -> None:
        servers = served(log)
        servers["haw"].signed_at = NOW - STALE_SECONDS - 1
        finding = the_one(await audited(everyone(servers)))
        uses = {each.use: each.time for each in finding.evidence[0].signatures}
        at = NOW - STALE_SECONDS - 1
        assert uses == {KeyUse.LOG: None, KeyUse.COSIGNER: at, KeyUse.BLS: at // 60 * 60}

    async def test_under_a_forged_proof_of_consistency_is_found(self, log: ContractLog) -> None:
        servers = served(log)
        servers["haw"].path = [bytes(32)]
        finding = the_one(await audited(everyone(servers)))
        assert (finding.code, finding.source) == (Code.PROOF_FORGED, servers["haw"].name)


class TestWhatCouldNotBeLookedAt:
    async def test_a_stale_member_is_named(self, log: ContractLog) -> None:
        servers = served(log)
        servers["haw"].signed_at = NOW - STALE_SECONDS - 1
        report = await audited(everyone(servers))
        assert (report.outcome, the_one(report).code) == (Outcome.INCOMPLETE, Code.CHECKPOINT_STALE)
        assert the_one(report).found == str(STALE_SECONDS + 1)

    async def test_a_clock_that_is_ahead_is_named(self, log: ContractLog) -> None:
        servers = served(log)
        servers["haw"].signed_at = NOW + 400
        assert the_one(await audited(everyone(servers))).code is Code.CHECKPOINT_AHEAD

    async def test_an_unreachable_member_is_named_and_the_others_are_audited(self, log: ContractLog) -> None:
        servers = served(log)
        servers["haw"].down = True
        report = await audited(everyone(servers))
        assert (report.outcome, the_one(report).code) == (Outcome.INCOMPLETE, Code.MEMBER_UNREACHABLE)
        assert [view.name.member_id for view in report.logs] == [each for each in MEMBERS if each != "haw"]

    @pytest.mark.parametrize(("path", "index"), [("tile/0/000", 0), ("tile/entries/000", 0), (None, 256)])
    async def test_a_log_that_breaks_off_is_named_with_how_far_it_was_read(
        self, log: ContractLog, path: str | None, index: int
    ) -> None:
        servers = served(log)
        servers["haw"].breaks_at = path or bundle_path(log, 300)
        report = await audited(everyone(servers))
        assert (the_one(report).code, the_one(report).index) == (Code.LOG_UNREADABLE, index)
        assert [view.read for view in report.logs if view.name.member_id == "haw"] == [index]

    async def test_does_not_hide_a_difference(self, log: ContractLog) -> None:
        servers = served(log)
        servers["haw"].down = True
        servers["gcom"].files = {"tile/1/000.p/1": bytes(32)}
        report = await audited(everyone(servers))
        assert report.outcome is Outcome.DIFFERENCE
        assert [each.code for each in report.findings] == [Code.TILE_FORGED, Code.MEMBER_UNREACHABLE]


class TestAFolderOfTiles:
    @staticmethod
    def mirror(folder: Path, log: ContractLog, signers: Sequence[str] = MEMBERS[:3]) -> FolderSource:
        for path, data in files_of(log.entries).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        if signers:
            note = log.head(NOW - 5000, signers).note
            (folder / "checkpoint").write_bytes(note.to_text().encode())
        return FolderSource(folder)

    async def test_is_audited_by_itself(self, log: ContractLog, tmp_path: Path) -> None:
        report = await audited([self.mirror(tmp_path, log)])
        assert (report.outcome, report.logs[0].read) == (Outcome.CLEAN, len(log.entries))

    async def test_with_too_few_signers_is_said_to_be_so(self, log: ContractLog, tmp_path: Path) -> None:
        report = await audited([self.mirror(tmp_path, log, MEMBERS[:2])])
        assert the_one(report).code is Code.CHECKPOINT_NOT_SIGNED
        assert "2 members" in the_one(report).found

    async def test_without_a_checkpoint_is_replayed_and_held_against_the_members(
        self, log: ContractLog, tmp_path: Path
    ) -> None:
        report = await audited([self.mirror(tmp_path, log, ()), *everyone(served(log))])
        assert the_one(report).code is Code.CHECKPOINT_MISSING
        assert all(view.agrees for view in report.logs)

    async def test_that_is_damaged_is_found(self, log: ContractLog, tmp_path: Path) -> None:
        source = self.mirror(tmp_path, log)
        (tmp_path / "tile/0/000").write_bytes(bytes(8192))
        assert the_one(await audited([source])).code is Code.TILE_FORGED
        (tmp_path / "tile/0/000").unlink()
        assert the_one(await audited([source])).code is Code.LOG_UNREADABLE

    async def test_that_has_grown_beyond_its_checkpoint_is_read_up_to_it(
        self, log: ContractLog, tmp_path: Path
    ) -> None:
        source = self.mirror(tmp_path, log)
        size = sorted(log.roots)[3]
        note = log.head(NOW, MEMBERS, size=size).note
        (tmp_path / "checkpoint").write_bytes(note.to_text().encode())
        report = await audited([source])
        assert (report.outcome, report.logs[0].read) == (Outcome.CLEAN, size)

    async def test_with_a_checkpoint_that_is_none_is_said_to_be_so(
        self, log: ContractLog, tmp_path: Path
    ) -> None:
        source = self.mirror(tmp_path, log)
        (tmp_path / "checkpoint").write_bytes(b"hello\n")
        assert the_one(await audited([source])).code is Code.CHECKPOINT_NOT_SIGNED


def test_every_code_has_its_sentences() -> None:
    assert set(SENTENCES) == set(Code)
    for ja, en in SENTENCES.values():
        assert ja.endswith("。")
        assert en.endswith(".")
