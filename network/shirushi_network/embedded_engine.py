"""The embedded engine: all members in one background process, steered over its control socket."""

from __future__ import annotations

import asyncio
import os
import select
import subprocess
import sys
from collections import deque
from typing import Any

from shirushi_network.control import ask
from shirushi_network.embedded_definition import note_definition
from shirushi_network.engine import EngineName, Progress
from shirushi_network.errors import ConsortiumError, NotRunningError, StartError
from shirushi_network.layout import Layout
from shirushi_network.lock import end_holder, lock_holder
from shirushi_network.topology import Topology

WITNESS = "witness"
START_SECONDS = 60.0
STOP_SECONDS = 30.0


class EmbeddedEngine:
    """One data folder's embedded consortium."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def check(self) -> None:
        if self._layout.connection.exists() and not self.has_ledger():
            raise ConsortiumError(
                f"the ledger of the consortium in {self._layout.root} is gone: put {self._layout.ledger.name}/ back from a "
                "backup, or use another data folder for a new consortium"
            )

    def is_running(self) -> bool:
        try:
            self.status()
        except NotRunningError:
            holder = lock_holder(self._layout.lock)
            if holder is None:
                return False
            raise ConsortiumError(
                f"process {holder} has the consortium in {self._layout.root} and does not answer: it is starting, or "
                "its control socket is gone; `shirushi consortium down` ends it"
            ) from None
        return True

    def has_ledger(self) -> bool:
        return self._layout.ledger.exists()

    def listeners(self) -> tuple[str, ...] | None:
        return ("peer", "orderer", "witness")

    def start(self, topology: Topology, progress: Progress) -> bool:
        # It runs without a connection file if whoever started it was killed before the city was registered.
        if not self.is_running():
            progress("starting the members' peers and orderers")
            _spawn(self._layout)
            try:
                asyncio.run(note_definition(self._layout, topology, progress))
            except BaseException:
                self.stop()
                raise
        return True

    def stop(self) -> bool:
        try:
            ask(self._layout.control_socket, {"do": "stop"}, timeout=STOP_SECONDS, until_end=True)
        except NotRunningError:
            return end_holder(self._layout.lock, STOP_SECONDS)
        return True

    def status(self) -> dict[str, Any]:
        return {"engine": EngineName.EMBEDDED.value, **ask(self._layout.control_socket, {"do": "status"})}

    def stop_member(self, member_id: str, kind: str | None = None) -> None:
        self._steer("stop_member", member_id, kind)

    def start_member(self, member_id: str, kind: str | None = None) -> None:
        self._steer("start_member", member_id, kind)

    def log(self, member_id: str | None, kind: str | None, lines: int) -> dict[str, list[str]]:
        try:
            with self._layout.log.open(errors="replace") as file:
                return {"embedded": [line.rstrip("\n") for line in deque(file, maxlen=lines)]}
        except FileNotFoundError:
            raise NotRunningError(
                f"nothing was logged in {self._layout.root}: start the consortium with `shirushi consortium up`"
            ) from None

    def _steer(self, action: str, member_id: str, kind: str | None) -> None:
        if kind not in (None, WITNESS):
            raise ConsortiumError(
                f"the embedded engine stops and starts whole members or their witnesses, and not the {kind} of {member_id} "
                "alone"
            )
        ask(self._layout.control_socket, {"do": action, "member": member_id, "node": kind})


def _spawn(layout: Layout) -> None:
    """Start the background process and wait until it says that it is ready, or why not."""
    told, tell = os.pipe()
    with layout.log.open("ab") as log, os.fdopen(told, "rb", closefd=True) as answer:
        try:
            process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [sys.executable, "-m", "shirushi_network.daemon", str(layout.root), str(tell)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(tell,),
                start_new_session=True,
            )
        finally:
            os.close(tell)
        try:
            ready, _, _ = select.select([answer], [], [], START_SECONDS)
            line = answer.readline().decode(errors="replace").strip() if ready else ""
        except BaseException:
            _end(process)
            raise
    if line == "ready":
        return
    _end(process)
    if line:
        raise StartError(line)
    reason = "ended without a word" if ready else f"was not ready within {START_SECONDS:.0f} s"
    raise StartError(f"the node {reason}: see {layout.log}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
