"""`shirushi consortium`: bring the embedded consortium up and down, show it, stop and start single members."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from shirushi_client.cli import options
from shirushi_client.cli.output import command_name, console, note, print_json, table
from shirushi_client.profile import data_folder
from shirushi_network import bring_up
from shirushi_network.chaincode_servers import parse_servers
from shirushi_network.control import ask
from shirushi_network.errors import ConsortiumError
from shirushi_network.layout import Layout
from shirushi_network.ports import DEFAULT_BASE_PORT

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Bring the consortium of one machine up or down, or show its status.",
)

MemberId = Annotated[str, typer.Argument(metavar="MEMBER", help="A member's id, as `status` shows it.")]


@app.command()
def up(
    data: options.Data = None,
    base_port: Annotated[
        int | None,
        typer.Option(
            "--base-port",
            min=0,
            max=65000,
            help=f"The first of ten ports of a new consortium; 0 takes any free ones. "
            f"Default: {DEFAULT_BASE_PORT}.",
            show_default=False,
        ),
    ] = None,
    chaincode: Annotated[
        list[str] | None,
        typer.Option(
            "--chaincode",
            metavar="NAME=HOST:PORT",
            help="A further chaincode and the server that runs it; may be given several times.",
            show_default=False,
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Start the consortium in the background, and make it first if the folder has none.

    Makes each member's keys, builds the genesis block, starts five peers and orderers in one process, and registers
    the city as an issuer. A consortium that runs already is left as it is.

    Examples:
      shirushi consortium up
      shirushi consortium up --data trial --base-port 27050
      shirushi consortium up --chaincode basic=127.0.0.1:9999
    """
    layout = _layout(data)
    servers = parse_servers(chaincode) if chaincode else None
    status = bring_up.up(layout, base_port=base_port, progress=note, chaincodes=servers)
    if as_json:
        print_json({**status, "data": str(layout.root)})
        return
    _show(status)
    out = console()
    out.print(f"\nkeys          {layout.members} (private keys are readable by you only)")
    out.print(f"connection    {layout.connection}")
    out.print(f"log           {layout.log}")
    flag = "" if data is None else f" --data {layout.root}"
    out.print(f"\nnext: {command_name()} issue FILE --type income-certificate{flag}")


@app.command()
def down(data: options.Data = None, as_json: options.Json = False) -> None:
    """Stop the consortium; its ledger and keys stay.

    Example:
      shirushi consortium down
    """
    was_running = bring_up.down(_layout(data))
    if as_json:
        print_json({"was_running": was_running})
    else:
        note("the consortium has stopped" if was_running else "no consortium was running")


@app.command()
def status(data: options.Data = None, as_json: options.Json = False) -> None:
    """Show the members, where they listen, and the ledger's height.

    Example:
      shirushi consortium status --json
    """
    layout = _layout(data)
    found = bring_up.status(layout)
    if as_json:
        print_json({**found, "data": str(layout.root)})
    else:
        _show(found)


@app.command()
def stop(member: MemberId, data: options.Data = None, as_json: options.Json = False) -> None:
    """Stop one member, to see how the others go on without it.

    Example:
      shirushi consortium stop kaguya
    """
    ask(_layout(data).control_socket, {"do": "stop_member", "member": member})
    if as_json:
        print_json({"member": member, "running": False})
    else:
        note(f"{member} has stopped")


@app.command()
def start(member: MemberId, data: options.Data = None, as_json: options.Json = False) -> None:
    """Start a member that was stopped.

    Example:
      shirushi consortium start kaguya
    """
    ask(_layout(data).control_socket, {"do": "start_member", "member": member})
    if as_json:
        print_json({"member": member, "running": True})
    else:
        note(f"{member} has started")


def _layout(data: Path | None) -> Layout:
    root = data_folder(data).absolute()
    if root.exists() and not root.is_dir():
        raise ConsortiumError(f"{root} is not a folder: name the consortium's data folder with --data")
    return Layout(root)


def _show(found: dict[str, Any]) -> None:
    out = console()
    out.print(f"channel {found['channel']}   height {found['height']}   process {found['pid']}\n")
    members = table("member", "MSP id", "peer", "orderer", "")
    for member in found["members"]:
        state = "[green]running[/]" if member["running"] else "[red]stopped[/]"
        members.add_row(member["id"], member["msp_id"], member["peer"], member["orderer"], state)
    out.print(members)
