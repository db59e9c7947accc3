"""A member's witness as a process: `python -m shirushi_network.witness_process FOLDER`, with witness.json in it.

It runs until SIGTERM or SIGINT. What it logs goes to its standard error.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path

from shirushi_core.errors import ShirushiError
from shirushi_core.shown import log_handler
from shirushi_network.witness_settings import read_settings
from shirushi_node.witness.service import WitnessService, WitnessSettings

logger = logging.getLogger("shirushi.witness")


def run_witness(settings: WitnessSettings) -> None:
    """Run a witness until SIGTERM or SIGINT; raises WitnessError if it cannot start."""
    try:
        import uvloop

        uvloop.run(_run(settings))
    except ModuleNotFoundError:
        asyncio.run(_run(settings))


async def _run(settings: WitnessSettings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    service = WitnessService(settings)
    await service.start()
    logger.info("serving at %s", service.address)
    try:
        await stopping.wait()
    finally:
        logger.info("stopping")
        await service.stop()


def main() -> int:
    """Run the witness of the folder that is named; returns the exit code."""
    logging.basicConfig(level=logging.INFO, handlers=[log_handler()])
    try:
        run_witness(read_settings(Path(sys.argv[1])))
    except (ShirushiError, OSError) as error:
        logger.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
