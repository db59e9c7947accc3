"""The C2SP form of a trust policy at one time: what other tools of transparency logs judge checkpoints by.

    log <vkey> [<url>]
    witness <name> <vkey>
    group <name> <k> <name>...
    quorum <name>

Each member is a log, for each signs the one log with a key of its own, and a witness under its cosigner's name. It has no windows and
no seals: it says what counts at the time it is made for. Source: C2SP tlog-policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.trust_policy import KeyUse, PolicyMember, TrustPolicy, cosigner_name

_GROUP = "members"


def to_tlog_policy(policy: TrustPolicy, at: int) -> str:
    """Return the policy's text as of a time (unix seconds); raises InvalidInputError if no quorum can be made up then."""
    members, quorum = policy.members_at(at), policy.quorum_at(at)
    witnesses = {member.id: _vkeys(policy, member, KeyUse.COSIGNER, at) for member in members}
    count = sum(bool(keys) for keys in witnesses.values())
    if quorum is None or count < quorum:
        raise InvalidInputError(
            f"trust policy version {policy.version}: expected {quorum or 'a number of'} members with a cosigner key at {at}, "
            f"found {count}"
        )
    lines = [
        f"# Trust policy of the ledger {policy.ledger}, version {policy.version}, as of unix time {at}.",
        f"# SHA-256 of the policy: {policy.fingerprint.hex()}",
        *_logs(policy, members, at),
    ]
    groups, names = [], []
    for member_id, vkeys in witnesses.items():
        name = cosigner_name(policy.ledger, member_id)
        parts = [name] if len(vkeys) == 1 else [f"{name}/{number}" for number in range(1, len(vkeys) + 1)]
        lines += [f"witness {part} {vkey}" for part, vkey in zip(parts, vkeys, strict=True)]
        if len(vkeys) > 1:  # a member that changes keys still counts once
            groups.append(f"group {name} any {' '.join(parts)}")
        if vkeys:
            names.append(name)
    lines += [*groups, f"group {_GROUP} {quorum} {' '.join(names)}", f"quorum {_GROUP}"]
    return "".join(f"{line}\n" for line in lines)


def _logs(policy: TrustPolicy, members: Sequence[PolicyMember], at: int) -> Iterator[str]:
    for member in members:
        url = "" if member.witness is None else member.witness.url
        # A line's items end at a space, and the file has no control characters.
        address = f" {url}" if url and url.isprintable() and " " not in url else ""
        for vkey in _vkeys(policy, member, KeyUse.LOG, at):
            yield f"log {vkey}{address}"


def _vkeys(policy: TrustPolicy, member: PolicyMember, use: KeyUse, at: int) -> list[str]:
    keys = [key for key in member.keys if key.use is use and key.window.holds(at)]
    return [str(policy.verifier_key(member, key)) for key in keys]
