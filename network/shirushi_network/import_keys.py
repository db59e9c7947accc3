"""Taking over a member's certificates that were made elsewhere: by Fabric CA, cryptogen or the organisation's own PKI.

Read is the layout of Fabric's tools (import_sources.py). A tls folder holds server.crt and server.key, or signcerts and
keystore as fabric-ca-client leaves them. Private keys of CAs are not taken over: such a member's certificates are
renewed and revoked where they come from. The witness's keys are made here, and kept when certificates are replaced.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shirushi_client.whole_files import sync_folder
from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.signing import PrivateKey, load_certificate, load_private_key
from shirushi_network.bundle_checks import check_authorities, check_bundle, check_identity, check_tls
from shirushi_network.exchange import exchange
from shirushi_network.import_sources import MSP, SEAL, SourceError, find_sources
from shirushi_network.member_bundle import local_bundle
from shirushi_network.member_files import (
    MemberKeysError,
    files_in,
    make_folder,
    only_file,
    read_file,
    sync_tree,
    write_private,
    write_public,
)
from shirushi_network.member_parts import SEAL_FOLDER, PartName, parts_of
from shirushi_network.msp_folder import (
    PublicMsp,
    first_certificate,
    read_public_msp,
    write_identity,
    write_public_msp,
    write_tls,
)
from shirushi_network.own_authority import CA, TLS_CA
from shirushi_network.superseded import SUPERSEDED, superseded_folder
from shirushi_network.topology import Member
from shirushi_network.witness_keys import copy_witness_keys, has_witness_keys, write_witness_keys

OPTIONAL = frozenset({PartName.CHAINCODE_TLS, PartName.ISSUER, PartName.CLIENT, SEAL})
"""What a member can do without: who issues nothing needs no issuer, and a chaincode service can do without TLS."""

_MAX_KEYS = 64


@dataclass(frozen=True, slots=True)
class Imported:
    """What was taken from where, and what was not there."""

    home: Path
    taken: Mapping[str, Path]
    missing: tuple[str, ...]
    superseded: Path | None


@dataclass(frozen=True, slots=True)
class _Pair:
    certificate_pem: bytes
    key: PrivateKey

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def import_member(
    root: Path,
    member: Member,
    folder: Path,
    *,
    now: datetime,
    named: Mapping[str, Path] | None = None,
    replace: bool = False,
) -> Imported:
    """Copy a member's certificates and keys into root/<id>, checked as a bundle is, whole or not at all.

    `named` are the folders of single parts, by their names; without a witness's TLS certificate its peer's is taken for
    it, which then has to name the witness's host. `replace` puts the new folder in an existing one's place,
    which goes to superseded/. Raises MemberKeysError, SourceError, BundleError.
    """
    home = root / member.id
    if home.exists() and not replace:
        raise MemberKeysError(
            f"{home} exists already: give --replace to put the new certificates in its place and keep the old ones in "
            f"{home / SUPERSEDED}"
        )
    sources = find_sources(folder, named or {})
    if member.witness is not None and PartName.PEER_TLS in sources:
        sources.setdefault(PartName.WITNESS_TLS, sources[PartName.PEER_TLS])
    expected = [*(part.name.value for part in parts_of(member)), SEAL]
    missing = tuple(name for name in (MSP, *expected) if name not in sources)
    for name in missing:
        if name not in OPTIONAL:
            raise SourceError(
                f"{folder} has no {name} of {member.id}: name its folder with --part {name}=FOLDER"
            )
    taken = {name: sources[name] for name in (MSP, *expected) if name in sources}
    try:
        make_folder(root)
        temporary = Path(tempfile.mkdtemp(prefix=f".{member.id}.", dir=root))
        new, has_old = temporary / member.id, home.exists()
        try:
            _write(new, member, taken)
            _write_witness(new, member, home)
            _check(temporary, member, taken, now)
            sync_tree(temporary)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        try:
            if has_old:
                exchange(new, home)
            else:
                new.rename(home)
        except OSError:  # nothing else: after the swap it is the old folder that stands here
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        superseded = _keep(new, home, now) if has_old else None
        temporary.rmdir()
        sync_folder(root)
    except OSError as error:
        raise MemberKeysError(f"{home} could not be made: {error}") from error
    return Imported(home, taken, missing, superseded)


def _write(home: Path, member: Member, sources: Mapping[str, Path]) -> None:
    public = read_public_msp(sources[MSP])
    for name in ("ca", "tls_ca"):
        if not getattr(public, f"{name}_certificates"):
            kind = "cacerts" if name == "ca" else "tlscacerts"
            raise SourceError(f"{sources[MSP] / kind}: expected a CA certificate of {member.id}, found none")
    write_public_msp(home / MSP, public)
    write_public(home / CA / "cert.pem", b"".join(public.ca_certificates))
    write_public(home / TLS_CA / "cert.pem", public.tls_trust)
    for part in parts_of(member):
        if part.name not in sources:
            continue
        if part.is_tls:
            pair = _tls_pair(sources[part.name])
            chain = pair.certificate_pem + b"".join(public.tls_intermediate_certificates)
            write_tls(home / part.folder, chain, pair.key_pem, public.tls_trust)
        else:
            _write_identity(home / part.folder, public, _identity_pair(sources[part.name]))
    if SEAL in sources:
        seal = _pair(sources[SEAL] / "cert.pem", [sources[SEAL] / "key.pem"])
        write_public(home / SEAL_FOLDER / "cert.pem", seal.certificate_pem)
        write_private(home / SEAL_FOLDER / "key.pem", seal.key_pem)


def _write_witness(home: Path, member: Member, before: Path) -> None:
    if member.witness is None:
        return
    if has_witness_keys(before):
        copy_witness_keys(before, home)
    else:
        write_witness_keys(home)


def _check(root: Path, member: Member, sources: Mapping[str, Path], now: datetime) -> None:
    home, bundle = root / member.id, local_bundle(root, member)
    material = bundle.material
    check_bundle(bundle, member, now)
    msp = check_authorities(member, material, now)
    for part in parts_of(member):
        if part.name not in sources:
            continue
        what = f"{part.name} certificate in {sources[part.name]}"
        pem = first_certificate(home / part.certificate)
        if part.role is None:
            check_tls(member, material, pem, part.host, what, now)
        else:
            check_identity(member, msp, pem, part.role, what, now)


def _keep(old: Path, home: Path, now: datetime) -> Path:
    """Move a replaced folder into the new one, beside what it had superseded before."""
    if (old / SUPERSEDED).exists():
        (old / SUPERSEDED).rename(home / SUPERSEDED)
    target = superseded_folder(home, now)
    make_folder(target.parent)
    old.rename(target)
    sync_folder(target.parent)
    return target


def _write_identity(folder: Path, public: PublicMsp, pair: _Pair) -> None:
    write_public_msp(folder, public)
    write_identity(folder, pair.certificate_pem, pair.key_pem)


def _identity_pair(folder: Path) -> _Pair:
    return _pair(only_file(folder / "signcerts"), files_in(folder / "keystore"))


def _tls_pair(folder: Path) -> _Pair:
    if (folder / "server.crt").exists():
        return _pair(folder / "server.crt", [folder / "server.key"])
    return _identity_pair(folder)


def _pair(certificate_file: Path, key_files: list[Path]) -> _Pair:
    """Return a certificate and the one of these keys that belongs to it; raises MemberKeysError naming the files."""
    pem = first_certificate(certificate_file)
    try:
        wanted = load_certificate(pem).public_key()
    except ValueError as error:
        raise MemberKeysError(f"{certificate_file}: its public key cannot be read: {error}") from None
    refused = []
    for path in key_files[:_MAX_KEYS]:
        data = read_file(path)
        try:
            key = load_private_key(data)
        except InvalidInputError as error:
            refused.append(f"{path}: {error}")
            continue
        if key.public_key() == wanted:
            return _Pair(pem, key)
        refused.append(f"{path} is another's")
    raise MemberKeysError(
        f"no key of {certificate_file}: {'; '.join(refused) or 'no file with a key is there'}"
    )
