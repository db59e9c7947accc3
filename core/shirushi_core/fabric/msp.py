"""Membership service providers: whose certificates count, and in which roles.

Source: msp/mspimpl.go, msp/mspimplvalidate.go, msp/mspmgrimpl.go. Time is passed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shirushi_core.errors import ShirushiError
from shirushi_core.fabric.identity import Identity
from shirushi_core.fabric.signing import PublicKey


class IdentityError(ShirushiError):
    """An identity its MSP does not accept: unknown MSP, wrong chain, expired, revoked, wrong role."""


class Role(StrEnum):
    """NodeOU roles; MEMBER is any valid identity."""

    MEMBER = "member"
    ADMIN = "admin"
    CLIENT = "client"
    PEER = "peer"
    ORDERER = "orderer"


@dataclass(frozen=True, slots=True)
class ValidIdentity:
    """An identity that its MSP accepted."""

    identity: Identity
    public_key: PublicKey
    roles: frozenset[Role]
    organizational_units: frozenset[str]

    @property
    def msp_id(self) -> str:
        """The MSP that accepted it."""
        return self.identity.msp_id

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check this identity's signature over a message; raises SignatureError."""
        raise NotImplementedError


class Msp:
    """One organisation's MSP, from its configuration (msp.FabricMSPConfig)."""

    msp_id: str

    @classmethod
    def from_config(cls, config: bytes) -> Msp:
        """Build from serialized msp.MSPConfig bytes; raises InvalidInputError."""
        raise NotImplementedError

    def validate(self, identity: Identity, at: datetime) -> ValidIdentity:
        """Judge an identity: chain to a root or intermediate CA, expiry at `at`, revocation lists, NodeOUs.

        Raises IdentityError saying which check failed for which subject. (Fabric checks a chain at the certificate's
        own notBefore, and expiry of the leaf separately: the same is done here.)
        """
        raise NotImplementedError


class MspManager:
    """The MSPs of a channel."""

    def __init__(self, msps: Iterable[Msp]) -> None:
        raise NotImplementedError

    @property
    def msps(self) -> Mapping[str, Msp]:
        """MSP id → MSP."""
        raise NotImplementedError

    def validate(self, serialized: bytes, at: datetime) -> ValidIdentity:
        """Parse and judge a serialized identity; accepted ones are cached (bounded), expiry is checked every time.

        Raises IdentityError or InvalidInputError.
        """
        raise NotImplementedError

    def satisfies(self, identity: ValidIdentity, principal: bytes) -> bool:
        """Say whether an identity matches serialized msp.MSPPrincipal bytes (role, OU, identity; combined)."""
        raise NotImplementedError
