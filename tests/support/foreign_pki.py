"""An organisation whose certificates come from elsewhere: its folder as cryptogen or fabric-ca-client leave it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.support.throwaway_ca import ThrowawayCa, pem

from shirushi_core.fabric.identity import SigningIdentity
from shirushi_network.topology import Member

USERS = {"Admin@example": "admin", "issuer@example": "client", "User1@example": "client"}


@dataclass
class ForeignPki:
    """Root and intermediate CAs for identities and for TLS, and the folder they fill."""

    root: ThrowawayCa
    tls_root: ThrowawayCa
    ca: ThrowawayCa
    tls_ca: ThrowawayCa

    @classmethod
    def make(cls, *, intermediates: bool = True) -> ForeignPki:
        root, tls_root = ThrowawayCa.root("root"), ThrowawayCa.root("tls root")
        if not intermediates:
            return cls(root, tls_root, root, tls_root)
        return cls(root, tls_root, root.intermediate("ca"), tls_root.intermediate("tls ca"))

    def write(self, folder: Path, member: Member, *, layout: str = "cryptogen", **defects: Any) -> Path:
        """Fill a folder; `defects`: role of the peer, host of its TLS certificate, options of its certificate."""
        self._write_public(folder / "msp")
        (folder / "msp" / "tlscacerts" / "ca.crt").rename(folder / "msp" / "tlscacerts" / "tlsca.pem")
        nodes = [("peers", "peer0.example", defects.get("role", "peer"), member.peer.host)]
        if member.orderer is not None:
            nodes.append(("orderers", "orderer.example", "orderer", member.orderer.host))
        for kind, name, role, host in nodes:
            node = folder / kind / name
            options = defects.get("options", {}) if kind == "peers" else {}
            self._write_identity(node / "msp", self.ca.issue(role, name=name, **options), layout)
            named = defects.get("host", host) if kind == "peers" else host
            self._write_tls(node / "tls", named, layout)
        for name, role in USERS.items():
            self._write_identity(folder / "users" / name / "msp", self.ca.issue(role, name=name), layout)
        return folder

    def tls(self, host: str) -> SigningIdentity:
        """Issue a TLS certificate for servers and clients."""
        try:
            name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            name = x509.DNSName(host)
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        extensions = [
            (x509.SubjectAlternativeName([name]), False),
            (x509.ExtendedKeyUsage(usages), False),
        ]
        return self.tls_ca.issue(name=host, extensions=extensions)

    def _write_public(self, msp: Path) -> None:
        put(msp / "cacerts" / "root.pem", pem(self.root.certificate))
        put(msp / "tlscacerts" / "ca.crt", pem(self.tls_root.certificate))
        if self.ca is not self.root:
            put(msp / "intermediatecerts" / "ca.pem", pem(self.ca.certificate))
            put(msp / "tlsintermediatecerts" / "tlsca.pem", pem(self.tls_ca.certificate))

    def _write_identity(self, msp: Path, identity: SigningIdentity, layout: str) -> None:
        self._write_public(msp)
        put(msp / "signcerts" / "cert.pem", identity.identity.certificate_pem)
        if layout == "fabric-ca":  # each enrolment leaves another key there
            put(msp / "keystore" / "0123_sk", key_pem(self.root.issue().key))
            put(msp / "keystore" / "ffff_sk", key_pem(identity.key))
        else:
            put(msp / "keystore" / "priv_sk", key_pem(identity.key))

    def _write_tls(self, tls: Path, host: str, layout: str) -> None:
        identity = self.tls(host)
        if layout == "fabric-ca":
            put(tls / "signcerts" / "cert.pem", identity.identity.certificate_pem)
            put(tls / "keystore" / "abcd_sk", key_pem(identity.key))
            put(tls / "tlscacerts" / "tls-ca.pem", pem(self.tls_root.certificate))
        else:
            put(tls / "server.crt", identity.identity.certificate_pem)
            put(tls / "server.key", key_pem(identity.key))
            put(tls / "ca.crt", pem(self.tls_root.certificate))


def key_pem(key: Any) -> bytes:
    """Return a private key as other tools write it: PKCS#8 PEM."""
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def put(path: Path, data: bytes) -> None:
    """Write a file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
