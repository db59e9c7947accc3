"""Revoking certificates of a member's CA: one signed list that only grows, in its public MSP and at its own nodes.

Source: msp/mspimplsetup.go (setupCRLs) for what Fabric wants of a list: a CA's signature and its key id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from shirushi_client.whole_files import sync_folder
from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.certificate import parse_certificate
from shirushi_core.fabric.signing import load_certificate
from shirushi_network.certificates import KeyPair
from shirushi_network.expiry import certificates_of
from shirushi_network.files import write_atomically
from shirushi_network.member_files import MemberKeysError, make_folder, read_file
from shirushi_network.member_parts import ORDERER, PEER
from shirushi_network.msp_folder import MAX_REVOCATION_LIST_BYTES, first_certificate, read_revocation_list
from shirushi_network.own_authority import CA, TLS_CA, load_authority_pair

REVOCATION_LIST = "msp/crls/crl.pem"
"""Where a member's list is, in its folder."""

_COPIES = (f"peers/{PEER}/msp", f"orderers/{ORDERER}/msp")


@dataclass(frozen=True, slots=True)
class Revocation:
    """A certificate on the list, and the list's number; `is_new` is False if it was there already."""

    subject: str
    serial: int
    path: Path
    number: int
    entries: int
    is_new: bool


def revoke(home: Path, certificate_file: Path, *, now: datetime) -> Revocation:
    """Put a certificate of a member's CA on its revocation list; raises MemberKeysError.

    Refused for certificates that the folder still uses, and for TLS certificates and CAs, which no list takes back.
    """
    try:
        certificate = load_certificate(read_file(certificate_file))
    except InvalidInputError as error:
        raise MemberKeysError(f"{certificate_file}: {error}") from None
    ca = load_authority_pair(
        home, CA, now, "revoke it there, then `shirushi member import --replace` a folder with the new list"
    )
    _check_revocable(home, certificate_file, certificate, ca)
    path = home / REVOCATION_LIST
    before = _read_list(path, ca)
    known = {entry.serial_number for entry in before} if before is not None else set()
    is_new = certificate.serial_number not in known
    try:
        if before is None or is_new:
            before = _extended(before, certificate.serial_number, ca, now)
        data = before.public_bytes(Encoding.PEM)
        if len(data) > MAX_REVOCATION_LIST_BYTES:
            raise MemberKeysError(
                f"{path} would have {len(data)} bytes; at most {MAX_REVOCATION_LIST_BYTES} are supported"
            )
        for folder in ("msp", *_COPIES):
            if (home / folder).exists():
                _write(home / folder / "crls" / path.name, data)
    except OSError as error:
        raise MemberKeysError(f"{path} could not be written: {error}") from error
    return Revocation(
        certificate.subject.rfc4514_string(),
        certificate.serial_number,
        path,
        _number(before),
        len(before),
        is_new,
    )


def _check_revocable(home: Path, file: Path, certificate: x509.Certificate, ca: KeyPair) -> None:
    if parse_certificate(certificate.public_bytes(Encoding.DER)).is_ca:
        raise MemberKeysError(
            f"{file} is a CA: it is taken out of the channel by a configuration update, not by a list"
        )
    if not _issued(ca.certificate, certificate):
        if _issued(load_certificate(first_certificate(home / TLS_CA / "cert.pem")), certificate):
            raise MemberKeysError(
                f"{file} is a TLS certificate: Fabric looks at no revocation list for those; renew it, and delete its key"
            )
        raise MemberKeysError(
            f"{file} was not issued by the CA of {home.name}: expected the issuer "
            f"{ca.certificate.subject.rfc4514_string()}, found {certificate.issuer.rfc4514_string()}"
        )
    for used in certificates_of(home, certificate.not_valid_before_utc):
        if load_certificate(first_certificate(used.path)) == certificate:
            raise MemberKeysError(
                f"{file} is in use as {used.what} of {home.name}: give it a new one first, then revoke the superseded one"
            )


def _issued(ca: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(ca)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _read_list(path: Path, ca: KeyPair) -> x509.CertificateRevocationList | None:
    if not path.exists():
        return None
    crl = x509.load_pem_x509_crl(read_revocation_list(path))
    if not crl.is_signature_valid(ca.key.public_key()):
        raise MemberKeysError(
            f"{path} is not signed by {ca.certificate.subject.rfc4514_string()}: put the list back from a backup"
        )
    return crl


def _extended(
    before: x509.CertificateRevocationList | None, serial: int, ca: KeyPair, now: datetime
) -> x509.CertificateRevocationList:
    key_id = ca.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.certificate.subject)
        .last_update(now)
        .next_update(ca.certificate.not_valid_after_utc)
        .add_extension(x509.CRLNumber(1 if before is None else _number(before) + 1), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id), critical=False)
    )
    for entry in before or ():
        builder = builder.add_revoked_certificate(entry)
    entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
    return builder.add_revoked_certificate(entry).sign(ca.key, hashes.SHA256())


def _number(crl: x509.CertificateRevocationList) -> int:
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def _write(path: Path, data: bytes) -> None:
    make_folder(path.parent)
    write_atomically(path, data)
    sync_folder(path.parent)
