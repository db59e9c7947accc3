"""The command `python -m shirushi_chaincode.service`: serves a chaincode until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from shirushi_chaincode.service.errors import ServiceError, SettingsError
from shirushi_chaincode.service.loading import load_chaincode
from shirushi_chaincode.service.metrics import Metrics
from shirushi_chaincode.service.operations import OperationsServer
from shirushi_chaincode.service.server import ChaincodeServer
from shirushi_chaincode.service.settings import Settings, parse_settings
from shirushi_core.shown import log_handler, shown

FAILED = 1
USAGE = 3

_log = logging.getLogger("shirushi_chaincode.service")


async def serve(settings: Settings) -> bool:
    """Serve until SIGTERM or SIGINT, then drain; returns whether all proposals ended. Raises ServiceError."""
    chaincode = load_chaincode(settings.chaincode)
    stopping, hurrying = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        (hurrying if stopping.is_set() else stopping).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    metrics = Metrics()
    server = ChaincodeServer(chaincode, settings.package_id, tls=settings.tls, metrics=metrics)
    operations = OperationsServer(lambda: server.is_draining, metrics.text)
    try:
        line = f"{settings.package_id} is served at {await server.start(settings.address)} ({_security(settings)})"
        if settings.operations is not None:
            line += f", operations at http://{await operations.start(*settings.operations)}"
        print(line, flush=True)  # noqa: T201
        await stopping.wait()
        _log.info("stopping: running proposals have %g s", settings.grace)
        return await _drained(server, settings.grace, hurrying)
    finally:
        await server.stop()
        await operations.stop()


async def _drained(server: ChaincodeServer, grace: float, hurrying: asyncio.Event) -> bool:
    draining = asyncio.create_task(server.drain(grace))
    hurry = asyncio.create_task(hurrying.wait())
    await asyncio.wait((draining, hurry), return_when=asyncio.FIRST_COMPLETED)
    hurry.cancel()
    if draining.done():
        finished = draining.result()
    else:
        draining.cancel()
        await asyncio.wait((draining,))
        finished = False
    if not finished:
        _log.warning("stopped with proposals that had not ended")
    return finished


def _security(settings: Settings) -> str:
    if settings.tls is None:
        return "no TLS"
    return "TLS" if settings.tls.client_ca is None else "mutual TLS"


def _run(work: Coroutine[Any, Any, bool]) -> bool:
    try:
        import uvloop
    except ModuleNotFoundError:
        return asyncio.run(work)
    return bool(uvloop.run(work))


def main() -> int:
    """Run the command; returns the exit code."""
    try:
        settings = parse_settings(sys.argv[1:], os.environ)
        logging.basicConfig(level=settings.log_level.upper(), handlers=[log_handler()])
        return 0 if _run(serve(settings)) else FAILED
    except ServiceError as error:
        print(f"shirushi_chaincode.service: {shown(str(error))}", file=sys.stderr)  # noqa: T201
        return USAGE if isinstance(error, SettingsError) else FAILED
