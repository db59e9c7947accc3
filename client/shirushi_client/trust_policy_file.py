"""The trust policy as a file: a data folder's own, or one that a recipient was given."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from shirushi_client.whole_files import write_whole
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


def install_update(
    present: Path, new: SignedPolicy, now: float, keep: Callable[[int], Path] | None = None
) -> TrustPolicy:
    """Put a new version in a policy file's place if the present one's members signed it, and return it.

    The present version stays beside it, as NAME.vN.json or where `keep` says. Raises TrustPolicyFileError, PolicyError.
    """
    old = read_signed_policy(present, now)
    policy = verify_update(old.policy, new, int(now))
    version = old.policy.version
    try:
        write_whole(earlier_version(present, version) if keep is None else keep(version), old.to_bytes())
        write_whole(present, new.to_bytes())
    except OSError as error:
        raise TrustPolicyFileError(
            f"the trust policy {present} cannot be written: {(error.strerror or 'error').lower()}"
        ) from error
    return policy


def earlier_version(path: Path, version: int) -> Path:
    """Return where an earlier version of a policy file is kept: beside it."""
    return path.with_name(f"{path.stem}.v{version}{path.suffix}")


def read_signed_policy(path: Path, now: float | None = None) -> SignedPolicy:
    """Read a policy that is trusted for where it lies; raises TrustPolicyFileError.

    Signatures by its own members' keys have to hold; how many there are is for who received it to look at.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_POLICY_BYTES + 1)
    except OSError as error:
        raise TrustPolicyFileError(
            f"the trust policy {path} cannot be read: {(error.strerror or 'error').lower()}"
        ) from error
    try:
        signed, _ = parse_trusted(data, int(time.time() if now is None else now))
    except (InvalidInputError, PolicyError) as error:
        raise TrustPolicyFileError(f"{path} is no trust policy: {error}") from error
    return signed


def read_policy(path: Path) -> TrustPolicy:
    """Read a policy that is trusted for where it lies, without its signatures; raises TrustPolicyFileError."""
    return read_signed_policy(path).policy
