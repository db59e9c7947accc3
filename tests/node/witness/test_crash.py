"""kill -9 at random moments under load: no head is ever taken back, and what is on disk is what it would be anyway."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path

import aiohttp
from cryptography.hazmat.primitives import serialization
from tests.support.anchored_chain import AnchoredChain
from tests.support.witnesses import TLS, ChainPeer, Witnesses, files_below, http, signs, until

from shirushi_core.proofs.checkpoint import Checkpoint, verify_cosignature
from shirushi_core.proofs.note import SignedNote
from shirushi_node.witness.service import WitnessService, WitnessSettings

KILLS = 6
SCRIPT = Path(__file__).with_name("witnessing.py")


def write_settings(settings: WitnessSettings, file: Path) -> None:
    raw = (serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    key = settings.identity.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    told = {
        "bls": str(settings.keys.bls),
        "certificate": settings.identity.identity.certificate_pem.decode(),
        "cosigner": settings.keys.cosigner.private_bytes(*raw).hex(),
        "folder": str(settings.folder),
        "genesis": settings.genesis.hex(),
        "key": key.decode(),
        "ledger": settings.ledger,
        "log": settings.keys.log.private_bytes(*raw).hex(),
        "msp_id": settings.identity.identity.msp_id,
        "peer": settings.peer,
        "peer_tls_roots": settings.peer_tls_roots.decode(),
        "port": settings.port,
        "tls_certificate": TLS.certificate.decode(),
        "tls_key": TLS.key.decode(),
    }
    file.write_text(json.dumps(told))


@asynccontextmanager
async def process(file: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a witness in a process of its own, and kill it in the end."""
    made = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), str(file), stdout=asyncio.subprocess.PIPE
    )
    assert made.stdout is not None
    try:
        assert await made.stdout.readline() == b"serving\n"
        yield made
    finally:
        made.kill()
        await made.wait()


async def collect(port: int, found: list[SignedNote]) -> None:
    """Fetch the newest checkpoint again and again, until the witness is gone."""
    async with http() as session:
        with suppress(aiohttp.ClientError):
            while True:
                async with session.get(f"https://127.0.0.1:{port}/checkpoint") as response:
                    if response.status == 200:
                        found.append(SignedNote.from_bytes(await response.read()))
                await asyncio.sleep(0.005)


def newest(notes: list[SignedNote]) -> int:
    return Checkpoint.from_text(notes[-1].text).size if notes else 0


async def grow(chain: AnchoredChain, peer: ChainPeer) -> None:
    """Add blocks without pause."""
    for number in count():
        await chain.issue_batches(f"a-{number}", f"b-{number}")
        peer.grown()
        await asyncio.sleep(0.001)


async def test_heads_never_fork_and_files_are_those_of_an_undisturbed_witness(
    issued: AnchoredChain, tmp_path: Path
) -> None:
    peer = ChainPeer(issued)
    await peer.start()
    witnesses = Witnesses(issued, tmp_path / "witness", peer.address)
    settings = witnesses.settings(others=(), quorum=1)
    file = tmp_path / "settings.json"
    write_settings(settings, file)
    growing = asyncio.create_task(grow(issued, peer))
    moments = random.Random(11)
    notes: list[SignedNote] = []
    for kill in range(KILLS):
        before = newest(notes)
        async with process(file):
            collecting = asyncio.create_task(collect(settings.port, notes))
            if kill % 2 == 0:  # every other time it may be killed while it is catching up
                await until(lambda before=before: newest(notes) > before, "a newer checkpoint")
            await asyncio.sleep(moments.uniform(0, 0.3))  # the moment of the kill
        await collecting
    assert not growing.done(), "blocks come until the end"
    growing.cancel()
    await asyncio.wait([growing])

    disturbed = WitnessService(settings)
    undisturbed = WitnessService(witnesses.settings("org2", others=(), quorum=1))
    await disturbed.start()
    await undisturbed.start()
    try:
        for service in (disturbed, undisturbed):
            await until(lambda service=service: signs(service, issued.store.height), "catching up")
        assert undisturbed._running is not None
        log = undisturbed._running.store
        sizes = []
        for note in notes:
            checkpoint = Checkpoint.from_text(note.text)
            (cosignature,) = note.of(settings.cosigner_verifier)
            verify_cosignature(checkpoint, cosignature, settings.cosigner_verifier)
            assert log.checkpoint(checkpoint.size) == checkpoint
            sizes.append(checkpoint.size)
        assert sizes == sorted(sizes), "no older head after a newer one"
        assert len(set(sizes)) > KILLS // 2
    finally:
        await disturbed.stop()
        await undisturbed.stop()
        await peer.stop()
    assert files_below(settings.folder) == files_below(witnesses.settings("org2").folder)
