"""Asking a witness for tiles, bundles, proofs and what it saw of others: bounded, and every refusal names it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.support.paper_log import BEGIN, KEYS, PaperLog

from shirushi_client.witness_client import NotThereError, WitnessClient, WitnessError
from shirushi_core.proofs.tiles import Tile


@asynccontextmanager
async def answering(*bodies: bytes, status: int = 200) -> AsyncIterator[tuple[WitnessClient, list[str]]]:
    """A witness that gives these answers, one after the other."""
    asked: list[str] = []
    waiting = list(bodies)

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        return web.Response(body=waiting.pop(0), status=status)

    application = web.Application()
    application.router.add_get("/{rest:.*}", answer)
    async with TestServer(application) as server, aiohttp.ClientSession() as session:
        yield WitnessClient("haw", str(server.make_url("/")), session), asked


async def test_tiles_and_bundles_are_asked_for_at_their_paths() -> None:
    async with answering(bytes(64), b"\x00\x01a") as (client, asked):
        assert await client.tile(Tile(1, 1234, 2)) == bytes(64)
        assert await client.bundle(0, 1) == b"\x00\x01a"
        assert asked == ["/tile/1/x001/234.p/2", "/tile/entries/000.p/1"]


async def test_a_tile_with_more_hashes_than_it_may_have_is_refused() -> None:
    async with answering(bytes(65)) as (client, _):
        with pytest.raises(WitnessError, match=r"haw.*more than 64 bytes"):
            await client.tile(Tile(0, 0, 2))


async def test_a_proof_of_consistency_is_read_strictly() -> None:
    body = b'{"path":["' + b"ab" * 32 + b'"]}'
    async with answering(body, b'{"path":["ab"]}', b"[]") as (client, asked):
        assert await client.consistency_path(3, 5) == [b"\xab" * 32]
        assert asked == ["/proof/consistency?first=3&second=5"]
        for _ in range(2):
            with pytest.raises(WitnessError, match="cannot be read"):
                await client.consistency_path(3, 5)


async def test_what_it_saw_of_another_member_may_be_nothing() -> None:
    log = PaperLog()
    log.add_block()
    note = KEYS["gcom"].signatures(log.checkpoint(), BEGIN)
    async with answering(note.to_text().encode(), b"hello") as (client, asked):
        assert await client.cosigned("gcom") == note
        assert asked == ["/cosigned/gcom"]
        with pytest.raises(WitnessError, match="no note of gcom"):
            await client.cosigned("gcom")
    async with answering(b"", b"", status=404) as (client, _):
        assert await client.cosigned("gcom") is None
        with pytest.raises(NotThereError):
            await client.tile(Tile(0, 0))


async def test_another_refusal_is_not_taken_for_an_absence() -> None:
    async with answering(b"busy", status=503) as (client, _):
        with pytest.raises(WitnessError, match="503: busy"):
            await client.cosigned("gcom")
