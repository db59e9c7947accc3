"""The commands of `shirushi member` that change certificates: renewing, revoking, importing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from shirushi_client.cli import options
from shirushi_client.cli.output import note, print_json, say, show_rows
from shirushi_network.cli.data_folder import chosen_member, local_home
from shirushi_network.cli.member_options import Days, MemberId, bundle_json
from shirushi_network.cli.show_fingerprint import say_fingerprint
from shirushi_network.import_keys import import_member
from shirushi_network.import_sources import SOURCE_NAMES, parse_sources
from shirushi_network.member_bundle import fingerprint, public_bundle_of
from shirushi_network.member_keys import CERTIFICATE_DAYS
from shirushi_network.member_parts import PartName
from shirushi_network.renewal import USUAL_PARTS, renew
from shirushi_network.revocation import revoke


def renew_command(
    member_id: MemberId,
    only: Annotated[
        list[PartName] | None,
        typer.Option(
            "--only",
            metavar="|".join(PartName),
            help=f"What to renew; may be given several times. Default: {', '.join(USUAL_PARTS)}.",
            show_default=False,
        ),
    ] = None,
    keep_key: Annotated[
        bool, typer.Option("--keep-key", help="Certify the key that is there, instead of a new one.")
    ] = False,
    data: options.Data = None,
    days: Days = CERTIFICATE_DAYS,
    as_json: options.Json = False,
) -> None:
    """Renew certificates with the member's own CAs, and say what has to follow.

    Orderer, orderer TLS and issuer are renewed only if they are named, one member at a time: until the channel's
    configuration or the issuer registry names the new ones, a node that restarts with them, or an issuer, is refused.
    What was renewed is kept in members/ID/superseded. The CAs are never renewed: a new CA comes into the channel with a
    configuration update.

    Examples:
      shirushi member renew haw
      shirushi member renew haw --only orderer --only orderer-tls
    """
    chosen = chosen_member(member_id, data)
    home = local_home(chosen)
    renewed = renew(home, chosen.member, only or (), now=datetime.now(UTC), keep_key=keep_key, days=days)
    if as_json:
        print_json(
            {
                "member": member_id,
                "renewed": [
                    {
                        "what": each.part.value,
                        "certificate": str(each.certificate),
                        "not_after": int(each.not_after.timestamp()),
                        "superseded": None if each.superseded is None else str(each.superseded),
                        "next": each.follows,
                    }
                    for each in renewed
                ],
            }
        )
        return
    show_rows(
        ("renewed", "expires", "what has to follow"),
        [(each.part.value, f"{each.not_after:%Y-%m-%d}", each.follows) for each in renewed],
        wrapped=("what has to follow",),
    )
    kept = sorted({str(home / "superseded") for each in renewed if each.superseded is not None})
    if kept:
        say(f"\nthe old ones are in {kept[0]}: delete them once the new ones work")
    note("the CAs were not renewed: a new CA comes into the channel with a configuration update")


def revoke_command(
    member_id: MemberId,
    certificate_file: Annotated[
        Path,
        typer.Argument(
            metavar="CERTIFICATE_FILE", help="The certificate to revoke, PEM.", show_default=False
        ),
    ],
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Put a certificate on the member's revocation list.

    The list is part of the member's bundle. The other members refuse the certificate once a channel configuration
    update has brought the list into the channel.

    Example:
      shirushi member revoke haw /srv/shirushi/members/haw/superseded/20261101T120000Z/users/admin/msp/signcerts/cert.pem
    """
    chosen = chosen_member(member_id, data)
    revocation = revoke(local_home(chosen), certificate_file, now=datetime.now(UTC))
    if as_json:
        print_json(
            {
                "member": member_id,
                "subject": revocation.subject,
                "serial": f"{revocation.serial:x}",
                "list": str(revocation.path),
                "number": revocation.number,
                "revoked": revocation.entries,
                "is_new": revocation.is_new,
            }
        )
        return
    said = "revoked" if revocation.is_new else "was revoked before"
    say(f"{revocation.subject} (serial {revocation.serial:x}) {said}")
    say(
        f"list          {revocation.path}: number {revocation.number}, certificates on it: {revocation.entries}"
    )
    say(
        "\nnext: bring the list into the channel with a configuration update (`shirushi channel rotate`): until then the other "
        "members go on accepting the certificate; restart your own peer and orderer"
    )


def import_command(
    member_id: MemberId,
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="The organisation's folder, as cryptogen and Fabric CA's guides lay it out.",
            show_default=False,
        ),
    ],
    part: Annotated[
        list[str] | None,
        typer.Option(
            "--part",
            metavar="NAME=FOLDER",
            help=f"Where one part is, if not in its usual place; may be given several times. NAME: {', '.join(SOURCE_NAMES)}.",
            show_default=False,
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Put them in the place of what is there, which is kept in superseded."
        ),
    ] = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Take over certificates and keys that were made elsewhere: by Fabric CA, cryptogen or your own PKI.

    FOLDER has msp (cacerts, tlscacerts, intermediatecerts, crls), peers/*, orderers/* and users/*. Everything is checked
    before anything is kept. Keys of CAs are not taken: renew and revoke where the certificates come from, then import again.

    Examples:
      shirushi member import haw crypto-config/peerOrganizations/haw.example --part orderer=crypto-config/ordererOrganizations/haw.example/orderers/o0
      shirushi member import haw renewed --replace
    """
    chosen = chosen_member(member_id, data)
    named = parse_sources(part or [])
    imported = import_member(
        chosen.layout.members, chosen.member, folder, now=datetime.now(UTC), named=named, replace=replace
    )
    bundle = public_bundle_of(chosen.layout, chosen.member)
    if as_json:
        print_json(
            bundle_json(bundle)
            | {
                "folder": str(imported.home),
                "taken": {name: str(place) for name, place in imported.taken.items()},
                "missing": list(imported.missing),
                "superseded": None if imported.superseded is None else str(imported.superseded),
            }
        )
        return
    show_rows(("taken", "from"), [(name, str(place)) for name, place in imported.taken.items()])
    if imported.missing:
        say(f"not there     {', '.join(imported.missing)}")
    say(f"\nkeys          {imported.home} (private keys are readable by you only)")
    say_fingerprint(fingerprint(bundle))
