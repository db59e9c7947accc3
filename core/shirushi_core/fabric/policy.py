"""Signature policies and implicit-meta policies, and the tree that names them.

Source: common/cauthdsl/cauthdsl.go, common/policies/{policy,implicitmeta}.go, common/policies/inquire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations, islice, product
from types import MappingProxyType
from typing import Protocol, TypeAlias

from fabric_protos.common import configtx_pb2, policies_pb2
from fabric_protos.peer import policy_pb2
from google.protobuf.message import DecodeError

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.fabric.msp import IdentityError, MspManager, ValidIdentity
from shirushi_core.fabric.policy_text import parse_policy_text
from shirushi_core.fabric.principal import NOBODY, Principal, Role, parse_principal
from shirushi_core.fabric.signing import SignatureError

__all__ = [
    "Layout",
    "Policy",
    "PolicyError",
    "PolicyTree",
    "SignedData",
    "application_policy",
    "endorsement_layouts",
    "evaluate_signed_data",
    "parse_policy_text",
    "signature_policy",
    "valid_signers",
]

MAX_LAYOUTS = 10_000
"""Layouts looked at for one policy, as in Fabric's discovery; beyond it plan with `Policy.satisfied_by`."""

Layout: TypeAlias = Mapping[str, int]
"""How many peers of which MSP."""


class PolicyError(ShirushiError):
    """A policy that the identities or signatures given do not satisfy."""


@dataclass(frozen=True, slots=True)
class SignedData:
    """Bytes, a serialized identity and its signature over the bytes (protoutil.SignedData)."""

    data: bytes
    identity: bytes
    signature: bytes


class Policy(Protocol):
    """Something identities can satisfy."""

    def evaluate(self, identities: Sequence[ValidIdentity]) -> None:
        """Return if the identities satisfy the policy, each identity used once; raises PolicyError."""

    def satisfied_by(self, msp_ids: frozenset[str], role: Role = Role.PEER) -> bool:
        """Say whether one peer (or holder of another role) of each of these MSPs would satisfy it."""

    def layouts(self) -> Sequence[Layout]:
        """Return sets of peers that satisfy it, not yet minimal (see endorsement_layouts)."""


@dataclass(frozen=True, slots=True)
class _SignedBy:
    principal: Principal


@dataclass(frozen=True, slots=True)
class _OutOf:
    n: int
    rules: tuple[_Rule, ...]


_Rule: TypeAlias = _SignedBy | _OutOf


@dataclass(frozen=True, slots=True)
class _SignaturePolicy:
    rule: _Rule

    def evaluate(self, identities: Sequence[ValidIdentity]) -> None:
        def matches(principal: Principal, position: int) -> bool:
            return principal.matches(identities[position])

        if _satisfy(self.rule, matches, [False] * len(identities)) is None:
            raise PolicyError("signature set did not satisfy policy")

    def satisfied_by(self, msp_ids: frozenset[str], role: Role = Role.PEER) -> bool:
        holders = sorted(msp_ids)

        def matches(principal: Principal, position: int) -> bool:
            return principal.msp_of(role) == holders[position]

        return _satisfy(self.rule, matches, [False] * len(holders)) is not None

    def layouts(self) -> Sequence[Layout]:
        return _rule_layouts(self.rule)


@dataclass(frozen=True, slots=True)
class _ImplicitMetaPolicy:
    name: str
    threshold: int
    policies: tuple[Policy, ...]

    def evaluate(self, identities: Sequence[ValidIdentity]) -> None:
        satisfied = 0
        for policy in self.policies:
            if satisfied >= self.threshold:
                return
            try:
                policy.evaluate(identities)
            except PolicyError:
                continue
            satisfied += 1
        if satisfied < self.threshold:
            raise PolicyError(
                f"implicit policy evaluation failed - {satisfied} sub-policies were satisfied, but this policy "
                f"requires {self.threshold} of the '{self.name}' sub-policies to be satisfied"
            )

    def satisfied_by(self, msp_ids: frozenset[str], role: Role = Role.PEER) -> bool:
        return sum(policy.satisfied_by(msp_ids, role) for policy in self.policies) >= self.threshold

    def layouts(self) -> Sequence[Layout]:
        # One peer may count in several sub-policies: each is evaluated over all the identities.
        return _choose([policy.layouts() for policy in self.policies], self.threshold, max)


@dataclass(frozen=True, slots=True)
class _Rejecting:
    """Stands for a policy that is referred to and does not exist: never satisfied."""

    path: str

    def evaluate(self, identities: Sequence[ValidIdentity]) -> None:
        raise PolicyError(f"no such policy: '{self.path}'")

    def satisfied_by(self, msp_ids: frozenset[str], role: Role = Role.PEER) -> bool:
        return False

    def layouts(self) -> Sequence[Layout]:
        return ()


def signature_policy(envelope: bytes, msps: MspManager) -> Policy:
    """Build a policy from serialized common.SignaturePolicyEnvelope bytes; raises InvalidInputError.

    A principal of an MSP that `msps` does not have is allowed, as in Fabric: nobody will ever match it.
    """
    try:
        message = policies_pb2.SignaturePolicyEnvelope.FromString(envelope)
    except DecodeError:
        raise InvalidInputError("the bytes are no SignaturePolicyEnvelope") from None
    if message.version != 0:
        raise InvalidInputError(
            f"signature policies of version 0 are understood, but version was {message.version}"
        )
    principals = tuple(_principal(each.SerializeToString()) for each in message.identities)
    return _SignaturePolicy(_compile(message.rule, principals))


def _principal(data: bytes) -> Principal:
    """Read a principal; one that no X.509 MSP knows is matched by nobody, as in Fabric, which reads it only then."""
    try:
        return parse_principal(data)
    except InvalidInputError:
        return NOBODY


def application_policy(data: bytes, msps: MspManager, policies: PolicyTree) -> Policy:
    """Build from serialized peer.ApplicationPolicy bytes (signature policy or reference by name).

    A reference that `policies` does not know gives a policy that is never satisfied. Raises InvalidInputError.
    """
    try:
        message = policy_pb2.ApplicationPolicy.FromString(data)
    except DecodeError:
        raise InvalidInputError("failed to unmarshal ApplicationPolicy bytes") from None
    kind = message.WhichOneof("Type")
    if kind == "signature_policy":
        return signature_policy(message.signature_policy.SerializeToString(), msps)
    if kind == "channel_config_policy_reference":
        return policies.find(message.channel_config_policy_reference)
    raise InvalidInputError(
        "unsupported policy type: expected a signature policy or a channel policy reference"
    )


class PolicyTree:
    """The named policies of a channel: "/Channel/Application/Writers" → Policy."""

    def __init__(
        self, policies: Mapping[str, Policy], unreadable: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._policies = MappingProxyType(dict(policies))
        self.unreadable = MappingProxyType(dict(unreadable))

    @classmethod
    def from_group(cls, root: configtx_pb2.ConfigGroup, msps: MspManager) -> PolicyTree:
        """Build from a channel's root config group; what cannot be read is never satisfied, and named by its path."""
        policies: dict[str, Policy] = {}
        unreadable: dict[str, str] = {}
        _add_group("/Channel", root, msps, policies, unreadable)
        return cls(policies, unreadable)

    def get(self, path: str) -> Policy:
        """Return the policy at an absolute path; raises PolicyError if there is none."""
        policy = self._policies.get(path)
        if policy is None:
            raise PolicyError(f"no such policy: '{path}'")
        return policy

    def find(self, reference: str) -> Policy:
        """Return the policy of a reference, absolute or relative to /Channel; one never satisfied if there is none."""
        path = reference if reference.startswith("/") else f"/Channel/{reference}"
        return self._policies.get(path, _Rejecting(reference))


def valid_signers(signed: Iterable[SignedData], msps: MspManager, at: datetime) -> list[ValidIdentity]:
    """Return the distinct identities that are valid and whose signatures verify (others are left out, as in Fabric)."""
    found: dict[tuple[str, bytes], ValidIdentity] = {}
    for each in signed:
        try:
            identity = msps.validate(each.identity, at)
            key = (identity.msp_id, identity.fingerprint)
            if key in found:
                continue
            identity.verify(each.signature, each.data)
        except (IdentityError, InvalidInputError, SignatureError):
            continue
        found[key] = identity
    return list(found.values())


def evaluate_signed_data(
    policy: Policy, signed: Iterable[SignedData], msps: MspManager, at: datetime
) -> None:
    """Evaluate a policy over signatures (protoutil, policies.SignatureSetToValidIdentities); raises PolicyError."""
    policy.evaluate(valid_signers(signed, msps, at))


def endorsement_layouts(policy: Policy) -> tuple[dict[str, int], ...]:
    """Return the minimal sets of peers that satisfy a policy: MSP id → count, the smallest sets first.

    Only principals that any peer of an MSP matches count (member, peer). At most MAX_LAYOUTS are looked at.
    """
    distinct = {frozenset(layout.items()): dict(layout) for layout in policy.layouts()}
    ordered = sorted(distinct.values(), key=lambda layout: (sum(layout.values()), sorted(layout.items())))
    minimal: list[dict[str, int]] = []
    for layout in ordered:
        size = sum(layout.values())
        smaller = (each for each in minimal if sum(each.values()) < size)
        if not any(all(layout.get(msp, 0) >= count for msp, count in each.items()) for each in smaller):
            minimal.append({msp: layout[msp] for msp in sorted(layout)})
    return tuple(minimal)


def _satisfy(rule: _Rule, matches: Callable[[Principal, int], bool], used: list[bool]) -> list[bool] | None:
    """Return which signers are used up once a rule is satisfied, or None; greedy in order, as Fabric's compile()."""
    if isinstance(rule, _SignedBy):
        for position, taken in enumerate(used):
            if not taken and matches(rule.principal, position):
                return [*used[:position], True, *used[position + 1 :]]
        return None
    satisfied = 0
    for each in rule.rules:
        after = _satisfy(each, matches, used)
        if after is not None:
            satisfied += 1
            used = after
    return used if satisfied >= rule.n else None


def _compile(rule: policies_pb2.SignaturePolicy, principals: Sequence[Principal]) -> _Rule:
    kind = rule.WhichOneof("Type")
    if kind == "signed_by":
        if not 0 <= rule.signed_by < len(principals):
            raise InvalidInputError(
                f"identity index out of range, requested {rule.signed_by}, but identities length is {len(principals)}"
            )
        return _SignedBy(principals[rule.signed_by])
    if kind == "n_out_of":
        return _OutOf(rule.n_out_of.n, tuple(_compile(each, principals) for each in rule.n_out_of.rules))
    raise InvalidInputError("Empty policy element")


def _add_group(
    path: str,
    group: configtx_pb2.ConfigGroup,
    msps: MspManager,
    policies: dict[str, Policy],
    unreadable: dict[str, str],
) -> None:
    for name in sorted(group.groups):
        _add_group(f"{path}/{name}", group.groups[name], msps, policies, unreadable)
    for name in sorted(group.policies):
        message = group.policies[name].policy
        here = f"{path}/{name}"
        try:
            if message.type == policies_pb2.Policy.SIGNATURE:
                policies[here] = signature_policy(message.value, msps)
            elif message.type == policies_pb2.Policy.IMPLICIT_META:
                below = [f"{path}/{sub}" for sub in sorted(group.groups)]
                policies[here] = _implicit_meta(message.value, below, policies)
            else:
                raise InvalidInputError(f"unknown policy type: {message.type}")
        except InvalidInputError as error:
            policies[here] = _Rejecting(here)
            unreadable[here] = f"policy {here} did not compile: {error}"


def _implicit_meta(data: bytes, groups: Sequence[str], policies: Mapping[str, Policy]) -> Policy:
    try:
        message = policies_pb2.ImplicitMetaPolicy.FromString(data)
    except DecodeError:
        raise InvalidInputError("the bytes are no ImplicitMetaPolicy") from None
    rules = policies_pb2.ImplicitMetaPolicy
    thresholds = {rules.ANY: 1, rules.ALL: len(groups), rules.MAJORITY: len(groups) // 2 + 1}
    if message.rule not in thresholds:
        raise InvalidInputError(f"unknown implicit-meta rule {message.rule}")
    below = [f"{group}/{message.sub_policy}" for group in groups]
    return _ImplicitMetaPolicy(
        name=message.sub_policy,
        threshold=thresholds[message.rule] if groups else 0,
        policies=tuple(policies.get(path, _Rejecting(path)) for path in below),
    )


def _rule_layouts(rule: _Rule) -> Sequence[Layout]:
    if isinstance(rule, _SignedBy):
        msp_id = rule.principal.msp_of(Role.PEER)
        return () if msp_id is None else ({msp_id: 1},)
    return _choose([_rule_layouts(each) for each in rule.rules], rule.n, lambda a, b: a + b)


def _choose(
    alternatives: Sequence[Sequence[Layout]], n: int, merge: Callable[[int, int], int]
) -> Sequence[Layout]:
    """Return the layouts that take one alternative of each of n branches, up to MAX_LAYOUTS."""
    possible = [each for each in alternatives if each]

    def all_choices() -> Iterator[Layout]:
        for branches in combinations(possible, max(n, 0)):
            for picked in product(*branches):
                merged: dict[str, int] = {}
                for layout in picked:
                    for msp_id, count in layout.items():
                        merged[msp_id] = merge(merged.get(msp_id, 0), count)
                yield merged

    return tuple(islice(all_choices(), MAX_LAYOUTS))
