"""`shirushi policy`: the trust policy, a verifier's root of trust."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509

from shirushi_client.cli import options
from shirushi_client.cli.output import day_and_time, print_json, say, shortened, show_rows
from shirushi_client.cli.output_files import write_output
from shirushi_client.profile import data_folder
from shirushi_client.trust_policy_file import FILE_NAME, install_update, read_policy, read_signed_policy
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.policy_update import SignedPolicy, signers, verify_signed, verify_update
from shirushi_core.proofs.tlog_policy import to_tlog_policy
from shirushi_core.proofs.trust_policy import TrustPolicy
from shirushi_core.proofs.window import Window

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Show, check and update the trust policy verifiers go by.",
)

PolicyOption = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        metavar="P",
        help="The trust policy file. Default: the data folder's.",
        show_default=False,
    ),
]
PolicyArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="A trust policy file.", show_default=False)
]


@app.command()
def show(policy: PolicyOption = None, data: options.Data = None, as_json: options.Json = False) -> None:
    """Show who is trusted: members, keys, quorum, seals, and who signed it.

    Compare the fingerprint with two members before you rely on a first one.

    Examples:
      shirushi policy show
      shirushi policy show --policy trust-policy.json --json
    """
    signed = read_signed_policy(_path(policy, data))
    if as_json:
        print_json(_document(signed))
        return
    trusted = signed.policy
    say(
        f"trust policy of {trusted.ledger}, version {trusted.version}, issued {day_and_time(trusted.issued_at)}"
    )
    expiry = "no end" if trusted.expires_at is None else day_and_time(trusted.expires_at)
    say(f"expires      {expiry}")
    say(f"signed by    {', '.join(_signers(signed)) or 'nobody'}")
    say(f"fingerprint  {_spelled(trusted.fingerprint)}")
    say("")
    show_rows(("quorum", "when"), [(str(rule.quorum), _when(rule.window)) for rule in trusted.quorums])
    say("")
    show_rows(
        ("member", "name", "key", "SHA-256", "when", "witness"),
        list(_key_rows(trusted)),
        wrapped=("name", "witness"),
        spare=("witness",),
    )
    if trusted.issuers:
        say("")
        show_rows(
            ("issuer", "name", "seal's certificate", "certificate valid", "when"),
            list(_seal_rows(trusted)),
            wrapped=("name", "seal's certificate"),
        )


@app.command()
def update(
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The next version.", show_default=False)],
    policy: PolicyOption = None,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Take the next version, if a quorum of the present one's members signed it.

    Nothing that the present one trusts for the past may be missing.
    The present version is kept beside it.

    Examples:
      shirushi policy update trust-policy-2.json
      shirushi policy update trust-policy-2.json --policy trust-policy.json
    """
    path = _path(policy, data)
    before = read_policy(path)
    after = install_update(path, new, time.time())
    if as_json:
        print_json(
            {
                "fingerprint": after.fingerprint.hex(),
                "policy": str(path),
                "replaced": before.version,
                "version": after.version,
            }
        )
        return
    say(f"{path} is now version {after.version}; version {before.version} is kept beside it")
    say(f"fingerprint  {_spelled(after.fingerprint)}")


@app.command()
def verify(
    file: PolicyArgument,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="P",
            help="The policy it would follow. Default: it is judged by its own members.",
            show_default=False,
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Check that a policy is signed by enough members, or that it follows another one.

    Examples:
      shirushi policy verify trust-policy.json
      shirushi policy verify trust-policy-2.json --against trust-policy.json
    """
    signed, now = read_signed_policy(file), int(time.time())
    by = signed.policy if against is None else read_policy(against)
    if against is None:
        verify_signed(signed, by, max(now, signed.policy.issued_at))
    else:
        verify_update(by, signed, now)
    if as_json:
        print_json(_document(signed))
        return
    whose = "its own members" if against is None else f"members of version {by.version}"
    say(f"{file}: version {signed.policy.version} holds, signed by {len(signers(signed, by, now))} {whose}")
    say(f"fingerprint  {_spelled(signed.policy.fingerprint)}")


@app.command()
def export(
    policy: PolicyOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where to write it. Default: standard output."),
    ] = None,
    data: options.Data = None,
) -> None:
    """Write the policy of today as a C2SP tlog-policy, for other tools.

    Examples:
      shirushi policy export
      shirushi policy export --out shirushi.tlog-policy
    """
    text = to_tlog_policy(read_policy(_path(policy, data)), int(time.time()))
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_output(out, text.encode())
        say(f"written to {out}")


def _path(policy: Path | None, data: Path | None) -> Path:
    return policy or data_folder(data) / FILE_NAME


def _signers(signed: SignedPolicy) -> tuple[str, ...]:
    return signers(signed, signed.policy, max(int(time.time()), signed.policy.issued_at))


def _document(signed: SignedPolicy) -> Json:
    return {
        "fingerprint": signed.policy.fingerprint.hex(),
        "policy": signed.policy.to_json(),
        "signed_by": list(_signers(signed)),
    }


def _spelled(fingerprint: bytes) -> str:
    """Return a fingerprint in groups that can be read out over the phone."""
    text = fingerprint.hex()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def _when(window: Window) -> str:
    start = day_and_time(window.not_before)
    return f"since {start}" if window.not_after is None else f"{start} to {day_and_time(window.not_after)}"


def _key_rows(policy: TrustPolicy) -> Iterator[tuple[str, ...]]:
    for member in policy.members:
        name = f"{member.name_ja} / {member.name_en}"
        url = "" if member.witness is None else member.witness.url
        for number, key in enumerate(member.keys):
            first = (member.id, name) if number == 0 else ("", "")
            yield (
                *first,
                key.use.value,
                shortened(key.key_id),
                _when(key.window),
                url if number == 0 else "",
            )


def _seal_rows(policy: TrustPolicy) -> Iterator[tuple[str, ...]]:
    for issuer in policy.issuers:
        for seal in issuer.seals:
            try:
                certificate = x509.load_der_x509_certificate(seal.chain[0])
                subject = certificate.subject.rfc4514_string()
                valid = f"{_day(certificate.not_valid_before_utc)} to {_day(certificate.not_valid_after_utc)}"
            except ValueError:
                subject, valid = "no certificate", "—"
            yield issuer.id, f"{issuer.name_ja} / {issuer.name_en}", subject, valid, _when(seal.window)


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d")
