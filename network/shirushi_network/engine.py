"""What runs a consortium's nodes: one process for all members, Fabric's programs, or containers of Fabric's images."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from shirushi_network.errors import ConsortiumError
from shirushi_network.files import write_atomically
from shirushi_network.topology import Topology

Progress = Callable[[str], None]
"""Told what goes on, a line at a time."""


class EngineName(StrEnum):
    """The engines by the names that commands take."""

    EMBEDDED = "embedded"
    NATIVE = "native"
    COMPOSE = "compose"


class Engine(Protocol):
    """One data folder's nodes on this machine."""

    def check(self) -> None:
        """Raise ConsortiumError unless machine and data folder have what it takes; nothing is made."""

    def is_running(self) -> bool:
        """Say whether any node runs; raises ConsortiumError if one does and cannot be spoken to."""

    def has_ledger(self) -> bool:
        """Say whether a ledger was begun: from then on ports and genesis block stay as they are."""

    def listeners(self) -> tuple[str, ...] | None:
        """Return which of Member.listeners() it opens; None is all of them."""

    def start(self, topology: Topology, progress: Progress) -> bool:
        """Start what does not run, and return whether the channel is ready for transactions.

        Raises ConsortiumError; nothing that a failed start began goes on running.
        """

    def stop(self) -> bool:
        """Stop all nodes and return when they have ended; False if none ran."""

    def status(self) -> dict[str, Any]:
        """Return {"channel", "engine", "height", "members": [...]}; raises NotRunningError, ConsortiumError."""

    def stop_member(self, member_id: str, kind: str | None = None) -> None:
        """Stop one member's nodes, or the one of a kind; raises ConsortiumError."""

    def start_member(self, member_id: str, kind: str | None = None) -> None:
        """Start them again; raises ConsortiumError."""

    def log(self, member_id: str | None, kind: str | None, lines: int) -> dict[str, list[str]]:
        """Return node → its last log lines."""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """Which engine a data folder's consortium has, and where Fabric's programs are (native; None: wherever found)."""

    name: EngineName
    binaries: Path | None = None


def read_choice(path: Path) -> EngineChoice | None:
    """Read engine.json, None if there is none; raises ConsortiumError."""
    try:
        value = json.loads(path.read_bytes())
        binaries = value.get("binaries")
        return EngineChoice(EngineName(value["engine"]), None if binaries is None else Path(binaries))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError):
        names = ", ".join(EngineName)
        raise ConsortiumError(f'{path}: expected {{"engine": NAME}} with one of {names}') from None


def write_choice(path: Path, choice: EngineChoice) -> None:
    """Write engine.json."""
    binaries = None if choice.binaries is None else str(choice.binaries.absolute())
    content = {"binaries": binaries, "engine": choice.name.value}
    write_atomically(path, json.dumps(content, indent=2, sort_keys=True).encode() + b"\n")
