"""Which members must endorse: the policies of what a transaction touched, as sets of members that satisfy them.

There is one peer for each member, so a layout is a set of MSP ids.
Source: internal/pkg/gateway/registry.go, discovery/endorsement/endorsement.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from fabric_protos.peer import proposal_response_pb2

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.fabric.channel_config import ChannelConfig
from shirushi_core.fabric.policy import (
    MAX_LAYOUTS,
    Policy,
    application_policy,
    endorsement_layouts,
    signature_policy,
)
from shirushi_node.ledger.definitions import find_definition
from shirushi_node.ledger.ledger import Channel
from shirushi_node.ledger.members import Members

MemberSet: TypeAlias = frozenset[str]

REMEMBERED_INTERESTS = 256
"""Distinct interests whose layouts are kept: a channel has few chaincodes and few key policies."""

DEFAULT_POLICY = "/Channel/Application/Endorsement"


class PlanError(ShirushiError):
    """No running members can satisfy what must be satisfied."""


class Planner:
    """Finds the sets of members whose endorsements suffice."""

    def __init__(self, channel: Channel, members: Members) -> None:
        self._channel = channel
        self._members = members
        self._known: dict[bytes, tuple[MemberSet, ...]] = {}
        self._known_for: ChannelConfig | None = None
        self._turn = 0

    def for_organisations(self, chaincode: str, organisations: Iterable[str]) -> MemberSet:
        """Return the organisations asked for; raises PlanError naming those without a running peer for it."""
        wanted = tuple(dict.fromkeys(organisations))
        present = self._members.with_chaincode(chaincode)
        missing = [organisation for organisation in wanted if organisation not in present]
        if missing:
            raise PlanError(f"failed to find any endorsing peers for org(s): {', '.join(missing)}")
        return frozenset(wanted)

    def layouts(
        self, interest: proposal_response_pb2.ChaincodeInterest, preferred: str | None
    ) -> list[MemberSet]:
        """Return the sets of running members that suffice, those with the preferred one first; raises PlanError.

        Sets that are equally good take turns, so that the work is spread.
        """
        running = frozenset.intersection(
            *(frozenset(self._members.with_chaincode(call.name)) for call in interest.chaincodes)
        )
        found = [layout for layout in self._all(interest) if layout <= running]
        if not found:
            raise PlanError(
                "no combination of peers can be derived which satisfy the endorsement policy: "
                "no peer combination can satisfy the endorsement policy"
            )
        self._turn += 1
        turn = self._turn % len(found)
        found = found[turn:] + found[:turn]
        return sorted(found, key=lambda layout: preferred not in layout)

    def _all(self, interest: proposal_response_pb2.ChaincodeInterest) -> Sequence[MemberSet]:
        config = self._channel.config
        if self._known_for is not config:
            self._known, self._known_for = {}, config
        key = interest.SerializeToString()
        if key not in self._known:
            if len(self._known) >= REMEMBERED_INTERESTS:
                self._known.clear()
            self._known[key] = self._combine(interest)
        return self._known[key]

    def _combine(self, interest: proposal_response_pb2.ChaincodeInterest) -> tuple[MemberSet, ...]:
        alternatives = [
            [
                frozenset(layout)
                for layout in endorsement_layouts(policy)
                if max(layout.values(), default=0) < 2
            ]
            for call in interest.chaincodes
            for policy in self._policies(call)
        ]
        combined: list[MemberSet] = [frozenset()]
        for alternative in alternatives:
            combined = _both(combined, alternative)
        return tuple(combined)

    def _policies(self, call: proposal_response_pb2.ChaincodeCall) -> list[Policy]:
        config = self._channel.config
        try:
            found = [
                signature_policy(policy.SerializeToString(), config.msps) for policy in call.key_policies
            ]
            if not call.disregard_namespace_policy:
                found.append(self._chaincode_policy(call.name))
        except InvalidInputError as error:
            raise PlanError(
                f"no combination of peers can be derived which satisfy the endorsement policy: {error}"
            ) from None
        return found

    def _chaincode_policy(self, name: str) -> Policy:
        config = self._channel.config
        definition = find_definition(name, self._channel.definitions)
        if definition is None:
            raise PlanError(
                "no combination of peers can be derived which satisfy the endorsement policy: "
                f"No metadata was found for chaincode {name} in channel {self._channel.name}"
            )
        if definition.endorsement_policy is None:
            return config.policies.find(DEFAULT_POLICY)
        return application_policy(definition.endorsement_policy, config.msps, config.policies)


def _both(first: list[MemberSet], second: list[MemberSet]) -> list[MemberSet]:
    """Return the smallest sets that contain one of each list."""
    joined = sorted({a | b for a in first for b in second}, key=lambda layout: (len(layout), sorted(layout)))
    smallest: list[MemberSet] = []
    for layout in joined[:MAX_LAYOUTS]:
        if not any(other <= layout for other in smallest):
            smallest.append(layout)
    return smallest
