"""MSP and TLS folders as Fabric's programs read them.

An msp folder: cacerts, intermediatecerts, tlscacerts, tlsintermediatecerts, crls, config.yaml; with an identity also
signcerts and keystore. A tls folder: server.crt, server.key, ca.crt. Source: msp/configbuilder.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.certificate_chain import MAX_AUTHORITIES
from shirushi_core.fabric.pem import MAX_PEM_BYTES
from shirushi_core.fabric.signing import load_certificate
from shirushi_network.member_files import (
    MemberKeysError,
    files_in,
    read_file,
    write_private,
    write_public,
)

MAX_REVOCATION_LIST_BYTES = 256 * 1024
"""Some four thousand certificates: what all bundles together add to a configuration block stays reasonable."""

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"

_NODE_OUS = "NodeOUs:\n  Enable: true\n" + "".join(
    f"  {name}OUIdentifier:\n    OrganizationalUnitIdentifier: {name.lower()}\n"
    for name in ("Client", "Peer", "Admin", "Orderer")
)


@dataclass(frozen=True, slots=True)
class PublicMsp:
    """What an organisation's MSP trusts, as PEM: its CAs, its TLS CAs, and its revocation lists."""

    ca_certificates: tuple[bytes, ...]
    tls_ca_certificates: tuple[bytes, ...]
    intermediate_certificates: tuple[bytes, ...] = ()
    tls_intermediate_certificates: tuple[bytes, ...] = ()
    revocation_lists: tuple[bytes, ...] = ()

    @property
    def tls_trust(self) -> bytes:
        """The TLS CAs in one file: what a node is told to trust."""
        return b"".join((*self.tls_ca_certificates, *self.tls_intermediate_certificates))


def read_public_msp(folder: Path) -> PublicMsp:
    """Read the public part of an msp folder; certificates come in their canonical PEM form. Raises MemberKeysError."""
    lists = files_in(folder / "crls")
    return PublicMsp(
        ca_certificates=_certificates_in(folder / "cacerts"),
        tls_ca_certificates=_certificates_in(folder / "tlscacerts"),
        intermediate_certificates=_certificates_in(folder / "intermediatecerts"),
        tls_intermediate_certificates=_certificates_in(folder / "tlsintermediatecerts"),
        revocation_lists=tuple(read_revocation_list(path) for path in lists),
    )


def write_public_msp(folder: Path, msp: PublicMsp) -> None:
    """Write the public part of an msp folder; raises OSError."""
    for name, file, pems in (
        ("cacerts", "ca", msp.ca_certificates),
        ("intermediatecerts", "intermediate", msp.intermediate_certificates),
        ("tlscacerts", "tlsca", msp.tls_ca_certificates),
        ("tlsintermediatecerts", "tlsintermediate", msp.tls_intermediate_certificates),
        ("crls", "crl", msp.revocation_lists),
    ):
        for number, pem in enumerate(pems, start=1):
            write_public(folder / name / f"{file}{'' if len(pems) == 1 else f'-{number:02}'}.pem", pem)
    write_public(folder / "config.yaml", _NODE_OUS.encode())


def write_identity(folder: Path, certificate_pem: bytes, key_pem: bytes) -> None:
    """Write the identity of an msp folder; raises OSError."""
    write_public(folder / "signcerts" / "cert.pem", certificate_pem)
    write_private(folder / "keystore" / "priv_sk", key_pem)


def write_tls(folder: Path, certificate_pem: bytes, key_pem: bytes, trust: bytes) -> None:
    """Write a tls folder; raises OSError."""
    write_public(folder / "server.crt", certificate_pem)
    write_private(folder / "server.key", key_pem)
    write_public(folder / "ca.crt", trust)


def read_revocation_list(path: Path) -> bytes:
    """Read a revocation list, PEM or DER, and return its canonical PEM form; raises MemberKeysError."""
    try:
        return canonical_revocation_list(read_file(path, MAX_REVOCATION_LIST_BYTES))
    except InvalidInputError as error:
        raise MemberKeysError(f"{path}: {error}") from None


def canonical_revocation_list(data: bytes) -> bytes:
    """Return a revocation list, PEM or DER, in its canonical PEM form; raises InvalidInputError."""
    try:
        if data.lstrip().startswith(b"-----BEGIN"):
            return x509.load_pem_x509_crl(data).public_bytes(Encoding.PEM)
        return x509.load_der_x509_crl(data).public_bytes(Encoding.PEM)
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise InvalidInputError(f"not a revocation list: {error}") from None


def first_certificate(path: Path) -> bytes:
    """Return the first certificate of a PEM file in canonical form: the others of a TLS file are its chain.

    Raises MemberKeysError.
    """
    return certificates_of_file(path)[0]


def _certificates_in(folder: Path) -> tuple[bytes, ...]:
    found = tuple(pem for path in files_in(folder) for pem in certificates_of_file(path))
    if len(found) > MAX_AUTHORITIES:
        raise MemberKeysError(
            f"{folder} holds {len(found)} certificates; at most {MAX_AUTHORITIES} are supported"
        )
    return tuple(dict.fromkeys(found))


def certificates_of_file(path: Path) -> Sequence[bytes]:
    """Return the certificates of a PEM file, each in canonical form; raises MemberKeysError.

    What stands between them, such as openssl's text form, is passed over.
    """
    data = read_file(path, 4 * MAX_PEM_BYTES)
    blocks = [_BEGIN + block.partition(_END)[0] + _END for block in data.split(_BEGIN)[1:]]
    try:
        found = [load_certificate(block).public_bytes(Encoding.PEM) for block in blocks]
    except InvalidInputError as error:
        raise MemberKeysError(f"{path}: {error}") from None
    if not found:
        raise MemberKeysError(f"{path}: expected a certificate in PEM form, found none")
    return found
