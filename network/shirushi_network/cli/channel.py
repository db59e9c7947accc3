"""`shirushi channel`: the channel's genesis block, which every member builds for itself, and what changes after it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from shirushi_client.cli import options
from shirushi_client.cli.output import print_json, say, show_rows
from shirushi_core.fabric.block import header_hash
from shirushi_network.cli.channel_changes import (
    add_member_command,
    remove_member_command,
    rotate_command,
    set_blocks_command,
)
from shirushi_network.cli.channel_inspect import fetch_command, inspect_command
from shirushi_network.cli.channel_passing import sign_command, submit_command
from shirushi_network.cli.channel_policy import policy_command
from shirushi_network.cli.data_folder import layout_of, topology_of
from shirushi_network.cli.show_fingerprint import say_fingerprint
from shirushi_network.engines import open_engine
from shirushi_network.fingerprints import grouped
from shirushi_network.genesis_ceremony import build, collect, write_genesis
from shirushi_network.member_bundle import fingerprint

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Build the channel's genesis block, look at its configuration, and change it and the trust policy with the other "
    "members.",
)

app.command("inspect")(inspect_command)
app.command("fetch")(fetch_command)
app.command("add-member")(add_member_command)
app.command("remove-member")(remove_member_command)
app.command("rotate")(rotate_command)
app.command("set-blocks")(set_blocks_command)
app.command("sign")(sign_command)
app.command("submit")(submit_command)
app.command("policy")(policy_command)


@app.callback()
def _channel() -> None:
    pass


@app.command()
def genesis(
    data: options.Data = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help="Where to. Default: genesis.block in the data folder.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Replace another block, as long as there is no ledger that began with it."
        ),
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Build the genesis block from all members' bundles, each checked first.

    Every member builds it on its own machine. The same topology and bundles give the same block: compare its
    fingerprint with the other members by phone before anyone starts a node.

    Example:
      shirushi channel genesis
    """
    layout = layout_of(data)
    topology = topology_of(layout)
    contributions = collect(layout, topology, datetime.now(UTC))
    block = build(topology, [each.bundle.material for each in contributions])
    path = layout.genesis if out is None else out.absolute()
    has_ledger = path == layout.genesis and open_engine(layout).has_ledger()
    is_written = write_genesis(path, block, force=force, has_ledger=has_ledger)
    digest = header_hash(block.header)
    if as_json:
        print_json(
            {
                "channel": topology.channel,
                "file": str(path),
                "fingerprint": digest.hex(),
                "written": is_written,
                "members": [
                    {
                        "id": each.bundle.member.id,
                        "fingerprint": fingerprint(each.bundle).hex(),
                        "keys_here": each.local,
                    }
                    for each in contributions
                ],
            }
        )
        return
    show_rows(
        ("member", "bundle from", "fingerprint"),
        [
            (
                each.bundle.member.id,
                "this machine" if each.local else "the member",
                grouped(fingerprint(each.bundle)),
            )
            for each in contributions
        ],
        wrapped=("fingerprint",),
    )
    say(f"\ngenesis block {path}{'' if is_written else ' (is there already, the same)'}")
    say_fingerprint(digest)
    say("\nnext: compare this fingerprint with every other member by phone before anyone starts a node")
