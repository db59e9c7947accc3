"""Auditing what was signed, what cannot be looked at, and folders of tiles."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.audited_logs import (
    NOW,
    ServedLog,
    audited,
    bundle_path,
    everyone,
    files_of,
    long_log,
    served,
    the_one,
    who_signed,
)
from tests.support.contract_log import ContractLog
from tests.support.paper_log import KEYS, MEMBERS

from shirushi_client.audit.audit import STALE_SECONDS
from shirushi_client.audit.findings import Code, Kind
from shirushi_client.audit.report import Outcome
from shirushi_client.audit.sources import FolderSource
from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.trust_policy import KeyUse


@pytest.fixture(scope="module")
def log() -> ContractLog:
    return asyncio.run(long_log())


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
