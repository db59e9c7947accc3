"""The trust policy as a file: a data folder's own, or one that a recipient was given."""

from __future__ import annotations

import os
import time
from pathlib import Path

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs.policy_update import (
    MAX_POLICY_BYTES,
    PolicyError,
    SignedPolicy,
    parse_trusted,
    verify_update,
)
from shirushi_core.proofs.trust_policy import TrustPolicy

FILE_NAME = "trust-policy.json"


class TrustPolicyFileError(ShirushiError):
    """A trust policy file that is missing, cannot be read, or is none."""


def read_signed_policy(path: Path, now: float | None = None) -> SignedPolicy:
    """Read a policy that is trusted for where it lies; raises TrustPolicyFileError.

    Signatures by its own members' keys have to hold; how many there are is for who received it to look at.
    """
    try:
        signed, _ = parse_trusted(_read(path), int(time.time() if now is None else now))
    except (InvalidInputError, PolicyError) as error:
        raise TrustPolicyFileError(f"{path} is no trust policy: {error}") from error
    return signed


def read_policy(path: Path) -> TrustPolicy:
    """Read a policy that is trusted for where it lies, without its signatures; raises TrustPolicyFileError."""
    return read_signed_policy(path).policy


def read_next_policy(path: Path) -> SignedPolicy:
    """Read a policy that is yet to be judged by the present one; raises TrustPolicyFileError."""
    try:
        return SignedPolicy.from_bytes(_read(path))
    except InvalidInputError as error:
        raise TrustPolicyFileError(f"{path} is no trust policy: {error}") from error


def kept_name(present: Path, version: int) -> Path:
    """Return where a version is kept once a newer one has taken its place."""
    return present.with_name(f"{present.stem}.v{version}{present.suffix}")


def install_next(present: Path, following: Path, now: float) -> tuple[TrustPolicy, Path]:
    """Put the next version in the present one's place, which is kept beside it; return it, and where the old one is.

    Raises TrustPolicyFileError; PolicyError if the next is not signed by a quorum of the present, or takes something back. A crash
    leaves the old version or the new one, never none.
    """
    old, new = read_signed_policy(present, now), read_next_policy(following)
    policy = verify_update(old.policy, new, int(now))
    kept = kept_name(present, old.policy.version)
    try:
        _replace(kept, present.read_bytes())
        _replace(present, new.to_bytes())
    except OSError as error:
        raise TrustPolicyFileError(
            f"the trust policy {present} cannot be replaced: {(error.strerror or 'error').lower()}"
        ) from error
    return policy, kept


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_POLICY_BYTES + 1)
    except OSError as error:
        raise TrustPolicyFileError(
            f"the trust policy {path} cannot be read: {(error.strerror or 'error').lower()}"
        ) from error


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.partial")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
