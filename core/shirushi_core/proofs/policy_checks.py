"""What a trust policy has to be as a whole: keys that signatures tell apart, and a quorum that fits at every moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import fields
from shirushi_core.proofs.window import Window

if TYPE_CHECKING:
    from shirushi_core.proofs.trust_policy import TrustPolicy


def check_key_ids(policy: TrustPolicy) -> None:
    """Refuse two keys of one name and key id, for one of four bytes is soon ground to another's; raises InvalidInputError."""
    owners: dict[tuple[str, bytes], str] = {}
    for member in policy.members:
        for key in member.keys:
            verifier = policy.verifier_key(member, key)
            if verifier is None:
                continue
            name = (verifier.name, verifier.key_id)
            if name in owners:
                raise InvalidInputError(
                    f"trust policy: the {key.use} key of {member.id} has the key id {verifier.key_id.hex()} of another "
                    f"key, of {owners[name]}: one of the two has to be made anew"
                )
            owners[name] = member.id


def check_timeline(policy: TrustPolicy) -> None:
    """Refuse a quorum that is no majority, or more than all, or none, from the first rule to the last; raises InvalidInputError."""
    last = max(_end(rule.window) for rule in policy.quorums)
    first = min(rule.window.not_before for rule in policy.quorums)
    windows = [rule.window for rule in policy.quorums] + [member.window for member in policy.members]
    # Between these moments nothing changes.
    moments = {each.not_before for each in windows} | {_end(each) + 1 for each in windows}
    for at in sorted(moments):
        if not first <= at <= last or at > fields.MAX_UNIX_SECONDS:
            continue
        quorum, count = policy.quorum_at(at), len(policy.members_at(at))
        if quorum is None:
            raise InvalidInputError(
                f"trust policy: quorums: expected a rule for every moment from the first to the last, found none for {at}"
            )
        # Two contradicting heads must never both have a quorum.
        if not count // 2 < quorum <= count:
            raise InvalidInputError(
                f"trust policy: quorum: expected more than half of the {count} members there are at {at}, and no more "
                f"than all, found {quorum}"
            )


def _end(window: Window) -> int:
    return fields.MAX_UNIX_SECONDS if window.not_after is None else window.not_after
