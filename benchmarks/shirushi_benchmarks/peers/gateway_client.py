"""Our Gateway client under load, as node_client/load.mjs does it with the official one: same file, same numbers, same answer.

    python -m shirushi_benchmarks.peers.gateway_client CONFIG.json

submits each request of a file, a number of them in flight, and awaits its commit. Prints one JSON line {seconds, cpu_seconds,
durations, failures, first_failure}; what warms up is not in it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc.aio

from shirushi_client.gateway import (
    CallOptions,
    CommitError,
    Contract,
    GatewayError,
    Identity,
    connect,
    signers,
)
from shirushi_core.fabric.signing import load_private_key


async def run(config: dict[str, Any]) -> dict[str, Any]:
    """Send what warms up, then the rest, and return what came of the rest."""
    requests = Path(config["requests"]).read_bytes().splitlines()
    credentials = grpc.ssl_channel_credentials(Path(config["tls_root"]).read_bytes())
    options = [("grpc.enable_http_proxy", 0)]
    if config["tls_name"] is not None:
        options.append(("grpc.ssl_target_name_override", config["tls_name"]))
    async with (
        grpc.aio.secure_channel(config["endpoint"], credentials, options) as channel,
        connect(
            channel,
            Identity(config["msp_id"], Path(config["certificate"]).read_bytes()),
            signers.from_private_key(load_private_key(Path(config["key"]).read_bytes())),
            endorse_options=CallOptions(timeout=config["endorse_seconds"]),
            submit_options=CallOptions(timeout=config["submit_seconds"]),
            commit_status_options=CallOptions(timeout=config["commit_seconds"]),
        ) as gateway,
    ):
        contract = gateway.get_network(config["channel"]).get_contract(config["chaincode"])
        name, in_flight, warm_up = config["transaction"], config["in_flight"], config["warm_up"]
        await _send(contract, name, requests[:warm_up], in_flight)
        return await _send(contract, name, requests[warm_up:], in_flight)


async def _send(contract: Contract, name: str, requests: Sequence[bytes], in_flight: int) -> dict[str, Any]:
    waiting = iter(requests)
    durations: list[float] = []
    problems: list[str] = []

    async def work() -> None:
        for request in waiting:
            started = time.perf_counter()
            try:
                await contract.submit_transaction(name, request)
            except (GatewayError, CommitError) as error:
                problems.append(f"{type(error).__name__}: {error}")
            else:
                durations.append(time.perf_counter() - started)

    cpu, started = time.process_time(), time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(in_flight):
            tasks.create_task(work())
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu,
        "durations": durations,
        "failures": len(problems),
        "first_failure": problems[0] if problems else None,
    }


def main() -> None:
    """Run the command."""
    config = json.loads(Path(sys.argv[1]).read_bytes())
    print(json.dumps(asyncio.run(run(config))))  # noqa: T201


if __name__ == "__main__":
    main()
