"""Throwaway certificate authorities: real chains in a few lines, each defect one argument away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID
from fabric_protos.msp import msp_config_pb2

from shirushi_core.fabric.identity import Identity, SigningIdentity

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
END = datetime(2036, 1, 1, tzinfo=UTC)
ROLES = ("client", "peer", "admin", "orderer")


def pem(certificate: x509.Certificate) -> bytes:
    """Return a certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def subject(common_name: str, units: Sequence[str] = ()) -> x509.Name:
    """Return a name with organizational units."""
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit) for unit in units]
        + [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    )


@dataclass
class ThrowawayCa:
    """A CA, root or intermediate, that signs whatever it is asked to."""

    name: str
    certificate: x509.Certificate
    key: Any
    parent: ThrowawayCa | None = None
    msp_id: str = "Org1MSP"

    @classmethod
    def root(cls, name: str = "root", msp_id: str = "Org1MSP", **options: Any) -> ThrowawayCa:
        """Make a self-signed CA."""
        key = options.pop("key", None) or ec.generate_private_key(ec.SECP256R1())
        certificate = build(subject(name), subject(name), key.public_key(), key, ca=True, **options)
        return cls(name, certificate, key, None, msp_id)

    def intermediate(self, name: str = "intermediate", **options: Any) -> ThrowawayCa:
        """Make a CA below this one."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = build(
            subject(name), self.certificate.subject, key.public_key(), self.key, ca=True, **options
        )
        return ThrowawayCa(name, certificate, key, self, self.msp_id)

    def issue(self, *units: str, name: str = "someone", key: Any = None, **options: Any) -> SigningIdentity:
        """Issue an end-entity certificate with these organizational units, and its key."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        certificate = build(
            subject(name, units), self.certificate.subject, key.public_key(), self.key, **options
        )
        return SigningIdentity(Identity(self.msp_id, pem(certificate)), key)

    def revoke(self, *identities: SigningIdentity, signer: Any = None) -> bytes:
        """Return a PEM revocation list of these certificates."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(START)
            .next_update(END)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
        )
        for each in identities:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(each.identity.certificate.serial_number)
                .revocation_date(START)
                .build()
            )
        return builder.sign(signer or self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def msp_config(self, *, node_ous: bool = True, **fields: Any) -> bytes:
        """Return MSPConfig bytes with this root (or this intermediate and its root)."""
        top = self
        intermediates = []
        while top.parent is not None:
            intermediates.append(pem(top.certificate))
            top = top.parent
        config = msp_config_pb2.FabricMSPConfig(
            name=self.msp_id, root_certs=[pem(top.certificate)], intermediate_certs=intermediates
        )
        if node_ous:
            config.fabric_node_ous.enable = True
            for role in ROLES:
                getattr(config.fabric_node_ous, f"{role}_ou_identifier").organizational_unit_identifier = role
        config.MergeFrom(msp_config_pb2.FabricMSPConfig(**fields))
        return bytes(msp_config_pb2.MSPConfig(type=0, config=config.SerializeToString()).SerializeToString())


def build(
    name: x509.Name,
    issuer: x509.Name,
    public_key: Any,
    signing_key: Any,
    *,
    ca: bool = False,
    basic_constraints: x509.BasicConstraints | None = None,
    not_before: datetime = START,
    not_after: datetime = END,
    subject_key_id: bool = True,
    key_cert_sign: bool = True,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> x509.Certificate:
    """Build one certificate."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(basic_constraints or x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=ca and key_cert_sign,
                crl_sign=ca,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False
        )
    )
    if subject_key_id:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    algorithm = None if isinstance(signing_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(signing_key, algorithm)


EXPIRED = NOW - timedelta(days=1)
