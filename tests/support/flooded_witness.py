"""A witness under a flood, and what honest clients at other addresses get of it; run as a program, it prints the figures."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from tests.support.anchored_chain import AnchoredChain, AnchoredConsortium
from tests.support.flooding import Served, flood, serve_honest
from tests.support.witnesses import TLS_ROOT, ChainPeer, Witnesses, signs, until

from shirushi_core.proofs.witness_protocol import ProofsRequest
from shirushi_node.witness.service import WitnessService

HONEST_ADDRESSES = 100
"""Honest people ask from addresses of their own."""


@dataclass(frozen=True)
class Watched:
    """A witness, and a request that an honest client makes of it."""

    service: WitnessService
    request: ProofsRequest

    @property
    def port(self) -> int:
        return int(self.service.address.rpartition(":")[2])


@asynccontextmanager
async def watched_witness(folder: Path) -> AsyncIterator[Watched]:
    """Run a witness over a small ledger."""
    chain = AnchoredChain(AnchoredConsortium(), folder / "ledger")
    peer = ChainPeer(chain)
    try:
        await chain.register()
        await chain.issue(3, 4)
        await peer.start()
        service = WitnessService(Witnesses(chain, folder, peer.address).settings(others=(), quorum=1))
        await service.start()
        try:
            peer.grown()
            await until(lambda: signs(service, chain.store.height), "signing")
            batch = chain.city.statement(3).batch_id
            commitments = chain.city.commitments(3)
            yield Watched(
                service,
                ProofsRequest(
                    batches=(batch,),
                    issuers=(("iizuka", 1),),
                    statuses=tuple((batch, each) for each in commitments),
                ),
            )
        finally:
            await service.stop()
    finally:
        await peer.stop()
        chain.close()


@asynccontextmanager
async def client_at(source: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Return a client at an address of this machine."""
    connector = aiohttp.TCPConnector(
        ssl=ssl.create_default_context(cadata=TLS_ROOT.decode()), local_addr=(source, 0)
    )
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


async def served_meanwhile(
    watched: Watched, kind: str, connections: int, addresses: int, seconds: float
) -> tuple[Served, Served]:
    """Return how honest requests for the checkpoint, and for proofs, are served during a flood; each connects anew."""
    url = f"https://{watched.service.address}"
    numbers = itertools.count()

    async def ask(method: str, path: str, body: bytes | None) -> int:
        async with (
            client_at(f"127.0.1.{1 + next(numbers) % HONEST_ADDRESSES}") as client,
            client.request(method, url + path, data=body) as response,
        ):
            await response.read()
            return response.status

    async with flood(kind, watched.port, connections, addresses):
        return await asyncio.gather(
            serve_honest(lambda: ask("GET", "/checkpoint", None), seconds),
            serve_honest(lambda: ask("POST", "/proofs", watched.request.to_bytes()), seconds),
        )


async def _print_figures(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with watched_witness(Path(folder)) as watched:
            for kind in ("slow-post", "slow-header", "idle", "large-post"):
                for addresses in (1, 200):
                    checkpoints, proved = await served_meanwhile(watched, kind, 1000, addresses, seconds)
                    sys.stdout.write(
                        f"{kind}, 1,000 connections from {addresses} addresses:\n"
                        f"  GET /checkpoint: {checkpoints}\n  POST /proofs:    {proved}\n"
                    )
                    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_print_figures(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0))
