"""A trust policy in the words of C2SP tlog-policy: for other tools of transparency logs to check our checkpoints by.

That format knows no windows: what is written is who counts at one time. Of a member with several cosigner keys any one counts, so
that it still counts once. Source: C2SP tlog-policy.
"""

from __future__ import annotations

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.note import VerifierKey
from shirushi_core.proofs.trust_policy import KeyUse, PolicyMember, TrustPolicy

QUORUM = "quorum-of-members"


def to_tlog_policy(policy: TrustPolicy, at: int) -> str:
    """Return the policy text that holds at a time (unix seconds); raises InvalidInputError if no quorum is defined then."""
    members = policy.members_at(at)
    quorum = policy.quorum_at(at)
    if quorum is None:
        raise InvalidInputError(
            f"trust policy version {policy.version}: no quorum is defined for the time asked for"
        )
    logs = [f"log {key}" for member in members for key in _keys(policy, member, KeyUse.LOG, at)]
    witnesses: list[str] = []
    names: list[str] = []
    for member in members:
        keys = _keys(policy, member, KeyUse.COSIGNER, at)
        if len(keys) == 1:
            witnesses.append(f"witness {member.id} {keys[0]}{_url(member)}")
        elif keys:
            own = [f"{member.id}.{number}" for number in range(1, len(keys) + 1)]
            witnesses += [f"witness {name} {key}{_url(member)}" for name, key in zip(own, keys, strict=True)]
            witnesses.append(f"group {member.id} any {' '.join(own)}")
        if keys:
            names.append(member.id)
    if len(names) < quorum:
        raise InvalidInputError(
            f"trust policy: {len(names)} members have a cosigner key then, {quorum} are needed"
        )
    head = f"# {policy.ledger}, trust policy version {policy.version}, SHA-256 {policy.fingerprint.hex()}"
    group = f"group {QUORUM} {quorum} {' '.join(names)}"
    return "\n".join([head, *logs, *witnesses, group, f"quorum {QUORUM}"]) + "\n"


def _keys(policy: TrustPolicy, member: PolicyMember, use: KeyUse, at: int) -> list[VerifierKey]:
    keys = [key for key in member.keys if key.use is use and key.window.holds(at)]
    return [verifier for key in keys if (verifier := policy.verifier_key(member, key)) is not None]


def _url(member: PolicyMember) -> str:
    return "" if member.witness is None else f" {member.witness.url}"
