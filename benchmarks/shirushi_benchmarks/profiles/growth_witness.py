"""A member's witness coming up to its peer's ledger: how fast, with how much memory, how large its log is then.

Two processes, as on a member's machine: the members' peers, and one witness that reads every block from its own peer over
Deliver, verifies it, derives its entries and commits them. The other members are not there, so it does not sign: its folder is
what each member's witness would have derived, and can stand for each of them.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

from fabric_protos.common import common_pb2

from shirushi_benchmarks.profiles.growth_ledger import allocated_bytes
from shirushi_benchmarks.profiles.growth_memory import Watch
from shirushi_benchmarks.profiles.growth_transactions import GrowthError
from shirushi_chaincode.shell import AnchorsChaincode
from shirushi_core.errors import ShirushiError
from shirushi_core.fabric.channel_config import from_config_block
from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_network.embedded import CHAINCODE, member_node
from shirushi_network.layout import Layout
from shirushi_network.topology_file import read_topology
from shirushi_network.witness_configuration import witness_configuration
from shirushi_network.witness_settings import settings_of
from shirushi_node.ledger.definitions import ChaincodeDefinition
from shirushi_node.ledger.node import LedgerNode
from shirushi_node.witness.service import WitnessService, WitnessSettings
from shirushi_node.witness.signing import sign_head

SIGNED_HEADS = 200
POLL_SECONDS = 0.02
PATIENCE = 60.0
"""Seconds within which something has to move."""


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """A witness that is level with its peer: after how many seconds, and with how many log entries."""

    seconds: float
    cpu_seconds: float
    restart_seconds: float
    entries_before: int
    entries: int
    folder_bytes: int
    memory: dict[str, float]


def catch_up(layout: Layout, folder: Path) -> CaughtUp:
    """Bring a witness with a folder of its own up to the ledger, in a process of its own; raises GrowthError."""
    with _peers(layout), ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_run_witness, layout, folder).result()


def give_to_all(layout: Layout, folder: Path) -> None:
    """Put a witness's folder in the place of every member's: all derive the same log, byte for byte."""
    for member in read_topology(layout.topology).members:
        place = layout.witnesses / member.id
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(folder, place)


def signing_seconds(layout: Layout, size: int) -> list[float]:
    """Return how long each of some heads takes to be signed: as the log, as a cosigner, and with BLS."""
    settings = _settings(layout, layout.witnesses)
    found = []
    for number in range(SIGNED_HEADS):
        checkpoint = Checkpoint(settings.origin, size + number, number.to_bytes(32, "big"))
        started = time.perf_counter()
        sign_head(checkpoint, settings.keys, settings.cosigner_name, int(time.time()))
        found.append(time.perf_counter() - started)
    return found


def _settings(layout: Layout, folder: Path) -> WitnessSettings:
    topology = read_topology(layout.topology)
    member = next(each for each in topology.members if each.witness is not None)
    configuration = witness_configuration(
        layout,
        topology,
        member,
        home=layout.members / member.id,
        data=folder,
        genesis=layout.genesis,
    )
    return replace(settings_of(configuration), port=0)


def _run_witness(layout: Layout, folder: Path) -> CaughtUp:
    return asyncio.run(_follow(_settings(layout, folder)))


async def _follow(settings: WitnessSettings) -> CaughtUp:
    with Watch(os.getpid()) as memory:
        cpu = time.process_time()
        before, after, seconds = await _until_level(settings)
        cpu = time.process_time() - cpu
        _, _, restart = await _until_level(settings)
    return CaughtUp(
        seconds, cpu, restart, before, after, allocated_bytes(settings.folder), memory.stages("witness")
    )


async def _until_level(settings: WitnessSettings) -> tuple[int, int, float]:
    """Start a witness, and stop it once it has every block; returns its log's size before and after, and the seconds."""
    started = time.perf_counter()
    witness = WitnessService(settings)
    await witness.start()
    try:
        before = witness.status().size
        moved, at = time.monotonic(), witness.status().block
        while True:
            status = witness.status()
            if not status.running or time.monotonic() > moved + PATIENCE:
                raise GrowthError(
                    f"the witness stands at block {status.block} of {status.peer_height}: {status.refusing}"
                )
            if status.block == status.peer_height:
                return before, status.size, time.perf_counter() - started
            if status.block != at:
                moved, at = time.monotonic(), status.block
            await asyncio.sleep(POLL_SECONDS)
    finally:
        await witness.stop()


@contextmanager
def _peers(layout: Layout) -> Iterator[None]:
    """Run the peers of a consortium that is down, without its witnesses, in a process of their own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run_peers, args=(layout, theirs))
    process.start()
    theirs.close()
    try:
        said = ours.recv() if ours.poll(PATIENCE) else "they do not answer"
        if said is not None:
            raise GrowthError(f"the peers of {layout.root} do not start: {said}")
        yield
    except EOFError:
        raise GrowthError(f"the peers of {layout.root} ended without a word") from None
    finally:
        ours.close()
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()


def _run_peers(layout: Layout, pipe: Connection) -> None:
    asyncio.run(_serve_peers(layout, pipe))


async def _serve_peers(layout: Layout, pipe: Connection) -> None:
    """Run the peers until the other end of the pipe is closed."""
    try:
        node = _node(layout)
        await node.start()
    except ShirushiError as error:
        pipe.send(str(error))
        return
    try:
        pipe.send(None)
        await asyncio.to_thread(pipe.poll, None)
    finally:
        await node.stop()


def _node(layout: Layout) -> LedgerNode:
    genesis = layout.genesis.read_bytes()
    consenters = from_config_block(common_pb2.Block.FromString(genesis)).consenters
    members = [member_node(layout, member, consenters) for member in read_topology(layout.topology).members]
    definition = ChaincodeDefinition(name=CHAINCODE, backing=AnchorsChaincode(clock=time.time))
    return LedgerNode(layout.ledger, genesis, members, [definition])
