"""Membership service providers: whose certificates count, and in which roles.

Source: msp/mspimpl.go, msp/mspimplsetup.go, msp/mspimplvalidate.go, msp/mspmgrimpl.go. Time is passed in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType

from cryptography.hazmat.primitives import hashes
from fabric_protos.msp import msp_config_pb2
from google.protobuf.message import DecodeError

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.fabric.certificate import Certificate, read_certificate
from shirushi_core.fabric.certificate_chain import Authorities, ChainError, chain_identifier
from shirushi_core.fabric.identity import Identity
from shirushi_core.fabric.principal import Role, ValidIdentity, parse_principal
from shirushi_core.fabric.revocation import RevocationLists, RevokedError
from shirushi_core.fabric.signing import signing_key

__all__ = [
    "ExpiredIdentityError",
    "IdentityError",
    "Msp",
    "MspManager",
    "Role",
    "UnknownAuthorityError",
    "ValidIdentity",
]

CACHED_IDENTITIES = 4096
"""Accepted identities an MspManager keeps; judging one anew costs about 0.3 ms."""

_FABRIC_TYPE = 0
_SIGNATURE_DIGESTS: dict[str, hashes.HashAlgorithm] = {"SHA2": hashes.SHA256(), "SHA3": hashes.SHA3_256()}
_CHAIN_DIGESTS = {"SHA256": "sha256", "SHA384": "sha384", "SHA3_256": "sha3_256", "SHA3_384": "sha3_384"}
_principal = lru_cache(maxsize=256)(parse_principal)


class IdentityError(ShirushiError):
    """An identity its MSP does not accept: unknown MSP, wrong chain, expired, revoked, wrong role."""


class UnknownAuthorityError(IdentityError):
    """An identity whose certificate leads to no authority of its MSP; Fabric cannot even read (deserialize) it."""


class ExpiredIdentityError(IdentityError):
    """An identity that its MSP would accept, but for its certificate's end of validity."""


@dataclass(frozen=True, slots=True)
class _NodeOu:
    """An organizational unit that stands for a role; empty `certifiers` means any chain of the MSP."""

    role: Role
    unit: str
    certifiers: bytes


class Msp:
    """One organisation's MSP, from its configuration (msp.FabricMSPConfig)."""

    msp_id: str
    root_certificates: tuple[bytes, ...]  # PEM
    tls_root_certificates: tuple[bytes, ...]  # PEM
    tls_intermediate_certificates: tuple[bytes, ...]  # PEM

    def __init__(self, config: msp_config_pb2.FabricMSPConfig) -> None:
        """Check and take over a configuration; raises InvalidInputError naming the MSP."""
        self.msp_id = config.name
        if not self.msp_id:
            raise InvalidInputError("the MSP configuration has no name")
        try:
            self._set_up(config)
        except InvalidInputError as error:
            raise InvalidInputError(f"MSP {self.msp_id}: {error}") from None

    @classmethod
    def from_config(cls, config: bytes) -> Msp:
        """Build from serialized msp.MSPConfig bytes; raises InvalidInputError."""
        try:
            outer = msp_config_pb2.MSPConfig.FromString(config)
            if outer.type != _FABRIC_TYPE:
                raise InvalidInputError(f"unsupported msp type {outer.type}; expected {_FABRIC_TYPE} (X.509)")
            inner = msp_config_pb2.FabricMSPConfig.FromString(outer.config)
        except DecodeError:
            raise InvalidInputError("failed unmarshalling fabric msp config") from None
        return cls(inner)

    def validate(self, identity: Identity, at: datetime) -> ValidIdentity:
        """Judge an identity: chain to a root or intermediate CA, expiry at `at`, revocation lists, NodeOUs.

        Raises IdentityError saying which check failed for which subject. (Fabric checks a chain at the certificate's
        own notBefore, and expiry of the leaf separately: the same is done here.)
        """
        accepted = self.accept(identity)
        _check_expiry(accepted, at)
        return accepted

    def accept(self, identity: Identity) -> ValidIdentity:
        """Judge an identity apart from its expiry; raises IdentityError, or InvalidInputError for no certificate."""
        if identity.msp_id != self.msp_id:
            raise IdentityError(f"expected MSP ID {self.msp_id}, received {identity.msp_id}")
        certificate = identity.certificate
        try:
            return self._accept(identity, certificate)
        except IdentityError as error:
            raise type(error)(f"{error} ({_describe(certificate)}, MSP {self.msp_id})") from None

    def _set_up(self, config: msp_config_pb2.FabricMSPConfig) -> None:
        self._set_up_hashes(config)
        self._authorities = Authorities(config.root_certs, config.intermediate_certs)
        self.root_certificates = tuple(config.root_certs)
        self._revoked = RevocationLists(config.revocation_list)
        self._check_intermediates(self._authorities)
        if config.tls_root_certs:
            self._check_intermediates(Authorities(config.tls_root_certs, config.tls_intermediate_certs))
        elif config.tls_intermediate_certs:
            raise InvalidInputError("TLS intermediate CA certificates without a TLS root CA certificate")
        self.tls_root_certificates = tuple(config.tls_root_certs)
        self.tls_intermediate_certificates = tuple(config.tls_intermediate_certs)
        self._units = frozenset(
            (unit.organizational_unit_identifier, self._certifiers(unit))
            for unit in config.organizational_unit_identifiers
        )
        self._node_ous = self._read_node_ous(config)
        self._set_up_admins(config)

    def _check_intermediates(self, authorities: Authorities) -> None:
        for authority in authorities:
            if authority.is_root:
                continue
            parent = authorities.chain_of_certificate(authority.certificate)[1]
            try:
                self._revoked.check(authority.certificate, parent)
            except RevokedError as error:
                raise InvalidInputError(
                    f"the intermediate CA certificate {authority.name} is not valid: {error}"
                ) from None

    def _set_up_hashes(self, config: msp_config_pb2.FabricMSPConfig) -> None:
        """Take over the hashes for signatures and for chains; a family for signatures that is unknown is found out by its use."""
        self._signature_digest = _SIGNATURE_DIGESTS.get(config.crypto_config.signature_hash_family or "SHA2")
        function = config.crypto_config.identity_identifier_hash_function or "SHA256"
        if function not in _CHAIN_DIGESTS:
            raise InvalidInputError(
                f"hash function not recognized [{function}]; expected one of {', '.join(_CHAIN_DIGESTS)}"
            )
        self._chain_digest = _CHAIN_DIGESTS[function]

    def _certifiers(self, unit: msp_config_pb2.FabricOUIdentifier) -> bytes:
        return chain_identifier(self._authorities.chain_of(unit.certificate), self._chain_digest)

    def _read_node_ous(self, config: msp_config_pb2.FabricMSPConfig) -> tuple[_NodeOu, ...]:
        """Return the units that stand for roles; none if NodeOUs are off."""
        ous = config.fabric_node_ous
        if not ous.enable:
            return ()
        found = []
        for role in (Role.CLIENT, Role.PEER, Role.ADMIN, Role.ORDERER):
            field = f"{role.value}_ou_identifier"
            if not ous.HasField(field):
                continue
            unit = getattr(ous, field)
            certifiers = self._certifiers(unit) if unit.certificate else b""
            found.append(_NodeOu(role, unit.organizational_unit_identifier, certifiers))
        return tuple(found)

    def _set_up_admins(self, config: msp_config_pb2.FabricMSPConfig) -> None:
        has_admin_unit = any(unit.role is Role.ADMIN for unit in self._node_ous)
        if not config.admins and not has_admin_unit:
            raise InvalidInputError("administrators must be declared when no admin ou classification is set")
        self._admins = frozenset(read_certificate(pem).signed_part for pem in config.admins)
        for position, pem in enumerate(config.admins):
            self._set_up_admin(position, Identity(self.msp_id, pem))

    def _set_up_admin(self, position: int, identity: Identity) -> None:
        """Check an admin that is named: with NodeOUs only that it is a client or an admin, as in Fabric."""
        try:
            if not self._node_ous:
                self.accept(identity)
                return
            certificate = identity.certificate
            self._authorities.issuer_chain(certificate)
        except (IdentityError, ChainError) as error:
            raise InvalidInputError(f"admin {position} is invalid: {error}") from None
        units = {each.unit for each in self._node_ous if each.role in (Role.CLIENT, Role.ADMIN)}
        if certificate.is_ca or not units & set(certificate.organizational_units):
            raise InvalidInputError(f"admin {position} is invalid: it is neither a client nor an admin")

    def _accept(self, identity: Identity, certificate: Certificate) -> ValidIdentity:
        try:
            key = signing_key(certificate.key)
        except InvalidInputError as error:
            raise IdentityError(f"could not validate identity's public key algorithm: {error}") from None
        try:
            chain = self._authorities.issuer_chain(certificate)
        except ChainError as error:
            raise UnknownAuthorityError(f"could not obtain certification chain: {error}") from None
        if certificate.is_ca:
            raise IdentityError(
                "could not obtain certification chain: An X509 certificate with Basic Constraint: "
                "Certificate Authority equals true cannot be used as an identity"
            )
        try:
            self._revoked.check(certificate, chain[0])
        except RevokedError as error:
            raise IdentityError(f"could not validate identity against certification chain: {error}") from None
        certifiers = chain_identifier(chain, self._chain_digest)
        units = list(certificate.organizational_units)
        self._check_units(units, certifiers)
        return ValidIdentity(
            identity=identity,
            public_key=key,
            roles=self._roles(certificate, units),
            organizational_units=frozenset(units),
            certifiers_identifier=certifiers,
            fingerprint=hashlib.sha256(certificate.signed_part).digest(),
            expires_at=certificate.not_after,
            signature_digest=self._signature_digest,
        )

    def _check_units(self, units: list[str], certifiers: bytes) -> None:
        """Check that the units are ones this MSP recognises, and that just one stands for a role (V1.4.2 rules)."""
        shown = "[" + " ".join(f"{unit}({certifiers[:8].hex().upper()})" for unit in units) + "]"
        problem = "could not validate identity's OUs: "
        if self._units and not any((unit, certifiers) in self._units for unit in units):
            raise IdentityError(
                f"{problem}none of the identity's organizational units {shown} are in MSP {self.msp_id}"
            )
        if not self._node_ous:
            return
        by_unit = {node_ou.unit: node_ou for node_ou in self._node_ous}
        special = [by_unit[unit] for unit in units if unit in by_unit]
        if any(node_ou.certifiers not in (b"", certifiers) for node_ou in special):
            raise IdentityError(
                f"{problem}certifiersIdentifier does not match: {shown}, MSP: [{self.msp_id}]"
            )
        if not special:
            raise IdentityError(
                f"{problem}the identity does not have an OU that resolves to client, peer, orderer, or admin role. "
                f"OUs: {shown}, MSP: [{self.msp_id}]"
            )
        if len(special) > 1:
            raise IdentityError(
                f"{problem}the identity must have a client, a peer, an orderer, or an admin OU role to be valid, "
                f"not a combination of them. OUs: {shown}, MSP: [{self.msp_id}]"
            )

    def _roles(self, certificate: Certificate, units: list[str]) -> frozenset[Role]:
        roles = {Role.MEMBER}
        roles.update(node_ou.role for node_ou in self._node_ous if node_ou.unit in units)
        if certificate.signed_part in self._admins:
            roles.add(Role.ADMIN)
        return frozenset(roles)


class MspManager:
    """The MSPs of a channel."""

    def __init__(self, msps: Iterable[Msp], unreadable: Mapping[str, str] = MappingProxyType({})) -> None:
        """Take MSPs, and those that the channel has and we cannot read: MSP id → why."""
        self._msps = MappingProxyType({msp.msp_id: msp for msp in msps})
        self.unreadable = MappingProxyType(dict(unreadable))
        self._accept = lru_cache(maxsize=CACHED_IDENTITIES)(self._accept_anew)

    @property
    def msps(self) -> Mapping[str, Msp]:
        """MSP id → MSP."""
        return self._msps

    def validate(self, serialized: bytes, at: datetime) -> ValidIdentity:
        """Parse and judge a serialized identity; accepted ones are cached (bounded), expiry is checked every time.

        Raises IdentityError or InvalidInputError.
        """
        accepted = self._accept(serialized)
        _check_expiry(accepted, at)
        return accepted

    def satisfies(self, identity: ValidIdentity, principal: bytes) -> bool:
        """Say whether an identity matches serialized msp.MSPPrincipal bytes (role, OU, identity; combined).

        Raises InvalidInputError if the bytes are no principal that an X.509 MSP knows.
        """
        return _principal(principal).matches(identity)

    def _accept_anew(self, serialized: bytes) -> ValidIdentity:
        identity = Identity.from_serialized(serialized)
        msp = self._msps.get(identity.msp_id)
        if identity.msp_id in self.unreadable:
            raise IdentityError(
                f"MSP {identity.msp_id} cannot be read here: {self.unreadable[identity.msp_id]}; its member has to change "
                "its part of the channel's configuration"
            )
        if msp is None:
            raise IdentityError(f"MSP {identity.msp_id} is not defined on channel")
        return msp.accept(identity)


def _check_expiry(accepted: ValidIdentity, at: datetime) -> None:
    if accepted.expires_at < at:
        raise ExpiredIdentityError(
            f"the certificate expired at {accepted.expires_at.isoformat()}, before {at.isoformat()} "
            f"({_describe(accepted.identity.certificate)}, MSP {accepted.msp_id})"
        )


def _describe(certificate: Certificate) -> str:
    return (
        f"certificate subject={certificate.subject.rfc4514_string()} "
        f"issuer={certificate.issuer.rfc4514_string()} serialnumber={certificate.serial_number}"
    )
