"""Bringing an embedded consortium up and down: keys, genesis block, process, issuer, connection file.

Each step is done once and can be done again: what is there is kept, what a crash left out is made. The connection file
is written last, so that whoever finds it finds a consortium that works.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from shirushi_core.fabric.channel_config import BatchParameters
from shirushi_core.fabric.genesis import genesis_block
from shirushi_network.connection_files import write_connection, write_profiles
from shirushi_network.control import ask
from shirushi_network.errors import ConsortiumError, NotRunningError, StartError
from shirushi_network.files import write_atomically
from shirushi_network.layout import Layout
from shirushi_network.member_keys import create_member, load_bundle
from shirushi_network.registration import register_city
from shirushi_network.topology import Topology, default_topology

DEFAULT_BASE_PORT = 17050
PORTS_PER_MEMBER = 10
START_SECONDS = 60.0
STOP_SECONDS = 30.0

BATCH = BatchParameters(
    max_message_count=500, absolute_max_bytes=10 << 20, preferred_max_bytes=2 << 20, timeout_seconds=0.2
)

Progress = Callable[[str], None]


def up(layout: Layout, *, base_port: int | None, progress: Progress) -> dict[str, Any]:
    """Bring the consortium of a data folder up and return its status; one that runs already is left as it is.

    `base_port` is the first of the ports of a new consortium (None: the default; 0: any free ones). Raises
    ConsortiumError; nothing of a failed start goes on running.
    """
    try:
        return ask(layout.control_socket, {"do": "status"})
    except NotRunningError:
        pass
    topology = prepare(layout, base_port=base_port, progress=progress)
    progress("starting the members' peers and orderers")
    _spawn(layout)
    try:
        progress("registering the city as an issuer")
        asyncio.run(register_city(layout, topology))
        write_profiles(layout, topology)
        write_connection(layout, topology)
        return ask(layout.control_socket, {"do": "status"})
    except BaseException:
        down(layout)
        raise


def down(layout: Layout) -> bool:
    """Stop the consortium of a data folder and wait until its process has ended; False if none was running."""
    try:
        ask(layout.control_socket, {"do": "stop"}, timeout=STOP_SECONDS, until_end=True)
    except NotRunningError:
        return False
    return True


def status(layout: Layout) -> dict[str, Any]:
    """Return the running consortium's status; raises NotRunningError."""
    return ask(layout.control_socket, {"do": "status"})


def prepare(layout: Layout, *, base_port: int | None, progress: Progress) -> Topology:
    """Make what a consortium needs before it can start, or read what is there: topology, keys, genesis block."""
    layout.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if layout.topology.exists():
        topology = Topology.read(layout.topology)
        if base_port and base_port != topology.members[0].peer_port:
            raise ConsortiumError(
                f"the consortium in {layout.root} has its ports from {topology.members[0].peer_port} on: leave "
                "--base-port out, or use another data folder"
            )
    else:
        topology = _with_ports(default_topology(), base_port)
        write_atomically(layout.topology, topology.to_bytes())
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
            genesis_block(topology.channel, bundles, BATCH).SerializeToString(deterministic=True),
        )
    return topology


def _with_ports(topology: Topology, base_port: int | None) -> Topology:
    if base_port == 0:
        ports = free_ports(2 * len(topology.members))
    else:
        first = DEFAULT_BASE_PORT if base_port is None else base_port
        ports = [first + PORTS_PER_MEMBER * i + j for i in range(len(topology.members)) for j in (0, 1)]
    members = tuple(
        replace(member, peer_port=ports[2 * i], orderer_port=ports[2 * i + 1])
        for i, member in enumerate(topology.members)
    )
    return replace(topology, members=members)


def free_ports(count: int) -> list[int]:
    """Return ports of this machine's loopback that nothing listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(s.getsockname()[1]) for s in sockets]
    finally:
        for s in sockets:
            s.close()


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
        ready, _, _ = select.select([answer], [], [], START_SECONDS)
        line = answer.readline().decode(errors="replace").strip() if ready else ""
    if line == "ready":
        return
    process.kill()
    process.wait()
    if line:
        raise StartError(line)
    reason = "ended without a word" if ready else f"was not ready within {START_SECONDS:.0f} s"
    raise StartError(f"the node {reason}: see {layout.log}")
