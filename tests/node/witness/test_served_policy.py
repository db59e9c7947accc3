"""The trust policy that a witness serves: the file as it is at the moment, and nothing that is none."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import AsyncIterator
from functools import lru_cache
from pathlib import Path

import pytest
from tests.support.anchored_chain import AnchoredChain
from tests.support.paper_log import signed_policy, trust_policy
from tests.support.witness_http import Client
from tests.support.witnesses import CHANNEL, ChainPeer, Witnesses, http

from shirushi_client.witness_client import ServedPolicy, WitnessClient
from shirushi_core.proofs.policy_update import MAX_POLICY_BYTES
from shirushi_core.proofs.trust_policy import TrustPolicy
from shirushi_node.witness.served_policy import PolicyFiles
from shirushi_node.witness.service import WitnessService


def policy(version: int, ledger: str = CHANNEL) -> TrustPolicy:
    return dataclasses.replace(trust_policy(), version=version, ledger=ledger)


@lru_cache
def file_of(policy: TrustPolicy) -> bytes:
    return signed_policy(policy).to_bytes()


def put(path: Path, data: bytes) -> None:
    beside = path.with_name("beside")
    beside.write_bytes(data)
    beside.replace(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trust-policy.json"


@pytest.fixture
async def serving(issued: AnchoredChain, tmp_path: Path, path: Path) -> AsyncIterator[Client]:
    """A client of a witness that serves the policy file at `path`, if there is one."""
    peer = ChainPeer(issued)
    await peer.start()
    witnesses = Witnesses(issued, tmp_path / "witness", peer.address)
    service = WitnessService(witnesses.settings(others=(), quorum=1, policy=path))
    await service.start()
    try:
        async with http() as session:
            yield Client(session, service, peer)
    finally:
        await service.stop()
        await peer.stop()


async def test_there_is_none_until_there_is_one_and_then_always_the_newest(
    serving: Client, path: Path
) -> None:
    client = WitnessClient("org1", f"https://{serving.service.address}", serving.session)
    assert await serving.refused(404, "GET", "/policy") == "not_found"
    assert await client.served_policy() is None
    for version in (1, 2):
        made = policy(version)
        put(path, file_of(made))
        status, body, headers = await serving.request("GET", "/policy")
        assert (status, body) == (200, file_of(made))
        assert headers["ETag"] == f'"v{version}-{made.fingerprint.hex()}"'
        assert await client.served_policy() == ServedPolicy(version, made.fingerprint)
        assert await client.policy(version) == file_of(made)
        assert await client.policy(version + 1) is None


async def test_an_earlier_version_that_is_kept_is_served_by_its_number(serving: Client, path: Path) -> None:
    put(path, file_of(policy(3)))
    (path.parent / "trust-policy.v2.json").write_bytes(file_of(policy(2)))
    (path.parent / "trust-policy.v1.json").write_bytes(file_of(policy(2)))
    assert await serving.get("/policy/2") == file_of(policy(2))
    assert await serving.get("/policy/3") == file_of(policy(3))
    for number in ("1", "4", "0"):
        assert await serving.refused(404, "GET", f"/policy/{number}") == "not_found"
    for number in ("-1", "x", "01", "9" * 30, "..%2f2"):
        assert await serving.refused(400, "GET", f"/policy/{number}") == "invalid_request"


async def test_a_member_without_a_policy_file_serves_none(client: Client) -> None:
    assert await client.refused(404, "GET", "/policy") == "not_found"
    assert await client.refused(404, "GET", "/policy/1") == "not_found"


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"x" * (MAX_POLICY_BYTES + 1), file_of(policy(1, "another"))],
    ids=["empty", "none", "too_long", "anothers"],
)
def test_what_is_no_policy_of_this_ledger_is_not_served(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    assert PolicyFiles(path, CHANNEL).newest() is None
    put(path, file_of(policy(1)))
    served = PolicyFiles(path, CHANNEL).newest()
    assert served is not None
    assert served.version == 1


def test_a_pipe_in_its_place_keeps_nobody_waiting(path: Path) -> None:
    os.mkfifo(path)
    assert PolicyFiles(path, CHANNEL).newest() is None


def test_a_file_is_read_anew_only_when_it_has_changed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, reads = PolicyFiles(path, CHANNEL), []
    parse = PolicyFiles._parsed
    monkeypatch.setattr(PolicyFiles, "_parsed", lambda self, data: reads.append(data) or parse(self, data))
    put(path, file_of(policy(1)))
    assert files.newest() == files.newest()
    put(path, file_of(policy(2)))
    assert files.newest() == files.version(2)
    assert len(reads) == 2
