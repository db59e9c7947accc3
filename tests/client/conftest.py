"""An issuer, its journal and its ledger; five members that a test can stop, silence or make lie."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.support.member_doubles import ISSUER, City, found_city

from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.issuer import FileToIssue, Issuer
from shirushi_client.issuer.journal import Journal
from shirushi_client.ledger_client import LedgerClient

ORDER = Order("income-certificate")


async def no_pause(seconds: float) -> None:
    """Stand in for the pause between attempts."""


@pytest.fixture
async def city(tmp_path: Path) -> City:
    return await found_city(tmp_path)


@pytest.fixture
def ledger(city: City) -> LedgerClient:
    return LedgerClient(city.connection.channel, city.members, pause=no_pause)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal" / "journal.db") as opened:
        yield opened


@pytest.fixture
async def issuer(city: City, ledger: LedgerClient, journal: Journal) -> AsyncIterator[Issuer]:
    async with Issuer(
        name=ISSUER,
        seal_key=city.party.seal_key,
        ledger=ledger,
        journal=journal,
        max_count=4,
        clock=city.clock,
    ) as opened:
        yield opened


@pytest.fixture
def certificates(tmp_path: Path) -> list[FileToIssue]:
    """Ten certificates in a folder."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    files = []
    for number in range(10):
        path = folder / f"{number}.pdf"
        path.write_bytes(b"certificate %d" % number)
        files.append(FileToIssue(str(path), f"{path}.receipt.json"))
    return files
