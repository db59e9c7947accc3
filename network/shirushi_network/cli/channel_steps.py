"""What the commands that change a channel share: the channel as it is, words for people, submitting, and the files after it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
from fabric_protos.common import configtx_pb2

from shirushi_client.cli.output import note, print_json, say
from shirushi_core.fabric.channel_config import ChannelConfig, from_config
from shirushi_core.fabric.config_approval import Approval
from shirushi_core.fabric.config_update import NothingChangedError
from shirushi_network.channel_inspection import name_of
from shirushi_network.channel_updates import (
    ChannelUpdateError,
    Judged,
    judge,
    level_orderers,
    propose,
    quorum_problem,
    sign_here,
    submit,
    takes_orderers_out,
)
from shirushi_network.cli.data_folder import layout_of, topology_of
from shirushi_network.config_blocks import ConfigBlock, newest_config
from shirushi_network.connection_files import write_connection
from shirushi_network.engine import EngineName, read_choice
from shirushi_network.engines import open_engine
from shirushi_network.errors import ConsortiumError
from shirushi_network.files import write_atomically
from shirushi_network.layout import Layout
from shirushi_network.member_access import members_here
from shirushi_network.member_bundle import PublicBundle, bundle_path, is_here, render_bundle
from shirushi_network.member_changes import next_steps, topology_of_channel, topology_words
from shirushi_network.member_files import make_folder
from shirushi_network.topology import Member, Topology
from shirushi_network.topology_file import write_topology

DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Show what would change and who has to sign; change nothing.")
]
Out: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--out",
        metavar="FILE",
        help="Write the proposed update, for other members to sign, instead of signing and submitting it here.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class Channel:
    """A data folder, and its channel's configuration now."""

    layout: Layout
    topology: Topology
    current: ConfigBlock
    now: datetime

    @property
    def config(self) -> ChannelConfig:
        """What the configuration says."""
        return self.current.config

    @property
    def here(self) -> list[Member]:
        """The members whose keys are on this machine."""
        return members_here(self.layout, self.topology.members)


@dataclass(frozen=True, slots=True)
class Change:
    """A wanted configuration, and bundles that come to this machine's files with it."""

    desired: configtx_pb2.ConfigGroup
    bundles: tuple[PublicBundle, ...] = ()
    elsewhere: str | None = None  # the command that other members' machines need after it


def open_channel(data: Path | None) -> Channel:
    """Read a data folder's channel; raises ConsortiumError for the embedded engine, or if no peer answers."""
    layout = layout_of(data)
    topology = topology_of(layout)
    choice = read_choice(layout.engine)
    if layout.ledger.exists() if choice is None else choice.name is EngineName.EMBEDDED:
        raise ConsortiumError(
            f"the consortium in {layout.root} is embedded: its configuration is its genesis block, and does not change"
        )
    return Channel(layout, topology, asyncio.run(newest_config(layout, topology)), datetime.now(UTC))


def carry_out(channel: Channel, change: Change, *, out: Path | None, dry_run: bool, as_json: bool) -> None:
    """Propose a change, and as asked show it, write it for others to sign, or sign and submit it."""
    try:
        proposed = propose(channel.current, change.desired)
    except NothingChangedError:
        notes = [] if dry_run else record(channel, channel.config, change.bundles)
        _show_unchanged(channel, notes, as_json)
        return
    judged = judge(channel.current, proposed, channel.now)
    after = from_config(proposed.channel_id, judged.becomes)
    topology = topology_of_channel(channel.topology, after, change.bundles)  # what is refused is refused now
    if dry_run or out is not None:
        if out is not None and not dry_run:
            write_atomically(out, proposed.to_bytes())
        _show_proposed(channel, judged, topology, None if dry_run else out, as_json)
        return
    judged, _ = sign_here(channel.layout, channel.topology, judged, channel.now)
    if not judged.approval.sufficient:
        raise ChannelUpdateError(
            f"{signature_words(judged.approval, channel.topology)}: write the update with -o FILE, and have them sign it"
        )
    finish(channel, judged, change.bundles, change.elsewhere, as_json=as_json)


def finish(
    channel: Channel,
    judged: Judged,
    bundles: Iterable[PublicBundle],
    elsewhere: str | None,
    *,
    as_json: bool,
) -> None:
    """Submit a signed update, wait for its config block, bring this machine's files up to date, and say what follows."""
    after = from_config(judged.proposed.channel_id, judged.becomes)
    if takes_orderers_out(channel.config, after):
        level = asyncio.run(level_orderers(channel.layout, channel.topology))
        names = {member.msp_id: member.name_en for member in channel.topology.members}
        problem = quorum_problem(channel.config, after, level, names)
        if problem is not None:
            raise ChannelUpdateError(problem)
    note("handing the update to the orderers")
    committed = asyncio.run(submit(channel.layout, channel.topology, judged))
    known = tuple(bundles)
    steps = _steps(channel, committed.config, known)
    notes = record(channel, committed.config, known)
    if elsewhere is not None and len(channel.here) < len(channel.topology.members):
        steps.append(f"every other member runs {elsewhere} too, for its own topology.toml and bundles")
    if as_json:
        print_json(
            _to_json(channel, judged)
            | {"committed": True, "number": committed.number, "next": steps, "files": notes}
        )
        return
    _say_changes(judged)
    say(f"\ncommitted as block {committed.number}, configuration {committed.config.sequence}")
    _say_list("files here", notes)
    _say_list("next", steps)


def record(channel: Channel, config: ChannelConfig, bundles: Iterable[PublicBundle]) -> list[str]:
    """Bring topology, bundles and connection file up to a channel's configuration; returns what changed, in words.

    The nodes of members that have left and run here are stopped.
    """
    layout = channel.layout
    known = [bundle for bundle in bundles if bundle.member.msp_id in _members(config)]
    topology = topology_of_channel(channel.topology, config, known)
    said = topology_words(channel.topology, topology)
    staying = {member.id for member in topology.members}
    for member in channel.here:
        if member.id not in staying:
            open_engine(layout).stop_member(member.id)
            said.append(f"the nodes of {member.name_en} have been stopped")
    for bundle in known:
        if not is_here(layout, bundle.member):
            said += keep_bundle(layout, bundle)
    if topology != channel.topology:
        write_topology(layout.topology, topology)
    if layout.connection.exists() and write_connection(layout, topology):
        said.append(f"{layout.connection.name} follows")
    return said


def keep_bundle(layout: Layout, bundle: PublicBundle) -> list[str]:
    """Write a bundle where those of other members are kept; returns a word on it if it was not there."""
    path, data = bundle_path(layout, bundle.member), render_bundle(bundle)
    if path.exists() and path.read_bytes() == data:
        return []
    make_folder(path.parent)
    write_atomically(path, data)
    return [f"bundles/{path.name} is kept"]


def signature_words(approval: Approval, topology: Topology) -> str:
    """Say how many signatures an update has, and whose are missing, by name."""
    signed = ", ".join(name_of(msp_id, topology) for msp_id in approval.signed_members)
    text = f"signed by {len(approval.signed_members)} of {len(approval.members)} members"
    text += f" ({signed})" if signed else ""
    if approval.sufficient:
        return f"{text}; no more signatures are needed"
    if approval.needed is None:
        return f"{text}; the admins of all members together could not make this change"
    missing = ", ".join(name_of(msp_id, topology) for msp_id in approval.candidates)
    return f"{text}, {approval.needed} needed; missing: {approval.missing} of {missing}"


def say_update(channel: Channel, judged: Judged) -> None:
    """Print what an update changes, and how far its signatures are."""
    say(f"channel {channel.config.channel_id}, configuration {channel.config.sequence}")
    _say_changes(judged)
    say(f"\n{signature_words(judged.approval, channel.topology)}")
    for signer in judged.approval.signers:
        if signer.problem is not None:
            say(f"a signature of {signer.msp_id or 'somebody'} counts for nothing: {signer.problem}")


def update_json(channel: Channel, judged: Judged) -> dict[str, Any]:
    """Return the JSON form of an update that is not committed."""
    return _to_json(channel, judged) | {"committed": False}


def _show_proposed(
    channel: Channel, judged: Judged, topology: Topology, out: Path | None, as_json: bool
) -> None:
    notes = topology_words(channel.topology, topology)
    here = [member.id for member in channel.here if member.msp_id in judged.approval.candidates]
    if as_json:
        print_json(
            update_json(channel, judged)
            | {"file": None if out is None else str(out), "files": notes, "signers_here": here}
        )
        return
    say_update(channel, judged)
    say(f"admins of these that are here: {', '.join(here) or 'none'}")
    _say_list("files here, once it is committed", notes)
    if out is None:
        say("\nnothing was changed: this is a dry run")
    else:
        say(
            f"\nproposed update {out}\nnext: `shirushi channel sign {out.name}` by each, then `shirushi channel submit`"
        )


def _show_unchanged(channel: Channel, notes: Sequence[str], as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "channel": channel.config.channel_id,
                "sequence": channel.config.sequence,
                "changes": [],
                "committed": False,
                "files": list(notes),
            }
        )
        return
    say(f"the channel has it already (configuration {channel.config.sequence})")
    _say_list("files here", notes)


def _steps(channel: Channel, after: ChannelConfig, bundles: Sequence[PublicBundle]) -> list[str]:
    known = {member.msp_id: member for member in channel.topology.members}
    known |= {bundle.member.msp_id: bundle.member for bundle in bundles}
    steps = next_steps(channel.config, after, known)
    unknown = [msp_id for msp_id in after.application_orgs if msp_id not in known]
    return steps + [
        f"`shirushi channel add-member` with the bundle of {msp_id} adds it to topology.toml here"
        for msp_id in unknown
    ]


def _members(config: ChannelConfig) -> set[str]:
    return {*config.application_orgs, *config.orderer_orgs}


def _say_changes(judged: Judged) -> None:
    _say_list("changes", judged.changes)


def _say_list(title: str, lines: Sequence[str]) -> None:
    if lines:
        say(f"\n{title}")
        for line in lines:
            say(f"  {line}")


def _to_json(channel: Channel, judged: Judged) -> dict[str, Any]:
    approval = judged.approval
    return {
        "channel": channel.config.channel_id,
        "sequence": channel.config.sequence,
        "changes": list(judged.changes),
        "signed_by": list(approval.signed_members),
        "needed": approval.needed,
        "missing": approval.missing,
        "candidates": list(approval.candidates),
        "sufficient": approval.sufficient,
    }
