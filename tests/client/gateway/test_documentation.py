"""The examples in the documentation work as they stand."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives import serialization
from tests.client.gateway.stand_in import LedgerEntry

import shirushi_client.gateway
from shirushi_core.fabric.signing import load_private_key

GUIDE = Path(__file__).parents[3] / "docs" / "gateway-client.md"


@pytest.fixture
def names(peer, p256, monkeypatch):
    """What the examples take for granted, with the stand-in for every peer."""
    insecure = grpc.aio.insecure_channel
    monkeypatch.setattr(grpc.aio, "secure_channel", lambda address, credentials: insecure(peer.address))
    key_pem = p256.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = {name: getattr(shirushi_client.gateway, name) for name in shirushi_client.gateway.__all__}
    return public | {
        "grpc": grpc,
        "load_private_key": load_private_key,
        "tls_ca_pem": None,
        "key_pem": key_pem,
        "certificate_pem": p256.identity.credentials,
        "identity": p256.identity,
        "signer": p256.signer,
    }


def example(number: int) -> str:
    return re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)[number]


async def run(source: str, names: dict) -> None:
    code = compile(source, GUIDE.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, names)
    if inspect.isawaitable(result):
        await result


async def test_the_first_example_submits_a_transaction_in_five_lines(names, peer, capsys):
    assert len(example(0).splitlines()) == 5
    await run(example(0), names)
    assert capsys.readouterr().out == "b'CreateAsset,asset1,blue'\n"
    assert len(peer.submitted) == 1


async def test_the_deadlines_are_those_of_the_calls(names, peer, channel):
    names["channel"] = channel
    await run(example(1), names)
    contract = names["gateway"].get_network("mychannel").get_contract("basic")
    await contract.submit_transaction("f")
    await contract.evaluate_transaction("f")
    assert peer.endorsed[0].time_remaining == pytest.approx(15, abs=3)
    assert peer.evaluated[0].time_remaining == pytest.approx(5, abs=3)


async def test_the_event_loop_resumes_where_it_stopped(names, peer, network, tmp_path, monkeypatch):
    class EnoughError(Exception):
        pass

    handled = []

    async def handle(event):
        if len(handled) == 2:
            handled.append("crash")
            raise EnoughError
        handled.append(event.event_name)
        if len(handled) == 5:
            raise EnoughError

    monkeypatch.chdir(tmp_path)
    names |= {"network": network, "handle": handle}
    for name in "abcd":
        await peer.commit(LedgerEntry(f"tx-{name}", event=(name, b"")))
    for _ in range(2):
        with pytest.raises(EnoughError):
            await run(example(2), names)
    assert handled == ["a", "b", "crash", "c", "d"]


async def test_signing_elsewhere(names, offline, p256):
    async def ask_the_vault(digest):
        return p256.signer(digest)

    contract = offline.get_network("mychannel").get_contract("basic")
    names |= {"gateway": offline, "contract": contract, "ask_the_vault": ask_the_vault}
    await run(example(3), names)
    assert await names["proposal"].evaluate() == b"CreateAsset,asset1,blue"
