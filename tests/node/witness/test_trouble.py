"""What stops no witness: alarms, unknown rules, trouble of its own, a peer that misbehaves; each is said, and over when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lmdb
import pytest
from fabric_protos.common import common_pb2
from tests.support.anchored_chain import AnchoredChain
from tests.support.anchors_ledger import START
from tests.support.derived_chain import committed
from tests.support.witnesses import (
    ChainPeer,
    Witnesses,
    files_below,
    http,
    signs,
    until,
)

from shirushi_core.proofs.note import SignedNote
from shirushi_node.witness import follower
from shirushi_node.witness.errors import LogStoreError
from shirushi_node.witness.service import WitnessService
from shirushi_node.witness.signed_heads import SignedHeads
from shirushi_node.witness.store import LogStore
from shirushi_node.witness.tile_files import TileFiles


@pytest.fixture
async def peer(issued: AnchoredChain) -> AsyncIterator[ChainPeer]:
    made = ChainPeer(issued)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def witnesses(issued: AnchoredChain, peer: ChainPeer, tmp_path: Path) -> Witnesses:
    return Witnesses(issued, tmp_path / "witness", peer.address)


def alone(witnesses: Witnesses, **options: object) -> WitnessService:
    """Return a witness that asks nobody."""
    return WitnessService(witnesses.settings(others=(), quorum=1), **options)


async def signing(*services: WitnessService, block: int) -> None:
    """Wait until witnesses have taken in all blocks below a number, and signed the newest head."""
    for service in services:
        await until(lambda service=service: signs(service, block), f"signing by {service.address}")


async def fetch(service: WitnessService, path: str = "checkpoint") -> SignedNote:
    async with http() as session, session.get(f"https://{service.address}/{path}") as response:
        assert response.status == 200, await response.text()
        return SignedNote.from_bytes(await response.read())


async def test_what_does_not_look_right_is_an_alarm_and_the_witness_signs_on(
    witnesses: Witnesses, issued: AnchoredChain, peer: ChainPeer
) -> None:
    block = issued.block(5)
    block.metadata.metadata[common_pb2.SIGNATURES] = b"\xff"
    block.header.previous_hash = bytes(32)
    peer.store.spoilt[5] = block.SerializeToString()
    service = alone(witnesses)
    await service.start()
    try:
        await signing(service, block=issued.store.height)
        assert service._running is not None
        assert await asyncio.to_thread(service._running.checks.settle, 20)
        alarms = dict(service.status().alarms)
        assert alarms == {"hash_chain": 2, "orderers": 2}, "the next block does not follow this one"
        async with http() as session:
            async with session.get(f"https://{service.address}/health") as response:
                health = await response.json()
                assert (response.status, health["alarms"]) == (200, alarms)
                assert health["newest_alarm"]["block"] == 6
            async with session.get(f"https://{service.address}/metrics") as response:
                assert 'shirushi_witness_alarms_total{kind="orderers"} 2.0' in await response.text()
    finally:
        await service.stop()
    assert "previous block's hash" in (witnesses.settings().folder / "alarms.json").read_text()
    again = alone(witnesses)
    await again.start()
    try:
        assert dict(again.status().alarms) == alarms, "until somebody moves the file away"
    finally:
        await again.stop()


async def test_a_batch_anchored_twice_is_marked_and_said_and_the_witness_signs_on(
    witnesses: Witnesses, issued: AnchoredChain
) -> None:
    state = dict(issued.contract.state)
    for key in [key for key in state if key.startswith(("batch/", "issued/"))]:
        del issued.contract.state[key]
    await issued.issue(3)
    service = alone(witnesses)
    await service.start()
    try:
        await signing(service, block=issued.store.height)
        assert service.status().alarms["unjudged"] == 1
    finally:
        await service.stop()


async def test_a_witness_that_does_not_know_the_rules_says_so_and_goes_on_once_it_does(
    witnesses: Witnesses, issued: AnchoredChain, peer: ChainPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shirushi_node.witness import rules

    before = issued.store.height
    issued.define("3.1", sequence=2)
    await issued.issue(9)
    service = alone(witnesses)
    await service.start()
    try:
        await until(lambda: "version '3.1'" in (service.status().refusing or ""), "saying so")
        status = service.status()
        assert (status.block, status.running) == (before, True)
        assert "rules of versions 1 to 2. Update" in (status.refusing or "")
        assert status.last_cosigned is None
    finally:
        await service.stop()
    monkeypatch.setattr(rules, "KNOWN", (1, 2, 3))
    updated = alone(witnesses, clock=lambda: datetime.fromtimestamp(START, UTC))
    peer.clock = lambda: datetime.fromtimestamp(START, UTC)
    await updated.start()
    try:
        await signing(updated, block=issued.store.height)
    finally:
        await updated.stop()


class _FullDisk:
    """A disk that is full until it is not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = True
        self.refused = 0
        write = TileFiles.write

        def writes(files: TileFiles, content: dict[str, bytes]) -> None:
            if self.is_full:
                self.refused += 1
                raise OSError(28, "No space left on device")
            write(files, content)

        monkeypatch.setattr(TileFiles, "write", writes)


async def test_a_full_disk_is_said_while_it_lasts_and_over_when_it_is_over(
    witnesses: Witnesses, issued: AnchoredChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = _FullDisk(monkeypatch)
    service = alone(witnesses)
    await service.start()
    try:
        await until(lambda: disk.refused >= 2, "trying again")
        assert "No space left on device" in (service.status().trouble or "")
        assert "trying again" in (service.status().refusing or "")
        disk.is_full = False
        await signing(service, block=issued.store.height)
        assert (service.status().trouble, service.status().size) == (None, 16)
    finally:
        await service.stop()


@pytest.mark.parametrize(
    "error", [MemoryError(), lmdb.DiskError("no"), RuntimeError("a library"), RecursionError()]
)
async def test_any_other_trouble_of_its_own_passes_as_well(
    witnesses: Witnesses, issued: AnchoredChain, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    failing = [error, error]
    derive = follower.prepare

    def fails(*arguments: Any) -> Any:
        if failing:
            raise failing.pop()
        return derive(*arguments)

    monkeypatch.setattr(follower, "prepare", fails)
    service = alone(witnesses)
    await service.start()
    try:
        await signing(service, block=issued.store.height)
        assert (failing, service.status().trouble) == ([], None)
    finally:
        await service.stop()


async def test_a_signature_that_could_not_be_kept_is_made_again(
    witnesses: Witnesses, issued: AnchoredChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = [lmdb.DiskError("full"), lmdb.DiskError("full")]
    record = SignedHeads.record

    def fails(*arguments: Any) -> None:
        if failing:
            raise failing.pop()
        record(*arguments)

    monkeypatch.setattr(SignedHeads, "record", fails)
    service = alone(witnesses)
    await service.start()
    try:
        await signing(service, block=issued.store.height)
        assert failing == []
    finally:
        await service.stop()


async def test_a_peer_that_sends_the_wrong_block_is_asked_again(
    witnesses: Witnesses, issued: AnchoredChain, peer: ChainPeer
) -> None:
    peer.store.spoilt[5] = issued.block(3).SerializeToString()
    service = alone(witnesses)
    await service.start()
    try:
        await until(
            lambda: "sent block 3, expected block 5" in (service.status().refusing or ""), "saying so"
        )
        del peer.store.spoilt[5]
        await signing(service, block=issued.store.height)
    finally:
        await service.stop()


async def test_a_peer_that_was_set_back_is_said_and_asked_on(
    witnesses: Witnesses, issued: AnchoredChain, peer: ChainPeer
) -> None:
    service = alone(witnesses)
    await service.start()
    try:
        await signing(service, block=issued.store.height)
        await peer.stop()
        peer.store.limit = 4
        await peer.start()
        await until(lambda: "it was set back" in (service.status().refusing or ""), "saying so")
        peer.store.limit = None
        await issued.issue(9)
        peer.grown()
        await signing(service, block=issued.store.height)
    finally:
        await service.stop()


async def test_no_time_is_signed_that_is_more_than_ten_minutes_past_the_heads(
    witnesses: Witnesses, issued: AnchoredChain, peer: ChainPeer
) -> None:
    issued.define("2.0")
    await issued.tick()
    now = datetime.fromtimestamp(START + 590, UTC)
    peer.clock = lambda: now
    service = alone(witnesses, clock=lambda: now)
    await service.start()
    try:
        await signing(service, block=issued.store.height)
        first = service.status().last_cosigned
        now += timedelta(seconds=61)
        note = await fetch(service)
        assert service.status().last_cosigned == first == START + 590
        assert "gets no blocks with ticks" in (service.status().refusing or "")
        issued.contract.now = START + 640
        await issued.tick()
        peer.grown()
        await signing(service, block=issued.store.height)
        assert service.status().last_cosigned == START + 651
        assert (await fetch(service)).text != note.text
    finally:
        await service.stop()


async def test_a_store_of_the_format_before_is_derived_anew_and_keeps_what_was_signed(
    witnesses: Witnesses, issued: AnchoredChain
) -> None:
    service = alone(witnesses)
    await service.start()
    await signing(service, block=issued.store.height)
    first = await fetch(service)
    await service.stop()
    folder = witnesses.settings().folder
    before = files_below(folder)
    _as_in_format_1(folder)
    (folder / "tile/0/000.p/16").write_bytes(b"of other rules")
    again = alone(witnesses)
    await again.start()
    try:
        assert again._running is not None
        assert again._running.store.signed.newest is not None
        await signing(again, block=issued.store.height)
        assert (await fetch(again)).text == first.text
    finally:
        await again.stop()
    assert files_below(folder) == before


def _as_in_format_1(folder: Path) -> None:
    """Turn a store into one as an earlier program left it."""
    with lmdb.open(str(folder / "index"), max_dbs=16) as environment:
        meta = environment.open_db(b"meta")
        with environment.begin(write=True) as transaction:
            identity = transaction.get(b"identity", db=meta)
            assert identity is not None
            transaction.put(b"identity", identity.replace(b"witness/2", b"witness/1"), db=meta)
            transaction.put(b"position", b"{}", db=meta)


async def test_an_index_that_is_full_grows(issued: AnchoredChain, tmp_path: Path) -> None:
    for number in range(30):
        await issued.issue_batches(*(f"{number}-{each}" for each in range(4)))
    blocks = [committed(block) for block in issued.blocks]
    with closing(LogStore.open(tmp_path / "small", blocks[0], map_size=128 << 10)) as store:
        refused: list[str] = []
        while store.place.next_block < len(blocks):
            ready, _ = follower.prepare(store, blocks[store.place.next_block :][:4], lambda: False)
            try:
                store.commit(ready)
            except LogStoreError as error:
                refused.append(str(error))
        assert refused
        assert all("it has room again" in each for each in refused)
        assert store.batch(issued.city.statement(3).batch_id) is not None
