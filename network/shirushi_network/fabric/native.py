"""Nodes as processes of this machine, which go on after the command that started them has ended.

Each node's process holds the lock of its folder (nodes/<member>/<kind>/lock, with its process id inside) for as long as
it lives, because it inherits the open file: so a node that was left running is found again, whoever started it, and is
never started twice.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from shirushi_network.errors import ConsortiumError, StartError
from shirushi_network.fabric.binaries import Binaries, find_binaries
from shirushi_network.fabric.nodes import Node, NodeKind, NodeState, node_folder
from shirushi_network.fabric.service import read_service_environment
from shirushi_network.lock import end_holder, lock_holder

STOP_SECONDS = 30.0
LOG = "log"
_LOG_FORMAT = "%{time:2006-01-02 15:04:05.000} %{level:.4s} [%{module}] %{message}"
_NOTE_PROCESS = ("/bin/sh", "-c", 'echo $$ > lock && exec "$@"', "sh")
"""Has a process note its id before it becomes the node: whoever starts it may be killed at any moment."""

_KEPT_VARIABLES = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "GRPC_GO_LOG_SEVERITY_LEVEL")


class NativeNodes:
    """Runs a data folder's nodes with Fabric's programs, our chaincode service and our witness."""

    def __init__(self, data: Path, binaries: Path | None, environment: Mapping[str, str]) -> None:
        self._data = data
        self._folder = binaries
        self._environment = environment
        self._programs: Binaries | None = None

    def check(self) -> None:
        self._binaries()

    def start(self, node: Node) -> None:
        folder = node_folder(self._data, node)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            os.ftruncate(lock, 0)
            with (folder / LOG).open("ab") as log:
                subprocess.Popen(  # noqa: S603 - programs of the operator's choosing
                    [*_NOTE_PROCESS, *self._command(node)],
                    env=self._variables(node, folder),
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(lock,),
                    start_new_session=True,
                )
        except OSError as error:
            raise StartError(f"{node.name} could not be started: {error}") from error
        finally:
            os.close(lock)

    def stop(self, node: Node) -> bool:
        return end_holder(node_folder(self._data, node) / "lock", STOP_SECONDS)

    def state(self, node: Node) -> NodeState:
        holder = lock_holder(node_folder(self._data, node) / "lock")
        return NodeState(False, "stopped") if holder is None else NodeState(True, f"process {holder}")

    def log(self, node: Node, lines: int) -> list[str]:
        try:
            with (node_folder(self._data, node) / LOG).open(errors="replace") as file:
                return [line.rstrip("\n") for line in deque(file, maxlen=lines)]
        except FileNotFoundError:
            return []

    def _binaries(self) -> Binaries:
        if self._programs is None:
            self._programs = find_binaries(self._folder, self._environment)
        return self._programs

    def _command(self, node: Node) -> list[str]:
        if node.kind is NodeKind.CHAINCODE:
            return [sys.executable, "-m", "shirushi_chaincode.service"]
        if node.kind is NodeKind.WITNESS:
            return [
                sys.executable,
                "-m",
                "shirushi_network.witness_process",
                str(node_folder(self._data, node)),
            ]
        if node.kind is NodeKind.ORDERER:
            return [str(self._binaries().orderer)]
        return [str(self._binaries().peer), "node", "start"]

    def _variables(self, node: Node, folder: Path) -> dict[str, str]:
        kept = {name: value for name, value in self._environment.items() if name in _KEPT_VARIABLES}
        if node.kind is NodeKind.CHAINCODE:
            return kept | read_service_environment(folder)
        if node.kind is NodeKind.WITNESS:
            return kept
        return kept | {"FABRIC_CFG_PATH": str(folder), "FABRIC_LOGGING_FORMAT": _LOG_FORMAT}


def ended(node: Node, data: Path, lines: list[str]) -> ConsortiumError:
    """Return the error for a node that ended by itself, with its own last words."""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
    return StartError(f"{node.name} ended: {last[-300:]} (all of it: {node_folder(data, node) / LOG})")
