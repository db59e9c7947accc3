"""Valid identities, their roles, and the principals that describe them (msp.MSPPrincipal).

Source: msp/mspimpl.go (SatisfiesPrincipal, hasOURole, collectPrincipals).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from cryptography.hazmat.primitives import hashes
from fabric_protos.msp import msp_principal_pb2
from google.protobuf.message import DecodeError

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.identity import Identity
from shirushi_core.fabric.signing import PublicKey, SignatureError, verify

MAX_COMBINED_DEPTH = 8
"""How deeply combined principals may nest."""


class Role(StrEnum):
    """NodeOU roles; MEMBER is any valid identity."""

    MEMBER = "member"
    ADMIN = "admin"
    CLIENT = "client"
    PEER = "peer"
    ORDERER = "orderer"


ROLE_NUMBERS = {
    Role.MEMBER: msp_principal_pb2.MSPRole.MEMBER,
    Role.ADMIN: msp_principal_pb2.MSPRole.ADMIN,
    Role.CLIENT: msp_principal_pb2.MSPRole.CLIENT,
    Role.PEER: msp_principal_pb2.MSPRole.PEER,
    Role.ORDERER: msp_principal_pb2.MSPRole.ORDERER,
}
"""Role → msp.MSPRole.MSPRoleType."""

_ROLES = {number: role for role, number in ROLE_NUMBERS.items()}


@dataclass(frozen=True, slots=True)
class ValidIdentity:
    """An identity that its MSP accepted."""

    identity: Identity
    public_key: PublicKey
    roles: frozenset[Role]
    organizational_units: frozenset[str]
    certifiers_identifier: bytes  # SHA-256 over the chain above it, as OU principals name it
    fingerprint: bytes  # SHA-256 of the certificate's signed part: one per certificate, however it is encoded
    expires_at: datetime
    signature_digest: hashes.HashAlgorithm | None = field(default_factory=hashes.SHA256)
    """None if its MSP names one that Fabric does not know."""

    @property
    def msp_id(self) -> str:
        """The MSP that accepted it."""
        return self.identity.msp_id

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check this identity's signature over a message; raises SignatureError."""
        if self.signature_digest is None:
            raise SignatureError(f"hash family not recognized by MSP {self.msp_id}; expected SHA2 or SHA3")
        verify(self.public_key, signature, message, self.signature_digest)


class Principal(Protocol):
    """A description that valid identities match or do not."""

    def matches(self, identity: ValidIdentity) -> bool: ...
    def msp_of(self, role: Role) -> str | None:
        """Return the MSP whose holders of a role surely match, or None if that depends on the holder."""
        ...


@dataclass(frozen=True, slots=True)
class RolePrincipal:
    """A role in an MSP."""

    msp_id: str
    role: Role

    def matches(self, identity: ValidIdentity) -> bool:
        return identity.msp_id == self.msp_id and self.role in identity.roles

    def msp_of(self, role: Role) -> str | None:
        return self.msp_id if self.role in (Role.MEMBER, role) else None


@dataclass(frozen=True, slots=True)
class UnitPrincipal:
    """An organizational unit certified by one chain of an MSP."""

    msp_id: str
    unit: str
    certifiers_identifier: bytes

    def matches(self, identity: ValidIdentity) -> bool:
        return (
            identity.msp_id == self.msp_id
            and self.unit in identity.organizational_units
            and identity.certifiers_identifier == self.certifiers_identifier
        )

    def msp_of(self, role: Role) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class IdentityPrincipal:
    """One certificate of an MSP."""

    msp_id: str
    signed_part: bytes

    def matches(self, identity: ValidIdentity) -> bool:
        return (
            identity.msp_id == self.msp_id and identity.identity.certificate.signed_part == self.signed_part
        )

    def msp_of(self, role: Role) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class CombinedPrincipal:
    """Several principals, all of which must match."""

    principals: tuple[Principal, ...]

    def matches(self, identity: ValidIdentity) -> bool:
        return all(principal.matches(identity) for principal in self.principals)

    def msp_of(self, role: Role) -> str | None:
        msps = {principal.msp_of(role) for principal in self.principals}
        return msps.pop() if len(msps) == 1 else None


@dataclass(frozen=True, slots=True)
class Nominal:
    """Anybody whose name is known, of whatever MSP: every X.509 identity."""

    def matches(self, identity: ValidIdentity) -> bool:
        return True

    def msp_of(self, role: Role) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class Nobody:
    """A principal that no X.509 MSP knows."""

    def matches(self, identity: ValidIdentity) -> bool:
        return False

    def msp_of(self, role: Role) -> str | None:
        return None


NOBODY = Nobody()


def parse_principal(data: bytes, depth: int = 0) -> Principal:
    """Parse serialized msp.MSPPrincipal bytes; raises InvalidInputError, also for anonymous principals."""
    kinds = msp_principal_pb2.MSPPrincipal
    try:
        message = kinds.FromString(data)
        kind, body = message.principal_classification, message.principal
        if kind == kinds.ROLE:
            role = msp_principal_pb2.MSPRole.FromString(body)
            if role.role not in _ROLES:
                raise InvalidInputError(f"invalid MSP role type {role.role}")
            return RolePrincipal(role.msp_identifier, _ROLES[role.role])
        if kind == kinds.ORGANIZATION_UNIT:
            unit = msp_principal_pb2.OrganizationUnit.FromString(body)
            return UnitPrincipal(
                unit.msp_identifier, unit.organizational_unit_identifier, unit.certifiers_identifier
            )
        if kind == kinds.IDENTITY:
            identity = Identity.from_serialized(body)
            return IdentityPrincipal(identity.msp_id, identity.certificate.signed_part)
        if kind == kinds.ANONYMITY:
            anonymity = msp_principal_pb2.MSPIdentityAnonymity
            if anonymity.FromString(body).anonymity_type == anonymity.NOMINAL:
                return Nominal()
        if kind == kinds.COMBINED:
            return _parse_combined(body, depth)
    except DecodeError:
        raise InvalidInputError("could not unmarshal an MSPPrincipal") from None
    raise InvalidInputError(
        f"invalid principal type {kind}: X.509 MSPs know roles, units, identities and combinations"
    )


def _parse_combined(body: bytes, depth: int) -> CombinedPrincipal:
    members = msp_principal_pb2.CombinedPrincipal.FromString(body).principals
    if not members:
        raise InvalidInputError("No principals in CombinedPrincipal")
    if depth >= MAX_COMBINED_DEPTH:
        raise InvalidInputError(f"principals are combined more than {MAX_COMBINED_DEPTH} deep")
    return CombinedPrincipal(
        tuple(parse_principal(member.SerializeToString(), depth + 1) for member in members)
    )
