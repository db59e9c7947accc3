"""What the commands of `shirushi member` share: arguments, and what `--json` says of a bundle."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from shirushi_network.member_bundle import PublicBundle, fingerprint
from shirushi_network.member_keys import AUTHORITY_DAYS

MemberId = Annotated[
    str, typer.Argument(metavar="ID", help="The member's id in the topology.", show_default=False)
]
Days = Annotated[
    int, typer.Option("--days", min=1, max=AUTHORITY_DAYS, help="How long the certificates last.")
]


def bundle_json(bundle: PublicBundle) -> dict[str, Any]:
    """Return the member and the fingerprint of its bundle."""
    return {
        "member": bundle.member.id,
        "msp_id": bundle.member.msp_id,
        "fingerprint": fingerprint(bundle).hex(),
    }
