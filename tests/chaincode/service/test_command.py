"""`python -m shirushi_chaincode.service`: settings, the line it prints, its signals and exit codes."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import urllib.error
import urllib.request
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fabric_protos.peer import chaincode_shim_pb2
from tests.support.scripted_peer import ScriptedPeer
from tests.support.throwaway_ca import ThrowawayCa, pem

from shirushi_chaincode.anchors import chaincode as anchors
from shirushi_chaincode.service.errors import SettingsError
from shirushi_chaincode.service.loading import load_chaincode
from shirushi_chaincode.service.settings import DEFAULT_CHAINCODE, parse_settings
from shirushi_core.fabric.chaincode import Response

FREE = ("--address", "127.0.0.1:0", "--id", "reader:1")
LISTENING = re.compile(
    r"reader:1 is served at (127\.0\.0\.1:[1-9]\d*) \(no TLS\), operations at (http://127\.0\.0\.1:[1-9]\d*)\n"
)
Run: TypeAlias = Callable[..., Awaitable[Process]]


class Reader:
    """A chaincode that reads one key."""

    async def invoke(self, stub) -> Response:
        return Response(200, payload=await stub.get_state("key") or b"")


class NeedsArguments(Reader):
    def __init__(self, needed: str) -> None:
        self.needed = needed


not_a_chaincode = object()


@pytest.fixture
async def run() -> AsyncIterator[Run]:
    """Run the command as a process; it is ended with the test."""
    processes: list[Process] = []

    async def start(*arguments: str) -> Process:
        command = (sys.executable, "-m", "shirushi_chaincode.service", *arguments)
        root = Path(__file__).parents[3]
        processes.append(await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, cwd=root))
        return processes[-1]

    yield start
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def serving(run: Run, *arguments: str) -> tuple[Process, str, str]:
    """Return a process that serves, its address and that of its operations endpoint."""
    name = f"{Reader.__module__}:Reader"
    process = await run(name, *FREE, "--operations", "127.0.0.1:0", *arguments)
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
    found = LISTENING.fullmatch(line)
    assert found, (line, await process.communicate())
    return process, found[1], found[2]


def fetch(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_until_a_signal_and_lets_what_runs_end(run: Run, number: signal.Signals) -> None:
    process, address, operations = await serving(run)
    async with ScriptedPeer(address) as peer:
        assert await peer.register() == "reader:1"
        tx_id = await peer.propose("running")
        await peer.expect("GET_STATE", chaincode_shim_pb2.GetState)
        assert await asyncio.to_thread(fetch, f"{operations}/healthz") == (200, '{"status": "OK"}')
        _, metrics = await asyncio.to_thread(fetch, f"{operations}/metrics")
        assert "shirushi_chaincode_proposals_in_flight 1.0" in metrics
        process.send_signal(number)
        while (await peer.completed(await rejected_or_run(peer))).status != 503:
            pass
        assert await asyncio.to_thread(fetch, f"{operations}/healthz") == (503, '{"status": "draining"}')
        await peer.answer(tx_id, b"value")
        assert (await peer.completed(tx_id)).payload == b"value"
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def rejected_or_run(peer: ScriptedPeer) -> str:
    """Propose, and answer for the peer should the proposal still be run: the signal takes its time."""
    tx_id = await peer.propose("new")
    message = await peer.read()
    if message.type == message.GET_STATE:
        await peer.answer(tx_id, b"")
        return tx_id
    peer.unread(message)
    return tx_id


async def test_a_second_signal_ends_it_at_once(run: Run) -> None:
    process, address, _ = await serving(run)
    async with ScriptedPeer(address) as peer:
        await peer.register()
        await peer.propose("running")
        await peer.expect("GET_STATE", chaincode_shim_pb2.GetState)
        process.send_signal(signal.SIGTERM)
        while (await peer.completed(await rejected_or_run(peer))).status != 503:
            pass
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 1


async def test_running_proposals_have_so_long_and_no_longer(run: Run) -> None:
    process, address, _ = await serving(run, "--grace", "0.1")
    async with ScriptedPeer(address) as peer:
        await peer.register()
        await peer.propose("running")
        await peer.expect("GET_STATE", chaincode_shim_pb2.GetState)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ((), 3, "the address to serve at is not given; give --address HOST:PORT or CHAINCODE_SERVER_ADDRESS"),
        (
            ("nowhere:chaincode", *FREE),
            3,
            "the chaincode nowhere:chaincode needs the module nowhere, which is not",
        ),
        (
            ("--address", "203.0.113.1:7052", "--id", "x:1"),
            1,
            "the chaincode cannot be served at 203.0.113.1:7052",
        ),
        (
            (*FREE, "--operations", "203.0.113.1:7052"),
            1,
            "the operations endpoint cannot be served at 203.0.113.1",
        ),
    ],
)
async def test_what_cannot_be_done_is_one_sentence_and_an_exit_code(
    run: Run, arguments: tuple[str, ...], code: int, text: str
) -> None:
    process = await run(*arguments)
    output, errors = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, output) == (code, b"")
    assert errors.decode().startswith(f"shirushi_chaincode.service: {text}")
    assert errors.count(b"\n") == 1


async def test_help_has_an_example(run: Run) -> None:
    process = await run("--help")
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0
    assert b"python -m shirushi_chaincode.service --address 0.0.0.0:9999" in output


def write_tls(folder: Path) -> dict[str, str]:
    """Write a server's TLS files; returns their names by what they hold."""
    authority = ThrowawayCa.root()
    own, other = authority.issue(), authority.issue()
    contents = {
        "certificate": own.identity.certificate_pem,
        "ca": pem(authority.certificate),
        "garbage": b"garbage",
    }
    for name, identity in (("key", own), ("other_key", other)):
        contents[name] = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: str(folder / name) for name in [*contents, "missing"]}


def test_environment_variables_stand_for_options(tmp_path: Path) -> None:
    files = write_tls(tmp_path)
    for names in (
        (
            "CHAINCODE_ID",
            "CHAINCODE_TLS_CERT_FILE",
            "CHAINCODE_TLS_KEY_FILE",
            "CHAINCODE_TLS_CLIENT_CACERT_FILE",
        ),
        ("CORE_CHAINCODE_ID_NAME", "CHAINCODE_TLS_CERT", "CHAINCODE_TLS_KEY", "CHAINCODE_CLIENT_CA_CERT"),
    ):
        values = ("label:1", files["certificate"], files["key"], files["ca"])
        environment = dict(zip(names, values, strict=True)) | {
            "CHAINCODE_SERVER_ADDRESS": ":9999",
            "CHAINCODE_OPERATIONS_ADDRESS": "127.0.0.1:9443",
        }
        settings = parse_settings([], environment)
        assert (settings.address, settings.package_id) == ("0.0.0.0:9999", "label:1")
        assert (settings.operations, settings.chaincode) == (("127.0.0.1", 9443), DEFAULT_CHAINCODE)
        assert settings.tls is not None
        assert settings.tls.client_ca == Path(files["ca"]).read_bytes()
        assert "PRIVATE KEY" not in repr(settings)


def test_options_come_before_environment_variables() -> None:
    environment = {"CHAINCODE_SERVER_ADDRESS": "[::1]:1", "CHAINCODE_ID": "environment:1"}
    settings = parse_settings(["--id", "option:1"], environment)
    assert (settings.address, settings.package_id, settings.tls) == ("[::1]:1", "option:1", None)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--address", "localhost:1"), "the chaincode's package id is not given; give --id or CHAINCODE_ID"),
        (("--address", "localhost", "--id", "x"), "--address: expected HOST:PORT, found 'localhost'"),
        (
            ("--address", "localhost:65536", "--id", "x"),
            "--address: expected HOST:PORT, found 'localhost:65536'",
        ),
        ((*FREE, "--operations", "x"), "--operations: expected HOST:PORT, found 'x'"),
        ((*FREE, "--grace", "-1"), "argument --grace: invalid number of seconds value: '-1'"),
        ((*FREE, "--unknown"), "unrecognized arguments: --unknown; see --help"),
        ((*FREE, "--tls-cert", "{certificate}"), "--tls-key is not given; TLS needs both"),
        ((*FREE, "--tls-key", "{key}"), "--tls-cert is not given; TLS needs both"),
        ((*FREE, "--client-ca", "{ca}"), "--client-ca is given without --tls-cert and --tls-key"),
        (
            (*FREE, "--tls-cert", "{missing}", "--tls-key", "{key}"),
            "--tls-cert: {missing} cannot be read: No such",
        ),
        (
            (*FREE, "--tls-cert", "{garbage}", "--tls-key", "{key}"),
            "--tls-cert: expected PEM certificates in",
        ),
        (
            (*FREE, "--tls-cert", "{certificate}", "--tls-key", "{ca}"),
            "--tls-key: expected an unencrypted PEM",
        ),
        (
            (*FREE, "--tls-cert", "{certificate}", "--tls-key", "{other_key}"),
            "the key in {other_key} is not that of the first certificate in {certificate}",
        ),
        (
            (*FREE, "--tls-cert", "{certificate}", "--tls-key", "{key}", "--client-ca", "{garbage}"),
            "--client-ca: expected PEM certificates in {garbage}, found none",
        ),
    ],
)
def test_a_bad_setting_is_one_sentence(tmp_path: Path, arguments: tuple[str, ...], text: str) -> None:
    files = write_tls(tmp_path)
    with pytest.raises(SettingsError, match=re.escape(text.format(**files))):
        parse_settings([argument.format(**files) for argument in arguments], {})


def test_the_default_chaincode_is_the_anchors_contract() -> None:
    assert load_chaincode(DEFAULT_CHAINCODE) is anchors


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("module", "expected a chaincode as MODULE:ATTRIBUTE, found 'module'"),
        (f"{__name__}:missing", f"the module {__name__} has no missing"),
        (f"{__name__}:not_a_chaincode", "to have a method `async def invoke(self, stub)`, found none"),
        (f"{__name__}:NeedsArguments", "cannot be made without arguments"),
    ],
)
def test_what_is_no_chaincode_is_said(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(text)):
        load_chaincode(name)
