"""Nodes as containers of the official images: what each is given, for docker-compose.fabric.yml and for the engine.

Containers use the host's network, so that one topology file holds for processes and containers alike and members on
machines of their own reach each other by the addresses that the genesis block names (docs/adr/0008).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from shirushi_network.fabric.nodes import Node, NodeKind, NodePaths, nodes_of
from shirushi_network.fabric.service import FILE
from shirushi_network.member_keys import ANCHORS, ORDERER, PEER
from shirushi_network.member_parts import WITNESS_FOLDER
from shirushi_network.topology import Topology

PROJECT = "shirushi"
FABRIC_TAG = "3.1"
IMAGES = {
    NodeKind.ORDERER: f"hyperledger/fabric-orderer:{FABRIC_TAG}",
    NodeKind.PEER: f"hyperledger/fabric-peer:{FABRIC_TAG}",
    NodeKind.CHAINCODE: "shirushi/chaincode:latest",
    NodeKind.WITNESS: "shirushi/witness:latest",
}
DOCKERFILES = {NodeKind.CHAINCODE: "chaincode/Dockerfile", NodeKind.WITNESS: "network/Dockerfile"}
"""What builds the images that are ours."""

INSIDE = NodePaths(PurePosixPath("/var/shirushi"))
"""Where containers see the data folder; each sees only its own keys and its own node's folder of it."""

_DATA = "${SHIRUSHI_DATA:?names the data folder}"
"""Compose refuses to run without it: it is never a folder of where one stands."""

_HEAD = """\
# Rendered from the topology: change that, not this. A test holds the two against each other.
# `shirushi consortium up --engine compose` makes the keys and the genesis block, runs these containers and has them join.
# Afterwards `docker compose -f docker-compose.fabric.yml up -d` does for restarts: SHIRUSHI_DATA names that data folder,
# SHIRUSHI_USER is uid:gid of its owner. Our own images: docker build -f chaincode/Dockerfile -t shirushi/chaincode .
# and docker build -f network/Dockerfile -t shirushi/witness .
"""


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder of the data folder, by its path below it, and whether the node may write there."""

    path: str
    writable: bool

    @property
    def inside(self) -> str:
        """Where the container sees it."""
        return str(INSIDE.data / self.path)


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One node's container."""

    node: Node
    image: str
    command: tuple[str, ...]  # empty: the image's own
    mounts: tuple[Mount, ...]
    environment: tuple[tuple[str, str], ...] = ()
    environment_file: str | None = None  # below the data folder

    @property
    def working_folder(self) -> str:
        """Where the node starts."""
        return str(INSIDE.of(self.node))


def container_spec(node: Node) -> ContainerSpec:
    """Return what a node's container is given."""
    member, home = node.member, f"members/{node.member.id}"
    own = f"nodes/{member.id}/{node.kind}"
    if node.kind is NodeKind.CHAINCODE:
        return ContainerSpec(
            node,
            IMAGES[node.kind],
            (),
            (Mount(f"{home}/chaincodes/{ANCHORS}", writable=False),),
            environment_file=f"{own}/{FILE}",
        )
    if node.kind is NodeKind.WITNESS:
        return ContainerSpec(
            node,
            IMAGES[node.kind],
            (str(INSIDE.of(node)),),
            (
                Mount(f"{home}/{WITNESS_FOLDER}", writable=False),
                Mount(f"{home}/users/client", writable=False),
                Mount(own, writable=True),
            ),
        )
    keys = f"{home}/orderers/{ORDERER}" if node.kind is NodeKind.ORDERER else f"{home}/peers/{PEER}"
    return ContainerSpec(
        node,
        IMAGES[node.kind],
        ("orderer",) if node.kind is NodeKind.ORDERER else ("peer", "node", "start"),
        (Mount(keys, writable=False), Mount(own, writable=True)),
        (("FABRIC_CFG_PATH", str(INSIDE.of(node))),),
    )


def compose_file(topology: Topology) -> bytes:
    """Return docker-compose.fabric.yml for all members of a topology."""
    services = {node.id: _service(container_spec(node)) for node in nodes_of(topology.members)}
    content = {"name": PROJECT, "services": services}
    return (
        _HEAD + yaml.dump(content, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)
    ).encode()


def container_name(project: str, node: Node) -> str:
    """Return a container's name: shirushi-peer.iizuka."""
    return f"{project}-{node.id}"


def bind_mounts(spec: ContainerSpec, data: Path) -> Sequence[tuple[Path, Mount]]:
    """Return each mount with its folder on this machine."""
    return [(data / mount.path, mount) for mount in spec.mounts]


class _Plain(yaml.SafeDumper):
    """Writes lists in full instead of by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _service(spec: ContainerSpec) -> dict[str, Any]:
    service: dict[str, Any] = {"image": spec.image}
    if spec.command:
        service["command"] = list(spec.command)
    service |= {
        "container_name": container_name(PROJECT, spec.node),
        "network_mode": "host",
        "user": "${SHIRUSHI_USER:-0:0}",
        "working_dir": spec.working_folder if spec.environment_file is None else "/",
        "restart": "unless-stopped",
        "stop_grace_period": "30s",
    }
    if spec.environment:
        service["environment"] = dict(spec.environment)
    if spec.environment_file is not None:
        service["env_file"] = [f"{_DATA}/{spec.environment_file}"]
    service["volumes"] = [
        f"{_DATA}/{mount.path}:{mount.inside}" + ("" if mount.writable else ":ro") for mount in spec.mounts
    ]
    return service
