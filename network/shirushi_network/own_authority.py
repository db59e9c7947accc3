"""A member's own CAs with their keys, as long as they are in its folder: imported certificates come without."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.signing import PrivateKey, load_certificate, load_private_key
from shirushi_network.certificates import KeyPair
from shirushi_network.member_files import MemberKeysError, read_file

CA = "ca"
TLS_CA = "tlsca"


def load_authority_pair(home: Path, name: str, now: datetime, what_for: str) -> KeyPair:
    """Load one of a member's CAs to issue with; `what_for` ends the sentence if its key is not here.

    Raises MemberKeysError, also if the CA has expired: a CA is never renewed here.
    """
    folder = home / name
    if not (folder / "key.pem").exists():
        raise MemberKeysError(
            f"the certificates of {home.name} come from elsewhere ({folder / 'key.pem'} is not there): {what_for}"
        )
    pair = load_pair(folder / "cert.pem", folder / "key.pem")
    if pair.certificate.not_valid_after_utc <= now:
        raise MemberKeysError(
            f"{folder / 'cert.pem'} expired at {pair.certificate.not_valid_after_utc.isoformat()}, and a CA is not renewed "
            "by this command: a new one comes into the channel with a configuration update"
        )
    return pair


def load_pair(certificate_file: Path, key_file: Path) -> KeyPair:
    """Load a certificate and the P-256 or P-384 key that belongs to it; raises MemberKeysError naming the file."""
    try:
        certificate = load_certificate(read_file(certificate_file))
    except InvalidInputError as error:
        raise MemberKeysError(f"{certificate_file}: {error}") from None
    key = load_key(key_file)
    if key.public_key() != certificate.public_key():
        raise MemberKeysError(f"{key_file} is not the key of {certificate_file}")
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise MemberKeysError(f"{key_file}: expected a P-256 or P-384 key, found Ed25519")
    return KeyPair(certificate, key)


def load_key(path: Path) -> PrivateKey:
    """Load a private key; raises MemberKeysError naming the file."""
    try:
        return load_private_key(read_file(path))
    except InvalidInputError as error:
        raise MemberKeysError(f"{path}: {error}") from None
