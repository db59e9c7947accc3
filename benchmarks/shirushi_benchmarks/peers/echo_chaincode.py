"""What our chaincode service costs: an echo on it, beside the same echo with the bare protocol, on a real peer.

Each is served without TLS from a process of its own, as a chaincode of its own on the network, ours by the service's command
as users run it. Our Gateway client drives both in turn (bare, ours, bare, ours): by submit, so that each call is endorsed, ordered
and committed, and by evaluate, which only asks the peer and so asks more of the chaincode. The first in_flight calls are not
counted; times, failures and the CPU seconds of the chaincode's process are summed over the turns.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shirushi_benchmarks.measurement import Measurement, quantiles_ms
from shirushi_benchmarks.peers.servers import ServerProcess, server_process
from shirushi_client.gateway import CallOptions, CommitError, Contract, GatewayError
from shirushi_core.fabric.lifecycle import definition
from shirushi_network.fabric.chaincode_package import ChaincodePackage, ccaas_package
from shirushi_network.fabric.deployment import Deployment, deploy
from shirushi_network.layout import Layout
from shirushi_network.member_access import admin_contract
from shirushi_network.ports import free_ports
from shirushi_network.topology import Topology
from shirushi_network.topology_file import read_topology

BARE = "echo, bare protocol"
OURS = "echo, our chaincode service"

TURNS = 2
ARGUMENT_BYTES = 200
CALLS = ("submit", "evaluate")
_OPTIONS = CallOptions(timeout=60.0)
_VERSION = "1.0"


@dataclass(frozen=True, slots=True)
class _Echo:
    server: ServerProcess
    contract: Contract


@dataclass(slots=True)
class _Sum:
    """What the turns of one echo came to."""

    seconds: float = 0.0
    cpu_seconds: float | None = 0.0
    failures: int = 0
    durations: list[float] = field(default_factory=list)


async def measure_echoes(
    data: Path,
    *,
    engine: str,
    count: int,
    in_flight: int,
    advance: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> list[Measurement]:
    """Call each echo about `count` times; returns bare and ours by submit, then both by evaluate.

    The network is one of Fabric's, all of whose members are on this machine; both chaincodes stay deployed on it. Raises
    MeasuringError, ConsortiumError.
    """
    layout = Layout(data)
    measurements = []
    async with _served(layout, lambda what: advance(what, 0, 0)) as echoes:
        for call in CALLS:
            sums = {name: _Sum() for name in echoes}
            for echo in echoes.values():
                await _drive(echo, call, in_flight, in_flight, _Sum())
            for number in range(TURNS):
                for name, echo in echoes.items():
                    advance(f"{name}, {call}", number, TURNS)
                    await _drive(echo, call, max(1, count // TURNS), in_flight, sums[name])
                    advance(f"{name}, {call}", number + 1, TURNS)
            measurements += [
                _measurement(name, engine, call, in_flight, total) for name, total in sums.items()
            ]
    return measurements


@asynccontextmanager
async def _served(layout: Layout, progress: Callable[[str], None]) -> AsyncIterator[dict[str, _Echo]]:
    """Serve both echoes and deploy them, each with a contract of its own."""
    topology = read_topology(layout.topology)
    async with AsyncExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shirushi-bench-")))
        echoes = {}
        for (name, chaincode), port in zip(
            {BARE: "echo-bare", OURS: "echo-ours"}.items(), free_ports(2), strict=True
        ):
            address = f"127.0.0.1:{port}"
            package = ccaas_package(f"{chaincode}_{_VERSION}", address)
            command = _command(name, address, package.package_id)
            server = await stack.enter_async_context(server_process(command, name, logs / chaincode))
            await _deploy(layout, topology, chaincode, package, progress)
            contract = await stack.enter_async_context(
                admin_contract(layout, topology, topology.members[0], chaincode)
            )
            echoes[name] = _Echo(server, contract)
        yield echoes


def _command(name: str, address: str, package_id: str) -> list[str]:
    if name == BARE:
        return [sys.executable, "-m", "shirushi_benchmarks.peers.echo_bare", address, package_id]
    chaincode = "shirushi_benchmarks.peers.echo_ours:Echo"
    return [
        *(sys.executable, "-m", "shirushi_chaincode.service", chaincode),
        *("--address", address, "--id", package_id),
    ]


async def _deploy(
    layout: Layout,
    topology: Topology,
    name: str,
    package: ChaincodePackage,
    progress: Callable[[str], None],
) -> None:
    wanted = Deployment(package, definition(name, _VERSION, 1, None))
    await deploy(layout, topology, topology.members, wanted, progress)


async def _drive(echo: _Echo, call: str, count: int, in_flight: int, total: _Sum) -> None:
    """Call an echo `count` times, `in_flight` at once, and add to its sum."""
    send = echo.contract.submit if call == "submit" else echo.contract.evaluate
    waiting = iter(range(count))

    async def work() -> None:
        for _ in waiting:
            argument = os.urandom(ARGUMENT_BYTES)
            started = time.perf_counter()
            try:
                answer = await send("echo", arguments=[argument], options=_OPTIONS)
            except (GatewayError, CommitError):
                total.failures += 1
                continue
            if answer == b"echo" + argument:
                total.durations.append(time.perf_counter() - started)
            else:
                total.failures += 1

    cpu, started = echo.server.cpu_seconds(), time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(in_flight):
            tasks.create_task(work())
    total.seconds += time.perf_counter() - started
    after = echo.server.cpu_seconds()
    if cpu is None or after is None or total.cpu_seconds is None:
        total.cpu_seconds = None
    else:
        total.cpu_seconds += after - cpu


def _measurement(name: str, engine: str, call: str, in_flight: int, total: _Sum) -> Measurement:
    count = len(total.durations)
    stages = {}
    if total.cpu_seconds is not None:
        stages["chaincode_cpu_seconds_per_thousand"] = round(1000 * total.cpu_seconds / max(1, count), 4)
    return Measurement(
        name=name,
        count=count,
        seconds=total.seconds,
        unit="transactions" if call == "submit" else "queries",
        failures=total.failures,
        engine=engine,
        parameters={"call": call, "in_flight": in_flight, "turns": TURNS},
        quantiles_ms=quantiles_ms(total.durations),
        stages=stages,
    )
