"""A witness under a flood of connections that never come to an end: others are served all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.flooded_witness import Watched, served_meanwhile, watched_witness

CONNECTIONS = 1000
SECONDS = 4.0


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    async with watched_witness(tmp_path) as witness:
        yield witness


@pytest.mark.parametrize(
    ("kind", "addresses"), [("slow-post", 1), ("slow-post", 200), ("slow-header", 200), ("idle", 200)]
)
async def test_honest_requests_are_served_during_a_flood(watched: Watched, kind: str, addresses: int) -> None:
    checkpoints, proofs = await served_meanwhile(watched, kind, CONNECTIONS, addresses, SECONDS)
    assert checkpoints.asked > 10
    assert checkpoints.within(1.0) >= 0.99, str(checkpoints)
    assert proofs.asked > 10
    assert proofs.within(1.0) >= 0.95, str(proofs)


async def test_who_asks_for_little_is_served_while_one_address_asks_for_all_it_may(watched: Watched) -> None:
    checkpoints, proofs = await served_meanwhile(watched, "large-post", 200, 1, SECONDS)
    assert checkpoints.within(1.0) >= 0.99, str(checkpoints)
    assert proofs.within(1.0) >= 0.95, str(proofs)
