"""Witnesses as they run: following a peer, signing, restarting, refusing."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.anchored_chain import AnchoredChain
from tests.support.witnesses import (
    MEMBERS,
    ORIGIN,
    ChainPeer,
    Witnesses,
    cosigner_of,
    files_below,
    http,
    keys_of,
    note_by,
    signs,
    until,
)

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import bls
from shirushi_core.proofs.checkpoint import Checkpoint, verify_cosignature, verify_log_signature
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.quorum import combine, read_share, share_key, verify_quorum_certificate
from shirushi_node.witness.errors import LogStoreError, ServerError
from shirushi_node.witness.service import WitnessService


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


async def test_five_witnesses_sign_one_head_and_their_shares_make_one_certificate(
    witnesses: Witnesses, issued: AnchoredChain
) -> None:
    async with witnesses.running(*MEMBERS) as services:
        await signing(*services, block=issued.store.height)
        notes = dict(zip(MEMBERS, [await fetch(service) for service in services], strict=True))
    assert len({note.text for note in notes.values()}) == 1
    checkpoint = Checkpoint.from_text(notes["org1"].text)
    assert (checkpoint.origin, checkpoint.size) == (ORIGIN, 16)
    shares, minutes, public = {}, set(), {}
    for member, note in notes.items():
        keys = keys_of(member)
        settings = witnesses.settings(member)
        (log,), (cosigned,) = note.of(settings.log_verifier), note.of(cosigner_of(member))
        verify_log_signature(checkpoint, log, settings.log_verifier)
        verify_cosignature(checkpoint, cosigned, cosigner_of(member))
        public[member] = bls.public_key(keys.bls)
        (share,) = note.of(share_key(settings.cosigner_name, public[member]))
        minute, shares[member] = read_share(share, settings.share_verifier)
        minutes.add(minute)
    if len(minutes) == 1:  # else a minute ended in between
        certificate = combine(checkpoint, minutes.pop(), shares, public)
        assert list(verify_quorum_certificate(certificate, checkpoint, public)) == list(MEMBERS)


async def test_every_head_that_comes_is_signed_at_once(
    witnesses: Witnesses, issued: AnchoredChain, peer: ChainPeer
) -> None:
    service = alone(witnesses)
    await service.start()
    try:
        await signing(service, block=issued.store.height)
        for size in range(5, 9):
            await issued.issue(size)
        peer.grown()
        await signing(service, block=issued.store.height)
        for size in (18, 20, 22, 24):
            note = await fetch(service, f"checkpoint/{size}?wait=5")
            assert note.of(cosigner_of("org1"))
    finally:
        await service.stop()


async def test_heads_passed_over_while_catching_up_have_the_logs_signature_only(
    witnesses: Witnesses, issued: AnchoredChain
) -> None:
    async with witnesses.running("org1", "org2", "org3", "org4") as services:
        await signing(*services, block=issued.store.height)
        note = await fetch(services[0], "checkpoint/3")
    assert len(note.signatures) == 1
    assert note.of(witnesses.settings().log_verifier)


async def test_the_newest_head_is_signed_again_in_a_new_minute(
    witnesses: Witnesses, issued: AnchoredChain, peer: ChainPeer
) -> None:
    now = datetime(2026, 10, 1, 12, 0, 59, tzinfo=UTC)
    peer.clock = lambda: now
    service = alone(witnesses, clock=lambda: now)
    await service.start()
    try:
        await signing(service, block=issued.store.height)
        first = await fetch(service)
        assert await fetch(service) == first
        now += timedelta(seconds=1)
        second = await fetch(service)
        assert second.text == first.text
        assert service.status().last_cosigned == int(now.timestamp())
        now += timedelta(minutes=1)
        await until(lambda: service.status().last_cosigned == int(now.timestamp()), "a signature by itself")
    finally:
        await service.stop()


async def test_a_witness_cut_off_from_its_peer_does_not_vouch_for_freshness(
    witnesses: Witnesses, issued: AnchoredChain, peer: ChainPeer
) -> None:
    now = datetime(2026, 10, 1, 12, 0, 0, tzinfo=UTC)
    peer.clock = lambda: now
    service = alone(witnesses, clock=lambda: now)
    await service.start()
    try:
        await signing(service, block=issued.store.height)
        first = await fetch(service)
        await peer.stop()
        await until(lambda: service.status().refusing is not None, "noticing")
        now += timedelta(minutes=1)
        assert await fetch(service) == first
        assert "peer at" in (service.status().refusing or "")
    finally:
        await service.stop()


async def test_a_peer_that_comes_back_is_followed_again(
    witnesses: Witnesses, issued: AnchoredChain, peer: ChainPeer
) -> None:
    service = alone(witnesses)
    await service.start()
    try:
        await signing(service, block=issued.store.height)
        await peer.stop()
        await issued.issue(5)
        await peer.start()
        await signing(service, block=issued.store.height)
        assert service.status().size == 18
    finally:
        await service.stop()


async def test_a_restarted_witness_goes_on_where_it_stopped(
    witnesses: Witnesses, issued: AnchoredChain, peer: ChainPeer
) -> None:
    async with witnesses.running(*MEMBERS[:4]) as services:
        await signing(*services, block=issued.store.height)
    await issued.issue(5)
    async with witnesses.running(*MEMBERS[:4]) as services:
        await signing(*services, block=issued.store.height)
        assert {service.status().size for service in services} == {18}


async def test_rebuilding_from_blocks_gives_the_same_bytes(
    witnesses: Witnesses, issued: AnchoredChain, peer: ChainPeer
) -> None:
    folder = witnesses.settings().folder
    for size in range(5, 90):
        await issued.issue(size, size + 100, size + 200)
    slowly = alone(witnesses)
    peer.store.limit = 8
    await slowly.start()
    try:
        for limit in range(9, issued.store.height + 1, 7):
            peer.store.limit = limit
            peer.grown()
            await until(lambda limit=limit: slowly.status().block >= limit, "following")
        peer.store.limit = None
        peer.grown()
        await signing(slowly, block=issued.store.height)
    finally:
        await slowly.stop()
    before = files_below(folder)
    assert {"tile/0/000", "tile/entries/000", "tile/1/000.p/1"} <= before.keys()
    assert "tile/0/000.p" not in {path.rpartition("/")[0] for path in before}
    shutil.rmtree(folder)
    at_once = alone(witnesses)
    await at_once.start()
    try:
        await signing(at_once, block=issued.store.height)
    finally:
        await at_once.stop()
    assert files_below(folder) == before


async def test_an_old_backup_refuses_until_it_has_caught_up(
    witnesses: Witnesses, issued: AnchoredChain, peer: ChainPeer
) -> None:
    folder = witnesses.settings().folder
    async with witnesses.running(*MEMBERS, poll_seconds=0.05) as services:
        await signing(*services, block=issued.store.height)
        await services[0].stop()
        shutil.copytree(folder, folder.with_name("backup"))
        await services[0].start()
        old = issued.store.height
        await issued.issue(5)
        peer.grown()
        await signing(*services, block=issued.store.height)
        newest = await fetch(services[0])
        for service in services[1:]:
            await until(lambda service=service: _has_seen(service, newest.text), "seeing org1's newest head")
        await services[0].stop()
        shutil.rmtree(folder)
        folder.with_name("backup").rename(folder)
        peer.store.limit = old
        restored = WitnessService(witnesses.settings())
        await restored.start()
        try:
            await until(
                lambda: "signed a head of 18 before" in (restored.status().refusing or ""), "refusing"
            )
            note = await fetch(restored)
            assert Checkpoint.from_text(note.text).size == 16, "its own old signature is all it has"
            peer.store.limit = None
            peer.grown()
            await signing(restored, block=issued.store.height)
            assert (await fetch(restored)).text == newest.text
        finally:
            await restored.stop()


def _has_seen(service: WitnessService, text: str) -> bool:
    note = service._running.note_of("org1") if service._running else None
    return note is not None and note.text == text


async def test_a_witness_that_once_signed_another_log_refuses_for_good(
    witnesses: Witnesses, issued: AnchoredChain, peer: ChainPeer
) -> None:
    async with witnesses.running(*MEMBERS[1:], poll_seconds=0.05) as others:
        await signing(*others, block=issued.store.height)
        fork = note_by("org1", Checkpoint(ORIGIN, 8, bytes(32)), 1_790_000_000)
        for service in others:
            assert service._running is not None
            service._running.store.signed.keep_other("org1", fork)
        for _ in range(2):  # a restart changes nothing
            async with witnesses.running("org1") as (service,):
                await until(
                    lambda service=service: "never signs again" in (service.status().refusing or ""),
                    "refusing for good",
                )
                assert service.status().last_cosigned is None


async def test_nothing_is_signed_before_enough_others_have_answered(
    witnesses: Witnesses, issued: AnchoredChain
) -> None:
    async with witnesses.running("org1", "org2", "org3") as services:
        await until(lambda: all(each.status().block == issued.store.height for each in services), "following")
        assert "has not heard from 3 other witnesses" in (services[0].status().refusing or "")
        assert all(each.status().last_cosigned is None for each in services)
        async with witnesses.running("org4") as last:
            await signing(*services, *last, block=issued.store.height)


async def test_a_second_process_on_the_same_folder_is_refused(witnesses: Witnesses) -> None:
    first, second = alone(witnesses), alone(witnesses)
    await first.start()
    try:
        with pytest.raises(LogStoreError, match="in use by another witness"):
            await second.start()
        assert not second.status().running
    finally:
        await first.stop()


async def test_an_address_in_use_is_refused_and_the_folder_is_free_again(
    witnesses: Witnesses, tmp_path: Path
) -> None:
    first = alone(witnesses)
    await first.start()
    try:
        second = WitnessService(witnesses.settings("org2", port=witnesses.ports["org1"], others=(), quorum=1))
        with pytest.raises(ServerError, match="witness of org2 cannot be served"):
            await second.start()
        third = WitnessService(witnesses.settings("org2", others=(), quorum=1))
        await third.start()
        await third.stop()
    finally:
        await first.stop()


async def test_a_folder_of_another_ledger_is_refused(witnesses: Witnesses, tmp_path: Path) -> None:
    service = alone(witnesses)
    await service.start()
    await service.stop()
    from tests.support.anchored_chain import AnchoredConsortium

    genesis = AnchoredConsortium().genesis.SerializeToString()
    other = WitnessService(witnesses.settings(genesis=genesis, others=(), quorum=1))
    with pytest.raises(LogStoreError, match="of another ledger"):
        await other.start()


async def test_another_ledgers_genesis_block_is_refused(witnesses: Witnesses) -> None:
    service = WitnessService(witnesses.settings(ledger="other", others=(), quorum=1))
    with pytest.raises(InvalidInputError, match="is of ledger shirushi-test, expected other"):
        await service.start()


async def test_damaged_tiles_are_noticed_when_the_folder_is_opened(
    witnesses: Witnesses, issued: AnchoredChain
) -> None:
    service = alone(witnesses)
    await service.start()
    await signing(service, block=issued.store.height)
    await service.stop()
    tile = witnesses.settings().folder / "tile/0/000.p/16"
    data = bytearray(tile.read_bytes())
    data[40] ^= 1
    tile.write_bytes(data)
    with pytest.raises(LogStoreError, match="do not lead to the head of 16 entries"):
        await service.start()


async def test_the_folder_is_for_its_owner_only(witnesses: Witnesses) -> None:
    service = alone(witnesses)
    await service.start()
    await service.stop()
    assert witnesses.settings().folder.stat().st_mode & 0o777 == 0o700


async def test_stopping_ends_every_task(witnesses: Witnesses, issued: AnchoredChain) -> None:
    before = asyncio.all_tasks()
    async with witnesses.running(*MEMBERS) as services:
        await signing(*services, block=issued.store.height)
    left = {task for task in asyncio.all_tasks() - before if "grpc" not in repr(task)}
    assert not left, left
