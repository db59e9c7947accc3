"""When a member's certificates expire."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shirushi_core.fabric.signing import load_certificate
from shirushi_network.member_bundle import PublicBundle
from shirushi_network.member_files import files_in
from shirushi_network.member_parts import ANCHORS, ORDERER, PEER, SEAL_FOLDER, WITNESS_FOLDER, PartName
from shirushi_network.msp_folder import first_certificate

AUTHORITIES = {
    "ca": "cacerts",
    "intermediate-ca": "intermediatecerts",
    "tls-ca": "tlscacerts",
    "tls-intermediate-ca": "tlsintermediatecerts",
}
"""What the CAs of an MSP are called here, and the folders they are in."""

SEAL = "seal"

_PLACES = {
    PartName.PEER: f"peers/{PEER}/msp/signcerts",
    PartName.PEER_TLS: f"peers/{PEER}/tls/server.crt",
    PartName.ORDERER: f"orderers/{ORDERER}/msp/signcerts",
    PartName.ORDERER_TLS: f"orderers/{ORDERER}/tls/server.crt",
    PartName.CHAINCODE_TLS: f"chaincodes/{ANCHORS}/tls/server.crt",
    PartName.WITNESS_TLS: f"{WITNESS_FOLDER}/tls/server.crt",
    PartName.ADMIN: "users/admin/msp/signcerts",
    PartName.ISSUER: "users/issuer/msp/signcerts",
    PartName.CLIENT: "users/client/msp/signcerts",
    SEAL: f"{SEAL_FOLDER}/cert.pem",
}


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """A certificate and what is left of its time; `days_left` counts whole days, and is negative once it expired."""

    what: str  # a part's name, one of AUTHORITIES, or "seal"
    path: Path
    subject: str
    not_after: datetime
    days_left: int


def certificates_of(home: Path, now: datetime) -> list[CertificateStatus]:
    """Return the certificates of a member's folder, its CAs first; raises MemberKeysError for one that is spoilt.

    What a member has no certificate for is left out, and so is what was superseded.
    """
    found = []
    for what, folder in AUTHORITIES.items():
        found += [
            _status(what, path, first_certificate(path), now) for path in files_in(home / "msp" / folder)
        ]
    for what, place in _PLACES.items():
        path = home / place
        paths = [path] if path.is_file() else files_in(path)
        found += [_status(what, each, first_certificate(each), now) for each in paths]
    return found


def certificates_in(bundle: PublicBundle, path: Path, now: datetime) -> list[CertificateStatus]:
    """Return the certificates of another member's bundle; `path` is its file."""
    material = bundle.material
    groups = {
        "ca": material.ca_certificates,
        "intermediate-ca": material.intermediate_certificates,
        "tls-ca": material.tls_ca_certificates,
        "tls-intermediate-ca": material.tls_intermediate_certificates,
        PartName.ORDERER: (material.orderer_certificate,),
        PartName.ORDERER_TLS: (material.orderer_tls_certificate,),
    }
    return [_status(what, path, pem, now) for what, pems in groups.items() for pem in pems if pem is not None]


def soonest(statuses: Iterable[CertificateStatus]) -> CertificateStatus | None:
    """Return the certificate that expires first, None if there are none."""
    return min(statuses, key=lambda status: status.not_after, default=None)


def _status(what: str, path: Path, pem: bytes, now: datetime) -> CertificateStatus:
    certificate = load_certificate(pem)
    end = certificate.not_valid_after_utc
    return CertificateStatus(str(what), path, certificate.subject.rfc4514_string(), end, (end - now).days)
