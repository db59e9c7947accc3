"""Bringing an embedded consortium up and down: keys, genesis block, process, issuer, connection file.

Each step is done once and can be done again: what is there is kept, what a crash left out is made. The connection file
is written last, so that whoever finds it finds a consortium that works.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from shirushi_core.fabric.genesis import genesis_block
from shirushi_network.chaincode_servers import read_servers, write_servers
from shirushi_network.connection_files import write_connection, write_profiles
from shirushi_network.control import ask
from shirushi_network.errors import ConsortiumError, NotRunningError, StartError
from shirushi_network.files import write_atomically
from shirushi_network.layout import Layout
from shirushi_network.lock import end_holder, lock_holder
from shirushi_network.member_keys import create_member, load_bundle
from shirushi_network.ports import check_ports, with_ports
from shirushi_network.registration import register_city
from shirushi_network.topology import Topology, default_topology
from shirushi_network.topology_file import read_topology, write_topology

START_SECONDS = 60.0
STOP_SECONDS = 30.0

Progress = Callable[[str], None]


def up(
    layout: Layout,
    *,
    base_port: int | None,
    progress: Progress,
    chaincodes: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Bring the consortium of a data folder up and return its status; one that runs already is left as it is.

    `base_port` is the first of the ports of a new consortium (None: the default; 0: any free ones). `chaincodes` are
    servers of further chaincodes, name → address (None: those of the last time). Raises ConsortiumError; nothing of a
    failed start goes on running.
    """
    if _is_running(layout) and layout.connection.exists():
        if chaincodes is not None and chaincodes != read_servers(layout.chaincodes):
            raise ConsortiumError(
                "the consortium runs with other chaincodes: bring it down first, then up again"
            )
        return status(layout)
    try:
        _topology(layout, base_port)  # what is refused is refused before anything is made
        layout.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(layout):
            topology = _topology(layout, base_port)
            # It runs without a connection file if whoever started it was killed before it was registered.
            if not _is_running(layout):
                prepare(layout, topology, progress=progress)
                if chaincodes is not None:
                    write_servers(layout.chaincodes, chaincodes)
                progress("starting the members' peers and orderers")
                _spawn(layout)
            return _finish(layout, topology, progress)
    except OSError as error:
        raise ConsortiumError(f"the consortium in {layout.root} cannot be brought up: {error}") from error


def down(layout: Layout) -> bool:
    """Stop the consortium of a data folder and wait until its process has ended; False if none was running."""
    try:
        ask(layout.control_socket, {"do": "stop"}, timeout=STOP_SECONDS, until_end=True)
    except NotRunningError:
        return end_holder(layout.lock, STOP_SECONDS)
    return True


def status(layout: Layout) -> dict[str, Any]:
    """Return the running consortium's status; raises NotRunningError."""
    return ask(layout.control_socket, {"do": "status"})


def prepare(layout: Layout, topology: Topology, *, progress: Progress) -> None:
    """Make what a consortium needs before it can start, but for what is there: topology, keys, genesis block.

    Raises ConsortiumError, OSError.
    """
    if not layout.topology.exists() or read_topology(layout.topology) != topology:
        layout.genesis.unlink(missing_ok=True)  # it names the ports
        write_topology(layout.topology, topology)
    now = datetime.now(UTC)
    for member in topology.members:
        if not (layout.members / member.id).exists():
            progress(f"making the keys of {member.name_en}")
            create_member(layout.members, member, now=now)
    if not layout.genesis.exists():
        progress("building the genesis block from the members' public bundles")
        bundles = [load_bundle(layout.members, member) for member in topology.members]
        write_atomically(
            layout.genesis,
            genesis_block(topology.channel, bundles, topology.blocks).SerializeToString(deterministic=True),
        )


def _topology(layout: Layout, base_port: int | None) -> Topology:
    """Return the topology to start, or that of what runs already; raises PortInUseError before anything is made.

    The ports of a consortium are in its genesis block: they can be chosen as long as there is no ledger.
    """
    if layout.connection.exists() and not layout.ledger.exists():
        raise ConsortiumError(
            f"the ledger of the consortium in {layout.root} is gone: put {layout.ledger.name}/ back from a backup, or "
            "use another data folder for a new consortium"
        )
    known = read_topology(layout.topology) if layout.topology.exists() else None
    if known is None:
        topology = with_ports(default_topology(), base_port)
    elif not base_port or base_port == known.members[0].peer.port:
        topology = known
    elif not layout.ledger.exists():
        topology = with_ports(known, base_port)
    else:
        raise ConsortiumError(
            f"the consortium in {layout.root} has its ports from {known.members[0].peer.port} on: "
            "leave --base-port out, or use another data folder"
        )
    if not _is_running(layout):
        other_ports = "" if layout.ledger.exists() else ", or choose other ports with --base-port"
        check_ports(topology.members, f"stop what uses it{other_ports}", nodes=("peer", "orderer"))
    return topology


def _is_running(layout: Layout) -> bool:
    """Say whether the consortium runs; raises ConsortiumError if its process is there and cannot be spoken to."""
    try:
        status(layout)
    except NotRunningError:
        holder = lock_holder(layout.lock)
        if holder is None:
            return False
        raise ConsortiumError(
            f"process {holder} has the consortium in {layout.root} and does not answer: it is starting, or its control "
            "socket is gone; `shirushi consortium down` ends it"
        ) from None
    return True


@contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    """Keep others from bringing the same consortium up at the same time; raises ConsortiumError if somebody is at it."""
    descriptor = os.open(layout.root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConsortiumError(
                f"somebody else is bringing the consortium in {layout.root} up: wait until it is done"
            ) from error
        yield
    finally:
        os.close(descriptor)


def _finish(layout: Layout, topology: Topology, progress: Progress) -> dict[str, Any]:
    """Make a node that has just started a consortium that can issue; stops it where that fails."""
    try:
        progress("registering the city as an issuer")
        asyncio.run(register_city(layout, topology))
        if not layout.connection.exists():
            write_profiles(layout, topology)
            write_connection(layout, topology)
        return status(layout)
    except BaseException:
        down(layout)
        raise


def _spawn(layout: Layout) -> None:
    """Start the background process and wait until it says that it is ready, or why not."""
    told, tell = os.pipe()
    with layout.log.open("ab") as log, os.fdopen(told, "rb", closefd=True) as answer:
        try:
            process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [sys.executable, "-m", "shirushi_network.daemon", str(layout.root), str(tell)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(tell,),
                start_new_session=True,
            )
        finally:
            os.close(tell)
        try:
            ready, _, _ = select.select([answer], [], [], START_SECONDS)
            line = answer.readline().decode(errors="replace").strip() if ready else ""
        except BaseException:
            _end(process)
            raise
    if line == "ready":
        return
    _end(process)
    if line:
        raise StartError(line)
    reason = "ended without a word" if ready else f"was not ready within {START_SECONDS:.0f} s"
    raise StartError(f"the node {reason}: see {layout.log}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
