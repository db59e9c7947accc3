"""`shirushi channel sign` and `submit`: a proposed update on its way between the members' machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shirushi_client.cli import options
from shirushi_client.cli.output import print_json, say
from shirushi_core.fabric.channel_config import from_config
from shirushi_network.channel_updates import ChannelUpdateError, judge, read_proposals, sign_here
from shirushi_network.cli.channel_steps import (
    Channel,
    finish,
    open_channel,
    say_update,
    signature_words,
    update_json,
)
from shirushi_network.files import write_atomically
from shirushi_network.member_bundle import PublicBundle, read_bundle
from shirushi_network.member_changes import topology_of_channel
from shirushi_network.member_files import files_in

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        help="A proposed update; of several copies of one update the signatures are put together.",
        show_default=False,
    ),
]


def sign_command(
    files: Files,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="FILE", help="Where to. Default: the first file.", show_default=False
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask: what it changes was looked at before.")
    ] = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Show what a proposed update changes in the channel as it is now, and sign it as the admins that are here.

    Examples:
      shirushi channel sign update.pb
      shirushi channel sign update.pb --yes -o signed.pb
    """
    if as_json and not yes:
        raise ChannelUpdateError(
            "--json shows and asks nothing: look at the update without it, then add --yes"
        )
    proposed = read_proposals(files)
    channel = open_channel(data)
    judged = judge(channel.current, proposed, channel.now)
    if not as_json:
        say_update(channel, judged)
    if not yes and not typer.confirm("\nsign it?", err=True):
        raise ChannelUpdateError("nothing was signed")
    signed, added = sign_here(channel.layout, channel.topology, judged, channel.now)
    if not added and not judged.approval.sufficient:
        raise ChannelUpdateError(
            f"no admin whose signature is missing is here: {signature_words(judged.approval, channel.topology)}"
        )
    path = files[0] if out is None else out
    write_atomically(path, signed.proposed.to_bytes())
    if as_json:
        signers = [member.id for member in added]
        print_json(update_json(channel, signed) | {"file": str(path), "signed_here": signers})
        return
    names = ", ".join(member.name_en for member in added)
    say(f"\nsigned for {names}: {path}" if added else f"\nnobody has to sign any more: {path}")
    say(signature_words(signed.approval, channel.topology))
    ready = f"`shirushi channel submit {path.name}`"
    say(f"next: {ready}" if signed.approval.sufficient else "next: send the file to one of those missing")


def submit_command(files: Files, data: options.Data = None, as_json: options.Json = False) -> None:
    """Submit a proposed update that enough members have signed, and wait until its config block is committed here.

    Examples:
      shirushi channel submit update.pb
      shirushi channel submit from-haw.pb from-gcom.pb
    """
    proposed = read_proposals(files)
    channel = open_channel(data)
    judged = judge(channel.current, proposed, channel.now)
    if not judged.approval.sufficient:
        raise ChannelUpdateError(signature_words(judged.approval, channel.topology))
    after = from_config(judged.proposed.channel_id, judged.becomes)
    bundles = _joining(channel, set(after.application_orgs) - set(channel.config.application_orgs))
    topology_of_channel(channel.topology, after, bundles)
    elsewhere = "the command that proposed it, without -o,"
    finish(channel, judged, bundles, elsewhere, as_json=as_json)


def _joining(channel: Channel, msp_ids: set[str]) -> list[PublicBundle]:
    """Return the bundles kept here of members that join."""
    if not msp_ids:
        return []
    files = [path for path in files_in(channel.layout.bundles) if path.suffix == ".json"]
    return [each for each in map(read_bundle, files) if each.member.msp_id in msp_ids]
