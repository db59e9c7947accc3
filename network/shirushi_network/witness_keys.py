"""A member's witness keys: Ed25519 to sign as the log and to cosign, BLS12-381 for quorum certificates.

    <id>/witness/
      log.key, cosigner.key  Ed25519, PKCS#8 PEM
      bls.key                a seed of 32 bytes, hex
      tls/                   what its HTTP interface shows

The keys are the member's own also where its certificates come from elsewhere. They are made once: whoever lost them is
another cosigner, whom the next trust policy has to name.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from shirushi_client.whole_files import sync_folder
from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import bls, ed25519
from shirushi_core.proofs.checkpoint import cosigner_key, log_key, origin_of
from shirushi_core.proofs.note import VerifierKey
from shirushi_network.certificates import CLOCK_SKEW, Period
from shirushi_network.member_files import (
    MemberKeysError,
    read_file,
    sync_tree,
    write_private,
)
from shirushi_network.member_parts import (
    PEER,
    WITNESS_FOLDER,
    Part,
    PartName,
    issue_part,
    new_key,
    parts_of,
)
from shirushi_network.msp_folder import read_public_msp, write_tls
from shirushi_network.own_authority import TLS_CA, load_authority_pair
from shirushi_network.topology import Member

LOG_KEY, COSIGNER_KEY, BLS_KEY = "log.key", "cosigner.key", "bls.key"
KEY_FILES = (LOG_KEY, COSIGNER_KEY, BLS_KEY)
LOG, COSIGNER = "log", "cosigner"
POSSESSION_DOMAIN = b"shirushi/witness-key/v1\0"

_SEED = re.compile(rb"[0-9a-f]{64}\n?")


@dataclass(frozen=True, slots=True)
class WitnessSecrets:
    """The private keys of a member's witness."""

    log: Ed25519PrivateKey = field(repr=False)
    cosigner: Ed25519PrivateKey = field(repr=False)
    bls: int = field(repr=False)

    def public_keys(self, member_id: str) -> WitnessPublicKeys:
        """Return what the others are told of them; the same keys give the same bytes."""
        return WitnessPublicKeys(
            log=self.log.public_key().public_bytes_raw(),
            cosigner=self.cosigner.public_key().public_bytes_raw(),
            bls=bls.public_key(self.bls),
            log_possession=self.log.sign(_possession_statement(LOG, member_id)),
            cosigner_possession=self.cosigner.sign(_possession_statement(COSIGNER, member_id)),
            bls_possession=bls.prove_possession(self.bls),
        )


@dataclass(frozen=True, slots=True)
class WitnessPublicKeys:
    r"""The public keys of a member's witness, and proofs that it has the private ones.

    An Ed25519 key signs "shirushi/witness-key/v1\0" ‖ "log" or "cosigner" ‖ 0x00 ‖ member id; the BLS key's proof is that
    of its scheme.
    """

    log: bytes
    cosigner: bytes
    bls: bytes
    log_possession: bytes
    cosigner_possession: bytes
    bls_possession: bytes

    def verify_possession(self, member_id: str) -> None:
        """Check that a member has the private keys; raises InvalidInputError, bls.BlsError naming the key."""
        for use, key, proof in (
            (LOG, self.log, self.log_possession),
            (COSIGNER, self.cosigner, self.cosigner_possession),
        ):
            ed25519.check_public_key(key, f"the {use} key of {member_id}")
            try:
                Ed25519PublicKey.from_public_bytes(key).verify(proof, _possession_statement(use, member_id))
            except (InvalidSignature, ValueError):
                raise InvalidInputError(
                    f"the proof that {member_id} has the private part of its {use} key does not hold"
                ) from None
        bls.verify_possession(self.bls, self.bls_possession)

    def log_key(self, ledger: str) -> VerifierKey:
        """Return the key as it signs checkpoints of a ledger's log."""
        return log_key(origin_of(ledger), self.log)

    def cosigner_key(self, ledger: str, member_id: str) -> VerifierKey:
        """Return the key as it cosigns checkpoints of a ledger's log."""
        return cosigner_key(f"{origin_of(ledger)}/{member_id}", self.cosigner)


def write_witness_keys(home: Path) -> None:
    """Make new keys for a member's witness; raises OSError, also if there are keys."""
    for name in (LOG_KEY, COSIGNER_KEY):
        key = Ed25519PrivateKey.generate()
        write_private(
            home / WITNESS_FOLDER / name,
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        )
    write_private(home / WITNESS_FOLDER / BLS_KEY, os.urandom(bls.SEED_BYTES).hex().encode() + b"\n")


def copy_witness_keys(source: Path, home: Path) -> None:
    """Take a witness's keys from another folder of the same member; raises MemberKeysError, OSError."""
    for name in KEY_FILES:
        write_private(home / WITNESS_FOLDER / name, read_file(source / WITNESS_FOLDER / name))


def has_witness_keys(home: Path) -> bool:
    """Say whether a member's folder has its witness's keys; raises MemberKeysError if it has some of them only."""
    missing = [name for name in KEY_FILES if not (home / WITNESS_FOLDER / name).exists()]
    if missing and len(missing) < len(KEY_FILES):
        raise MemberKeysError(
            f"{home / WITNESS_FOLDER} lacks {', '.join(missing)}: put it back from a backup; without one, take the other keys "
            "away too, and new ones are made, which the next trust policy has to name"
        )
    return not missing


def complete_witness(home: Path, member: Member, now: datetime, days: int) -> bool:
    """Make what a member's folder from before its witness lacks: keys, TLS certificate; False if it lacks nothing.

    Where the TLS CA's key is elsewhere, the peer's certificate serves if the witness is on the same host. Raises
    MemberKeysError if there is none for it, or only some of the keys; OSError.
    """
    if member.witness is None:
        return False
    tls = next(part for part in parts_of(member) if part.name is PartName.WITNESS_TLS)
    has_keys, has_tls = has_witness_keys(home), (home / tls.folder).exists()
    if has_keys and has_tls:
        return False
    temporary = Path(tempfile.mkdtemp(prefix=".witness.", dir=home))
    try:
        if not has_tls:
            _write_tls(temporary / tls.folder, home, member, tls, now, days)
        if not has_keys:
            write_witness_keys(temporary)
        sync_tree(temporary)
        made, live = temporary / WITNESS_FOLDER, home / WITNESS_FOLDER
        if live.exists():
            for path in made.iterdir():
                path.rename(live / path.name)
            sync_folder(live)
        else:
            made.rename(live)
        sync_folder(home)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return True


def _write_tls(folder: Path, home: Path, member: Member, part: Part, now: datetime, days: int) -> None:
    peer = home / "peers" / PEER / "tls"
    if not (home / TLS_CA / "key.pem").exists() and part.host == member.peer.host and peer.exists():
        write_tls(folder, *(read_file(peer / name) for name in ("server.crt", "server.key", "ca.crt")))
        return
    advice = f"`shirushi member import {member.id} FOLDER --replace` takes over one for its witness"
    issuer = load_authority_pair(home, TLS_CA, now, advice)
    end = min(now + timedelta(days=days), issuer.certificate.not_valid_after_utc)
    pair = issue_part(part, member, issuer, new_key(), Period(now - CLOCK_SKEW, end))
    write_tls(folder, pair.certificate_pem, pair.key_pem, read_public_msp(home / "msp").tls_trust)


def load_witness_secrets(home: Path) -> WitnessSecrets:
    """Load the keys of a member's witness; raises MemberKeysError naming the file."""
    folder = home / WITNESS_FOLDER
    return WitnessSecrets(
        _load_ed25519(folder / LOG_KEY), _load_ed25519(folder / COSIGNER_KEY), _load_seed(folder / BLS_KEY)
    )


def _possession_statement(use: str, member_id: str) -> bytes:
    return POSSESSION_DOMAIN + use.encode() + b"\0" + member_id.encode()


def _load_ed25519(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(read_file(path), None)
    except (ValueError, TypeError):
        raise MemberKeysError(f"{path}: expected an unencrypted Ed25519 key in PKCS#8 PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise MemberKeysError(f"{path}: expected an Ed25519 key, found another kind")
    return key


def _load_seed(path: Path) -> int:
    data = read_file(path)
    if not _SEED.fullmatch(data):
        raise MemberKeysError(f"{path}: expected a seed of {bls.SEED_BYTES} bytes in lower-case hex")
    return bls.key_from_seed(bytes.fromhex(data.decode()))
