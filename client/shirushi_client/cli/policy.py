"""`shirushi policy`: the trust policy that certificates are verified by."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from shirushi_client.cli import options
from shirushi_client.cli.output import moment, print_json, say
from shirushi_client.cli.output_files import whole_file
from shirushi_client.cli.policy_tables import grouped, show_policy
from shirushi_client.profile import data_folder
from shirushi_client.trust_policy_file import FILE_NAME, install_next, read_next_policy, read_signed_policy
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.policy_update import PolicyError, SignedPolicy, signers, verify_update
from shirushi_core.proofs.tlog_policy import to_tlog_policy
from shirushi_core.proofs.trust_policy import TrustPolicy

FORMAT = "shirushi/policy/v1"

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Show, check, replace and export the trust policy."
)

Policy: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--policy", metavar="P", help="The trust policy. Default: the data folder's.", show_default=False
    ),
]


@app.command()
def show(policy: Policy = None, data: options.Data = None, as_json: options.Json = False) -> None:
    """Show a trust policy: members and their keys, quorum, issuers' seals, who signed it.

    Whoever receives a policy for the first time compares its fingerprint
    with what two members say by phone or publish.

    Examples:
      shirushi policy show
      shirushi policy show --policy trust-policy.json --json
    """
    now = int(time.time())
    signed = read_signed_policy(_path(policy, data))
    by = signers(signed, signed.policy, max(now, signed.policy.issued_at))
    if as_json:
        print_json(_view(signed.policy, by))
    else:
        show_policy(signed.policy, by, now)


@app.command()
def update(
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The next version.", show_default=False)],
    policy: Policy = None,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Put the next version of the trust policy in the present one's place.

    NEW is taken if a quorum of the present version's members signed it, it
    is the next version, and it takes nothing back. The present one is kept
    beside it as trust-policy.vN.json.

    Examples:
      shirushi policy update received/trust-policy.json
      shirushi policy update new.json --policy trust-policy.json
    """
    path = _path(policy, data)
    installed, kept = install_next(path, new, time.time())
    by = signers(read_signed_policy(path), read_signed_policy(kept).policy, int(time.time()))
    if as_json:
        print_json({**_view(installed, by), "kept": str(kept)})
        return
    say(
        f"{path} is version {installed.version} now, signed by {', '.join(by)}; version {installed.version - 1} is kept as {kept}"
    )
    _say_fingerprint(installed)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A trust policy.", show_default=False)],
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="P",
            help="The version that FILE is to follow. Without: its own members' keys are looked at.",
            show_default=False,
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Check the signatures of a trust policy, and that it may follow another one.

    Without --against it says how many of its own members signed it: that is
    worth something only once the fingerprint was compared.
    Exit codes: 0 it holds, 1 it does not.

    Examples:
      shirushi policy verify trust-policy.json
      shirushi policy verify new.json --against trust-policy.json
    """
    now = int(time.time())
    signed = read_next_policy(file)
    if against is None:
        judge, at = signed.policy, max(now, signed.policy.issued_at)
        _check_quorum(signed, judge, at)
    else:
        judge, at = read_signed_policy(against).policy, now
        verify_update(judge, signed, now)
    by = signers(signed, judge, at)
    if as_json:
        print_json(_view(signed.policy, by))
        return
    following = "" if against is None else f" and may follow version {judge.version}"
    whose = "its own members" if against is None else f"members of version {judge.version}"
    say(
        f"{file}: version {signed.policy.version} is signed by {len(by)} of {whose} ({', '.join(by)}){following}"
    )
    _say_fingerprint(signed.policy)


@app.command()
def export(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="Where to. Default: standard output.", show_default=False),
    ] = None,
    tlog_policy: Annotated[
        bool, typer.Option("--tlog-policy", help="In the C2SP form, as of now (the only one there is).")
    ] = False,
    policy: Policy = None,
    data: options.Data = None,
) -> None:
    """Write the trust policy as a C2SP tlog-policy, for other tools of transparency logs.

    Examples:
      shirushi policy export --tlog-policy
      shirushi policy export --tlog-policy shirushi.tlog-policy
    """
    if not tlog_policy:
        raise typer.BadParameter("name the form: --tlog-policy", param_hint="export")
    text = to_tlog_policy(read_signed_policy(_path(policy, data)).policy, int(time.time()))
    if file is None:
        typer.echo(text, nl=False)
        return
    with whole_file(file) as out:
        out.write(text)
    say(f"{file} is written")


def _path(policy: Path | None, data: Path | None) -> Path:
    return policy if policy is not None else data_folder(data) / FILE_NAME


def _check_quorum(signed: SignedPolicy, judge: TrustPolicy, at: int) -> None:
    by, quorum = signers(signed, judge, at), judge.quorum_at(at)
    if quorum is None or len(by) < quorum:
        raise PolicyError(
            f"trust policy version {signed.policy.version}: expected signatures of {quorum or 'a quorum of'} of its members, found "
            f"{len(by)} ({', '.join(by) or 'nobody'})"
        )


def _view(policy: TrustPolicy, by: Sequence[str]) -> dict[str, Json]:
    return {
        "fingerprint": policy.fingerprint.hex(),
        "format": FORMAT,
        "policy": policy.to_json(),
        "signed_by": list(by),
    }


def _say_fingerprint(policy: TrustPolicy) -> None:
    first, second = grouped(policy.fingerprint)
    say(f"fingerprint   {first}")
    say(f"              {second}")
    if policy.expires_at is not None:
        say(f"good until    {moment(policy.expires_at)}")
