"""`shirushi channel policy`: the trust policy's first version, or the one after the present one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from shirushi_client.cli import options
from shirushi_client.cli.durations import seconds_of
from shirushi_client.cli.output import print_json, say
from shirushi_client.gateway import CallOptions, GatewayError
from shirushi_core.proofs.canonical import decode, encode
from shirushi_core.proofs.issuer import IssuerRecord
from shirushi_core.proofs.policy_update import SignedPolicy
from shirushi_core.proofs.status_max_age import StatusMaxAge
from shirushi_core.proofs.trust_policy import TrustPolicy
from shirushi_network.cli.channel_steps import DryRun
from shirushi_network.cli.data_folder import layout_of, topology_of
from shirushi_network.cli.policy_steps import judge_policy, policy_json, say_policy, signed_words
from shirushi_network.files import write_atomically
from shirushi_network.layout import Layout
from shirushi_network.member_access import admin_contract, members_here
from shirushi_network.member_keys import ANCHORS
from shirushi_network.policy_draft import (
    Ends,
    IssuerSeal,
    PolicyDraftError,
    first_policy,
    next_policy,
)
from shirushi_network.policy_files import (
    judging_policy,
    keep_if_complete,
    present_policy,
    read_seal,
    sign_here,
    sources_here,
)
from shirushi_network.topology import Topology

NEVER = "never"


def policy_command(
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help="Write it unsigned, for the members to sign, instead of signing and keeping it here.",
            show_default=False,
        ),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires",
            metavar="YYYY-MM-DD",
            help="Until when verifiers may go by it (UTC), or never. Default: a year from now.",
            show_default=False,
        ),
    ] = None,
    status_max_age: Annotated[
        list[str] | None,
        typer.Option(
            "--status-max-age",
            metavar="[TYPE=]AGE",
            help="How old a status may be that verifiers rely on (7d, income-certificate=24h); may be given several times. "
            "Default: as the present one; 7d in the first.",
            show_default=False,
        ),
    ] = None,
    seal: Annotated[
        list[str] | None,
        typer.Option(
            "--seal",
            metavar="ISSUER=FILE",
            help="The certificates of an issuer's seal, PEM, the seal's first, up to a root; may be given several times.",
            show_default=False,
        ),
    ] = None,
    dry_run: DryRun = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Make the trust policy out of topology.toml and the members' bundles: version 1, or what follows the one here.

    Members that left and keys that are no longer in a bundle end, new ones begin, and nothing that was is taken back. The
    first issuer's seal is taken from its member's folder, where that is here; a seal that is elsewhere with --seal.

    Examples:
      shirushi channel policy --dry-run
      shirushi channel policy --expires 2027-04-01 -o policy.json
      shirushi channel policy --status-max-age 7d --status-max-age income-certificate=24h -o policy.json
      shirushi channel policy --seal city-office=seal-chain.pem -o policy.json
    """
    layout = layout_of(data)
    topology, moment = topology_of(layout), datetime.now(UTC)
    now = int(moment.timestamp())
    present = present_policy(layout)
    seals = [_seal(layout, topology, present, text) for text in seal or []]
    sources = sources_here(layout, topology, moment, seals)
    ages = _ages(status_max_age, None if present is None else present.policy.status_max_age)
    until = _expiry(expires)
    if present is None:
        policy = first_policy(sources, issued_at=now, expires_at=until, status_max_age=ages)
    else:
        policy = next_policy(present.policy, sources, issued_at=now, expires_at=until, status_max_age=ages)
    signed, by = SignedPolicy(policy), judging_policy(layout, policy)
    if not dry_run and out is None:
        signed, _ = sign_here(layout, signed, by, members_here(layout, topology.members), now)
    judged = judge_policy(signed, by, now)
    is_kept = False
    if not dry_run and out is not None:
        write_atomically(out, signed.to_bytes())
    elif not dry_run:
        if not judged.sufficient:
            raise PolicyDraftError(
                f"{signed_words(judged)}: write the policy with -o FILE, and have them sign it (`shirushi member sign-policy`)"
            )
        is_kept = keep_if_complete(layout, signed, now)
    if as_json:
        file = layout.trust_policy if is_kept else out
        print_json(
            policy_json(judged) | {"file": None if file is None or dry_run else str(file), "kept": is_kept}
        )
        return
    say_policy(judged)
    if dry_run:
        say("\nnothing was changed: this is a dry run")
    elif out is not None:
        say(
            f"\ntrust policy  {out}\nnext: `shirushi member sign-policy {out.name}` by each member, one after the other"
        )
    else:
        say(
            f"\ntrust policy  {layout.trust_policy}\nnext: give it to whoever verifies; they compare the fingerprint"
        )


def _ages(texts: Sequence[str] | None, present: StatusMaxAge | None) -> StatusMaxAge | None:
    """Return the present ages with those that are given in their place, None if none is given."""
    if not texts:
        return None
    before = present or StatusMaxAge()
    default, types = before.default, dict(before.types)
    for text in texts:
        name, separator, age = text.rpartition("=")
        seconds = seconds_of(age, "--status-max-age")
        if separator:
            types[name] = seconds
        else:
            default = seconds
    return StatusMaxAge.of(default, types)


def _expiry(text: str | None) -> int | Ends | None:
    if text is None:
        return Ends.AFTER_A_YEAR
    if text == NEVER:
        return None
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise PolicyDraftError(
            f"--expires: expected a day such as 2027-04-01, or {NEVER}; found {text!r}"
        ) from None


def _seal(layout: Layout, topology: Topology, present: SignedPolicy | None, text: str) -> IssuerSeal:
    issuer, separator, file = text.partition("=")
    if not separator or not issuer or not file:
        raise PolicyDraftError(f"--seal: expected ISSUER=FILE, found {text!r}")
    names = _names(layout, topology, None if present is None else present.policy, issuer)
    return read_seal(Path(file), issuer, *names)


def _names(
    layout: Layout, topology: Topology, present: TrustPolicy | None, issuer_id: str
) -> tuple[str, str]:
    """Return what an issuer is called: in the policy, in the topology, or in the ledger's registry."""
    known = None if present is None else present.issuer(issuer_id)
    if known is not None:
        return known.name_ja, known.name_en
    if issuer_id == topology.issuer.id:
        member = topology.member(topology.issuer.member)
        return member.name_ja, member.name_en
    try:
        record = asyncio.run(_registered(layout, topology, issuer_id))
    except GatewayError as error:
        raise PolicyDraftError(f"the registry does not say who the issuer {issuer_id} is: {error}") from error
    return record.name_ja, record.name_en


async def _registered(layout: Layout, topology: Topology, issuer_id: str) -> IssuerRecord:
    here = members_here(layout, topology.members)
    if not here:
        raise PolicyDraftError(f"no member's keys are in {layout.members}: ask the registry where there are")
    async with admin_contract(layout, topology, here[0], ANCHORS) as contract:
        answer = await contract.evaluate(
            "get_issuer", arguments=[encode({"issuer": issuer_id})], options=CallOptions(timeout=20.0)
        )
    return IssuerRecord.from_json(decode(answer))
