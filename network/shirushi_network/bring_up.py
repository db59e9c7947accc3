"""Bringing a consortium up and down, on any engine: keys, genesis block, nodes, issuer, connection file.

Each step is done once and can be done again: what is there is kept, what a crash left out is made. The connection file
is written last, so that whoever finds it finds a consortium that works.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from shirushi_network.chaincode_servers import read_servers, write_servers
from shirushi_network.connection_files import write_connection, write_profiles
from shirushi_network.engine import Engine, EngineChoice, Progress, write_choice
from shirushi_network.engines import choose, make_engine, open_engine
from shirushi_network.errors import ConsortiumError
from shirushi_network.files import write_atomically
from shirushi_network.genesis_ceremony import build
from shirushi_network.layout import Layout
from shirushi_network.member_access import members_here
from shirushi_network.member_bundle import bundle_of, is_here
from shirushi_network.member_keys import CERTIFICATE_DAYS, create_member
from shirushi_network.policy_files import is_behind, make_first_policy
from shirushi_network.ports import check_ports, with_ports
from shirushi_network.registration import register_city
from shirushi_network.topology import Topology, default_topology
from shirushi_network.topology_file import read_topology, write_topology
from shirushi_network.witness_keys import complete_witness


def up(
    layout: Layout,
    *,
    base_port: int | None,
    progress: Progress,
    engine: EngineChoice | None = None,
    topology: Topology | None = None,
    chaincodes: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Bring the consortium of a data folder up and return its status; what runs already is left as it is.

    `engine` None is the folder's own, or the embedded one; `topology` None is the folder's own, or the test network of
    five. `base_port` is the first of the ports of a new consortium (None: the default; 0: any free ones). `chaincodes` are
    servers of further chaincodes, name → address (None: those of the last time). Raises ConsortiumError; nothing of a
    failed start goes on running.
    """
    choice = choose(layout, engine)
    opened = make_engine(layout, choice, progress)
    if (
        opened.is_running()
        and layout.connection.exists()
        and chaincodes
        not in (
            None,
            read_servers(layout.chaincodes),
        )
    ):
        raise ConsortiumError("the consortium runs with other chaincodes: bring it down first, then up again")
    try:
        opened.check()
        _topology(layout, opened, base_port, topology)  # what is refused is refused before anything is made
        layout.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(layout):
            chosen = _topology(layout, opened, base_port, topology)
            if not opened.is_running():
                prepare(layout, chosen, progress=progress, has_ledger=opened.has_ledger())
                write_choice(layout.engine, choice)
                if chaincodes is not None:
                    write_servers(layout.chaincodes, chaincodes)
            return _finish(layout, opened, chosen, progress)
    except OSError as error:
        raise ConsortiumError(f"the consortium in {layout.root} cannot be brought up: {error}") from error


def down(layout: Layout) -> bool:
    """Stop the consortium of a data folder and wait until it has ended; False if none was running."""
    return open_engine(layout).stop()


def status(layout: Layout) -> dict[str, Any]:
    """Return the consortium's status; raises NotRunningError, ConsortiumError."""
    return open_engine(layout).status()


def prepare(layout: Layout, topology: Topology, *, progress: Progress, has_ledger: bool = False) -> None:
    """Make what a consortium needs before it can start, but for what is there: topology, keys, genesis block.

    Where bundles of other members were received, keys are made for nobody, and the genesis block is the members' to
    build or to fetch. One that a ledger began with, `has_ledger`, stays. Raises ConsortiumError, OSError.
    """
    if not layout.topology.exists() or read_topology(layout.topology) != topology:
        if not has_ledger:
            layout.genesis.unlink(missing_ok=True)  # it names the ports
        write_topology(layout.topology, topology)
    now = datetime.now(UTC)
    for member in topology.members:
        if not is_here(layout, member) and not layout.bundles.exists():
            progress(f"making the keys of {member.name_en}")
            create_member(layout.members, member, now=now)
        elif is_here(layout, member) and complete_witness(
            layout.members / member.id, member, now, CERTIFICATE_DAYS
        ):
            progress(f"making the witness keys of {member.name_en}")
    if not layout.genesis.exists():
        bundles = [bundle_of(layout, member) for member in topology.members]
        if has_ledger or layout.bundles.exists():
            raise ConsortiumError(
                f"no genesis block in {layout.root}: `shirushi channel genesis` builds that of a channel which has not begun "
                "yet, `shirushi channel fetch` gets that of one which runs; compare its fingerprint by phone"
            )
        progress("building the genesis block from the members' public bundles")
        block = build(topology, bundles)
        write_atomically(layout.genesis, block.SerializeToString(deterministic=True))


def _topology(layout: Layout, engine: Engine, base_port: int | None, wanted: Topology | None) -> Topology:
    """Return the topology to start, or that of what runs already; raises PortInUseError before anything is made.

    The ports of a consortium are in its genesis block: they can be chosen as long as there is no ledger.
    """
    known = read_topology(layout.topology) if layout.topology.exists() else None
    if wanted not in (None, known) and engine.has_ledger():
        raise ConsortiumError(
            f"the consortium in {layout.root} has another topology: leave --topology out, or use another data folder"
        )
    if known is not None and engine.is_running():
        return known
    known = wanted or known
    if known is None:
        topology = with_ports(default_topology(), base_port)
    elif not base_port or base_port == known.members[0].peer.port:
        topology = known
    elif not engine.has_ledger():
        topology = with_ports(known, base_port)
    else:
        raise ConsortiumError(
            f"the consortium in {layout.root} has its ports from {known.members[0].peer.port} on: "
            "leave --base-port out, or use another data folder"
        )
    other_ports = "" if engine.has_ledger() else ", or choose other ports with --base-port"
    ours = members_here(layout, topology.members) or topology.members
    check_ports(ours, f"stop what uses it{other_ports}", nodes=engine.listeners())
    return topology


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


def _finish(layout: Layout, engine: Engine, topology: Topology, progress: Progress) -> dict[str, Any]:
    """Start what does not run, and make it a consortium that can issue; stops what was begun where that fails."""
    was_running = engine.is_running()
    ready = engine.start(topology, progress)
    try:
        if ready and len(members_here(layout, topology.members)) >= topology.majority:
            progress("registering the city as an issuer")
            asyncio.run(register_city(layout, topology))
        if make_first_policy(layout, topology, datetime.now(UTC)):
            progress("signing the trust policy as all members")
        elif is_behind(layout, topology, datetime.now(UTC)):
            progress(
                "the trust policy names other members, keys or seals: `shirushi channel policy` makes the next"
            )
        write_profiles(layout, topology)
        write_connection(layout, topology)
        return engine.status()
    except BaseException:
        if not was_running:
            engine.stop()
        raise
