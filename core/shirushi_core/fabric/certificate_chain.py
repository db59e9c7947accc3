"""Certificate chains inside one MSP: its authorities, and which of them issued a certificate.

Source: msp/mspimpl.go (getUniqueValidationChain), msp/cert.go, and Go's crypto/x509 Verify, whose rules Fabric takes over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.fabric.signing import PublicKey, certificate_key, load_certificate, low_s

MAX_AUTHORITIES = 64
"""Roots and intermediates of one MSP; more are refused rather than searched."""

_MAX_CHAINS = 100
_UNDERSTOOD = frozenset(
    {
        ExtensionOID.KEY_USAGE,
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
    }
)


class ChainError(ShirushiError):
    """A certificate that does not chain to exactly one root."""


@dataclass(frozen=True, slots=True, eq=False)
class Authority:
    """A CA certificate that an MSP trusts, as root or as intermediate."""

    certificate: x509.Certificate
    key: PublicKey
    subject_key_id: bytes
    is_root: bool

    @property
    def name(self) -> str:
        """The subject, for messages."""
        return self.certificate.subject.rfc4514_string()

    def issued(self, certificate: x509.Certificate) -> bool:
        """Say whether this authority signed a certificate under its own name."""
        try:
            certificate.verify_directly_issued_by(self.certificate)
        except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
            return False
        return True


Chain = tuple[Authority, ...]
"""From the issuer up to the root."""


class Authorities:
    """The roots and intermediates of one MSP, checked once; finds the one chain above a certificate."""

    def __init__(self, roots: Iterable[bytes], intermediates: Iterable[bytes]) -> None:
        """Load PEM certificates; raises InvalidInputError for one that is no CA or has no chain to a root."""
        self._all = tuple(
            [load_authority(pem, is_root=True) for pem in roots]
            + [load_authority(pem, is_root=False) for pem in intermediates]
        )
        if not any(authority.is_root for authority in self._all):
            raise InvalidInputError("expected at least one CA certificate")
        if len(self._all) > MAX_AUTHORITIES:
            raise InvalidInputError(
                f"{len(self._all)} CA certificates; at most {MAX_AUTHORITIES} are supported"
            )
        self._chains = {authority: tuple(self._climb(authority, ())) for authority in self._all}
        inner: set[Authority] = set()
        for authority in self._all:
            if not authority.is_root:
                inner.update(self._chain_of_authority(authority)[1:])
        self._inner = frozenset(inner)

    def __iter__(self) -> Iterator[Authority]:
        return iter(self._all)

    def issuer_chain(self, certificate: x509.Certificate) -> Chain:
        """Return the one chain above an end-entity certificate, issuer first; raises ChainError.

        Validity periods are judged one second into the certificate's own (as Fabric does), never by a clock.
        """
        check_extensions(certificate)
        chains = [
            chain
            for authority in self._all
            if authority.certificate.subject == certificate.issuer and authority.issued(certificate)
            for chain in self._chains[authority]
            if _holds(certificate, chain)
        ]
        if not chains:
            raise ChainError(
                "the supplied identity is not valid: x509: certificate signed by unknown authority"
            )
        if len(chains) > 1:
            raise ChainError(f"this MSP only supports a single validation chain, got {len(chains)}")
        if chains[0][0] in self._inner:
            raise ChainError(
                "invalid validation chain. Parent certificate should be a leaf of the certification tree "
                f"[{chains[0][0].name}]"
            )
        return chains[0]

    def chain_of(self, pem: bytes) -> Chain:
        """Return the chain of one of these authorities, itself first; raises InvalidInputError if it is none."""
        return self.chain_of_certificate(load_certificate(pem))

    def chain_of_certificate(self, certificate: x509.Certificate) -> Chain:
        """Return the chain of one of these authorities, itself first; raises InvalidInputError if it is none."""
        for authority in self._all:
            if authority.certificate == certificate:
                return self._chain_of_authority(authority)
        raise InvalidInputError(
            f"the certificate of {certificate.subject.rfc4514_string()} is not in root or intermediate certs"
        )

    def _chain_of_authority(self, authority: Authority) -> Chain:
        if authority.is_root:
            return (authority,)
        chains = [chain for chain in self._chains[authority] if _holds(authority.certificate, chain[1:])]
        if len(chains) != 1:
            raise InvalidInputError(
                f"the intermediate CA certificate {authority.name} has {len(chains)} chains to a root; expected one"
            )
        return chains[0]

    def _climb(self, authority: Authority, below: Chain) -> Iterator[Chain]:
        path = (*below, authority)
        if authority.is_root:
            yield path
            return
        found = 0
        for parent in self._all:
            if parent in path or parent.certificate.subject != authority.certificate.issuer:
                continue
            if not parent.issued(authority.certificate):
                continue
            for chain in self._climb(parent, path):
                found += 1
                if found > _MAX_CHAINS:
                    raise InvalidInputError(
                        f"the CA certificate {authority.name} has more than {_MAX_CHAINS} chains"
                    )
                yield chain


def load_authority(pem: bytes, *, is_root: bool) -> Authority:
    """Parse a CA certificate and check that it may issue: basicConstraints, keyUsage, SKI; raises InvalidInputError."""
    certificate = load_certificate(pem)
    name = f"the CA certificate {certificate.subject.rfc4514_string()} (SN: {certificate.serial_number:x})"
    try:
        check_extensions(certificate)
    except ChainError as error:
        raise InvalidInputError(f"{name} is not valid: {error}") from None
    extensions = certificate.extensions
    if not is_ca(certificate):
        raise InvalidInputError(f"{name} did not have the CA attribute")
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        usage = None
    if usage is not None and not usage.key_cert_sign:
        raise InvalidInputError(f"{name} may not sign certificates: its keyUsage has no keyCertSign")
    try:
        key_id = extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        raise InvalidInputError(f"{name} has no Subject Key Identifier extension") from None
    return Authority(certificate, certificate_key(certificate), key_id, is_root)


def is_ca(certificate: x509.Certificate) -> bool:
    """Say whether basicConstraints make a certificate a CA."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def check_extensions(certificate: x509.Certificate) -> None:
    """Refuse a certificate whose extensions cannot be read or judged; raises ChainError.

    Name constraints are refused wherever they stand: Fabric applies them, and skipping them would widen trust.
    """
    try:
        extensions = list(certificate.extensions)
    except (ValueError, x509.DuplicateExtension) as error:
        raise ChainError(f"the certificate's extensions cannot be read: {error}") from None
    for extension in extensions:
        if extension.oid == ExtensionOID.NAME_CONSTRAINTS or (
            extension.critical and extension.oid not in _UNDERSTOOD
        ):
            raise ChainError(f"x509: unhandled extension {extension.oid.dotted_string}")


def chain_identifier(chain: Chain) -> bytes:
    """Return Fabric's CertifiersIdentifier: SHA-256 over the chain's certificates, each with a low-S signature."""
    digest = hashlib.sha256()
    for position, authority in enumerate(chain):
        issuer = chain[min(position + 1, len(chain) - 1)]
        digest.update(low_s_der(authority.certificate, issuer.key))
    return digest.digest()


def low_s_der(certificate: x509.Certificate, issuer_key: PublicKey) -> bytes:
    """Return a certificate's DER with its ECDSA signature brought to low-S (msp/cert.go, sanitizeECDSASignedCert)."""
    der = certificate.public_bytes(Encoding.DER)
    if not isinstance(issuer_key, ec.EllipticCurvePublicKey):
        return der
    signature = certificate.signature
    low = low_s(signature, issuer_key.curve)
    if low == signature:
        return der
    body_start = 2 if der[1] < 0x80 else 2 + (der[1] & 0x7F)
    unsigned = der[body_start : len(der) - len(_der(0x03, b"\0" + signature))]
    return _der(0x30, unsigned + _der(0x03, b"\0" + low))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def _holds(certificate: x509.Certificate, chain: Chain) -> bool:
    """Say whether periods, path lengths and extended key usages allow a certificate below a chain."""
    moment = certificate.not_valid_before_utc + timedelta(seconds=1)
    certificates = [certificate, *(authority.certificate for authority in chain)]
    return all(_in_period(each, moment) and _usage_allows(each) for each in certificates) and all(
        _path_allows(authority.certificate, depth) for depth, authority in enumerate(chain)
    )


def _in_period(certificate: x509.Certificate, moment: datetime) -> bool:
    return certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc


def _usage_allows(certificate: x509.Certificate) -> bool:
    """Fabric leaves Verify's key usages at their default, so an extended key usage must include serverAuth."""
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.SERVER_AUTH in usages or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages


def _path_allows(authority: x509.Certificate, intermediates_below: int) -> bool:
    limit = authority.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    return limit is None or intermediates_below <= limit
