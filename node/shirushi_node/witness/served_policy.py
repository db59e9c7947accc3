"""The trust policy that a witness serves: the data folder's file, and earlier versions that are kept beside it.

Served as it is, for those who have an older one and check it themselves; the witness goes by none of it.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.policy_update import MAX_POLICY_BYTES, SignedPolicy

KEPT = 4
"""Files that are kept in memory."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServedPolicy:
    """A policy file's bytes, and what they are."""

    data: bytes
    version: int
    fingerprint: bytes

    @property
    def tag(self) -> str:
        """What tells this file from any other: its ETag."""
        return f"v{self.version}-{self.fingerprint.hex()}"


class PolicyFiles:
    """The policies of one ledger in a folder; blocking, from any thread. `path` None: there are none."""

    def __init__(self, path: Path | None, ledger: str) -> None:
        self._path = path
        self._ledger = ledger
        self._reading = threading.Lock()
        self._read: OrderedDict[tuple[Path, int, int, int], ServedPolicy | None] = OrderedDict()

    def newest(self) -> ServedPolicy | None:
        """Return the newest policy, as the file is now; None if there is none that can be read."""
        return None if self._path is None else self._file(self._path)

    def version(self, number: int) -> ServedPolicy | None:
        """Return one version: the newest, or an earlier one that was kept; None if it is not here."""
        newest = self.newest()
        if newest is None or self._path is None or newest.version == number:
            return newest
        found = self._file(self._path.with_name(f"{self._path.stem}.v{number}{self._path.suffix}"))
        return found if found is not None and found.version == number else None

    def _file(self, path: Path) -> ServedPolicy | None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file, self._reading:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                return None
            key = (path, found.st_ino, found.st_mtime_ns, found.st_size)
            if key not in self._read:
                try:
                    self._read[key] = self._parsed(file.read(MAX_POLICY_BYTES + 1))
                except (ShirushiError, OSError) as error:
                    _log.warning("witness: the trust policy %s is not served: %s", path, error)
                    self._read[key] = None
                while len(self._read) > KEPT:
                    self._read.popitem(last=False)
            return self._read.get(key)

    def _parsed(self, data: bytes) -> ServedPolicy:
        policy = SignedPolicy.from_bytes(data).policy
        if policy.ledger != self._ledger:
            raise ShirushiError(f"expected one of the ledger {self._ledger}, found one of {policy.ledger}")
        return ServedPolicy(data, policy.version, policy.fingerprint)
