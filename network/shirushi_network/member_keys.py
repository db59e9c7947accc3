"""One member's keys and certificates, made by itself, in the folder layout of Fabric's own tools.

    <id>/
      ca/, tlsca/            cert.pem, key.pem: the member's two certificate authorities
      msp/                   the member's public MSP: cacerts, tlscacerts, config.yaml; crls once something was revoked
      peers/peer0/           msp/ (identity), tls/ (server.crt, server.key, ca.crt)
      orderers/orderer0/     the same, if the member runs an orderer
      chaincodes/anchors/    tls/: what its chaincode service shows its own peer
      witness/               log.key, cosigner.key, bls.key, tls/, if the member runs a witness
      users/<name>/msp/      admin, issuer and client
      users/issuer/seal/     cert.pem, key.pem: the key that seals batches
      superseded/<time>/     what was renewed or replaced, until it is deleted

An msp folder holds cacerts, tlscacerts, signcerts, keystore and config.yaml. Private keys are 0600, folders 0700. A member
whose certificates were made elsewhere (import_keys.py) has no key.pem in ca/ and tlsca/, and may have intermediatecerts.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import datetime
from pathlib import Path

from cryptography import x509

from shirushi_client.whole_files import sync_folder
from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.genesis import MemberBundle
from shirushi_core.fabric.identity import Identity, SigningIdentity
from shirushi_core.fabric.msp import Role
from shirushi_core.fabric.signing import load_certificate, load_private_key
from shirushi_network import certificates
from shirushi_network.certificates import KeyPair, Period
from shirushi_network.member_files import (
    MemberKeysError,
    only_file,
    read_file,
    sync_tree,
    write_private,
    write_public,
)
from shirushi_network.member_parts import (
    ANCHORS,
    ORDERER,
    PEER,
    SEAL_FOLDER,
    USERS,
    called,
    issue_part,
    new_key,
    parts_of,
)
from shirushi_network.msp_folder import (
    PublicMsp,
    first_certificate,
    read_public_msp,
    write_identity,
    write_public_msp,
    write_tls,
)
from shirushi_network.topology import Member
from shirushi_network.witness_keys import write_witness_keys

__all__ = [
    "ANCHORS",
    "AUTHORITY_DAYS",
    "CERTIFICATE_DAYS",
    "ORDERER",
    "PEER",
    "USERS",
    "MemberKeysError",
    "create_member",
    "load_bundle",
    "load_signing_identity",
    "load_tls",
]

AUTHORITY_DAYS = 3650
"""How long a member's certificate authorities last."""

CERTIFICATE_DAYS = 825
"""How long what they issue lasts."""


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
        _write_member(
            temporary, member, Period.of_days(now, authority_days), Period.of_days(now, certificate_days)
        )
        sync_tree(temporary)
        temporary.rename(home)
        sync_folder(root)
    except OSError as error:
        raise MemberKeysError(f"{home} could not be made: {error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load_signing_identity(msp_dir: Path, msp_id: str) -> SigningIdentity:
    """Load the identity of an MSP folder: its one certificate and the key that belongs to it.

    Raises MemberKeysError naming the file.
    """
    certificate_file, key_file = only_file(msp_dir / "signcerts"), only_file(msp_dir / "keystore")
    certificate_pem = read_file(certificate_file)
    try:
        certificate = load_certificate(certificate_pem)
    except InvalidInputError as error:
        raise MemberKeysError(f"{certificate_file}: {error}") from None
    try:
        key = load_private_key(read_file(key_file))
    except InvalidInputError as error:
        raise MemberKeysError(f"{key_file}: {error}") from None
    if key.public_key() != certificate.public_key():
        raise MemberKeysError(f"{key_file} is not the key of {certificate_file}")
    return SigningIdentity(Identity(msp_id, certificate_pem), key)


def load_tls(tls_dir: Path) -> tuple[bytes, bytes, bytes]:
    """Load a node's TLS folder as PEM: certificate, private key, CA certificate; raises MemberKeysError."""
    certificate, key, authority = (
        read_file(tls_dir / name) for name in ("server.crt", "server.key", "ca.crt")
    )
    return certificate, key, authority


def load_bundle(root: Path, member: Member) -> MemberBundle:
    """Load a member's public material for the genesis block; reads no private key. Raises MemberKeysError."""
    home = root / member.id
    msp = read_public_msp(home / "msp")
    certificate = tls_certificate = host = port = None
    if member.orderer is not None:
        node = home / "orderers" / ORDERER
        certificate = first_certificate(only_file(node / "msp" / "signcerts"))
        tls_certificate = first_certificate(node / "tls" / "server.crt")
        host, port = member.orderer.host, member.orderer.port
    return MemberBundle(
        member_id=member.id,
        msp_id=member.msp_id,
        ca_certificates=msp.ca_certificates,
        tls_ca_certificates=msp.tls_ca_certificates,
        orderer_certificate=certificate,
        orderer_tls_certificate=tls_certificate,
        orderer_host=host,
        orderer_port=port,
        peer_host=member.peer.host,
        peer_port=member.peer.port,
        intermediate_certificates=msp.intermediate_certificates,
        revocation_lists=msp.revocation_lists,
        tls_intermediate_certificates=msp.tls_intermediate_certificates,
    )


def _write_member(home: Path, member: Member, authority_period: Period, period: Period) -> None:
    """Make and write everything of one member."""
    ca, tls_ca = (_authority(name, member, authority_period) for name in ("ca", "tlsca"))
    for folder, pair in (("ca", ca), ("tlsca", tls_ca)):
        _write_pair(home / folder, pair)
    public = PublicMsp((ca.certificate_pem,), (tls_ca.certificate_pem,))
    write_public_msp(home / "msp", public)
    for part in parts_of(member):
        pair = issue_part(part, member, tls_ca if part.is_tls else ca, new_key(), period)
        if part.is_tls:
            write_tls(home / part.folder, pair.certificate_pem, pair.key_pem, public.tls_trust)
        else:
            write_public_msp(home / part.folder, public)
            write_identity(home / part.folder, pair.certificate_pem, pair.key_pem)
    if member.witness is not None:
        write_witness_keys(home)
    seal = certificates.enrollment(
        ca,
        member.name_en,
        called("seal", member),
        Role.CLIENT,
        new_key(),
        x509.random_serial_number(),
        period,
    )
    _write_pair(home / SEAL_FOLDER, seal)


def _authority(name: str, member: Member, period: Period) -> KeyPair:
    return certificates.authority(
        member.name_en, called(name, member), new_key(), x509.random_serial_number(), period
    )


def _write_pair(folder: Path, pair: KeyPair) -> None:
    write_public(folder / "cert.pem", pair.certificate_pem)
    write_private(folder / "key.pem", pair.key_pem)
