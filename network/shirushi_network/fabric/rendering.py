"""Writing what nodes are given below the data folder: configurations, the external builder, service variables, targets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from shirushi_network.fabric.builder import CONNECTIONS, write_builder, write_connection
from shirushi_network.fabric.configuration import orderer_configuration, peer_configuration
from shirushi_network.fabric.containers import compose_file
from shirushi_network.fabric.deployment import anchors_package
from shirushi_network.fabric.nodes import Node, NodeKind, NodePaths, node_folder, nodes_of
from shirushi_network.fabric.service import (
    FILE,
    PACKAGE_ID,
    read_service_environment,
    render_service_environment,
    service_environment,
)
from shirushi_network.files import write_atomically
from shirushi_network.layout import Layout
from shirushi_network.member_access import tls_roots
from shirushi_network.topology import Member, Topology
from shirushi_network.witness_configuration import (
    DATA,
    GENESIS,
    hand_out_policy,
    witness_configuration,
    write_configuration,
)


def write_nodes(layout: Layout, topology: Topology, members: Sequence[Member], paths: NodePaths) -> None:
    """Write everything the nodes of these members need besides their keys; what is there is written anew.

    A chaincode service goes on serving the package it was told to serve, until another is committed (`serve_package`).
    """
    package = anchors_package(topology.anchors)
    for node in nodes_of(members):
        member, folder = node.member, node_folder(layout.root, node)
        (folder / "data").mkdir(mode=0o700, parents=True, exist_ok=True)
        if node.kind is NodeKind.ORDERER:
            write_atomically(folder / "orderer.yaml", orderer_configuration(member, paths))
        elif node.kind is NodeKind.CHAINCODE:
            served = (
                read_service_environment(folder)[PACKAGE_ID]
                if (folder / FILE).exists()
                else package.package_id
            )
            _write_service(folder, service_environment(member, served, paths))
        elif node.kind is NodeKind.WITNESS:
            own = paths.of(node)
            configuration = witness_configuration(
                layout,
                topology,
                member,
                home=paths.home(member),
                data=own / DATA,
                genesis=own / GENESIS,
                # A process reads the data folder's; a container, which does not see that, its copy.
                policy=layout.trust_policy if paths.data == layout.root else own / layout.trust_policy.name,
            )
            write_configuration(folder, configuration, layout.genesis.read_bytes())
        else:
            write_atomically(folder / "core.yaml", peer_configuration(topology, member, paths))
            write_builder(folder / "builder")
            labels = {path.stem for path in (folder / "builder" / CONNECTIONS).glob("*.json")}
            for label in sorted(labels | {package.label}):
                write_connection(folder, member, layout.members / member.id, label)
    hand_out_policy(layout)
    write_atomically(layout.root / "docker-compose.fabric.yml", compose_file(topology))
    write_atomically(layout.root / "prometheus-targets.json", monitoring_targets(members))
    write_atomically(layout.root / "prometheus-ca.pem", b"".join(tls_roots(layout, each) for each in members))


def serve_package(layout: Layout, member: Member, package_id: str) -> None:
    """Have a member's chaincode service serve another package from its next start on."""
    folder = node_folder(layout.root, Node(member, NodeKind.CHAINCODE))
    _write_service(folder, read_service_environment(folder) | {PACKAGE_ID: package_id})


def served_package(layout: Layout, member: Member) -> str:
    """Return the package id that a member's chaincode service is told to serve; raises ConsortiumError."""
    folder = node_folder(layout.root, Node(member, NodeKind.CHAINCODE))
    return read_service_environment(folder)[PACKAGE_ID]


def _write_service(folder: Path, variables: Mapping[str, str]) -> None:
    write_atomically(folder / FILE, render_service_environment(variables))


def monitoring_targets(members: Sequence[Member]) -> bytes:
    """Return what Prometheus's file_sd_configs reads: every node's metrics on 127.0.0.1 of its machine.

    A witness has them on its own address, over TLS: prometheus-ca.pem is what to trust.
    """
    targets = [_target(node) for node in nodes_of(members)]
    return json.dumps(targets, indent=2).encode() + b"\n"


def _target(node: Node) -> dict[str, object]:
    labels = {"member": node.member.id, "msp_id": node.member.msp_id, "node": node.kind.value}
    if node.kind is NodeKind.WITNESS and node.member.witness is not None:
        return {"targets": [node.member.witness.address], "labels": labels | {"__scheme__": "https"}}
    return {"targets": [f"127.0.0.1:{node.operations_port}"], "labels": labels}
