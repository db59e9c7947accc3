"""The ports of a consortium on one machine: choosing them, and finding one that is taken before anything is made."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from shirushi_network.errors import ConsortiumError
from shirushi_network.topology import PORTS_USED, Member, Topology, is_loopback, member_on

DEFAULT_BASE_PORT = 17050
PORTS_PER_MEMBER = 10
"""How far apart members' first ports are."""

# Below what Linux and macOS hand out for outgoing connections: such a port may be taken again after a restart.
_FREE = range(20_000, 32_000)


class PortInUseError(ConsortiumError):
    """A port that a member's node is to listen on and cannot."""


def with_ports(topology: Topology, base_port: int | None) -> Topology:
    """Return the topology with its ports from `base_port` on (None: the default; 0: any free ones)."""
    if base_port == 0:
        ports = free_ports(PORTS_USED * len(topology.members))
    else:
        first = DEFAULT_BASE_PORT if base_port is None else base_port
        ports = [
            first + PORTS_PER_MEMBER * i + j for i in range(len(topology.members)) for j in range(PORTS_USED)
        ]
    members = tuple(
        _on_ports(member, ports[PORTS_USED * i : PORTS_USED * (i + 1)])
        for i, member in enumerate(topology.members)
    )
    return replace(topology, members=members)


def _on_ports(member: Member, ports: Sequence[int]) -> Member:
    moved = member_on(member.id, member.msp_id, member.name_ja, member.name_en, member.peer.host, ports)
    return replace(
        moved,
        orderer=moved.orderer if member.orderer else None,
        witness=moved.witness if member.witness else None,
    )


def free_ports(count: int) -> list[int]:
    """Return ports of this machine's loopback, one after the other, that nothing listens on now.

    In a row, because two who choose at the same time then hardly ever choose the same. Raises PortInUseError.
    """
    starts = range(_FREE.start, _FREE.stop - count + 1)
    for start in random.sample(starts, len(starts)):
        ports = range(start, start + count)
        if all(_problem("127.0.0.1", port) is None for port in ports):
            return list(ports)
    raise PortInUseError(
        f"expected {count} free ports in a row from {_FREE.start} to {_FREE.stop - 1}, found fewer"
    )


def check_ports(members: Iterable[Member], advice: str, *, nodes: Collection[str] | None = None) -> None:
    """Raise PortInUseError, naming member and port, unless every node can listen on this machine.

    `nodes` are the listeners to look at, by their names in Member.listeners(); None is all of them.
    """
    for member in members:
        for node, host, port in member.listeners():
            problem = _problem(host if is_loopback(host) else "0.0.0.0", port)  # noqa: S104
            if problem is not None and (nodes is None or node in nodes):
                raise PortInUseError(
                    f"the {node} of {member.name_en} cannot listen on port {port} of {host}: {problem}; {advice}"
                )


def _problem(host: str, port: int) -> str | None:
    """Say why a port cannot be listened on, None if it can."""
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        return os.strerror(error.errno).lower() if error.errno else str(error)
    return None
