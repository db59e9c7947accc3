"""The `shirushi` command: finds its sub-commands through entry points, and loads only the one that is used.

A sub-command is a typer app registered in the entry point group "shirushi.commands". Exit codes: 0 done, 1 refused or
failed, 3 usage; `verify` has 0 valid, 1 not valid, 2 cannot confirm, 3 usage or no verdict to be had. As shells have
it, 130 after an interrupt, and 141 if whoever read the output has gone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points, version
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from shirushi_core.errors import ShirushiError
from shirushi_core.shown import shown

GROUP = "shirushi.commands"
USAGE = 3
INTERRUPTED = 130
OUTPUT_CLOSED = 141

# What help shows without loading a command, in this order; others follow by name.
SUMMARIES = {
    "consortium": "Bring a consortium up or down, or show its status.",
    "member": "Make a member's keys, pass public bundles around, renew certificates, sign policies.",
    "channel": "Build the genesis block, look at the channel, change it and the trust policy together.",
    "chaincode": "Show, package and upgrade the chaincode of a consortium on real Fabric.",
    "witness": "Run a member's witness: it keeps the log and signs its heads.",
    "issue": "Issue certificates: anchor files on the ledger and write their receipts.",
    "verify": "Verify files with their receipts, offline or against the members.",
    "refresh": "Refresh receipts with the newest status from the members' witnesses.",
    "receipt": "Show what a receipt holds, and write it in other forms.",
    "policy": "Show, check, replace and export the trust policy.",
    "audit": "Derive the members' logs anew, compare them, and reconcile them with a list.",
    "revoke": "Revoke a certificate for good.",
    "suspend": "Suspend a certificate until it is reinstated.",
    "reinstate": "Make a suspended certificate valid again.",
    "supersede": "Put a new certificate in an old one's place.",
    "history": "Show what the ledger holds about a certificate.",
    "batches": "List what an issuer has anchored.",
    "issuer": "Show, propose and approve issuers.",
    "demo": "Replay the pilot: issue, verify and revoke sample certificates.",
    "bench": "Measure the anchoring path.",
}


class LazyGroup(TyperGroup):
    """A command group whose members are entry points, loaded when they are run."""

    def list_commands(self, ctx: Any) -> list[str]:
        found = _commands()
        return [name for name in SUMMARIES if name in found] + sorted(found.keys() - SUMMARIES.keys())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return what help and completion show of a command."""
        if cmd_name not in _commands():
            return None
        return TyperCommand(cmd_name, help=SUMMARIES.get(cmd_name, ""))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, None if name is None or command is None else _load(name), rest

    def invoke(self, ctx: Any) -> Any:
        """Run a command; typer would take an output that nobody reads any more for a failure."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise OutputClosedError from None

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and turn every expected failure into one sentence and an exit code."""
        try:
            result = super().main(
                args,
                prog_name,
                complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )
            code = result if isinstance(result, int) else 0
        except typer.TyperException as error:
            message = error.format_message()
            if message:  # empty when all there was to show was the help
                _complain(str(message))
            code = USAGE
        except (typer.Abort, KeyboardInterrupt):
            code = INTERRUPTED
        except OutputClosedError:
            code = OUTPUT_CLOSED
        except ShirushiError as error:
            _complain(str(error))
            code = getattr(error, "exit_code", 1)
        except OSError as error:
            _complain(str(error))
            code = 1
        if code == INTERRUPTED:  # typer returns it after an interrupt, without a word
            _complain("interrupted")
        if not _flushed():
            code = OUTPUT_CLOSED
        if standalone_mode:
            sys.exit(code)
        return code


class OutputClosedError(Exception):
    """Whoever read the output has gone, as in `shirushi batches | head -1`: nobody is left to be told anything."""


class CommandLoadError(ShirushiError):
    """A sub-command whose package is not installed completely."""


def _complain(text: str) -> None:
    """Say what went wrong, on one line: errors hold texts and names of other parties."""
    print(f"shirushi: {shown(text)}", file=sys.stderr)  # noqa: T201


def _flushed() -> bool:
    """Write out what is printed; if nobody reads it any more, leave nothing for the interpreter to complain about."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


@cache
def _commands() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _load(name: str) -> Any:
    entry = _commands()[name]
    try:
        return typer.main.get_command(entry.load())
    except ModuleNotFoundError as error:
        extra = f"; install shirushi[{name}]" if name in ("demo", "bench") else "; install shirushi[network]"
        raise CommandLoadError(
            f"the command {name} needs the module {error.name}, which is not installed{extra}"
        ) from error


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help=(
        "Anchor, verify and revoke certificates on a consortium ledger.\n\n"
        "Begin with [bold]shirushi consortium up[/], then [bold]shirushi issue FILE --type TYPE[/] and"
        " [bold]shirushi verify FILE[/]."
    ),
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"shirushi {version('shirushi')}")
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line."""
    # gRPC's own log lines say nothing that an error does not say better; it reads this when it is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    app(prog_name="shirushi")
