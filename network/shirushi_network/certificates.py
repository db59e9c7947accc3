"""Certificates as Fabric wants them: a CA, a TLS CA, and what they issue to one member's nodes and people.

Builders over values: keys, serial numbers and time are passed in. Signatures are low-S, so that Fabric never has to
rewrite a certificate before it compares it.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shirushi_core.fabric.certificate import parse_certificate
from shirushi_core.fabric.certificate_chain import low_s_der
from shirushi_core.fabric.msp import Role

ATTRIBUTES_OID = x509.ObjectIdentifier("1.2.3.4.5.6.7.8.1")
"""Fabric CA's attribute extension: {"attrs": {name: value}}, read by chaincodes."""

CLOCK_SKEW = timedelta(minutes=5)
"""Certificates begin this much before they are made, for machines whose clocks run late."""


@dataclass(frozen=True, slots=True)
class Period:
    """From when to when a certificate is valid."""

    begin: datetime
    end: datetime

    @classmethod
    def of_days(cls, now: datetime, days: int) -> Period:
        """Return the period of a certificate made now."""
        return cls(now - CLOCK_SKEW, now + timedelta(days=days))


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key as unencrypted PKCS#8 PEM."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def authority(
    organisation: str, common_name: str, key: ec.EllipticCurvePrivateKey, serial: int, period: Period
) -> KeyPair:
    """Make a self-signed CA that may issue end-entity certificates and revocation lists, and nothing else."""
    name = _name(organisation, common_name)
    builder = (
        _builder(name, name, key.public_key(), serial, period)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
    )
    return KeyPair(_signed(builder, key), key)


def enrollment(
    issuer: KeyPair,
    organisation: str,
    common_name: str,
    role: Role,
    key: ec.EllipticCurvePrivateKey,
    serial: int,
    period: Period,
    attributes: Mapping[str, str] | None = None,
) -> KeyPair:
    """Issue a signing certificate whose organizational unit says its role; attributes are for chaincodes to read."""
    builder = (
        _builder(
            _name(organisation, common_name, role),
            issuer.certificate.subject,
            key.public_key(),
            serial,
            period,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(_issuer_key_id(issuer), critical=False)
    )
    if attributes:
        value = json.dumps({"attrs": dict(sorted(attributes.items()))}, separators=(",", ":")).encode()
        builder = builder.add_extension(x509.UnrecognizedExtension(ATTRIBUTES_OID, value), critical=False)
    return KeyPair(_signed(builder, issuer.key), key)


def tls_server(
    issuer: KeyPair,
    organisation: str,
    common_name: str,
    hosts: Sequence[str],
    key: ec.EllipticCurvePrivateKey,
    serial: int,
    period: Period,
) -> KeyPair:
    """Issue a TLS certificate for host names and IP addresses; nodes also use it as clients of each other."""
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = (
        _builder(
            _name(organisation, common_name), issuer.certificate.subject, key.public_key(), serial, period
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(_issuer_key_id(issuer), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
    )
    return KeyPair(_signed(builder, issuer.key), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, serial: int, period: Period
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(period.begin)
        .not_valid_after(period.end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _signed(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    certificate = builder.sign(key, hashes.SHA256())
    return x509.load_der_x509_certificate(
        low_s_der(parse_certificate(certificate.public_bytes(Encoding.DER)), key.public_key())
    )


def _name(organisation: str, common_name: str, role: Role | None = None) -> x509.Name:
    unit = [] if role is None else [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role.value)]
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            *unit,
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _issuer_key_id(issuer: KeyPair) -> x509.AuthorityKeyIdentifier:
    key_id = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
