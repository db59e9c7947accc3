"""`shirushi member`: a member's keys and certificates, and the public bundles that members hand to each other."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from shirushi_client.cli import options
from shirushi_client.cli.output import command_name, note, print_json, say, show_rows
from shirushi_network.bundle_checks import check_bundle
from shirushi_network.cli.data_folder import chosen_member, layout_of, local_home, topology_of
from shirushi_network.cli.member_certificates import import_command, renew_command, revoke_command
from shirushi_network.cli.member_options import Days, MemberId, bundle_json
from shirushi_network.cli.member_policy import sign_policy_command
from shirushi_network.cli.show_fingerprint import say_fingerprint
from shirushi_network.errors import ConsortiumError
from shirushi_network.expiry import CertificateStatus, certificates_in, certificates_of, soonest
from shirushi_network.files import write_atomically
from shirushi_network.fingerprints import grouped, parse_fingerprint
from shirushi_network.layout import Layout
from shirushi_network.member_bundle import (
    BundleError,
    bundle_path,
    fingerprint,
    is_here,
    public_bundle_of,
    read_bundle,
    render_bundle,
)
from shirushi_network.member_files import make_folder
from shirushi_network.member_keys import CERTIFICATE_DAYS, create_member
from shirushi_network.topology import Topology, default_topology
from shirushi_network.topology_file import read_topology, write_topology

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Make a member's keys, pass public bundles around, renew and revoke certificates, sign trust policies.",
)

app.command("renew")(renew_command)
app.command("revoke")(revoke_command)
app.command("import")(import_command)
app.command("sign-policy")(sign_policy_command)


@app.command()
def init(
    member_id: MemberId,
    topology_file: Annotated[
        Path | None,
        typer.Option(
            "--topology",
            metavar="FILE",
            help="The topology all members agreed on. Default: the data folder's.",
            show_default=False,
        ),
    ] = None,
    data: options.Data = None,
    days: Days = CERTIFICATE_DAYS,
    as_json: options.Json = False,
) -> None:
    """Make a member's own CAs, keys and certificates in the data folder.

    They stay there: the other members get the public bundle that `shirushi member export` writes.

    Examples:
      shirushi member init haw --topology topology.toml
      shirushi member init haw --data /srv/shirushi --days 400
    """
    layout = layout_of(data)
    topology = _agreed(layout, topology_file)
    member = topology.member(member_id)
    layout.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not layout.topology.exists():
        write_topology(layout.topology, topology)
    create_member(layout.members, member, now=_now(), certificate_days=days)
    bundle = public_bundle_of(layout, member)
    home = layout.members / member.id
    if as_json:
        print_json(bundle_json(bundle) | {"folder": str(home), "topology": str(layout.topology)})
        return
    say(f"keys          {home} (private keys are readable by you only: keep a backup as safe as they are)")
    say(f"topology      {layout.topology}")
    say_fingerprint(fingerprint(bundle))
    flag = "" if data is None else f" --data {layout.root}"
    say(f"\nnext: {command_name()} member export {member.id}{flag}, and send the file to the other members")


@app.command()
def export(
    member_id: MemberId,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="FILE", help="Where to. Default: ID.bundle.json.", show_default=False
        ),
    ] = None,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Write a member's public bundle: its topology entry and certificates, no key.

    Send it to the other members by any way, and tell them its fingerprint by another one, such as the phone.

    Example:
      shirushi member export haw -o haw.json
    """
    chosen = chosen_member(member_id, data)
    local_home(chosen)
    bundle = public_bundle_of(chosen.layout, chosen.member)
    check_bundle(bundle, chosen.member, _now())
    path = out or Path(f"{member_id}.bundle.json")
    write_atomically(path, render_bundle(bundle))
    if as_json:
        print_json(bundle_json(bundle) | {"file": str(path)})
        return
    say(f"bundle        {path}")
    say_fingerprint(fingerprint(bundle))


@app.command()
def add(
    bundle_file: Annotated[
        Path,
        typer.Argument(
            metavar="BUNDLE_FILE", help="What another member exported and sent.", show_default=False
        ),
    ],
    expected: Annotated[
        str | None,
        typer.Option(
            "--fingerprint",
            metavar="HEX",
            help="The fingerprint that the member told you: the bundle is taken only if it is that one.",
            show_default=False,
        ),
    ] = None,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Check another member's public bundle and keep it in the data folder.

    Compare the fingerprint with the member by phone: whoever sent the file might not be the member.

    Examples:
      shirushi member add haw.json
      shirushi member add haw.json --fingerprint "3f5a 0c41 ..."
    """
    layout = layout_of(data)
    topology = topology_of(layout)
    bundle = read_bundle(bundle_file)
    member = topology.member(bundle.member.id)
    if is_here(layout, member):
        raise BundleError(
            f"the keys of {member.id} are in {layout.members / member.id}: its bundle is made from them, not added"
        )
    check_bundle(bundle, member, _now())
    if expected is not None and parse_fingerprint(expected) != fingerprint(bundle):
        raise BundleError(
            f"{bundle_file}: expected the fingerprint {grouped(parse_fingerprint(expected))}, found "
            f"{grouped(fingerprint(bundle))}: ask {member.name_en} which it is, and use no other file"
        )
    path = bundle_path(layout, member)
    is_changed = path.exists() and path.read_bytes() != render_bundle(bundle)
    make_folder(path.parent)
    write_atomically(path, render_bundle(bundle))
    if as_json:
        print_json(
            bundle_json(bundle)
            | {"file": str(path), "compared": expected is not None, "replaced_another": is_changed}
        )
        return
    say(f"bundle        {path}{' (another one was there before)' if is_changed else ''}")
    say_fingerprint(fingerprint(bundle))
    if expected is None:
        say(
            f"\nnext: call {member.name_en} and have the fingerprint of `shirushi member show {member.id}` read out there; if it "
            f"differs, delete {path}"
        )


@app.command()
def show(member_id: MemberId, data: options.Data = None, as_json: options.Json = False) -> None:
    """Show a member's certificates, how long they last, and the fingerprint of its bundle.

    Examples:
      shirushi member show haw
      shirushi member show haw --json
    """
    chosen = chosen_member(member_id, data)
    layout, member, now = chosen.layout, chosen.member, _now()
    bundle = public_bundle_of(layout, member)
    local = is_here(layout, member)
    statuses = (
        certificates_of(chosen.home, now)
        if local
        else certificates_in(bundle, bundle_path(layout, member), now)
    )
    first = soonest(statuses)
    if as_json:
        print_json(
            bundle_json(bundle)
            | {
                "keys_here": local,
                "certificates": [_status_json(status) for status in statuses],
                "days_left": None if first is None else first.days_left,
            }
        )
        return
    say(f"{member.id}  {member.name_ja} / {member.name_en}  {member.msp_id}")
    say("keys          on this machine" if local else "keys          on the member's own machines")
    say_fingerprint(fingerprint(bundle))
    say("")
    show_rows(
        ("certificate", "expires", "days left", "subject"),
        [
            (status.what, f"{status.not_after:%Y-%m-%d}", str(status.days_left), status.subject)
            for status in statuses
        ],
        wrapped=("subject",),
    )


def _agreed(layout: Layout, file: Path | None) -> Topology:
    """Return the topology to make keys for: the file's, which has to be the data folder's if that has one."""
    known = read_topology(layout.topology) if layout.topology.exists() else None
    if file is not None:
        given = read_topology(file)
        if known is not None and given != known:
            raise ConsortiumError(
                f"{layout.topology} is another topology than {file}: members have to agree on one; if it is {file}, put it "
                "there, or use another data folder"
            )
        return given
    if known is None:
        note("no topology was given: taking the default one, five members on one machine")
        return default_topology()
    return known


def _status_json(status: CertificateStatus) -> dict[str, Any]:
    return {
        "what": status.what,
        "path": str(status.path),
        "subject": status.subject,
        "not_after": int(status.not_after.timestamp()),
        "days_left": status.days_left,
    }


def _now() -> datetime:
    return datetime.now(UTC)
