"""The X.509 side of a seal: whether its certificate, and those above it, made it a seal when it was used.

The chain stands in the trust policy, and so its root is trusted as the policy is. Source: RFC 5280 sections 4.2.1.3, 4.2.1.9, 6.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shirushi_core.errors import InvalidInputError, ShirushiError

_END_OF_CALENDAR = 253_402_300_799
"""The last second of the year 9999."""


class SealCertificateError(ShirushiError):
    """A seal's certificate that does not stand for its key at the time the seal was anchored."""


@lru_cache(maxsize=1024)
def seal_key_id(certificate: bytes) -> bytes:
    """Return the key id (SHA-256 of SubjectPublicKeyInfo) of a seal's certificate; raises InvalidInputError."""
    key = _load(certificate).public_key()
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def seal_public_key(certificate: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo of a seal's certificate; raises InvalidInputError."""
    return _load(certificate).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def verify_seal_chain(chain: Sequence[bytes], at: int) -> x509.Certificate:
    """Return the seal's certificate if its chain (DER, the seal's first) holds at a time; raises SealCertificateError.

    Each was valid at the time and signed by the next; the first may sign and is no authority, the others are authorities.
    """
    certificates = _verified(tuple(chain))
    moment = datetime.fromtimestamp(min(at, _END_OF_CALENDAR), UTC)
    for certificate in certificates:
        if not certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc:
            raise SealCertificateError(
                f"the certificate {_name(certificate)} was valid from {certificate.not_valid_before_utc:%Y-%m-%d} to "
                f"{certificate.not_valid_after_utc:%Y-%m-%d}, and the seal was anchored on {moment:%Y-%m-%d}"
            )
    return certificates[0]


@lru_cache(maxsize=256)
def _verified(chain: tuple[bytes, ...]) -> tuple[x509.Certificate, ...]:
    """Check everything about a chain but the time."""
    try:
        certificates = tuple(_load(each) for each in chain)
    except InvalidInputError as error:
        raise SealCertificateError(str(error)) from error
    if not certificates:
        raise SealCertificateError("expected a seal's certificate, found none")
    leaf, authorities = certificates[0], certificates[1:]
    usage = _extension(leaf, x509.KeyUsage)
    if not isinstance(usage, x509.KeyUsage) or not (usage.digital_signature or usage.content_commitment):
        raise SealCertificateError(
            f"the certificate {_name(leaf)} is not for signing (key usage digitalSignature)"
        )
    constraints = _extension(leaf, x509.BasicConstraints)
    if isinstance(constraints, x509.BasicConstraints) and constraints.ca:
        raise SealCertificateError(f"the certificate {_name(leaf)} is an authority's, and no seal's")
    for depth, authority in enumerate(authorities):
        _check_authority(authority, depth)
    for certificate, issuer in zip(certificates, (*authorities, certificates[-1]), strict=True):
        if certificate is leaf and not authorities:
            continue  # named by the policy itself, and so as good as a root
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            raise SealCertificateError(
                f"the certificate {_name(certificate)} is not signed by {_name(issuer)}"
            ) from None
    return certificates


def _check_authority(authority: x509.Certificate, below: int) -> None:
    constraints, usage = _extension(authority, x509.BasicConstraints), _extension(authority, x509.KeyUsage)
    if not isinstance(constraints, x509.BasicConstraints) or not constraints.ca:
        raise SealCertificateError(f"the certificate {_name(authority)} is no authority's")
    if isinstance(usage, x509.KeyUsage) and not usage.key_cert_sign:
        raise SealCertificateError(f"the certificate {_name(authority)} may not sign certificates")
    if constraints.path_length is not None and below > constraints.path_length:
        raise SealCertificateError(f"the certificate {_name(authority)} stands too high above the seal's")


def _extension(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> x509.ExtensionType | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or f"number {certificate.serial_number}"


def _load(certificate: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(certificate)
    except ValueError:
        raise InvalidInputError("seal certificate: not an X.509 certificate in DER") from None
