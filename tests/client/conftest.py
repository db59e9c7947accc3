"""An issuer, its journal and its ledger; five members that a test can stop, silence or make lie; commands to them."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.support.member_doubles import ISSUER, City, found_city
from tests.support.typed_command import Run
from typer.testing import CliRunner, Result

from shirushi_client import session
from shirushi_client.cli import main
from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.issued import FileToIssue
from shirushi_client.issuer.issuer import Issuer
from shirushi_client.issuer.journal import Journal
from shirushi_client.ledger_client import LedgerClient


class NetworkUsedError(Exception):
    """Something that was to work without a network opened a socket; no error that anybody expects."""


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch the network off: whoever opens a socket, or looks a name up, fails the test."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise NetworkUsedError

    for name in ("socket", "create_connection", "socketpair", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)


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


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def members(data: Path, monkeypatch: pytest.MonkeyPatch) -> City:
    """A consortium's data folder, with commands connected to doubles of its members."""
    data.mkdir()
    city = asyncio.run(found_city(data, now=int(time.time())))
    connection = {
        "format": "shirushi/connection/v1",
        "channel": city.connection.channel,
        "quorum": city.connection.quorum,
        "members": [
            {
                "id": member.id,
                "msp_id": member.msp_id,
                "name": {"ja": member.name_ja, "en": member.name_en},
                "peer": member.peer,
                "tls_root": "tls.pem",
                "tls_name": None,
            }
            for member in city.connection.members
        ],
    }
    (data / "consortium.json").write_text(json.dumps(connection))
    key = city.party.seal_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (data / "seal.pem").write_bytes(key)
    (data / "users").mkdir()
    user = {"member": "iizuka", "msp_id": "IizukaMSP", "certificate": "cert.pem", "key": "key.pem"}
    (data / "users" / "verifier.json").write_text(json.dumps(user))
    (data / "users" / "issuer.json").write_text(json.dumps(user | {"issuer": ISSUER, "seal_key": "seal.pem"}))

    @asynccontextmanager
    async def open_members(*_: Any) -> AsyncIterator[list[Any]]:
        yield city.members

    monkeypatch.setattr(session, "open_members", open_members)
    return city


@pytest.fixture
def run(data: Path) -> Run:
    def invoke(*arguments: object, **environment: str) -> Result:
        return CliRunner(
            env={
                "LANG": "en_US.UTF-8",
                "LC_ALL": None,
                "COLUMNS": None,
                "SHIRUSHI_DATA": str(data),
                **environment,
            }
        ).invoke(main.app, [str(argument) for argument in arguments], catch_exceptions=False)

    return invoke


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "certificates"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.pdf").write_bytes(b"certificate %d" % number)
    return folder
