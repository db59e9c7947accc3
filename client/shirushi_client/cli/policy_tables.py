"""A trust policy as a person reads it."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509

from shirushi_client.cli.output import day_and_time, moment, say, show_rows
from shirushi_core.proofs.trust_policy import PolicyIssuer, PolicyMember, SealChain, TrustPolicy
from shirushi_core.proofs.window import Window

_KEY_DIGITS = 8


def show_policy(policy: TrustPolicy, signed_by: Sequence[str], now: int) -> None:
    """Print a policy: what it is, its fingerprint, members with their keys, quorums, issuers with their seals."""
    until = "without an end" if policy.expires_at is None else f"good until {moment(policy.expires_at)}"
    if policy.expires_at is not None and policy.expires_at < now:
        until = f"EXPIRED at {moment(policy.expires_at)}"
    say(
        f"trust policy of {policy.ledger}, version {policy.version}, issued {moment(policy.issued_at)}, {until}"
    )
    first, second = grouped(policy.fingerprint)
    say(f"fingerprint   {first}")
    say(f"              {second}")
    say(f"signed by     {', '.join(signed_by) or 'nobody'}")
    for rule in policy.quorums:
        count = len(policy.members_at(max(rule.window.not_before, min(now, rule.window.not_after or now))))
        say(f"quorum        {rule.quorum} of {count} members, {_window(rule.window)}")
    say("")
    show_rows(
        ("member", "name", "from", "until", "keys", "witness"),
        [_member(member) for member in policy.members],
        wrapped=("keys",),
        spare=("witness",),
    )
    if policy.issuers:
        say("")
        show_rows(
            ("issuer", "name", "seal's certificate", "valid from", "valid until", "counts"),
            [row for issuer in policy.issuers for row in _issuer(issuer)],
            wrapped=("seal's certificate",),
            spare=("counts",),
        )


def grouped(digest: bytes) -> tuple[str, str]:
    """Return a digest's halves in groups of four hex digits, to be read out by phone."""
    digits = digest.hex()
    groups = [digits[start : start + 4] for start in range(0, len(digits), 4)]
    return " ".join(groups[: len(groups) // 2]), " ".join(groups[len(groups) // 2 :])


def _member(member: PolicyMember) -> tuple[str, ...]:
    keys = ", ".join(f"{key.use} {key.key_id.hex()[:_KEY_DIGITS]}{_ended(key.window)}" for key in member.keys)
    return (
        member.id,
        member.name_en,
        day_and_time(member.window.not_before),
        day_and_time(member.window.not_after),
        keys,
        "—" if member.witness is None else member.witness.url,
    )


def _issuer(issuer: PolicyIssuer) -> list[tuple[str, ...]]:
    if not issuer.seals:
        return [(issuer.id, issuer.name_en, "none: by the members' register alone", "—", "—", "—")]
    return [(issuer.id, issuer.name_en, *_seal(seal), _window(seal.window)) for seal in issuer.seals]


def _seal(seal: SealChain) -> tuple[str, str, str]:
    try:
        certificate = x509.load_der_x509_certificate(seal.chain[0])
    except ValueError:
        return "not an X.509 certificate", "—", "—"
    return (
        certificate.subject.rfc4514_string() or f"number {certificate.serial_number}",
        f"{certificate.not_valid_before_utc:%Y-%m-%d}",
        f"{certificate.not_valid_after_utc:%Y-%m-%d}",
    )


def _ended(window: Window) -> str:
    return "" if window.not_after is None else f" (until {day_and_time(window.not_after)})"


def _window(window: Window) -> str:
    since = f"from {day_and_time(window.not_before)}"
    return since if window.not_after is None else f"{since} until {day_and_time(window.not_after)}"
