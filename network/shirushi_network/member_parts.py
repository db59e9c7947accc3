"""The parts of a member's folder: every pair of certificate and key that its own two CAs issue, and where it is kept."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from shirushi_core.fabric.msp import Role
from shirushi_network import certificates
from shirushi_network.certificates import KeyPair, Period
from shirushi_network.topology import Member

PEER = "peer0"
ORDERER = "orderer0"
ANCHORS = "anchors"
WITNESS_FOLDER = "witness"

USERS = {"admin": Role.ADMIN, "issuer": Role.CLIENT, "client": Role.CLIENT}
"""The people and systems each member has keys for."""

SEAL_FOLDER = "users/issuer/seal"

ISSUER_ATTRIBUTES: Mapping[str, str] = MappingProxyType({"shirushi.role": "issuer"})
"""What the issuer's certificate tells chaincodes, in Fabric CA's attribute extension."""


class PartName(StrEnum):
    """What a pair of certificate and key is for."""

    PEER = "peer"
    PEER_TLS = "peer-tls"
    ORDERER = "orderer"
    ORDERER_TLS = "orderer-tls"
    CHAINCODE_TLS = "chaincode-tls"
    WITNESS_TLS = "witness-tls"
    ADMIN = "admin"
    ISSUER = "issuer"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Part:
    """One pair: an identity in a role, in an msp folder; or a TLS certificate for a host, in a tls folder."""

    name: PartName
    folder: str  # relative to the member's
    common_name: str
    role: Role | None = None
    host: str = ""
    attributes: Mapping[str, str] | None = None

    @property
    def is_tls(self) -> bool:
        """Whether the TLS CA issues it."""
        return self.role is None

    @property
    def certificate(self) -> str:
        """The certificate's file, relative to the member's folder."""
        return f"{self.folder}/{'server.crt' if self.is_tls else 'signcerts/cert.pem'}"

    @property
    def key(self) -> str:
        """The private key's file, relative to the member's folder."""
        return f"{self.folder}/{'server.key' if self.is_tls else 'keystore/priv_sk'}"


def parts_of(member: Member) -> tuple[Part, ...]:
    """Return all parts of a member; one that runs no orderer, or no witness, has none for it."""
    parts = [
        Part(PartName.PEER, f"peers/{PEER}/msp", PEER, Role.PEER),
        Part(PartName.PEER_TLS, f"peers/{PEER}/tls", PEER, host=member.peer.host),
        Part(PartName.CHAINCODE_TLS, f"chaincodes/{ANCHORS}/tls", ANCHORS, host=member.chaincode.host),
    ]
    if member.orderer is not None:
        parts += [
            Part(PartName.ORDERER, f"orderers/{ORDERER}/msp", ORDERER, Role.ORDERER),
            Part(PartName.ORDERER_TLS, f"orderers/{ORDERER}/tls", ORDERER, host=member.orderer.host),
        ]
    if member.witness is not None:
        tls = f"{WITNESS_FOLDER}/tls"
        parts.append(Part(PartName.WITNESS_TLS, tls, WITNESS_FOLDER, host=member.witness.host))
    for user, role in USERS.items():
        attributes = ISSUER_ATTRIBUTES if user == PartName.ISSUER else None
        parts.append(Part(PartName(user), f"users/{user}/msp", user, role, attributes=attributes))
    return tuple(parts)


def issue_part(
    part: Part, member: Member, issuer: KeyPair, key: ec.EllipticCurvePrivateKey, period: Period
) -> KeyPair:
    """Issue the certificate of a part; `issuer` is the member's CA, for TLS its TLS CA."""
    common_name, serial = called(part.common_name, member), x509.random_serial_number()
    if part.role is None:
        hosts = list(dict.fromkeys([common_name, *_names_of(part.host)]))
        return certificates.tls_server(issuer, member.name_en, common_name, hosts, key, serial, period)
    return certificates.enrollment(
        issuer, member.name_en, common_name, part.role, key, serial, period, part.attributes
    )


def called(name: str, member: Member) -> str:
    """Return the common name of something of a member's: "peer0.iizuka"."""
    return f"{name}.{member.id}"


def new_key() -> ec.EllipticCurvePrivateKey:
    """Make a P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def _names_of(host: str) -> list[str]:
    """Return what a host may be called: a loopback address by any of its names."""
    loopback = ["localhost", "127.0.0.1", "::1"]
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = host == "localhost"
    return list(dict.fromkeys([host, *loopback])) if is_loopback else [host]
