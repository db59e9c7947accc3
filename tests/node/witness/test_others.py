"""An eye on the other members: forks and stray checkpoints are noticed and kept as evidence; noise is not believed."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.anchored_chain import AnchoredChain
from tests.support.witness_double import WitnessDouble
from tests.support.witnesses import ORIGIN, ChainPeer, Witnesses, cosigner_of, keys_of, note_by, signs, until

from shirushi_core.proofs.checkpoint import Checkpoint, cosign
from shirushi_core.proofs.note import SignedNote
from shirushi_node.witness.service import WitnessService

NOW = 1_790_000_000


class Pair:
    """A witness, and one other that a test speaks for."""

    def __init__(self, service: WitnessService, other: WitnessDouble, peer: ChainPeer, folder: Path) -> None:
        self.service = service
        self.other = other
        self.peer = peer
        self.folder = folder

    @property
    def disagreeing(self) -> tuple[str, ...]:
        return self.service.status().disagreeing

    @property
    def evidence(self) -> list[Any]:
        return [json.loads(file.read_bytes()) for file in sorted((self.folder / "disagreements").glob("*"))]

    def root(self, size: int) -> bytes:
        assert self.service._running is not None
        return self.service._running.store.checkpoint(size).root

    def seen(self) -> SignedNote | None:
        assert self.service._running is not None
        return self.service._running.note_of("org2")

    async def polled(self, times: int = 2) -> None:
        """Wait until what the other serves now was fetched, and worked on."""
        wanted = self.other.polls + times
        await until(lambda: self.other.polls >= wanted, "polling")


def note(size: int, root: bytes, time: int = NOW) -> SignedNote:
    return note_by("org2", Checkpoint(ORIGIN, size, root), time)


@pytest.fixture
async def peer(issued: AnchoredChain) -> AsyncIterator[ChainPeer]:
    made = ChainPeer(issued)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def pair(issued: AnchoredChain, peer: ChainPeer, tmp_path: Path) -> AsyncIterator[Pair]:
    witnesses = Witnesses(issued, tmp_path / "witness", peer.address)
    settings = witnesses.settings()
    only = tuple(other for other in settings.others if other.member_id == "org2")
    service = WitnessService(witnesses.settings(others=only, quorum=2), poll_seconds=0.02)
    async with WitnessDouble(witnesses.ports["org2"]) as other:
        await service.start()
        try:
            await until(lambda: signs(service, issued.store.height), "signing")
            yield Pair(service, other, peer, settings.folder)
        finally:
            await service.stop()


async def test_a_head_of_the_same_log_is_kept_and_served(pair: Pair) -> None:
    for size in (8, 14):
        wanted = note(size, pair.root(size))
        pair.other.serve(wanted)
        await until(lambda wanted=wanted: pair.seen() == wanted, "keeping")
    await pair.polled()
    assert pair.disagreeing == ()
    assert pair.evidence == []


async def test_a_newer_signature_on_the_same_head_takes_the_place_of_the_older(pair: Pair) -> None:
    for time in (NOW, NOW + 60):
        wanted = note(16, pair.root(16), time)
        pair.other.serve(wanted)
        await until(lambda wanted=wanted: pair.seen() == wanted, "keeping")
    pair.other.serve(note(16, pair.root(16), NOW))
    await pair.polled()
    assert pair.seen() == note(16, pair.root(16), NOW + 60)
    assert pair.disagreeing == ()


async def test_a_fork_is_reported_with_both_notes(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    forked = note(14, bytes(32))
    pair.other.serve(forked)
    await until(lambda: pair.disagreeing == ("org2",), "noticing")
    await pair.polled()
    (found,) = pair.evidence
    assert found["theirs"] == forked.to_text()
    ours = Checkpoint.from_text(SignedNote.from_bytes(found["ours"].encode()).text)
    assert (ours.size, ours.root) == (14, pair.root(14))
    assert "signed a head of 14 entries whose root differs" in found["sentence"]
    assert forked.to_text() in caplog.text
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1
    text = pair.service._running.metrics_text().decode() if pair.service._running else ""
    assert 'shirushi_witness_disagreement{member="org2"} 1.0' in text
    assert pair.service.status().refusing is None, "another's lie does not silence an honest witness"


async def test_a_fork_ahead_is_reported_once_the_log_has_got_there(pair: Pair, issued: AnchoredChain) -> None:
    ahead = note(18, bytes(32))
    pair.other.serve(ahead)
    await until(lambda: pair.seen() == ahead, "keeping")
    await pair.polled()
    assert pair.disagreeing == ()
    await issued.issue(5)
    pair.peer.grown()
    await until(lambda: pair.disagreeing == ("org2",), "noticing")


async def test_a_size_that_is_no_head_is_reported(pair: Pair) -> None:
    pair.other.serve(note(13, pair.root(13)))
    await until(lambda: pair.disagreeing == ("org2",), "noticing")
    assert "where this log has none" in pair.evidence[0]["sentence"]


async def test_another_ledgers_checkpoint_is_reported_and_not_kept(pair: Pair) -> None:
    checkpoint = Checkpoint("shirushi/other", 16, pair.root(16))
    line = cosign(checkpoint, f"{ORIGIN}/org2", keys_of("org2").cosigner, NOW)
    pair.other.serve(SignedNote(checkpoint.to_text(), (line,)))
    await until(lambda: pair.disagreeing == ("org2",), "noticing")
    assert "another log, shirushi/other" in pair.evidence[0]["sentence"]
    assert pair.seen() is None


async def test_an_older_head_signed_after_a_newer_one_is_reported(pair: Pair) -> None:
    pair.other.serve(note(16, pair.root(16)))
    await until(lambda: pair.seen() is not None, "keeping")
    pair.other.serve(note(14, pair.root(14), NOW + 60))
    await until(lambda: pair.disagreeing == ("org2",), "noticing")
    (found,) = pair.evidence
    assert "its log is shorter than it was" in found["sentence"]
    assert found["ours"] == note(16, pair.root(16)).to_text(), "both notes are the member's own"
    assert pair.seen() == note(16, pair.root(16))


async def test_an_older_note_that_is_merely_served_again_is_none(pair: Pair) -> None:
    pair.other.serve(note(16, pair.root(16)))
    await until(lambda: pair.seen() is not None, "keeping")
    pair.other.serve(note(14, pair.root(14), NOW - 60))
    await pair.polled()
    assert pair.disagreeing == ()


async def test_two_heads_of_one_size_are_reported_even_where_the_log_has_not_got_to(pair: Pair) -> None:
    first = note(90, bytes(32))
    pair.other.serve(first)
    await until(lambda: pair.seen() == first, "keeping")
    pair.other.serve(note(90, bytes([1]) * 32))
    await until(lambda: pair.disagreeing == ("org2",), "noticing")
    assert "two heads of 90 entries" in pair.evidence[0]["sentence"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"\xff" * 100,
        b"x" * 200_000,
        note_by("org3", Checkpoint(ORIGIN, 14, bytes(32)), NOW).to_text().encode(),
        note(14, bytes(32)).to_text().replace("\n14\n", "\n15\n").encode(),
    ],
    ids=["nothing", "nonsense", "no text", "too long", "another's signature", "a signature of another head"],
)
async def test_what_the_member_did_not_sign_is_not_held_against_it(pair: Pair, body: bytes) -> None:
    pair.other.checkpoint = body
    await pair.polled()
    assert pair.disagreeing == ()
    assert pair.seen() is None


async def test_evidence_outlives_a_restart_until_somebody_moves_it_away(pair: Pair) -> None:
    pair.other.serve(note(14, bytes(32)))
    await until(lambda: pair.disagreeing == ("org2",), "noticing")
    await pair.service.stop()
    pair.other.checkpoint = None
    await pair.service.start()
    assert pair.disagreeing == ("org2",)
    await pair.polled()
    assert len(pair.evidence) == 1


async def test_an_answer_about_oneself_that_one_did_not_sign_is_no_answer(
    issued: AnchoredChain, peer: ChainPeer, tmp_path: Path
) -> None:
    witnesses = Witnesses(issued, tmp_path / "witness", peer.address)
    only = tuple(other for other in witnesses.settings().others if other.member_id == "org2")
    service = WitnessService(witnesses.settings(others=only, quorum=2))
    async with WitnessDouble(witnesses.ports["org2"]) as other:
        forged = note_by("org2", Checkpoint(ORIGIN, 99, bytes(32)), NOW)
        other.cosigned["org1"] = forged.to_text().encode()
        await service.start()
        try:
            await until(lambda: service.status().block == issued.store.height, "following")
            assert "has not heard from 1 other" in (service.status().refusing or "")
            del other.cosigned["org1"]
            await until(lambda: signs(service, issued.store.height), "signing")
            note = service._running.store.signed.newest if service._running else None
            assert note is not None
            assert note.note.of(cosigner_of("org1"))
        finally:
            await service.stop()
