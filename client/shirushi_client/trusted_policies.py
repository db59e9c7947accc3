"""Which trust policy counts, and the ones that the user has made their own: one for each ledger, in the user's own folder.

Trust comes from what a person named or put in place, never from where they happen to stand and never with a certificate.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from shirushi_client.profile import DATA_VARIABLE, data_folder, user_folder
from shirushi_client.trust_policy_file import FILE_NAME, TrustPolicyFileError, read_signed_policy
from shirushi_client.whole_files import write_whole
from shirushi_core.errors import ShirushiError
from shirushi_core.proofs import fields
from shirushi_core.proofs.policy_update import SignedPolicy

POLICY_VARIABLE = "SHIRUSHI_POLICY"
FOLDER = "policies"

NO_POLICY = (
    "get the members' trust policy, compare its fingerprint with two members, and make it yours with "
    "`shirushi policy trust FILE`"
)
NO_POLICY_JA = (
    "参加機関の信頼ポリシーを入手し、指紋（フィンガープリント）を2つの参加機関に確認してから、"
    "`shirushi policy trust FILE` で登録してください。"
)


class NoTrustPolicyError(ShirushiError):
    """There is no trust policy to judge a receipt by; the text says how one comes by it."""


class OtherFirstPolicyError(ShirushiError):
    """A first policy for a ledger that another one is trusted for already."""


class PolicySource(StrEnum):
    """Where a trust policy came from."""

    OPTION = "option"
    """`--policy`."""

    ENVIRONMENT = "environment"
    """`SHIRUSHI_POLICY`."""

    DATA_FOLDER = "data_folder"
    """The data folder's: `--data`, `SHIRUSHI_DATA`, or the user's own folder."""

    TRUSTED = "trusted"
    """The user's own for the ledger: `shirushi policy trust`."""


@dataclass(frozen=True, slots=True)
class FoundPolicy:
    """A trust policy, where it came from, and its file."""

    signed: SignedPolicy
    source: PolicySource
    path: Path


@dataclass(frozen=True, slots=True)
class PolicyLookup:
    """What a person named: `--policy`, `--data`, and the environment."""

    option: Path | None
    data: Path | None
    environment: Mapping[str, str]

    @classmethod
    def of(cls, option: Path | None, data: Path | None) -> PolicyLookup:
        """Return the look-up for this process's environment."""
        return cls(option, data, os.environ)

    @property
    def is_by_ledger(self) -> bool:
        """Whether nothing was named, so that each ledger has its own policy."""
        return (
            self.option is None
            and self.data is None
            and not self.environment.get(POLICY_VARIABLE)
            and not self.environment.get(DATA_VARIABLE)
        )

    def named(self) -> FoundPolicy | None:
        """Return the policy that was named: by an option, else by the environment; raises TrustPolicyFileError.

        A data folder that has no policy names none.
        """
        if self.option is not None:
            return _found(self.option, PolicySource.OPTION)
        own = None if self.data is None else self.data / FILE_NAME
        if own is not None and own.exists():
            return _found(own, PolicySource.DATA_FOLDER)
        if chosen := self.environment.get(POLICY_VARIABLE):
            return _found(Path(chosen), PolicySource.ENVIRONMENT)
        if self.data is None and self.environment.get(DATA_VARIABLE):
            return self._of_data_folder()
        return None

    def of_ledger(self, ledger: str | None) -> FoundPolicy | None:
        """Return the policy to judge a ledger's receipts by where none was named: the trusted one, else the user's own folder's.

        `ledger` None: that of a receipt that does not say. Raises TrustPolicyFileError.
        """
        if ledger is not None:
            path = trusted_path(ledger, self.environment)
            if path.exists():
                return _trusted(path, ledger)
        return self._of_data_folder()

    def any(self, ledger: str | None = None) -> FoundPolicy:
        """Return the policy that a command about policies means; raises NoTrustPolicyError, TrustPolicyFileError.

        `ledger` chooses among those of the user's own folder; without it there has to be only one.
        """
        if ledger is not None:
            fields.check_ledger(ledger, "--ledger")
            path = trusted_path(ledger, self.environment)
            if not path.exists():
                raise NoTrustPolicyError(f"no trust policy of {ledger} is yours: {NO_POLICY}")
            return _trusted(path, ledger)
        found = self.named()
        if found is not None:
            return found
        if not self.is_by_ledger:
            return _found(data_folder(self.data, self.environment) / FILE_NAME, PolicySource.DATA_FOLDER)
        own, ledgers = self._of_data_folder(), trusted_ledgers(self.environment)
        if own is not None and set(ledgers) <= {own.signed.policy.ledger}:
            return own if not ledgers else _trusted(trusted_path(ledgers[0], self.environment), ledgers[0])
        if len(ledgers) == 1 and own is None:
            return _trusted(trusted_path(ledgers[0], self.environment), ledgers[0])
        if not ledgers:
            raise NoTrustPolicyError(f"there is no trust policy here: {NO_POLICY}")
        raise NoTrustPolicyError(
            f"there are several trust policies: name one with --policy FILE, or --ledger NAME of {', '.join(ledgers)}"
        )

    def _of_data_folder(self) -> FoundPolicy | None:
        path = data_folder(None, self.environment) / FILE_NAME
        return _found(path, PolicySource.DATA_FOLDER) if path.exists() else None


def trusted_path(ledger: str, environment: Mapping[str, str] | None = None) -> Path:
    """Return where the user's own policy of a ledger is kept; raises InvalidInputError for what is no ledger's name.

    Such a name has neither slash nor @, and does not begin with a dot.
    """
    return _folder(environment) / f"{fields.check_ledger(ledger, 'ledger')}.json"


def earlier_path(path: Path, version: int) -> Path:
    """Return where an earlier version of a trusted policy is kept, beside it: no ledger's name has an @."""
    return path.with_name(f"{path.stem}@v{version}{path.suffix}")


def is_trusted_path(path: Path, environment: Mapping[str, str] | None = None) -> bool:
    """Say whether a policy file is one of the user's own for a ledger."""
    return path.parent == _folder(environment)


def trusted_ledgers(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the ledgers that the user has a policy of their own for, by name."""
    folder = _folder(environment)
    names = (path.stem for path in folder.glob("*.json")) if folder.is_dir() else ()
    return tuple(sorted(name for name in names if _is_ledger(name)))


def check_first(signed: SignedPolicy, environment: Mapping[str, str] | None = None) -> bool:
    """Say whether a policy is the user's own already; raises OtherFirstPolicyError if another one of its ledger is.

    Raises TrustPolicyFileError if the one that is there cannot be read.
    """
    path = trusted_path(signed.policy.ledger, environment)
    if not path.exists():
        return False
    present, offered = _trusted(path, signed.policy.ledger).signed.policy, signed.policy
    if present.fingerprint == offered.fingerprint:
        return True
    raise OtherFirstPolicyError(
        f"REFUSED: you trust another policy of {present.ledger} already, version {present.version} with the fingerprint "
        f"{present.fingerprint.hex()}; this is version {offered.version} with {offered.fingerprint.hex()}. A later version is taken "
        f"by `shirushi policy update FILE`, which checks that the members signed it. Whoever gave you another first policy may "
        f"want to deceive you: ask two members. Nothing was changed; {path} is the one you trust"
    )


def trust(signed: SignedPolicy, environment: Mapping[str, str] | None = None) -> Path:
    """Make a policy the user's own for its ledger, and return its file; raises as `check_first`, TrustPolicyFileError."""
    path = trusted_path(signed.policy.ledger, environment)
    if check_first(signed, environment):
        return path
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, signed.to_bytes())
    except OSError as error:
        raise TrustPolicyFileError(
            f"the trust policy {path} cannot be written: {(error.strerror or 'error').lower()}"
        ) from error
    return path


def _folder(environment: Mapping[str, str] | None) -> Path:
    return user_folder(environment) / FOLDER


def _is_ledger(name: str) -> bool:
    try:
        fields.check_ledger(name, "ledger")
    except ShirushiError:
        return False
    return True


def _found(path: Path, source: PolicySource) -> FoundPolicy:
    return FoundPolicy(read_signed_policy(path), source, path)


def _trusted(path: Path, ledger: str) -> FoundPolicy:
    found = _found(path, PolicySource.TRUSTED)
    if found.signed.policy.ledger != ledger:
        raise TrustPolicyFileError(
            f"{path}: expected a trust policy of {ledger}, found one of {found.signed.policy.ledger}"
        )
    return found
