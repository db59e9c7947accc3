"""What a witness noticed about its peer's blocks and does not act on: kinds, counts, and a bounded file of evidence.

A witness believes its own peer. Whoever runs both wants to know when what the peer committed does not look right; the members' heads
say whether it is alone with that. The evidence stays until somebody moves the file away.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

FILE = "alarms.json"
KEPT = 64
"""Alarms kept in words; all are counted."""

MAX_CHARACTERS = 600
_MAX_FILE_BYTES = 1 << 20


class AlarmKind(StrEnum):
    """What an alarm is about."""

    HASH_CHAIN = "hash_chain"
    """The block does not follow the one before."""
    DATA_HASH = "data_hash"
    """The data is not what the header names."""
    ORDERERS = "orderers"
    """Too few orderers signed, or they name another config block."""
    VALIDATION_CODES = "validation_codes"
    """The peer does not say of every transaction whether it is valid."""
    COMMIT_HASH = "commit_hash"
    """The peer's running total is not that of what it says is valid."""
    CONFIGURATION = "configuration"
    """A configuration that does not follow, or that this program cannot read: what needs it is not checked."""
    CREATOR = "creator"
    """A valid transaction of the contract that its creator did not sign."""
    ENDORSEMENTS = "endorsements"
    """A valid transaction of the contract that too few members endorsed."""
    UNJUDGED = "unjudged"
    """A valid transaction that the contract did not make: what it wrote is marked in the status tree."""
    NOT_CHECKED = "not_checked"
    """A check that could not be made."""
    SKIPPED = "skipped"
    """Blocks that were not checked, for checking took longer than following."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that was noticed: of which kind, about which block, in a sentence."""

    kind: AlarmKind
    block: int
    sentence: str


class AlarmBook:
    """Counts alarms and keeps the newest in a file; from any thread. It never raises: an alarm is no reason to stop."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._newest: list[Alarm] = []
        with suppress(OSError, ValueError, KeyError, TypeError):
            self._load()

    @property
    def counts(self) -> Mapping[str, int]:
        """How many alarms there were, by kind."""
        with self._lock:
            return dict(sorted(self._counts.items()))

    @property
    def newest(self) -> Alarm | None:
        """The newest one."""
        with self._lock:
            return self._newest[-1] if self._newest else None

    def add(self, alarms: Iterable[Alarm]) -> None:
        """Take note of alarms."""
        with self._lock:
            before = sum(self._counts.values())
            for alarm in alarms:
                self._counts[alarm.kind.value] = self._counts.get(alarm.kind.value, 0) + 1
                self._newest.append(Alarm(alarm.kind, alarm.block, _shown(alarm.sentence)))
            if sum(self._counts.values()) == before:
                return
            del self._newest[:-KEPT]
            with suppress(OSError):  # a full disk is said elsewhere
                self._write()

    def _load(self) -> None:
        with self._path.open("rb") as file:
            value = json.loads(file.read(_MAX_FILE_BYTES))
        counts = {
            AlarmKind(kind).value: count for kind, count in value["counts"].items() if type(count) is int
        }
        newest = [
            Alarm(AlarmKind(each["kind"]), int(each["block"]), str(each["sentence"]))
            for each in value["newest"]
        ]
        self._counts, self._newest = counts, newest[-KEPT:]

    def _write(self) -> None:
        value = {"counts": self._counts, "newest": [asdict(alarm) for alarm in self._newest]}
        temporary = self._path.with_name(f".{FILE}.new")
        with suppress(FileNotFoundError):
            temporary.unlink()
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(value, file, indent=1)
        temporary.replace(self._path)


def _shown(sentence: str) -> str:
    """Return a sentence as it can stand in a log or on a terminal."""
    escaped = sentence if sentence.isascii() and sentence.isprintable() else ascii(sentence)[1:-1]
    return (
        escaped
        if len(escaped) <= MAX_CHARACTERS
        else f"{escaped[:MAX_CHARACTERS]}…".encode("ascii", "replace").decode()
    )
