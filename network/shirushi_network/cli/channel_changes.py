"""`shirushi channel add-member`, `remove-member`, `rotate`, `set-blocks`: changes by updates that members' admins sign."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from shirushi_client.cli import options
from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.channel_config import BatchParameters
from shirushi_core.fabric.config_edits import remove_member, renew_member, set_batch
from shirushi_network.bundle_checks import check_bundle, check_distinct
from shirushi_network.cli.channel_steps import (
    Change,
    Channel,
    DryRun,
    Out,
    carry_out,
    keep_bundle,
    open_channel,
)
from shirushi_network.config_blocks import config_history, highest_consenter_id
from shirushi_network.errors import ConsortiumError
from shirushi_network.fingerprints import grouped, parse_fingerprint
from shirushi_network.member_bundle import (
    BundleError,
    PublicBundle,
    fingerprint,
    public_bundle_of,
    read_bundle,
)
from shirushi_network.member_changes import check_addable, check_same_bundle, joined, without_orderer
from shirushi_network.topology import Member

MemberId = Annotated[
    str, typer.Argument(metavar="ID", help="The member's id in the topology.", show_default=False)
]


def add_member_command(
    bundle_file: Annotated[
        Path,
        typer.Argument(
            metavar="BUNDLE_FILE",
            help="What the new member's `shirushi member export` wrote.",
            show_default=False,
        ),
    ],
    no_orderer: Annotated[
        bool,
        typer.Option("--without-orderer", help="Leave its orderer out; given again without, it comes in."),
    ] = False,
    expected: Annotated[
        str | None,
        typer.Option(
            "--fingerprint",
            metavar="HEX",
            help="The fingerprint that the member told you: the bundle is taken only if it is that one.",
            show_default=False,
        ),
    ] = None,
    out: Out = None,
    dry_run: DryRun = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Add a member to the channel, with its orderer, and then to topology.toml and bundles/ here.

    Where the channel has the member already, only the files here follow.

    Examples:
      shirushi channel add-member sixth.json --dry-run
      shirushi channel add-member sixth.json --fingerprint "3f5a 0c41 ..."
      shirushi channel add-member sixth.json -o update.pb
    """
    bundle = read_bundle(bundle_file)
    channel = open_channel(data)
    _check_new(channel, bundle, bundle_file, expected)
    material = without_orderer(bundle.material) if no_orderer else bundle.material
    if material.msp_id in channel.config.application_orgs:
        check_same_bundle(channel.config, material)
    desired = joined(channel.config, material, _ids_used(channel))
    if out is not None and not dry_run:
        keep_bundle(channel.layout, bundle)  # so that whoever submits it here has it
    change = Change(desired, (bundle,), f"`shirushi channel add-member {bundle_file.name}`")
    carry_out(channel, change, out=out, dry_run=dry_run, as_json=as_json)


def remove_member_command(
    member_id: MemberId,
    out: Out = None,
    dry_run: DryRun = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Remove a member and its orderer from the channel, and then from topology.toml here.

    Its certificates stay in the blocks they signed, and count there. Its nodes are stopped if they run here.

    Examples:
      shirushi channel remove-member sixth --dry-run
      shirushi channel remove-member sixth
    """
    channel = open_channel(data)
    member = channel.topology.member(member_id)
    group = channel.config.config.channel_group
    in_channel = member.msp_id in {*channel.config.application_orgs, *channel.config.orderer_orgs}
    desired = remove_member(group, member.msp_id) if in_channel else group
    change = Change(desired, elsewhere=f"`shirushi channel remove-member {member_id}`")
    carry_out(channel, change, out=out, dry_run=dry_run, as_json=as_json)


def rotate_command(
    member_id: MemberId,
    bundle_file: Annotated[
        Path | None,
        typer.Option(
            "--bundle",
            metavar="FILE",
            help="The member's new bundle. Default: its keys here, else its bundle in bundles/.",
            show_default=False,
        ),
    ] = None,
    drop_old: Annotated[
        bool,
        typer.Option("--drop-old", help="Take CAs out that are not in the bundle: what they issued ends."),
    ] = False,
    out: Out = None,
    dry_run: DryRun = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Bring a member's certificates, revocation lists and addresses in the channel up to what the member has now.

    Renew first (`shirushi member renew`), then rotate, then restart what the command names: one member after the other.

    Examples:
      shirushi channel rotate haw --dry-run
      shirushi channel rotate haw
      shirushi channel rotate haw --bundle haw.json -o update.pb
    """
    channel = open_channel(data)
    member = channel.topology.member(member_id)
    bundle = _current_bundle(channel, member, bundle_file)
    desired = renew_member(channel.config.config.channel_group, bundle.material, keep_old=not drop_old)
    elsewhere = (
        None if bundle_file is None else f"`shirushi channel rotate {member_id} --bundle {bundle_file.name}`"
    )
    carry_out(channel, Change(desired, (bundle,), elsewhere), out=out, dry_run=dry_run, as_json=as_json)


def set_blocks_command(
    max_messages: Annotated[
        int | None,
        typer.Option("--max-messages", min=1, help="Most transactions in a block.", show_default=False),
    ] = None,
    max_bytes: Annotated[
        int | None, typer.Option("--max-bytes", min=1, help="Most bytes in a block.", show_default=False)
    ] = None,
    preferred_bytes: Annotated[
        int | None,
        typer.Option("--preferred-bytes", min=1, help="Bytes of a block if possible.", show_default=False),
    ] = None,
    wait: Annotated[
        float | None,
        typer.Option(
            "--wait",
            min=0.001,
            max=3600,
            help="Seconds until a block that is not full is cut.",
            show_default=False,
        ),
    ] = None,
    out: Out = None,
    dry_run: DryRun = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Set how the orderers cut blocks, in the channel and then in topology.toml here; what is left out stays.

    Example:
      shirushi channel set-blocks --max-messages 1000 --wait 0.1
    """
    channel = open_channel(data)
    given = {
        "max-messages": max_messages,
        "max-bytes": max_bytes,
        "preferred-bytes": preferred_bytes,
        "wait": wait,
    }
    if all(value is None for value in given.values()):
        raise ConsortiumError("nothing to set: name --max-messages, --max-bytes, --preferred-bytes or --wait")
    now = channel.config.batch
    batch = BatchParameters(
        max_message_count=max_messages or now.max_message_count,
        absolute_max_bytes=max_bytes or now.absolute_max_bytes,
        preferred_max_bytes=preferred_bytes or now.preferred_max_bytes,
        timeout_seconds=wait or now.timeout_seconds,
    )
    if batch.preferred_max_bytes > batch.absolute_max_bytes:
        raise InvalidInputError(
            f"expected --preferred-bytes of at most {batch.absolute_max_bytes}, the bytes a block may have; found "
            f"{batch.preferred_max_bytes}"
        )
    desired = set_batch(channel.config.config.channel_group, batch)
    options_given = " ".join(f"--{name} {value}" for name, value in given.items() if value is not None)
    change = Change(desired, elsewhere=f"`shirushi channel set-blocks {options_given}`")
    carry_out(channel, change, out=out, dry_run=dry_run, as_json=as_json)


def _check_new(channel: Channel, bundle: PublicBundle, file: Path, expected: str | None) -> None:
    """Check a bundle as `member add` does, against the topology if that has the member; raises ConsortiumError."""
    known = {member.id: member for member in channel.topology.members}
    member = known.get(bundle.member.id, bundle.member)
    check_bundle(bundle, member, channel.now)
    if expected is not None and parse_fingerprint(expected) != fingerprint(bundle):
        raise BundleError(
            f"{file}: expected the fingerprint {grouped(parse_fingerprint(expected))}, found "
            f"{grouped(fingerprint(bundle))}: ask {member.name_en} which it is, and use no other file"
        )
    check_addable(channel.topology, bundle)
    others = [public_bundle_of(channel.layout, each) for each in channel.topology.members if each != member]
    check_distinct([*others, bundle])


def _current_bundle(channel: Channel, member: Member, file: Path | None) -> PublicBundle:
    if file is None:
        bundle = public_bundle_of(channel.layout, member)
        check_bundle(bundle, member, channel.now)
        return bundle
    bundle = read_bundle(file)
    if (bundle.member.id, bundle.member.msp_id) != (member.id, member.msp_id):
        raise BundleError(f"{file} is the bundle of {bundle.member.id}; expected that of {member.id}")
    check_bundle(bundle, bundle.member, channel.now)
    check_addable(channel.topology, bundle)
    return bundle


def _ids_used(channel: Channel) -> int:
    return highest_consenter_id(asyncio.run(config_history(channel.layout, channel.topology)))
