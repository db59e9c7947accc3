"""`shirushi policy`: the trust policy, a verifier's root of trust."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509

from shirushi_client.cli import options
from shirushi_client.cli.durations import in_words
from shirushi_client.cli.output import day_and_time, note, print_json, say, shortened, show_rows
from shirushi_client.cli.output_files import write_output
from shirushi_client.trust_policy_file import install_update, read_policy, read_signed_policy
from shirushi_client.trusted_policies import PolicyLookup, PolicySource, check_first, earlier_path
from shirushi_client.trusted_policies import trust as trust_policy
from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.batch import is_test_ledger
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.policy_update import SignedPolicy, signers, verify_signed, verify_update
from shirushi_core.proofs.status_max_age import StatusMaxAge
from shirushi_core.proofs.tlog_policy import to_tlog_policy
from shirushi_core.proofs.trust_policy import TrustPolicy
from shirushi_core.proofs.window import Window

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Show, check and update the trust policy verifiers go by.",
)


class NotTrustedError(ShirushiError):
    """A policy that was not taken; the text says why."""


PolicyOption = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        metavar="P",
        help="The trust policy file. Default: SHIRUSHI_POLICY, the data folder's, or yours.",
        show_default=False,
    ),
]
LedgerOption = Annotated[
    str | None,
    typer.Option(
        "--ledger", metavar="NAME", help="The one of yours that is of this ledger.", show_default=False
    ),
]
PolicyArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="A trust policy file.", show_default=False)
]


@app.command()
def show(
    policy: PolicyOption = None,
    ledger: LedgerOption = None,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Show who is trusted: members, keys, quorum, seals, and who signed it.

    Compare the fingerprint with two members before you rely on a first one.

    Examples:
      shirushi policy show
      shirushi policy show --policy trust-policy.json --json
    """
    signed = PolicyLookup.of(policy, data).any(ledger).signed
    if as_json:
        print_json(_document(signed))
        return
    _show(signed)


def _show(signed: SignedPolicy) -> None:
    trusted = signed.policy
    say(
        f"trust policy of {trusted.ledger}, version {trusted.version}, issued {day_and_time(trusted.issued_at)}"
    )
    expiry = "no end" if trusted.expires_at is None else day_and_time(trusted.expires_at)
    say(f"expires      {expiry}")
    ages = trusted.status_max_age or StatusMaxAge()
    own = "".join(f"; {name} {in_words(seconds)}" for name, seconds in ages.types)
    say(f"status age   at most {in_words(ages.default)}{own}")
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
def trust(
    file: PolicyArgument,
    fingerprint: Annotated[
        str | None,
        typer.Option(
            "--fingerprint",
            metavar="HEX",
            help="The fingerprint that it has to have, instead of asking: for scripts.",
            show_default=False,
        ),
    ] = None,
    test: Annotated[
        bool, typer.Option("--test", help="Yes, of a test ledger, whose certificates are no real ones.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Make a first trust policy yours, for the receipts of its ledger.

    Compare the fingerprint with two members first, by phone or where they
    publish it: whoever you believe here decides what reads VALID.
    A second first policy of the same ledger is refused.

    Examples:
      shirushi policy trust trust-policy.json
      shirushi policy trust trust-policy.json --fingerprint 3f5a...
    """
    signed = read_signed_policy(file)
    policy = signed.policy
    if as_json and fingerprint is None:
        raise typer.BadParameter("with --json nobody is asked: give the --fingerprint", param_hint="--json")
    known = check_first(signed)
    if fingerprint is not None:
        _check_fingerprint(fingerprint, policy)
        if is_test_ledger(policy.ledger) and not test:
            raise NotTrustedError(f"{policy.ledger} is a TEST ledger: add --test if that is what you want")
    elif not known:
        _ask(signed, test=test)
    path = trust_policy(signed)
    if as_json:
        print_json(
            {
                "fingerprint": policy.fingerprint.hex(),
                "ledger": policy.ledger,
                "policy": str(path),
                "version": policy.version,
            }
        )
        return
    already = " already" if known else ""
    say(f"version {policy.version} of the trust policy of {policy.ledger} is yours{already}: {path}")


def _ask(signed: SignedPolicy, *, test: bool) -> None:
    """Show a policy and have a person say that it is the right one; raises NotTrustedError."""
    policy = signed.policy
    _show(signed)
    say("")
    if policy.expires_at is not None and policy.expires_at < time.time():
        say("It has EXPIRED: ask the members for a newer one.")
    if is_test_ledger(policy.ledger):
        say(f"{policy.ledger} is a TEST ledger: its certificates are no real ones, whatever the verdict.")
        if not test and not _confirm("Trust a test ledger?"):
            raise NotTrustedError("nothing was changed: a test ledger was not trusted")
    if not _confirm("Have two members told you this very fingerprint?"):
        raise NotTrustedError("nothing was changed: compare the fingerprint with two members first")


def _confirm(question: str) -> bool:
    try:
        return typer.confirm(question, default=False)
    except typer.Abort:
        return False


def _check_fingerprint(text: str, policy: TrustPolicy) -> None:
    given = "".join(text.split()).lower()
    if given != policy.fingerprint.hex():
        raise NotTrustedError(
            f"REFUSED: expected a trust policy with the fingerprint {given!a}, found one with {policy.fingerprint.hex()}"
        )


@app.command()
def update(
    new: Annotated[
        Path | None,
        typer.Argument(
            metavar="[NEW]", help="The next version. Default: asked of the witnesses.", show_default=False
        ),
    ] = None,
    policy: PolicyOption = None,
    ledger: LedgerOption = None,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Take the next version, if a quorum of the present one's members signed it.

    Without NEW the witnesses that the present one names are asked for what
    follows it; versions are taken one by one, and whoever gave them is
    believed in nothing.
    Nothing that the present one trusts for the past may be missing.
    The present version is kept beside it.

    Examples:
      shirushi policy update
      shirushi policy update trust-policy-2.json
      shirushi policy update trust-policy-2.json --policy trust-policy.json
    """
    lookup = PolicyLookup.of(policy, data)
    given = None if new is None else read_signed_policy(new)
    if given is not None and ledger is None and lookup.is_by_ledger:
        found = lookup.of_ledger(given.policy.ledger) or lookup.any()
    else:
        found = lookup.any(ledger)
    path, before = found.path, found.signed.policy
    problems: dict[str, str] = {}
    versions = [given] if given is not None else asyncio.run(_fetch(before, problems))
    keep = partial(earlier_path, path) if found.source is PolicySource.TRUSTED else None
    after = before
    for version in versions:
        after = install_update(path, version, time.time(), keep)
    if as_json:
        print_json(
            {
                "fingerprint": after.fingerprint.hex(),
                "policy": str(path),
                "problems": dict(problems),
                "replaced": before.version,
                "version": after.version,
            }
        )
        return
    for member, problem in problems.items():
        note(f"{member}: {problem}")
    if not versions:
        say(
            f"{path} stays version {before.version}: no witness gave a version {before.version + 1} that the members signed"
        )
        return
    say(f"{path} is now version {after.version}; version {before.version} is kept beside it")
    say(f"fingerprint  {_spelled(after.fingerprint)}")


async def _fetch(present: TrustPolicy, problems: dict[str, str]) -> list[SignedPolicy]:
    from shirushi_client.policy_news import fetch_updates
    from shirushi_client.witness_client import open_witnesses

    async with open_witnesses(present, int(time.time())) as witnesses:
        if not witnesses:
            raise NotTrustedError("the trust policy names no witnesses to ask: give the next version as NEW")
        return await fetch_updates(present, witnesses, time.time, problems)


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
    ledger: LedgerOption = None,
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
    text = to_tlog_policy(PolicyLookup.of(policy, data).any(ledger).signed.policy, int(time.time()))
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_output(out, text.encode())
        say(f"written to {out}")


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
