"""What a member publishes of itself for a channel's configuration.

Source: msp/configbuilder.go for the MSP definition.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fabric_protos.msp import msp_config_pb2

from shirushi_core.errors import InvalidInputError

_MSP_ID = re.compile(r"[A-Za-z0-9.-]{1,128}")
_ROLES = ("client", "peer", "admin", "orderer")


@dataclass(frozen=True, slots=True)
class OrdererBundle:
    """One member's orderer: its identity, its TLS certificate (PEM) and where it listens."""

    certificate: bytes
    tls_certificate: bytes
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class MemberBundle:
    """One member's public material: everything about it that goes into a channel's configuration. PEM bytes throughout.

    A member that runs no orderer has None in all four orderer fields; raises InvalidInputError if only some are None.
    """

    member_id: str  # "iizuka"
    msp_id: str
    ca_certificates: tuple[bytes, ...]
    tls_ca_certificates: tuple[bytes, ...]
    orderer_certificate: bytes | None
    orderer_tls_certificate: bytes | None
    orderer_host: str | None
    orderer_port: int | None
    peer_host: str
    peer_port: int
    intermediate_certificates: tuple[bytes, ...] = ()
    revocation_lists: tuple[bytes, ...] = ()
    tls_intermediate_certificates: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        fields = ("orderer_certificate", "orderer_tls_certificate", "orderer_host", "orderer_port")
        absent = [name for name in fields if getattr(self, name) is None]
        if 0 < len(absent) < len(fields):
            raise InvalidInputError(
                f"the bundle of {self.member_id} has an orderer without {', '.join(absent)}; give all four or none"
            )

    @property
    def orderer(self) -> OrdererBundle | None:
        """The member's orderer, or None if it runs none."""
        certificate, tls_certificate = self.orderer_certificate, self.orderer_tls_certificate
        host, port = self.orderer_host, self.orderer_port
        if certificate is None or tls_certificate is None or host is None or port is None:
            return None
        return OrdererBundle(certificate, tls_certificate, host, port)


def check_bundle(bundle: MemberBundle) -> None:
    """Refuse a bundle whose MSP id Fabric would not take, or that has no CA certificate; raises InvalidInputError."""
    if not _MSP_ID.fullmatch(bundle.msp_id):
        raise InvalidInputError(f"{bundle.msp_id!r} is no MSP id: letters, digits, dots and dashes")
    if not bundle.ca_certificates:
        raise InvalidInputError(f"the bundle of {bundle.member_id} has no CA certificate")


def msp_config(bundle: MemberBundle) -> bytes:
    """Return serialized msp.MSPConfig bytes of a member: NodeOUs on (client, peer, admin, orderer)."""
    units = {
        f"{role}_ou_identifier": msp_config_pb2.FabricOUIdentifier(organizational_unit_identifier=role)
        for role in _ROLES
    }
    config = msp_config_pb2.FabricMSPConfig(
        name=bundle.msp_id,
        root_certs=bundle.ca_certificates,
        intermediate_certs=bundle.intermediate_certificates,
        revocation_list=bundle.revocation_lists,
        crypto_config=msp_config_pb2.FabricCryptoConfig(
            signature_hash_family="SHA2", identity_identifier_hash_function="SHA256"
        ),
        tls_root_certs=bundle.tls_ca_certificates,
        tls_intermediate_certs=bundle.tls_intermediate_certificates,
        fabric_node_ous=msp_config_pb2.FabricNodeOUs(enable=True, **units),
    )
    data = config.SerializeToString(deterministic=True)
    return bytes(msp_config_pb2.MSPConfig(type=0, config=data).SerializeToString(deterministic=True))
