"""Where a folder of Fabric's tools has each part of a member: msp/, peers/*, orderers/*, chaincodes/*, witness/, users/*."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from shirushi_core.fabric.msp import Role
from shirushi_core.fabric.signing import load_certificate
from shirushi_network.certificates import ATTRIBUTES_OID
from shirushi_network.errors import ConsortiumError
from shirushi_network.member_files import files_in
from shirushi_network.member_parts import ISSUER_ATTRIBUTES, USERS, WITNESS_FOLDER, PartName
from shirushi_network.msp_folder import first_certificate

MSP = "msp"
SEAL = "seal"

SOURCE_NAMES: tuple[str, ...] = (MSP, *PartName, SEAL)
"""What can be named: the organisation's public MSP, each part, and the seal key."""

_NODES = {
    "peers": (PartName.PEER, PartName.PEER_TLS),
    "orderers": (PartName.ORDERER, PartName.ORDERER_TLS),
    "chaincodes": (None, PartName.CHAINCODE_TLS),
}


class SourceError(ConsortiumError):
    """A folder that has no certificates where Fabric's tools put them, or several where one is needed."""


def parse_sources(texts: list[str]) -> dict[str, Path]:
    """Read NAME=FOLDER options; raises SourceError."""
    named: dict[str, Path] = {}
    for text in texts:
        name, separator, folder = text.partition("=")
        if name not in SOURCE_NAMES or not separator or not folder or name in named:
            raise SourceError(
                f"expected NAME=FOLDER, each name once, of {', '.join(SOURCE_NAMES)}; found {text!r}"
            )
        named[name] = Path(folder)
    return named


def find_sources(folder: Path, named: Mapping[str, Path]) -> dict[str, Path]:
    """Return the folder of everything that is there, by its name; `named` goes before what is found.

    Raises SourceError if there is more than one of something.
    """
    if not folder.is_dir():
        raise SourceError(f"{folder}: expected a folder with the member's msp, peers, orderers and users")
    found = {}
    if (folder / MSP).is_dir():
        found[MSP] = folder / MSP
    for kind, (identity, tls) in _NODES.items():
        place = named.get(identity) if identity else None
        if place is not None:
            node: Path | None = place if (place / "msp").is_dir() else place.parent
        else:
            node = _only(_folders(folder / kind), kind, (identity or tls).value)
        if node is None:
            continue
        if identity is not None and (node / "msp").is_dir():
            found[identity] = node / "msp"
        if (node / "tls").is_dir():
            found[tls] = node / "tls"
    if (folder / WITNESS_FOLDER / "tls").is_dir():
        found[PartName.WITNESS_TLS] = folder / WITNESS_FOLDER / "tls"
    found |= _users(folder / "users", named)
    found |= {name: _inner(name, place) for name, place in named.items()}
    if SEAL not in found and (folder / "users" / PartName.ISSUER / SEAL).is_dir():
        found[SEAL] = folder / "users" / PartName.ISSUER / SEAL
    return found


def _users(folder: Path, named: Mapping[str, Path]) -> dict[str, Path]:
    """Return the users' msp folders: by the folder's name if it says so, else by what the certificate says."""
    users = [user / "msp" for user in _folders(folder) if (user / "msp" / "signcerts").is_dir()]
    by_name = {user.parent.name.partition("@")[0].lower(): user for user in users}
    found = {name: by_name[name] for name in USERS if name in by_name and name not in named}
    others: dict[str, list[Path]] = {}
    for user in users:
        if user not in found.values():
            others.setdefault(_kind(user), []).append(user)
    for name in USERS:
        if name not in found and name not in named:
            only = _only(others.get(name, []), f"users who could be the {name}", name)
            if only is not None:
                found[name] = only
    return found


def _kind(msp: Path) -> str:
    """Say which user a certificate is for, "" for none of ours."""
    files = files_in(msp / "signcerts")
    if len(files) != 1:
        return ""
    certificate = load_certificate(first_certificate(files[0]))
    units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    values = {unit.value for unit in units}
    if Role.ADMIN.value in values:
        return PartName.ADMIN
    if Role.CLIENT.value not in values:
        return ""
    return PartName.ISSUER if _is_issuer(certificate) else PartName.CLIENT


def _is_issuer(certificate: x509.Certificate) -> bool:
    try:
        extension = certificate.extensions.get_extension_for_oid(ATTRIBUTES_OID).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False
    if not isinstance(extension, x509.UnrecognizedExtension):
        return False
    try:
        attributes = json.loads(extension.value)["attrs"]
        return bool(attributes.items() >= ISSUER_ATTRIBUTES.items())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def _inner(name: str, place: Path) -> Path:
    """Return the folder that holds the files: a node's folder may be named instead of its msp or tls."""
    inner = place / ("tls" if name.endswith("-tls") else "msp")
    return inner if name not in (MSP, SEAL) and inner.is_dir() else place


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(each for each in folder.iterdir() if each.is_dir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SourceError(f"{folder} cannot be read: {error.strerror}") from error


def _only(found: list[Path], what: str, name: str) -> Path | None:
    if len(found) > 1:
        raise SourceError(
            f"found {len(found)} {what}, {', '.join(str(each) for each in found)}: name one with --part {name}=FOLDER"
        )
    return found[0] if found else None
