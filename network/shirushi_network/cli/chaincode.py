"""`shirushi chaincode`: what the channel runs, who approved it, and the next version of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from shirushi_client.cli import options
from shirushi_client.cli.output import note, print_json, say, shortened, show_rows
from shirushi_client.cli.output_files import write_output
from shirushi_network import bring_up
from shirushi_network.cli.data_folder import layout_of, topology_of
from shirushi_network.engine import EngineName, read_choice
from shirushi_network.errors import ConsortiumError
from shirushi_network.fabric.deployment import anchors_package, deployments
from shirushi_network.fabric.deployment_status import DeploymentStatus, deployment_status
from shirushi_network.layout import Layout
from shirushi_network.topology import Topology
from shirushi_network.topology_file import write_topology

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Show, package and upgrade the chaincode of a consortium on real Fabric.",
)


@app.command()
def status(data: options.Data = None, as_json: options.Json = False) -> None:
    """Show the committed definition, who approved the one that the topology asks for, and what is installed here.

    Example:
      shirushi chaincode status
    """
    layout = _layout(data)
    topology = topology_of(layout)
    wanted, *_ = deployments(topology, {})
    found = asyncio.run(deployment_status(layout, topology, wanted))
    if as_json:
        print_json(_to_json(found))
        return
    committed = found.committed
    say(
        f"{found.name} is not committed yet"
        if committed is None
        else f"{found.name} {committed.version}, sequence {committed.sequence}, is committed"
    )
    if committed is None or committed.sequence < wanted.definition.sequence:
        say(
            f"the topology asks for version {wanted.definition.version}, sequence {wanted.definition.sequence}; "
            f"{topology.majority} of {len(topology.members)} members have to approve"
        )
    show_rows(
        ("member", "approved", "installed", "package"),
        [
            (
                each.member_id,
                _yes(each.approved),
                _yes(each.installed),
                shortened(found.package_id.rpartition(":")[2]),
            )
            for each in found.members
        ],
    )


@app.command()
def package(
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="FILE", help="Where to. Default: LABEL.tar.gz here.", show_default=False
        ),
    ] = None,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Write the chaincode's package, the same bytes at every member; for other tools: `consortium up` installs it.

    Example:
      shirushi chaincode package -o anchors.tar.gz
    """
    made = anchors_package(topology_of(_layout(data)).anchors)
    path = out or Path(f"{made.label}.tar.gz")
    write_output(path, made.content)
    if as_json:
        print_json({"file": str(path), "label": made.label, "package_id": made.package_id})
    else:
        say(f"{path}   {made.package_id}")


@app.command()
def upgrade(
    version: Annotated[
        str | None, typer.Option("--version", help="The new version. Default: as it is.", show_default=False)
    ] = None,
    endorsement: Annotated[
        str | None,
        typer.Option(
            "--endorsement",
            metavar="POLICY",
            help="Who has to endorse: majority, or a signature policy. Default: as it is.",
            show_default=False,
        ),
    ] = None,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Take the chaincode to its next sequence: approve it for the members here, commit it once a majority has.

    Every member gives the same command on its own machine, after it has installed the new software; the one whose
    approval makes the majority commits. The topology file is changed with it. Members that approved before the commit
    run `shirushi consortium up` after it, so that their services serve the new version.

    Examples:
      shirushi chaincode upgrade --version 1.1
      shirushi chaincode upgrade --endorsement "OutOf(4, 'IizukaMSP.peer', ...)"
    """
    layout = _layout(data)
    topology = topology_of(layout)
    if version is None and endorsement is None:
        raise ConsortiumError("nothing to upgrade: name --version or --endorsement")
    changed = _next(topology, version, endorsement)
    write_topology(layout.topology, changed)
    try:
        bring_up.up(layout, base_port=None, progress=note)
    except ConsortiumError:
        wanted, *_ = deployments(changed, {})
        if not asyncio.run(deployment_status(layout, changed, wanted)).approved_by_any:
            write_topology(layout.topology, topology)
        raise
    wanted, *_ = deployments(changed, {})
    found = asyncio.run(deployment_status(layout, changed, wanted))
    if as_json:
        print_json(_to_json(found))
    elif found.committed is not None and found.committed.sequence == wanted.definition.sequence:
        say(f"{found.name} {wanted.definition.version}, sequence {wanted.definition.sequence}, is committed")
    else:
        say("approved here; it is committed when a majority has approved (shirushi chaincode status)")


def _next(topology: Topology, version: str | None, endorsement: str | None) -> Topology:
    anchors = topology.anchors
    return replace(
        topology,
        anchors=replace(
            anchors,
            version=version or anchors.version,
            endorsement=endorsement or anchors.endorsement,
            sequence=anchors.sequence + 1,
        ),
    )


def _layout(data: Path | None) -> Layout:
    layout = layout_of(data)
    topology_of(layout)  # a folder without a consortium is named as that
    choice = read_choice(layout.engine)
    if choice is None or choice.name is EngineName.EMBEDDED:
        raise ConsortiumError(
            f"the consortium in {layout.root} is embedded: its chaincode is part of the node, and needs no lifecycle"
        )
    return layout


def _yes(value: bool | None) -> str:
    return "—" if value is None else "yes" if value else "no"


def _to_json(found: DeploymentStatus) -> dict[str, Any]:
    committed = found.committed
    return {
        "name": found.name,
        "package_id": found.package_id,
        "committed": None
        if committed is None
        else {"version": committed.version, "sequence": committed.sequence},
        "members": [
            {"id": each.member_id, "approved": each.approved, "installed": each.installed}
            for each in found.members
        ],
    }
