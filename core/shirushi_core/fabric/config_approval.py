"""Who has signed a proposed configuration update, and who has still to sign it.

Source: common/configtx/update.go (verifyDeltaSet, policyForItem).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.channel_config import ChannelConfig
from shirushi_core.fabric.config_elements import modification_policy
from shirushi_core.fabric.config_proposal import ProposedUpdate
from shirushi_core.fabric.config_update import ConfigUpdateError, changed_elements
from shirushi_core.fabric.identity import Identity
from shirushi_core.fabric.msp import IdentityError
from shirushi_core.fabric.policy import Policy, PolicyError
from shirushi_core.fabric.principal import Role, ValidIdentity
from shirushi_core.fabric.signing import SignatureError


@dataclass(frozen=True, slots=True)
class Signer:
    """Somebody who signed an update; `problem` says why the signature counts for nothing, None if it counts."""

    msp_id: str
    subject: str  # of the certificate, RFC 4514
    is_admin: bool
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class TouchedPolicy:
    """A policy under which the update changes something, and whether the signatures so far satisfy it."""

    path: str  # "/Channel/Orderer/Admins"
    changes: tuple[str, ...]  # "value /Channel/Orderer/BatchSize"
    satisfied: bool


@dataclass(frozen=True, slots=True)
class Approval:
    """How far a proposed update has come. Members are MSP ids, and sign by their admins."""

    members: tuple[str, ...]
    signers: tuple[Signer, ...]
    signed_members: tuple[str, ...]  # whose admins' signatures count
    policies: tuple[TouchedPolicy, ...]
    needed: int | None  # members whose admins have to sign in all; None if no number of admins is enough
    missing: int  # of these, how many have still to sign
    candidates: tuple[str, ...]  # the members whose signature would help

    @property
    def sufficient(self) -> bool:
        """Say whether orderers will find every policy satisfied."""
        return all(policy.satisfied for policy in self.policies)

    @property
    def summary(self) -> str:
        """One sentence for people: "signed by 2 of 5 members; 3 are needed"."""
        names = f" ({', '.join(self.signed_members)})" if self.signed_members else ""
        text = f"signed by {len(self.signed_members)} of {len(self.members)} members{names}"
        if self.sufficient:
            return f"{text}; no more signatures are needed"
        if self.needed is None:
            return f"{text}; the admins of all members together could not make this change"
        verb = "is" if self.needed == 1 else "are"
        return f"{text}; {self.needed} {verb} needed: {self.missing} more of {', '.join(self.candidates)}"


def judge_signatures(config: ChannelConfig, proposed: ProposedUpdate, at: datetime) -> Approval:
    """Judge a proposed update's signatures under the channel's current configuration, `at` a time with a zone.

    Raises StaleUpdateError if the update was made for another version of the configuration, ConfigUpdateError if it is
    for another channel, sets nothing or changes what no policy governs, InvalidInputError if it does not decode.
    """
    if proposed.channel_id != config.channel_id:
        raise ConfigUpdateError(
            f"the update is for channel {proposed.channel_id!r}; the configuration is of {config.channel_id!r}"
        )
    touched = _touched_policies(config, proposed)
    judged = [_judge(config, proposed, position, at) for position in range(len(proposed.signatures))]
    identities = list(
        {(each.msp_id, each.fingerprint): each for _, each in judged if each is not None}.values()
    )
    admins = {each.msp_id for each in identities if Role.ADMIN in each.roles}
    members = tuple(sorted({*config.application_orgs, *config.orderer_orgs}))
    policies = {path: config.policies.find(path) for path in touched}
    satisfied = {path: _holds(policy, identities) for path, policy in policies.items()}
    signed = tuple(member for member in members if member in admins)
    open_policies = [policies[path] for path, holds in satisfied.items() if not holds]
    needed = _fewest(list(policies.values()), signed, members)
    missing, candidates = _missing(open_policies, signed, members)
    return Approval(
        members=members,
        signers=tuple(signer for signer, _ in judged),
        signed_members=signed,
        policies=tuple(TouchedPolicy(path, touched[path], satisfied[path]) for path in sorted(touched)),
        needed=None if needed is None else len(needed),
        missing=missing,
        candidates=candidates,
    )


def _touched_policies(config: ChannelConfig, proposed: ProposedUpdate) -> dict[str, tuple[str, ...]]:
    touched: dict[str, tuple[str, ...]] = {}
    for change in changed_elements(config.config, proposed.update):
        if change.before is None:
            continue
        path = modification_policy(change.key, change.before)
        if not path:
            raise ConfigUpdateError(
                f"the {change.key} names no policy under which it may be changed: nobody can change it"
            )
        touched[path] = (*touched.get(path, ()), str(change.key))
    return touched


def _judge(
    config: ChannelConfig, proposed: ProposedUpdate, position: int, at: datetime
) -> tuple[Signer, ValidIdentity | None]:
    signed = proposed.signatures[position].signed_data(proposed.update_bytes)
    msp_id, subject = _named(signed.identity)
    try:
        identity = config.msps.validate(signed.identity, at)
        identity.verify(signed.signature, signed.data)
    except (IdentityError, InvalidInputError, SignatureError) as error:
        return Signer(msp_id, subject, False, str(error)), None
    return Signer(msp_id, subject, Role.ADMIN in identity.roles), identity


def _named(serialized: bytes) -> tuple[str, str]:
    try:
        identity = Identity.from_serialized(serialized)
        return identity.msp_id, identity.certificate.subject.rfc4514_string()
    except InvalidInputError:
        return "", ""


def _holds(policy: Policy, identities: Sequence[ValidIdentity]) -> bool:
    try:
        policy.evaluate(identities)
    except PolicyError:
        return False
    return True


def _fewest(
    policies: Sequence[Policy], preferred: Sequence[str], members: Sequence[str]
) -> tuple[str, ...] | None:
    """Return members whose admins satisfy all policies, none of whom can be left out; None if all are not enough.

    Those preferred are kept as long as they are of use.
    """

    def enough(chosen: Sequence[str]) -> bool:
        msp_ids = frozenset(chosen)
        return all(policy.satisfied_by(msp_ids, Role.ADMIN) for policy in policies)

    chosen = [*preferred, *(member for member in members if member not in preferred)]
    if not enough(chosen):
        return None
    for member in reversed(tuple(chosen)):
        without = [each for each in chosen if each != member]
        if enough(without):
            chosen = without
    return tuple(chosen)


def _missing(
    policies: Sequence[Policy], signed: Sequence[str], members: Sequence[str]
) -> tuple[int, tuple[str, ...]]:
    """Return how many members have still to sign, and whose signature would help."""
    fewest = _fewest(policies, signed, members)
    if fewest is None:
        return 0, ()
    candidates = [
        member
        for member in members
        if member not in signed and member in (_fewest(policies, [*signed, member], members) or ())
    ]
    return len([member for member in fewest if member not in signed]), tuple(candidates)
