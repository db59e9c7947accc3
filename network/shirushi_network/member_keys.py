"""One member's keys and certificates, made by itself, in the folder layout of Fabric's own tools.

    <id>/
      ca/, tlsca/            cert.pem, key.pem: the member's two certificate authorities
      msp/                   the member's public MSP: cacerts, tlscacerts, config.yaml
      peers/peer0/           msp/ (identity), tls/ (server.crt, server.key, ca.crt)
      orderers/orderer0/     the same
      users/<name>/msp/      admin, issuer and client
      users/issuer/seal/     cert.pem, key.pem: the key that seals batches

An msp folder holds cacerts, tlscacerts, signcerts, keystore and config.yaml. Private keys are 0600, folders 0700.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.genesis import MemberBundle
from shirushi_core.fabric.identity import Identity, SigningIdentity
from shirushi_core.fabric.msp import Role
from shirushi_core.fabric.signing import MAX_PEM_BYTES, load_certificate, load_private_key
from shirushi_network import certificates
from shirushi_network.certificates import KeyPair, Period
from shirushi_network.errors import ConsortiumError
from shirushi_network.topology import Member

AUTHORITY_DAYS = 3650
"""How long a member's certificate authorities last."""

CERTIFICATE_DAYS = 825
"""How long what they issue lasts."""

USERS = {"admin": Role.ADMIN, "issuer": Role.CLIENT, "client": Role.CLIENT}
"""The people and systems each member has keys for."""

PEER = "peer0"
ORDERER = "orderer0"
ANCHORS = "anchors"

_NODE_OUS = "NodeOUs:\n  Enable: true\n" + "".join(
    f"  {name}OUIdentifier:\n    OrganizationalUnitIdentifier: {name.lower()}\n"
    for name in ("Client", "Peer", "Admin", "Orderer")
)


class MemberKeysError(ConsortiumError):
    """A member's folder that exists already, is not whole, or cannot be read; the text names the file."""


def create_member(
    root: Path,
    member: Member,
    *,
    now: datetime,
    authority_days: int = AUTHORITY_DAYS,
    certificate_days: int = CERTIFICATE_DAYS,
) -> None:
    """Make one member's folder below `root`, whole or not at all.

    Raises MemberKeysError if it exists: keys are never overwritten.
    """
    home = root / member.id
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if home.exists():
        raise MemberKeysError(f"{home} exists already: the keys of {member.id} are kept as they are")
    temporary = Path(tempfile.mkdtemp(prefix=f".{member.id}.", dir=root))
    try:
        _Writer(member, Period.of_days(now, authority_days), Period.of_days(now, certificate_days)).write(
            temporary
        )
        temporary.rename(home)
        _sync_folder(root)
    except OSError as error:
        raise MemberKeysError(f"{home} could not be made: {error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load_signing_identity(msp_dir: Path, msp_id: str) -> SigningIdentity:
    """Load the identity of an MSP folder: its one certificate and the key that belongs to it.

    Raises MemberKeysError naming the file.
    """
    certificate_file, key_file = _only_file(msp_dir / "signcerts"), _only_file(msp_dir / "keystore")
    certificate_pem = _read(certificate_file)
    try:
        certificate = load_certificate(certificate_pem)
    except InvalidInputError as error:
        raise MemberKeysError(f"{certificate_file}: {error}") from None
    try:
        key = load_private_key(_read(key_file))
    except InvalidInputError as error:
        raise MemberKeysError(f"{key_file}: {error}") from None
    if key.public_key() != certificate.public_key():
        raise MemberKeysError(f"{key_file} is not the key of {certificate_file}")
    return SigningIdentity(Identity(msp_id, certificate_pem), key)


def load_tls(tls_dir: Path) -> tuple[bytes, bytes, bytes]:
    """Load a node's TLS folder as PEM: certificate, private key, CA certificate; raises MemberKeysError."""
    certificate, key, authority = (_read(tls_dir / name) for name in ("server.crt", "server.key", "ca.crt"))
    return certificate, key, authority


def load_bundle(root: Path, member: Member) -> MemberBundle:
    """Load a member's public material for the genesis block; reads no private key. Raises MemberKeysError."""
    home = root / member.id
    orderer = home / "orderers" / ORDERER
    if member.orderer is None:
        raise MemberKeysError(f"{member.id} has no orderer: a bundle names one")
    return MemberBundle(
        member_id=member.id,
        msp_id=member.msp_id,
        ca_certificates=(_read(home / "ca" / "cert.pem"),),
        tls_ca_certificates=(_read(home / "tlsca" / "cert.pem"),),
        orderer_certificate=_read(_only_file(orderer / "msp" / "signcerts")),
        orderer_tls_certificate=_read(orderer / "tls" / "server.crt"),
        orderer_host=member.orderer.host,
        orderer_port=member.orderer.port,
        peer_host=member.peer.host,
        peer_port=member.peer.port,
    )


@dataclass(frozen=True, slots=True)
class _Writer:
    """Makes and writes everything of one member."""

    member: Member
    authority_period: Period
    period: Period

    def write(self, home: Path) -> None:
        ca, tls_ca = self._authority("ca"), self._authority("tlsca")
        for folder, pair in (("ca", ca), ("tlsca", tls_ca)):
            _write_pair(home / folder, pair, "cert.pem", "key.pem")
        _write_msp(home / "msp", ca, tls_ca, None)
        nodes = [("peers", PEER, Role.PEER, self.member.peer.host)]
        if self.member.orderer is not None:
            nodes.append(("orderers", ORDERER, Role.ORDERER, self.member.orderer.host))
        for kind, name, role, host in nodes:
            _write_msp(home / kind / name / "msp", ca, tls_ca, self._enrol(ca, name, role))
            _write_pair(home / kind / name / "tls", self._tls(tls_ca, name, host), "server.crt", "server.key")
            _write_public(home / kind / name / "tls" / "ca.crt", tls_ca.certificate_pem)
        chaincode = home / "chaincodes" / ANCHORS / "tls"
        _write_pair(
            chaincode, self._tls(tls_ca, ANCHORS, self.member.chaincode.host), "server.crt", "server.key"
        )
        _write_public(chaincode / "ca.crt", tls_ca.certificate_pem)
        for name, role in USERS.items():
            _write_msp(home / "users" / name / "msp", ca, tls_ca, self._enrol(ca, name, role))
        _write_pair(
            home / "users" / "issuer" / "seal", self._enrol(ca, "seal", Role.CLIENT), "cert.pem", "key.pem"
        )
        for folder, _, _ in os.walk(home):
            _sync_folder(Path(folder))

    def _authority(self, name: str) -> KeyPair:
        return certificates.authority(
            self.member.name_en,
            self._called(name),
            _new_key(),
            x509.random_serial_number(),
            self.authority_period,
        )

    def _enrol(self, ca: KeyPair, name: str, role: Role) -> KeyPair:
        return certificates.enrollment(
            ca,
            self.member.name_en,
            self._called(name),
            role,
            _new_key(),
            x509.random_serial_number(),
            self.period,
        )

    def _tls(self, tls_ca: KeyPair, name: str, host: str) -> KeyPair:
        common_name = self._called(name)
        return certificates.tls_server(
            tls_ca,
            self.member.name_en,
            common_name,
            [common_name, *_names_of(host)],
            _new_key(),
            x509.random_serial_number(),
            self.period,
        )

    def _called(self, name: str) -> str:
        return f"{name}.{self.member.id}"


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _names_of(host: str) -> list[str]:
    """Return what a host may be called: a loopback address by any of its names."""
    loopback = ["localhost", "127.0.0.1", "::1"]
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = host == "localhost"
    return list(dict.fromkeys([host, *loopback])) if is_loopback else [host]


def _write_msp(folder: Path, ca: KeyPair, tls_ca: KeyPair, identity: KeyPair | None) -> None:
    """Write an MSP folder; without an identity it is the public one of the organisation."""
    _write_public(folder / "cacerts" / "ca.pem", ca.certificate_pem)
    _write_public(folder / "tlscacerts" / "tlsca.pem", tls_ca.certificate_pem)
    _write_public(folder / "config.yaml", _NODE_OUS.encode())
    if identity is not None:
        _write_public(folder / "signcerts" / "cert.pem", identity.certificate_pem)
        _write_file(folder / "keystore" / "priv_sk", identity.key_pem, 0o600)


def _write_pair(folder: Path, pair: KeyPair, certificate_name: str, key_name: str) -> None:
    _write_public(folder / certificate_name, pair.certificate_pem)
    _write_file(folder / key_name, pair.key_pem, 0o600)


def _write_public(path: Path, data: bytes) -> None:
    _write_file(path, data, 0o644)


def _write_file(path: Path, data: bytes, mode: int) -> None:
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir(mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _only_file(folder: Path) -> Path:
    try:
        found = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise MemberKeysError(f"{folder} cannot be read: {error.strerror}") from error
    if len(found) != 1:
        raise MemberKeysError(f"{folder} holds {len(found)} files; expected exactly one")
    return found[0]


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_PEM_BYTES + 1)
    except OSError as error:
        raise MemberKeysError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > MAX_PEM_BYTES:
        raise MemberKeysError(f"{path} is longer than {MAX_PEM_BYTES} bytes")
    return data
