"""What the commands about trust policies share: who has signed one, and showing it to people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shirushi_client.cli.output import say
from shirushi_core.proofs.policy_update import SignedPolicy, signers
from shirushi_core.proofs.trust_policy import TrustPolicy
from shirushi_network.cli.show_fingerprint import say_fingerprint
from shirushi_network.policy_words import describe_policy, describe_policy_change


@dataclass(frozen=True, slots=True)
class Judgement:
    """A policy, that whose members have to sign it (version 1: itself), and who of them has."""

    signed: SignedPolicy
    by: TrustPolicy
    signers: tuple[str, ...]
    needed: int
    of: tuple[str, ...]

    @property
    def sufficient(self) -> bool:
        """Whether enough have signed."""
        return len(self.signers) >= self.needed

    @property
    def missing(self) -> list[str]:
        """Who has not."""
        return [each for each in self.of if each not in self.signers]

    @property
    def sentences(self) -> Sequence[str]:
        """What it says, or in what it differs from the one before."""
        if self.by == self.signed.policy:
            return describe_policy(self.signed.policy)
        return describe_policy_change(self.by, self.signed.policy)


def judge_policy(signed: SignedPolicy, by: TrustPolicy, now: int) -> Judgement:
    """Say how far a policy is signed; raises PolicyError for a signature that does not hold."""
    at = max(now, by.issued_at)
    members = tuple(member.id for member in by.members_at(at))
    return Judgement(signed, by, signers(signed, by, at), by.quorum_at(at) or len(members) + 1, members)


def signed_words(judged: Judgement) -> str:
    """Say how many signatures a policy has, and whose are missing."""
    text = f"signed by {len(judged.signers)} of {len(judged.of)} members"
    text += f" ({', '.join(judged.signers)})" if judged.signers else ""
    if judged.sufficient:
        return f"{text}; {judged.needed} are needed"
    return f"{text}, {judged.needed} needed; missing: {judged.needed - len(judged.signers)} of {', '.join(judged.missing)}"


def say_policy(judged: Judgement) -> None:
    """Print what a policy says or changes, its fingerprint, and how far it is signed."""
    for sentence in judged.sentences:
        say(sentence)
    say("")
    say_fingerprint(judged.signed.policy.fingerprint)
    say(f"\n{signed_words(judged)}")


def policy_json(judged: Judgement) -> dict[str, Any]:
    """Return the JSON form of a policy that is being signed."""
    policy = judged.signed.policy
    return {
        "ledger": policy.ledger,
        "version": policy.version,
        "fingerprint": policy.fingerprint.hex(),
        "says": list(judged.sentences),
        "signed_by": list(judged.signers),
        "needed": judged.needed,
        "missing": judged.missing,
        "sufficient": judged.sufficient,
    }
