"""Whether a member's public material is what its topology entry promises: pure checks, each refusal one sentence.

The same checks judge a bundle received from another member, and a folder of certificates that were made elsewhere.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.certificate import Certificate, read_certificate
from shirushi_core.fabric.certificate_chain import Authorities, Authority, ChainError
from shirushi_core.fabric.genesis import MemberBundle, msp_config
from shirushi_core.fabric.identity import Identity
from shirushi_core.fabric.msp import IdentityError, Msp, Role
from shirushi_core.fabric.signing import load_certificate
from shirushi_core.proofs import bls
from shirushi_network.member_bundle import BundleError, PublicBundle, check_entry
from shirushi_network.topology import Member

_KEY_FORM = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
_USAGES = {ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth", ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth"}


def check_bundle(bundle: PublicBundle, member: Member, now: datetime) -> None:
    """Check a bundle against the topology's entry of the member it should be of; raises BundleError.

    That is: the same entry; CAs that make an MSP, signed revocation lists; an orderer certificate that the MSP accepts
    in the orderer role; an orderer TLS certificate from the TLS CA that names the orderer's host; nothing expired; of a
    member with a witness an admin's certificate, and proofs that it has its keys.
    """
    check_entry(bundle, member)
    material = bundle.material
    msp = check_authorities(member, material, now)
    if material.orderer_certificate is not None:
        check_identity(member, msp, material.orderer_certificate, Role.ORDERER, "orderer certificate", now)
    if material.orderer_tls_certificate is not None and member.orderer is not None:
        check_tls(
            member,
            material,
            material.orderer_tls_certificate,
            member.orderer.host,
            "orderer TLS certificate",
            now,
        )
    if bundle.admin_certificate is not None:
        check_identity(member, msp, bundle.admin_certificate, Role.ADMIN, "admin certificate", now)
    if bundle.witness is not None:
        try:
            bundle.witness.verify_possession(member.id)
        except (InvalidInputError, bls.BlsError) as error:
            raise _defect(member, f"its witness's keys: {error}") from None


def check_distinct(bundles: Sequence[PublicBundle]) -> None:
    """Check that no two members have a CA or a witness key in common, which would speak for both; raises BundleError."""
    owners: dict[bytes, Member] = {}
    cosigners: dict[bytes, Member] = {}
    for bundle in bundles:
        material = bundle.material
        for pem in (*material.ca_certificates, *material.intermediate_certificates):
            key = load_certificate(pem).public_key().public_bytes(*_KEY_FORM)
            owner = owners.setdefault(key, bundle.member)
            if owner.id != bundle.member.id:
                raise BundleError(
                    f"{owner.id} and {bundle.member.id} have the same CA, so that either could sign as the other: each "
                    "member has to have a CA of its own"
                )
        if bundle.witness is None:
            continue
        for key in {bundle.witness.log, bundle.witness.cosigner, bundle.witness.bls}:
            owner = cosigners.setdefault(key, bundle.member)
            if owner.id != bundle.member.id:
                raise BundleError(
                    f"{owner.id} and {bundle.member.id} have the same witness key, so that one would count as two: each "
                    "member has to have witness keys of its own"
                )


def check_authorities(member: Member, material: MemberBundle, now: datetime) -> Msp:
    """Check a member's CAs and revocation lists and return the MSP they make; raises BundleError."""
    if not material.tls_ca_certificates:
        raise _defect(member, "expected at least one TLS CA certificate, found none")
    try:
        msp = Msp.from_config(msp_config(material))
        authorities = Authorities(material.ca_certificates, material.intermediate_certificates)
        tls = Authorities(material.tls_ca_certificates, material.tls_intermediate_certificates)
    except InvalidInputError as error:
        raise _defect(member, f"its CA certificates make no MSP: {error}") from None
    for kind, found in (("CA", authorities), ("TLS CA", tls)):
        for authority in found:
            _check_period(member, authority.certificate, f"{kind} certificate", now)
            if authority.is_root and not authority.issued(authority.certificate):
                issuer = authority.certificate.issuer.rfc4514_string()
                raise _defect(
                    member,
                    f"the root {kind} certificate {authority.name} is not signed by itself: if {issuer} is its root, expected "
                    "that one as root and this one as intermediate",
                )
    for number, data in enumerate(material.revocation_lists):
        if not _is_signed(data, authorities):
            raise _defect(member, f"revocation list {number} is not signed by any of its CAs")
    return msp


def check_identity(
    member: Member, msp: Msp, certificate_pem: bytes, role: Role, what: str, now: datetime
) -> None:
    """Check that a member's MSP accepts a certificate in a role; `what` is what it is called. Raises BundleError."""
    try:
        identity = Identity(member.msp_id, certificate_pem)
        _check_period(member, identity.certificate, what, now)
        valid = msp.validate(identity, now)
    except (IdentityError, InvalidInputError) as error:
        raise _defect(member, f"its MSP does not accept the {what}: {error}") from None
    if role not in valid.roles:
        found = ", ".join(sorted(valid.roles - {Role.MEMBER})) or "none"
        raise _defect(member, f"the {what} is for the role {found}; expected {role}")


def check_tls(
    member: Member, material: MemberBundle, certificate_pem: bytes, host: str, what: str, now: datetime
) -> None:
    """Check a TLS certificate: from the member's TLS CA, for `host`, for servers and clients; raises BundleError."""
    try:
        certificate = load_certificate(certificate_pem)
        read = read_certificate(certificate_pem)
        tls = Authorities(material.tls_ca_certificates, material.tls_intermediate_certificates)
        tls.issuer_chain(read)
    except (InvalidInputError, ChainError) as error:
        raise _defect(member, f"the {what} is not from its TLS CA: {error}") from None
    _check_period(member, read, what, now)
    names = _hosts(certificate)
    if not any(_names(each, host) for each in names):
        raise _defect(
            member, f"the {what} is for {', '.join(names) or 'no host'}; expected one for the host {host}"
        )
    missing = _missing_usages(certificate)
    if missing:
        raise _defect(member, f"the {what} may not be used for {' and '.join(missing)}")


def _defect(member: Member, text: str) -> BundleError:
    return BundleError(
        f"the certificates of {member.id}: {text}; {member.name_en} has to put that right and hand them over again"
    )


def _check_period(member: Member, certificate: Certificate, what: str, now: datetime) -> None:
    begin, end = certificate.not_before, certificate.not_after
    if end < now:
        raise _defect(member, f"the {what} expired at {end.isoformat()}, before {now.isoformat()}")
    if begin > now:
        raise _defect(
            member,
            f"the {what} is valid from {begin.isoformat()} on, after {now.isoformat()} (is a clock wrong?)",
        )


def _is_signed(data: bytes, authorities: Iterable[Authority]) -> bool:
    crl = x509.load_pem_x509_crl(data)
    for authority in authorities:
        try:
            if crl.is_signature_valid(authority.key):
                return True
        except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
            continue
    return False


def _hosts(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = names.get_values_for_type(x509.IPAddress)
    return names.get_values_for_type(x509.DNSName) + [str(address) for address in addresses]


def _names(name: str, host: str) -> bool:
    """Say whether a certificate's name is a host's; as in Go, "*" stands for the whole first label of a DNS name."""
    try:
        return ipaddress.ip_address(name) == ipaddress.ip_address(host)
    except ValueError:
        pass
    name, host = name.lower(), host.lower()
    if not name.startswith("*."):
        return name == host
    label, dot, rest = host.partition(".")
    return bool(label and dot) and rest == name[2:]


def _missing_usages(certificate: x509.Certificate) -> list[str]:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return []
    if ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages:
        return []
    return [name for usage, name in _USAGES.items() if usage not in usages]
