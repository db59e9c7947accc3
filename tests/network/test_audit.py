"""Auditing a consortium as `shirushi consortium up` makes it: over its witnesses' HTTPS, its peers' blocks, and a mirror."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.network.test_witnesses import note_of, signing, wait_until
from tests.support.command import Run, shirushi
from tests.support.live_consortium import LiveConsortium

from shirushi_core.proofs.canonical import decode, encode
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.tiles import bundle, unbundle

MEMBERS = ["iizuka", "chaintope", "haw", "kaguya", "gcom"]


@pytest.fixture
def live(live_consortium: LiveConsortium) -> Iterator[LiveConsortium]:
    """The shared consortium, with every witness signing, and every member up again afterwards."""
    wait_until(lambda: signing(live_consortium) == set(MEMBERS), "all to sign")
    yield live_consortium
    for member in live_consortium.status()["members"]:
        if not (member["running"] and member["witness"]["running"]):
            assert shirushi("consortium", "start", member["id"], data=live_consortium.root).exit_code == 0


@pytest.fixture
def certificates(live: LiveConsortium, tmp_path: Path) -> Path:
    """Three certificates that were issued, of which one is revoked."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.txt").write_text(f"audited {number} {time.time_ns()}")
    assert shirushi("issue", folder, "--type", "audited", data=live.root).exit_code == 0
    revoked = shirushi("revoke", folder / "0.txt", "--reason", "issued_in_error", data=live.root)
    assert revoked.exit_code == 0
    return folder


def audit(live: LiveConsortium, *arguments: str | Path) -> Run:
    return shirushi("audit", *arguments, "--json", data=live.root)


def codes(run: Run) -> list[str]:
    return [finding["code"] for finding in run.json["findings"]]


def batch_of(folder: Path) -> str:
    receipt = Receipt.from_bytes((folder / "1.txt.receipt.json").read_bytes())
    return receipt.anchor.statement.batch_id.hex()


def test_blocks_and_all_five_witnesses_have_one_log(live: LiveConsortium, certificates: Path) -> None:
    run = audit(live, "--blocks", "--issuer", "iizuka-city")
    assert (run.exit_code, run.json["outcome"], run.json["findings"]) == (0, "clean", [])
    assert [(log["kind"], log["member"]) for log in run.json["logs"]] == [
        ("blocks", "iizuka"),
        *(("witness", member) for member in MEMBERS),
    ]
    assert all(log["agrees"] and log["read"] == log["size"] > 0 for log in run.json["logs"])
    assert batch_of(certificates) in [each["batch_id"] for each in run.json["anchors"]]


def test_members_may_be_audited_one_by_one(live: LiveConsortium) -> None:
    run = audit(live, "--member", "haw", "--member", "gcom")
    assert run.exit_code == 0
    assert [log["member"] for log in run.json["logs"]] == ["haw", "gcom"]


def test_a_stopped_member_is_named_and_its_blocks_cannot_be_read(live: LiveConsortium) -> None:
    assert shirushi("consortium", "stop", "haw", data=live.root).exit_code == 0
    run = audit(live, "--blocks", "--member", "haw", "--member", "gcom")
    assert (run.exit_code, run.json["outcome"]) == (2, "incomplete")
    assert sorted(codes(run)) == ["BLOCKS_UNREADABLE", "MEMBER_UNREACHABLE"]
    assert {finding["source"]["member"] for finding in run.json["findings"]} == {"haw"}


def test_lists_are_reconciled_both_ways(live: LiveConsortium, certificates: Path, tmp_path: Path) -> None:
    journal = live.root / "issuer" / "journal.db"
    run = audit(live, "--list", journal)
    # Others may have issued on this ledger too, with journals of their own.
    assert run.json["reconciliation"]["listed_not_anchored"] == run.json["reconciliation"]["differing"] == []
    listed = tmp_path / "issued.csv"
    listed.write_text(f"batch_id,size\n{batch_of(certificates)},4\n{'11' * 32},1\n")
    run = audit(live, "--list", listed)
    assert run.exit_code == 1
    assert run.json["reconciliation"]["listed_not_anchored"] == ["11" * 32]
    assert run.json["reconciliation"]["differing"] == [
        {"anchored": 3, "batch_id": batch_of(certificates), "listed": 4}
    ]
    assert {"COUNT_DIFFERS", "LISTED_NOT_ANCHORED"} <= set(codes(run))


class TestAMirror:
    @pytest.fixture
    def mirror(self, live: LiveConsortium, certificates: Path, tmp_path: Path) -> Path:
        """A copy of a witness's tiles, with a checkpoint that all members have signed."""
        notes: list[SignedNote] = []

        def agree() -> bool:
            notes[:] = [note_of(live.root, member) for member in MEMBERS]
            return len({note.text for note in notes}) == 1

        wait_until(agree, "one head")
        shutil.copytree(live.root / "witness" / "kaguya" / "tile", tmp_path / "mirror" / "tile")
        lines = [each for note in notes for each in note.signatures]
        (tmp_path / "mirror" / "checkpoint").write_text(SignedNote(notes[0].text, tuple(lines)).to_text())
        return tmp_path / "mirror"

    def test_is_audited_without_asking_anybody(self, live: LiveConsortium, mirror: Path) -> None:
        run = audit(live, "--tiles", mirror)
        assert run.exit_code == 0
        assert [log["kind"] for log in run.json["logs"]] == ["tiles"]

    def test_in_which_an_entry_was_changed_differs_there(self, live: LiveConsortium, mirror: Path) -> None:
        changed = self._change_an_anchor(mirror)
        run = audit(live, "--tiles", mirror, "--policy", live.layout.trust_policy)
        assert (run.exit_code, codes(run)) == (1, ["ENTRY_DIFFERS"])
        first: Any = run.json["first_difference"]
        assert first["index"] == changed
        signers = {each["member"] for each in first["evidence"][0]["signatures"] if each["holds"]}
        assert signers == set(MEMBERS)

    def test_is_shown_with_the_first_difference_and_who_signed_what(
        self, live: LiveConsortium, mirror: Path
    ) -> None:
        changed = self._change_an_anchor(mirror)
        english = shirushi("audit", "--tiles", mirror, "--lang", "en", data=live.root)
        assert english.exit_code == 1
        assert english.out.startswith("DIFFERENCE FOUND")
        assert f"Entry {changed} as" in english.out
        assert "signed: chaintope, gcom, haw, iizuka, kaguya" in english.out
        japanese = shirushi("audit", "--tiles", mirror, "--lang", "ja", data=live.root)
        assert japanese.out.startswith("相違あり")
        assert f"{changed}番の記録" in japanese.out

    @staticmethod
    def _change_an_anchor(mirror: Path) -> int:
        file = max((mirror / "tile/entries").rglob("*"), key=lambda each: each.is_file())
        entries = unbundle(file.read_bytes())
        index = next(n for n, entry in enumerate(entries) if entry.startswith(b'{"anchor"'))
        entry: Any = decode(entries[index])
        entry["anchor"]["tx_id"] = "ab" * 32
        entries[index] = encode(entry)
        file.write_bytes(bundle(entries))
        number = int(file.name) if not file.parent.name.endswith(".p") else int(file.parent.stem)
        return number * 256 + index


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--member", "nobody"), "nobody is no member"),
        (("--policy", "nowhere.json"), "cannot be read"),
        (("--tiles", "nowhere"), "is no folder"),
        (("--list", "nowhere.csv"), "cannot be read"),
        (("--no-such-option",), "No such option"),
    ],
)
def test_what_cannot_be_begun_is_usage(
    live_consortium: LiveConsortium, arguments: tuple[str, ...], said: str
) -> None:
    run = shirushi("audit", *arguments, data=live_consortium.root)
    assert run.exit_code == 3
    assert said in run.sentence


def test_without_a_trust_policy_there_is_no_audit(tmp_path: Path) -> None:
    run = shirushi("audit", data=tmp_path)
    assert run.exit_code == 3
    assert "trust-policy.json" in run.sentence


def test_blocks_are_read_where_a_members_keys_are(live_consortium: LiveConsortium, tmp_path: Path) -> None:
    run = shirushi(
        "audit", "--blocks", "--policy", live_consortium.layout.trust_policy, data=tmp_path / "nowhere"
    )
    assert run.exit_code == 3
    assert "no topology" in run.sentence
