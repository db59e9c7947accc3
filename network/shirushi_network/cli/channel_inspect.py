"""`shirushi channel inspect` and `fetch`: a channel's configuration for people to look at, and its blocks."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from shirushi_client.cli import options
from shirushi_client.cli.output import print_json, say
from shirushi_core.fabric.member_bundle import MemberBundle
from shirushi_network.channel_inspection import Inspection, inspect_channel
from shirushi_network.cli.data_folder import layout_of, topology_of
from shirushi_network.cli.show_fingerprint import say_fingerprint
from shirushi_network.config_blocks import ConfigBlock, config_history, newest_config, read_config_block
from shirushi_network.errors import ConsortiumError
from shirushi_network.files import write_atomically
from shirushi_network.layout import Layout
from shirushi_network.member_bundle import bundle_of
from shirushi_network.topology import Topology
from shirushi_network.topology_file import read_topology


def inspect_command(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="A genesis or config block. Default: genesis.block in the data folder.",
            show_default=False,
        ),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="The channel's configuration as it is now, from a member's peer.")
    ] = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Show what a genesis or config block says, with warnings, and the fingerprint to read out over the phone.

    Warnings are of certificates that expire, and of differences to topology.toml and the members' bundles here.

    Examples:
      shirushi channel inspect
      shirushi channel inspect received.block
      shirushi channel inspect --live --json
    """
    layout = layout_of(data)
    topology = read_topology(layout.topology) if layout.topology.exists() else None
    if live and file is not None:
        raise ConsortiumError("--live is the channel's own configuration: name no file with it")
    if live:
        found = asyncio.run(newest_config(layout, topology_of(layout)))
        source = "the channel"
    else:
        path = layout.genesis if file is None else file
        found = read_config_block(path, None if topology is None else topology.channel)
        source = str(path)
    inspection = inspect_channel(found.config, topology, _bundles(layout, topology), datetime.now(UTC))
    if as_json:
        print_json(_to_json(found, inspection, topology, source))
        return
    say(f"block {found.number} of {found.config.channel_id}, from {source}")
    say_fingerprint(found.fingerprint)
    for section in inspection.sections:
        say(f"\n{section.title}")
        for line in section.lines:
            say(f"  {line}")
    say("\nwarnings" if inspection.warnings else "\nno warnings")
    for warning in inspection.warnings:
        say(f"  {warning}")


def fetch_command(
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help="Where to. Default: join.block, and genesis.block if there is none, in the data folder.",
            show_default=False,
        ),
    ] = None,
    genesis: Annotated[
        bool, typer.Option("--genesis/--newest-config", help="Which block to write to FILE.")
    ] = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Get the channel's newest config block, checked back to the genesis block; for a member that comes later.

    Each config block has to be signed by a quorum of the orderers before it. An orderer joins with the newest one
    (join.block), a peer with the genesis block: compare that one's fingerprint with another member by phone.

    Examples:
      shirushi channel fetch
      shirushi channel fetch --newest-config -o newest.block
    """
    layout = layout_of(data)
    history = asyncio.run(config_history(layout, topology_of(layout)))
    first, newest = history[0], history[-1]
    _check_genesis(layout, first)
    written: dict[str, ConfigBlock] = {}
    if out is not None:
        written[str(out)] = first if genesis else newest
    else:
        if not layout.genesis.exists():
            written[str(layout.genesis)] = first
        written[str(layout.join_block)] = newest
    for path, block in written.items():
        write_atomically(Path(path), block.to_bytes())
    if as_json:
        print_json(
            {
                "channel": first.config.channel_id,
                "files": {path: block.number for path, block in written.items()},
                "fingerprint": newest.fingerprint.hex(),
                "genesis_fingerprint": first.fingerprint.hex(),
                "number": newest.number,
                "sequence": newest.config.sequence,
            }
        )
        return
    for path, block in written.items():
        say(f"block {block.number:<7} {path}")
    say(f"configuration {newest.config.sequence}, each signed by a quorum of the orderers before it\n")
    say("genesis block")
    say_fingerprint(first.fingerprint)
    say("\nnext: compare this fingerprint with another member by phone, then `shirushi consortium up`")


def _check_genesis(layout: Layout, first: ConfigBlock) -> None:
    """Refuse a channel that began with another block than the one here; raises ConsortiumError."""
    if not layout.genesis.exists():
        return
    here = read_config_block(layout.genesis)
    if here.fingerprint != first.fingerprint:
        raise ConsortiumError(
            f"the channel began with another block than {layout.genesis}: ask another member for its fingerprint "
            "(`shirushi channel inspect`), and delete the file if it is the wrong one"
        )


def _bundles(layout: Layout, topology: Topology | None) -> dict[str, MemberBundle]:
    found = {}
    for member in topology.members if topology is not None else ():
        try:
            found[member.msp_id] = bundle_of(layout, member)
        except ConsortiumError:
            continue
    return found


def _to_json(
    found: ConfigBlock, inspection: Inspection, topology: Topology | None, source: str
) -> dict[str, Any]:
    config = found.config
    known = {} if topology is None else {member.msp_id: member for member in topology.members}
    return {
        "channel": config.channel_id,
        "source": source,
        "number": found.number,
        "sequence": config.sequence,
        "fingerprint": found.fingerprint.hex(),
        "members": [
            {
                "msp_id": msp_id,
                "id": known[msp_id].id if msp_id in known else None,
                "name": known[msp_id].name_en if msp_id in known else None,
                "orderer": next(
                    (f"{each.host}:{each.port}" for each in config.consenters if each.msp_id == msp_id), None
                ),
            }
            for msp_id in sorted({*config.application_orgs, *config.orderer_orgs})
        ],
        "sections": [{"title": each.title, "lines": list(each.lines)} for each in inspection.sections],
        "warnings": list(inspection.warnings),
    }
