"""Where a command finds its consortium, and the identity it acts as.

A data folder holds `consortium.json` and `users/<profile>.json`; profiles are "issuer", "verifier" and
"admin-<member>". Docs: docs/formats/connection.md.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from shirushi_client.consortium import ConnectionFileError
from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.fabric.signing import PrivateKey, load_private_key
from shirushi_core.proofs import fields
from shirushi_core.proofs.canonical import decode

DATA_VARIABLE = "SHIRUSHI_DATA"

_FIELDS = frozenset({"certificate", "key", "member", "msp_id"})


class ProfileError(ShirushiError):
    """A profile, or a key or certificate it names, that is missing or cannot be read."""


@dataclass(frozen=True, slots=True)
class Profile:
    """An identity to act as: a member's user, and for an issuer its name and seal key."""

    name: str
    member: str
    msp_id: str
    certificate: Path
    key: Path
    issuer: str | None = None
    seal_key: Path | None = None

    def load_certificate(self) -> bytes:
        """Return the PEM certificate; raises ProfileError."""
        return _read(self.certificate, f"the certificate of profile {self.name}")

    def load_key(self) -> PrivateKey:
        """Return the private key; raises ProfileError."""
        return _load_key(self.key, f"the key of profile {self.name}")

    def load_seal_key(self) -> ec.EllipticCurvePrivateKey:
        """Return the seal key; raises ProfileError if the profile has none."""
        if self.seal_key is None:
            raise ProfileError(
                f"profile {self.name} has no seal key: issue with the profile of a registered issuer"
            )
        key = _load_key(self.seal_key, f"the seal key of profile {self.name}")
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ProfileError(f"{self.seal_key}: expected a P-256 seal key, found another kind")
        return key

    def issuer_id(self) -> str:
        """Return the name it issues under; raises ProfileError if it is no issuer's profile."""
        if self.issuer is None:
            raise ProfileError(f"profile {self.name} is no issuer's: it names no issuer")
        return self.issuer


def data_folder(named: Path | None, environment: Mapping[str, str] | None = None) -> Path:
    """Return the data folder: the one named, else SHIRUSHI_DATA, else the user's own; never one of where the user stands."""
    environment = os.environ if environment is None else environment
    if named is not None:
        return named
    if chosen := environment.get(DATA_VARIABLE):
        return Path(chosen)
    return user_folder(environment)


def user_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Return the user's own folder: $XDG_DATA_HOME/shirushi, else ~/.local/share/shirushi.

    A relative XDG_DATA_HOME is passed over, as its specification says.
    """
    environment = os.environ if environment is None else environment
    base = Path(environment.get("XDG_DATA_HOME") or "")
    return (base if base.is_absolute() else Path.home() / ".local" / "share") / "shirushi"


def journal_path(data: Path) -> Path:
    """Return where the issuer's journal is."""
    return data / "issuer" / "journal.db"


def change_journal_path(data: Path) -> Path:
    """Return where the journal of status changes is."""
    return data / "issuer" / "changes.db"


def load_profile(data: Path, name: str) -> Profile:
    """Read a profile of a data folder; relative paths in it are relative to that folder; raises ProfileError."""
    path = data / "users" / f"{name}.json"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.json"))) or "none"
        raise ProfileError(f"no profile {name} in {path.parent}; profiles there: {known}") from None
    except OSError as error:
        raise ProfileError(f"{path} cannot be read: {error.strerror}") from error
    try:
        value = fields.an_object(decode(content), "profile", _FIELDS, others=True)
        issuer, seal_key = value.get("issuer"), value.get("seal_key")
        return Profile(
            name=name,
            member=fields.a_text(value["member"], "profile: member"),
            msp_id=fields.a_text(value["msp_id"], "profile: msp_id"),
            certificate=data / fields.a_text(value["certificate"], "profile: certificate", high=1024),
            key=data / fields.a_text(value["key"], "profile: key", high=1024),
            issuer=None
            if issuer is None
            else fields.check_identifier(fields.a_text(issuer, "profile: issuer"), "profile: issuer"),
            seal_key=None
            if seal_key is None
            else data / fields.a_text(seal_key, "profile: seal_key", high=1024),
        )
    except InvalidInputError as error:
        raise ProfileError(f"{path}: {error}") from error


def read_tls_root(path: Path, member: str) -> bytes:
    """Return a member's TLS root in PEM; raises ConnectionFileError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConnectionFileError(
            f"the TLS root of {member} cannot be read: {path}: {error.strerror}"
        ) from error


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ProfileError(f"{what} cannot be read: {path}: {error.strerror}") from error


def _load_key(path: Path, what: str) -> PrivateKey:
    try:
        return load_private_key(_read(path, what))
    except InvalidInputError as error:
        raise ProfileError(f"{what}: {path}: {error}") from error
