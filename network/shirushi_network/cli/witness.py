"""`shirushi witness`: one member's witness, run by itself."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from shirushi_client.cli import options
from shirushi_core.shown import log_handler
from shirushi_network.cli.data_folder import layout_of, topology_of
from shirushi_network.engine import EngineName, read_choice
from shirushi_network.errors import ConsortiumError
from shirushi_network.layout import Layout
from shirushi_network.lock import lock_holder, single_process
from shirushi_network.member_access import members_here
from shirushi_network.topology import Member, Topology
from shirushi_network.witness_configuration import DATA, GENESIS, witness_configuration, write_configuration
from shirushi_network.witness_process import run_witness
from shirushi_network.witness_settings import read_settings

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Run a member's witness: it follows the member's peer, keeps the log, and signs its heads.",
)


@app.callback()
def _witness() -> None:
    pass


@app.command()
def run(
    member_id: Annotated[
        str | None,
        typer.Option(
            "--member",
            metavar="ID",
            help="Whose. Default: the one member whose keys are here.",
            show_default=False,
        ),
    ] = None,
    data: options.Data = None,
) -> None:
    """Run a member's witness in the foreground, until SIGTERM or Ctrl-C; it logs to standard error.

    `shirushi consortium up` runs it in the background; this is for service managers, and for looking closely.

    Examples:
      shirushi witness run
      shirushi witness run --member haw --data /srv/shirushi
    """
    layout = layout_of(data)
    topology = topology_of(layout)
    choice = read_choice(layout.engine)
    if layout.ledger.exists() if choice is None else choice.name is EngineName.EMBEDDED:
        raise ConsortiumError(
            f"the consortium in {layout.root} is embedded: its witnesses run in its own process, from `shirushi consortium "
            "up` on"
        )
    if not layout.genesis.exists():
        raise ConsortiumError(
            f"no genesis block in {layout.root}: `shirushi channel genesis` or `channel fetch` first"
        )
    member = _chosen(layout, topology, member_id)
    folder = layout.nodes / member.id / "witness"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    holder = lock_holder(folder / "lock")
    if holder is not None:
        raise ConsortiumError(f"the witness of {member.id} runs already, as process {holder}")
    with single_process(folder / "lock"):
        configuration = witness_configuration(
            layout,
            topology,
            member,
            home=layout.members / member.id,
            data=folder / DATA,
            genesis=folder / GENESIS,
            policy=layout.trust_policy,
        )
        write_configuration(folder, configuration, layout.genesis.read_bytes())
        logging.basicConfig(level=logging.INFO, handlers=[log_handler()])
        run_witness(read_settings(folder))


def _chosen(layout: Layout, topology: Topology, member_id: str | None) -> Member:
    here = [member for member in members_here(layout, topology.members) if member.witness is not None]
    if member_id is None:
        if len(here) != 1:
            known = ", ".join(member.id for member in here) or "none"
            raise ConsortiumError(f"name one of the members with a witness here ({known}) with --member")
        return here[0]
    member = topology.member(member_id)
    if member not in here:
        why = "it runs no witness" if member.witness is None else "its keys are not on this machine"
        raise ConsortiumError(f"the witness of {member_id} cannot run here: {why}")
    return member
