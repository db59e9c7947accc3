"""`shirushi member sign-policy`: a trust policy on its way between the members' machines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from shirushi_client.cli import options
from shirushi_client.cli.output import print_json, say
from shirushi_network.cli.data_folder import layout_of, topology_of
from shirushi_network.cli.policy_steps import judge_policy, policy_json, say_policy, signed_words
from shirushi_network.files import write_atomically
from shirushi_network.member_access import members_here
from shirushi_network.policy_files import (
    PolicyFileError,
    judging_policy,
    keep_if_complete,
    read_policies,
    sign_here,
)
from shirushi_network.topology import Member


def sign_policy_command(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="A trust policy; of several copies of one the signatures are put together.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="FILE", help="Where to. Default: the first file.", show_default=False
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask: what it says was looked at before.")
    ] = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Show what a trust policy says, or how it differs from the one here, and sign it as the members that are here.

    Once enough members have signed, it is kept as trust-policy.json here; the others give the command with that file too.

    Examples:
      shirushi member sign-policy policy.json
      shirushi member sign-policy from-haw.json from-gcom.json -o policy.json
    """
    if as_json and not yes:
        raise PolicyFileError("--json shows and asks nothing: look at the policy without it, then add --yes")
    layout = layout_of(data)
    topology, now = topology_of(layout), int(datetime.now(UTC).timestamp())
    signed = read_policies(files)
    if signed.policy.ledger != topology.channel:
        raise PolicyFileError(
            f"{files[0]} is the trust policy of {signed.policy.ledger}; the channel here is {topology.channel}"
        )
    by = judging_policy(layout, signed.policy)
    judged = judge_policy(signed, by, now)
    if not as_json:
        say_policy(judged)
    signed, added = sign_here(layout, signed, by, members_here(layout, topology.members), now)
    if added and not yes and not typer.confirm(f"\nsign it for {_named(added)}?", err=True):
        raise PolicyFileError("nothing was signed")
    judged = judge_policy(signed, by, now)
    if not added and not judged.sufficient:
        raise PolicyFileError(
            f"no admin key that the policy names, and that has not signed, is here: {signed_words(judged)}"
        )
    path = files[0] if out is None else out
    write_atomically(path, signed.to_bytes())
    is_kept = keep_if_complete(layout, signed, now)
    if as_json:
        signers = [member.id for member in added]
        print_json(policy_json(judged) | {"file": str(path), "signed_here": signers, "kept": is_kept})
        return
    say(f"\nsigned for {_named(added)}: {path}" if added else f"\nsigned before: {path}")
    say(signed_words(judged))
    if is_kept:
        say(f"kept as {layout.trust_policy}")
        say(
            "next: send the file to all other members, who give this command with it too, and to whoever verifies"
        )
    else:
        say("next: send the file to one of those missing")


def _named(members: Sequence[Member]) -> str:
    return ", ".join(member.name_en for member in members)
