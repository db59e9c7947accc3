"""The background process of an embedded consortium: `python -m shirushi_network.daemon DATA READY_FD`.

It tells its starter over the file descriptor whether it came up: one line, "ready" or a sentence saying why not.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from shirushi_core.errors import ShirushiError
from shirushi_core.shown import log_handler
from shirushi_network.control import ControlServer
from shirushi_network.embedded import EmbeddedConsortium
from shirushi_network.errors import ConsortiumError
from shirushi_network.layout import Layout
from shirushi_network.lock import single_process

logger = logging.getLogger("shirushi.consortium")


def _say(descriptor: int, line: str) -> None:
    """Tell the starter one line and hang up; a starter that is gone is no reason to end."""
    with suppress(OSError):
        os.write(descriptor, line.encode() + b"\n")
        os.close(descriptor)


async def run(layout: Layout, ready: int) -> None:
    """Run the consortium until it is told to stop, by the control socket or by SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    consortium = EmbeddedConsortium.load(layout)

    async def handle(request: dict[str, Any]) -> dict[str, Any]:
        match request:
            case {"do": "status"}:
                return {"pid": os.getpid(), **consortium.status()}
            case {"do": "stop"}:
                stopping.set()
                return {}
            case {"do": "stop_member", "member": str(member), "node": None | "witness" as node}:
                await consortium.stop_member(member, only_witness=node is not None)
                return {}
            case {"do": "start_member", "member": str(member), "node": None | "witness" as node}:
                await consortium.start_member(member, only_witness=node is not None)
                return {}
        raise ConsortiumError(f"unknown control request {request.get('do')!r}")

    control = ControlServer(layout.control_socket, handle)
    try:
        with single_process(layout.lock):
            await consortium.start()
            try:
                await control.start()
                _say(ready, "ready")
                logger.info("ready")
                await stopping.wait()
            finally:
                logger.info("stopping")
                await consortium.stop()
    finally:
        await control.stop()


def main() -> int:
    """Run the daemon; returns the exit code."""
    layout, ready = Layout(Path(sys.argv[1])), int(sys.argv[2])
    logging.basicConfig(level=logging.INFO, handlers=[log_handler()])
    try:
        try:
            import uvloop

            uvloop.run(run(layout, ready))
        except ModuleNotFoundError:
            asyncio.run(run(layout, ready))
    except (ShirushiError, OSError) as error:
        logger.error("%s", error)
        _say(ready, str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
