"""A trust policy in sentences, for people who are about to sign it: nothing that differs is left out."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from shirushi_client.cli.durations import in_words
from shirushi_core.proofs.status_max_age import StatusMaxAge
from shirushi_core.proofs.trust_policy import (
    KeyUse,
    PolicyIssuer,
    PolicyKey,
    PolicyMember,
    QuorumRule,
    SealChain,
    TrustPolicy,
)
from shirushi_core.proofs.window import Window

_USES = {
    KeyUse.LOG: "log key",
    KeyUse.COSIGNER: "cosigner key",
    KeyUse.BLS: "BLS key",
    KeyUse.POLICY: "admin key",
}


def describe_policy(policy: TrustPolicy) -> list[str]:
    """Say everything that a policy says."""
    said = [
        *_head(policy),
        _ages(policy.status_max_age),
        *(f"quorum: {_quorum(rule)}" for rule in policy.quorums),
    ]
    for member in policy.members:
        said.append(f"{_who(member)}: a member {_window(member.window)}")
        said += [f"{member.id}: {_key(key)} {_window(key.window)}" for key in member.keys]
        said.append(f"{member.id}: {_address(member)}")
    for issuer in policy.issuers:
        said += [f"the issuer {_issuer(issuer)}: {_seal(seal)}" for seal in issuer.seals]
        if not issuer.seals:
            said.append(f"the issuer {_issuer(issuer)}: no seal")
    return said


def describe_policy_change(before: TrustPolicy, after: TrustPolicy) -> list[str]:
    """Say everything in which a version differs from the one before it."""
    said = _head(after)
    if before.ledger != after.ledger:
        said.append(f"ledger: {before.ledger} → {after.ledger}")
    if before.status_max_age != after.status_max_age:
        said.append(f"{_ages(before.status_max_age)} → {_ages(after.status_max_age)}")
    if before.quorums != after.quorums:
        said += [f"quorum: {_quorum(rule)}" for rule in after.quorums]
        said += [f"quorum: no more: {_quorum(rule)}" for rule in before.quorums if rule not in after.quorums]
    for member in after.members:
        known = before.member(member.id)
        said += _member_change(known, member)
    said += [f"{_who(each)} is left out" for each in before.members if after.member(each.id) is None]
    for issuer in after.issuers:
        said += _issuer_change(before.issuer(issuer.id), issuer)
    said += [
        f"the issuer {_issuer(each)} is left out" for each in before.issuers if after.issuer(each.id) is None
    ]
    return said


def _head(policy: TrustPolicy) -> list[str]:
    until = "until there is a newer one" if policy.expires_at is None else f"until {_time(policy.expires_at)}"
    return [
        f"trust policy of {policy.ledger}, version {policy.version}, of {_time(policy.issued_at)}; good {until}"
    ]


def _ages(ages: StatusMaxAge | None) -> str:
    if ages is None:
        return f"a status may be {in_words(StatusMaxAge().default)} old, for it says nothing else"
    of_types = "".join(f", of {name} {in_words(seconds)}" for name, seconds in ages.types)
    return f"a status may be {in_words(ages.default)} old{of_types}"


def _member_change(before: PolicyMember | None, after: PolicyMember) -> list[str]:
    if before is None:
        said = [f"{_who(after)} becomes a member {_window(after.window)}"]
        said += [f"{after.id}: {_key(key)} {_window(key.window)}" for key in after.keys]
        return [*said, f"{after.id}: {_address(after)}"]
    said = []
    if before.window != after.window:
        said.append(f"{_who(after)}: a member {_window(before.window)} → {_window(after.window)}")
    if (before.name_ja, before.name_en) != (after.name_ja, after.name_en):
        said.append(
            f"{after.id}: called {before.name_ja} / {before.name_en} → {after.name_ja} / {after.name_en}"
        )
    if before.witness != after.witness:
        said.append(f"{after.id}: {_address(before)} → {_address(after)}")
    known = {(key.use, key.public_key): key for key in before.keys}
    for key in after.keys:
        old = known.pop((key.use, key.public_key), None)
        if old is None:
            said.append(f"{after.id}: new: {_key(key)} {_window(key.window)}")
        elif old.window != key.window:
            said.append(f"{after.id}: {_key(key)} {_window(old.window)} → {_window(key.window)}")
        elif old != key:
            said.append(f"{after.id}: {_key(key)} has another proof of possession")
    return said + [f"{after.id}: {_key(key)} is left out" for key in known.values()]


def _issuer_change(before: PolicyIssuer | None, after: PolicyIssuer) -> list[str]:
    if before is None:
        said = [f"the issuer {_issuer(after)} is added"]
        return said + [f"{after.id}: {_seal(seal)}" for seal in after.seals]
    said = []
    if (before.name_ja, before.name_en) != (after.name_ja, after.name_en):
        said.append(f"the issuer {_issuer(before)} is called {_issuer(after)}")
    said += [f"{after.id}: new: {_seal(seal)}" for seal in after.seals if seal not in before.seals]
    return said + [f"{after.id}: no more: {_seal(seal)}" for seal in before.seals if seal not in after.seals]


def _who(member: PolicyMember) -> str:
    return f"{member.id} ({_both(member.name_ja, member.name_en)})"


def _issuer(issuer: PolicyIssuer) -> str:
    return f"{issuer.id} ({_both(issuer.name_ja, issuer.name_en)})"


def _both(name_ja: str, name_en: str) -> str:
    return name_en if name_ja == name_en else f"{name_ja} / {name_en}"


def _quorum(rule: QuorumRule) -> str:
    return f"{rule.quorum} members have to agree {_window(rule.window)}"


def _key(key: PolicyKey) -> str:
    return f"{_USES[key.use]} {key.key_id.hex()[:16]}"


def _address(member: PolicyMember) -> str:
    if member.witness is None:
        return "no witness"
    roots = member.witness.tls_root
    if roots is None:
        return f"witness at {member.witness.url}, TLS roots of the system"
    return f"witness at {member.witness.url}, TLS from {_names(roots.encode())}"


def _names(pem: bytes) -> str:
    try:
        return ", ".join(_certificate(each) for each in x509.load_pem_x509_certificates(pem))
    except ValueError:
        return "certificates that cannot be read"


def _seal(seal: SealChain) -> str:
    try:
        chain = " below ".join(_certificate(x509.load_der_x509_certificate(each)) for each in seal.chain)
    except ValueError:
        chain = "a certificate that cannot be read"
    return f"seal {chain} {_window(seal.window)}"


def _certificate(certificate: x509.Certificate) -> str:
    name = certificate.subject.rfc4514_string()
    return f"{name} [{certificate.fingerprint(hashes.SHA256()).hex()[:16]}]"


def _window(window: Window) -> str:
    until = "on" if window.not_after is None else f"to {_time(window.not_after)}"
    return f"from {_time(window.not_before)} {until}"


def _time(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"
