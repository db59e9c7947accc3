"""Signature policies and implicit-meta policies, and the tree that names them.

Source: common/cauthdsl/cauthdsl.go, common/policies/{policy,implicitmeta}.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shirushi_core.errors import ShirushiError
from shirushi_core.fabric.msp import MspManager, ValidIdentity


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

    def satisfied_by(self, msp_ids: frozenset[str]) -> bool:
        """Say whether one peer of each of these MSPs would satisfy it (for endorsement planning)."""


def signature_policy(envelope: bytes, msps: MspManager) -> Policy:
    """Build a policy from serialized common.SignaturePolicyEnvelope bytes; raises InvalidInputError."""
    raise NotImplementedError


def application_policy(data: bytes, msps: MspManager, policies: PolicyTree) -> Policy:
    """Build from serialized peer.ApplicationPolicy bytes (signature policy or reference by name)."""
    raise NotImplementedError


def parse_policy_text(text: str) -> bytes:
    """Turn "OutOf(2, 'Org1MSP.peer', 'Org2MSP.member')" (AND, OR, OutOf) into SignaturePolicyEnvelope bytes.

    Source: common/policydsl. Raises InvalidInputError with the position.
    """
    raise NotImplementedError


class PolicyTree:
    """The named policies of a channel: "/Channel/Application/Writers" → Policy."""

    def get(self, path: str) -> Policy:
        """Return the policy at an absolute path; raises PolicyError if there is none."""
        raise NotImplementedError


def valid_signers(signed: Iterable[SignedData], msps: MspManager, at: datetime) -> list[ValidIdentity]:
    """Return the distinct identities that are valid and whose signatures verify (others are left out, as in Fabric)."""
    raise NotImplementedError


def evaluate_signed_data(
    policy: Policy, signed: Iterable[SignedData], msps: MspManager, at: datetime
) -> None:
    """Evaluate a policy over signatures (protoutil, policies.SignatureSetToValidIdentities); raises PolicyError."""
    raise NotImplementedError
