"""`shirushi consortium`: bring a consortium up and down, on any engine; show it; stop and start single members."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
from rich.markup import escape

from shirushi_client.cli import options
from shirushi_client.cli.output import command_name, console, note, plain, print_json, say_line, table
from shirushi_core.shown import shown
from shirushi_network import bring_up
from shirushi_network.chaincode_servers import parse_servers
from shirushi_network.cli.data_folder import layout_of
from shirushi_network.engine import EngineChoice, EngineName
from shirushi_network.engines import open_engine
from shirushi_network.errors import ConsortiumError
from shirushi_network.ports import DEFAULT_BASE_PORT
from shirushi_network.topology_file import read_topology
from shirushi_network.witness_status import witness_problems

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Bring the consortium of this machine up or down, or show its status.",
)

MemberId: TypeAlias = Annotated[
    str, typer.Argument(metavar="MEMBER", help="A member's id, as `status` shows it.")
]
Kind: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--node",
        metavar="KIND",
        help="Only its peer, orderer, chaincode or witness; embedded: only its witness.",
        show_default=False,
    ),
]
LOW_DAYS = 30
"""From so many days before a certificate expires `status` shows it in yellow."""


@app.command()
def up(
    data: options.Data = None,
    engine: Annotated[
        EngineName | None,
        typer.Option(
            "--engine",
            help="What runs the members: one process, Fabric's programs on this machine, or containers of Fabric's "
            "images. Default: what the folder was brought up with, else embedded.",
            show_default=False,
        ),
    ] = None,
    binaries: Annotated[
        Path | None,
        typer.Option(
            "--binaries",
            metavar="DIR",
            help="Where Fabric's orderer and peer are (native). Default: FABRIC_BIN, else PATH.",
            show_default=False,
        ),
    ] = None,
    topology: Annotated[
        Path | None,
        typer.Option(
            "--topology",
            metavar="FILE",
            help="The topology of a new consortium. Default: the test network of five members.",
            show_default=False,
        ),
    ] = None,
    base_port: Annotated[
        int | None,
        typer.Option(
            "--base-port",
            min=0,
            max=65000,
            help="The first port of a new consortium, ten for each member; 0 takes any free ones. "
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

    Makes each member's keys, builds the genesis block, starts the members whose keys are here, has them join the
    channel, installs and approves the chaincode, commits it once a majority has approved, and registers the city as
    an issuer. What runs already is left as it is; what an interrupted start left out is made.

    Examples:
      shirushi consortium up
      shirushi consortium up --engine native --binaries ~/fabric/bin
      shirushi consortium up --engine compose --data trial
      shirushi consortium up --chaincode basic=127.0.0.1:9999
    """
    layout = layout_of(data)
    if binaries is not None and engine is not EngineName.NATIVE:
        raise ConsortiumError("--binaries is for --engine native: name both")
    status = bring_up.up(
        layout,
        base_port=base_port,
        progress=note,
        engine=None if engine is None else EngineChoice(engine, binaries),
        topology=None if topology is None else read_topology(topology),
        chaincodes=parse_servers(chaincode) if chaincode else None,
    )
    if as_json:
        print_json({**status, "data": str(layout.root)})
        return
    _show(status)
    out = console()
    out.print(f"\nkeys          {layout.members} (private keys are readable by you only)")
    out.print(f"connection    {layout.connection}")
    flag = "" if data is None else f" --data {layout.root}"
    out.print(f"log           {command_name()} consortium logs{flag}")
    out.print(f"\nnext: {command_name()} issue FILE --type income-certificate{flag}")


@app.command()
def down(data: options.Data = None, as_json: options.Json = False) -> None:
    """Stop the consortium; its ledger and keys stay.

    Example:
      shirushi consortium down
    """
    was_running = bring_up.down(layout_of(data))
    if as_json:
        print_json({"was_running": was_running})
    else:
        note("the consortium has stopped" if was_running else "no consortium was running")


@app.command()
def status(data: options.Data = None, as_json: options.Json = False) -> None:
    """Show the members: where they listen, how far their ledgers are, whether chaincode and witness answer.

    Exit code 1 if a member does not work.

    Example:
      shirushi consortium status --json
    """
    layout = layout_of(data)
    found = bring_up.status(layout)
    if as_json:
        print_json({**found, "data": str(layout.root)})
    else:
        _show(found)
    if found["engine"] != EngineName.EMBEDDED and not all(member["running"] for member in found["members"]):
        raise typer.Exit(1)


@app.command()
def logs(
    member: Annotated[
        str | None,
        typer.Argument(metavar="[MEMBER]", help="A member's id; all without it.", show_default=False),
    ] = None,
    kind: Kind = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=1, max=100_000, help="How many lines of each node.")
    ] = 20,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Show the last lines that the members' nodes logged.

    Examples:
      shirushi consortium logs kaguya
      shirushi consortium logs kaguya --node orderer -n 200
    """
    found = open_engine(layout_of(data)).log(member, kind, lines)
    if as_json:
        print_json({"logs": found})
        return
    for node, said in found.items():
        console().print(plain(node, "bold"))
        for line in said:
            say_line(line)


@app.command()
def stop(
    member: MemberId, kind: Kind = None, data: options.Data = None, as_json: options.Json = False
) -> None:
    """Stop one member, to see how the others go on without it.

    Examples:
      shirushi consortium stop kaguya
      shirushi consortium stop kaguya --node orderer
    """
    open_engine(layout_of(data)).stop_member(member, kind)
    if as_json:
        print_json({"member": member, "running": False})
    else:
        note(f"{member}{_of(kind)} has stopped")


@app.command()
def start(
    member: MemberId, kind: Kind = None, data: options.Data = None, as_json: options.Json = False
) -> None:
    """Start a member that was stopped.

    Example:
      shirushi consortium start kaguya
    """
    open_engine(layout_of(data)).start_member(member, kind)
    if as_json:
        print_json({"member": member, "running": True})
    else:
        note(f"{member}{_of(kind)} has started")


def _of(kind: str | None) -> str:
    return "" if kind is None else f"'s {kind}"


def _show(found: dict[str, Any]) -> None:
    if found["engine"] == EngineName.EMBEDDED:
        _show_embedded(found)
    else:
        _show_fabric(found)


def _show_embedded(found: dict[str, Any]) -> None:
    out = console()
    out.print(f"channel {found['channel']}   height {found['height']}   process {found['pid']}\n")
    members = table("member", "MSP id", "peer", "orderer", "")
    for member in found["members"]:
        state = "[green]running[/]" if member["running"] else "[red]stopped[/]"
        members.add_row(member["id"], member["msp_id"], member["peer"], member["orderer"], state)
    out.print(members)
    _show_witnesses(found)
    for member in found["members"]:
        if member["witness"] is not None and member["witness"]["running"]:
            _show_problems(member["id"], witness_problems(member["witness"]))


def _show_fabric(found: dict[str, Any]) -> None:
    out = console()
    out.print(f"channel {found['channel']}   height {found['height']}   engine {found['engine']}\n")
    members = table(
        "member", "MSP id", "peer", "height", "orderer", "height", "chaincode", "certificates", ""
    )
    for member in found["members"]:
        state = "[green]running[/]" if member["running"] else "[red]not working[/]"
        members.add_row(
            member["id"],
            member["msp_id"],
            member["peer"],
            _or_dash(member["peer_height"]),
            member["orderer"] or "—",
            _or_dash(member["orderer_height"]),
            member["chaincode"],
            _days(member["certificate_days"]),
            state if member["here"] else f"{state} (elsewhere)",
        )
    out.print(members)
    _show_witnesses(found)
    for member in found["members"]:
        _show_problems(member["id"], member["problems"])


def _show_witnesses(found: dict[str, Any]) -> None:
    """Show the witnesses that answered: how long their logs are, and when they signed last."""
    witnesses = table("witness", "address", "entries", "blocks behind", "signed", "")
    for member in found["members"]:
        witness = member["witness"]
        if witness is not None:
            witnesses.add_row(
                member["id"],
                witness["address"],
                str(witness["size"]),
                _or_dash(witness["lag"]),
                _ago(witness["last_cosigned"]),
                _witness_state(witness),
            )
    if witnesses.row_count:
        console().print()
        console().print(witnesses)


def _witness_state(witness: dict[str, Any]) -> str:
    if not witness["running"]:
        return "[red]stopped[/]"
    if witness["disagreeing"]:
        return "[red]disagrees[/]"
    return "[green]signing[/]" if witness["refusing"] is None else "[yellow]not signing[/]"


def _show_problems(member_id: str, problems: list[str]) -> None:
    for problem in problems:
        console().print(f"[red]{member_id}[/]: {escape(shown(problem))}", highlight=False)


def _ago(at: int | None) -> str:
    return "—" if at is None else f"{max(int(time.time()) - at, 0)} s ago"


def _or_dash(height: int | None) -> str:
    return "—" if height is None else str(height)


def _days(days: int | None) -> str:
    if days is None:
        return "—"
    if days < 0:
        return f"[red]expired {-days} days ago[/]"
    return f"[yellow]{days} days left[/]" if days < LOW_DAYS else f"{days} days left"
