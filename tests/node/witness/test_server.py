"""A witness's HTTP interface: what each address answers, and to bad requests too."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from tests.support.anchored_chain import AnchoredChain
from tests.support.witness_http import Client
from tests.support.witnesses import ChainPeer, Witnesses, cosigner_of, http

from shirushi_core.proofs import merkle
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.canonical import decode, encode
from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_core.proofs.log_evidence import (
    verify_certificate_statuses,
    verify_logged,
    verify_registered,
    verify_status_entry,
)
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.status import Status
from shirushi_core.proofs.tiles import Tile, TileTree, unbundle
from shirushi_core.proofs.witness_protocol import ANCHORED, MAX_ASKED, ProofsRequest
from shirushi_node.witness import server_limits as limits
from shirushi_node.witness.service import WitnessService

HEADS = (3, 5, 8, 11, 14, 16)


async def log_of(client: Client) -> list[bytes]:
    return unbundle(await client.get("/tile/entries/000.p/16"))


async def test_checkpoint_is_the_newest_signed_note(client: Client) -> None:
    status, body, headers = await client.request("GET", "/checkpoint")
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (
        200,
        "text/plain; charset=utf-8",
        "no-store",
    )
    note = SignedNote.from_bytes(body)
    checkpoint = Checkpoint.from_text(note.text)
    assert len(note.signatures) == 3
    assert (checkpoint.size, checkpoint.root) == (16, merkle.root(await log_of(client)))


async def test_a_checkpoint_at_a_size_is_exactly_that_head(client: Client) -> None:
    for size in HEADS:
        note = SignedNote.from_bytes(await client.get(f"/checkpoint/{size}"))
        assert Checkpoint.from_text(note.text).root == merkle.root((await log_of(client))[:size])


async def test_a_checkpoint_to_come_can_be_waited_for(client: Client, issued: AnchoredChain) -> None:
    waiting = asyncio.create_task(client.get("/checkpoint/18?wait=10"))
    await asyncio.sleep(0)
    await issued.issue(5)
    client.peer.grown()
    note = SignedNote.from_bytes(await waiting)
    assert note.of(cosigner_of("org1"))


@pytest.mark.parametrize("size", ["4", "17", "999999"])
async def test_a_size_that_is_no_head_is_not_found(client: Client, size: str) -> None:
    assert await client.refused(404, "GET", f"/checkpoint/{size}") == "not_found"


@pytest.mark.parametrize("size", ["abc", "03", "-1", "+3", "3.0", "1" * 17, "9" * 16, "٣"])
async def test_a_size_that_is_none_is_refused(client: Client, size: str) -> None:
    assert await client.refused(400, "GET", f"/checkpoint/{size}") == "invalid_request"


@pytest.mark.parametrize("wait", ["11", "-1", "soon", ""])
async def test_a_wait_that_is_none_is_refused(client: Client, wait: str) -> None:
    assert await client.refused(400, "GET", f"/checkpoint/3?wait={wait}") == "invalid_request"


async def test_a_witness_without_any_head_says_so(chain: AnchoredChain, tmp_path: Path) -> None:
    peer = ChainPeer(chain)
    await peer.start()
    service = WitnessService(Witnesses(chain, tmp_path / "w", peer.address).settings(others=(), quorum=1))
    await service.start()
    try:
        async with http() as session:
            client = Client(session, service, peer)
            await client.taken_in(chain)
            assert await client.refused(404, "GET", "/checkpoint") == "not_found"
            assert await client.refused(404, "POST", "/proofs", ProofsRequest().to_bytes()) == "not_found"
            assert (await client.json("/health"))["size"] == 0
    finally:
        await service.stop()
        await peer.stop()


async def test_cosigned_is_the_newest_note_seen_of_a_member(client: Client) -> None:
    assert await client.get("/cosigned/org1") == await client.get("/checkpoint")
    assert await client.refused(404, "GET", "/cosigned/org2") == "not_found"
    assert await client.refused(400, "GET", "/cosigned/ORG") == "invalid_request"


async def test_several_proofs_come_under_one_head(client: Client, issued: AnchoredChain) -> None:
    batches = tuple(issued.city.statement(size).batch_id for size in (3, 4, 9))
    commitments = issued.city.commitments(3)
    answer = await client.proofs(
        ProofsRequest(
            batches=batches,
            issuers=(("iizuka", 1), ("iizuka", 2)),
            statuses=(*((batches[0], each) for each in commitments), (batches[1], commitments[0])),
        )
    )
    checkpoint = answer.head.checkpoint
    assert checkpoint.size == 16
    assert answer.head.note.of(cosigner_of("org1"))
    root = verify_status_entry(answer.status_entry, checkpoint).root
    assert answer.batches[2] is None
    log = await log_of(client)
    for inclusion in answer.batches[:2]:
        assert inclusion is not None
        entry: Any = decode(log[inclusion.index])
        verify_logged(IssuanceAnchor.from_json(entry["anchor"]), inclusion, checkpoint)
    registered, unknown = answer.issuers
    assert unknown is None
    assert registered is not None
    assert verify_registered(registered, checkpoint) == issued.city.record
    found = [
        verify_certificate_statuses(proof, root, batch, commitment)
        for proof, (batch, commitment) in zip(
            answer.statuses,
            [*((batches[0], each) for each in commitments), (batches[1], commitments[0])],
            strict=True,
        )
    ]
    assert [each.certificate and each.certificate.status for each in found] == [
        Status.VALID,
        Status.SUSPENDED,
        None,
        None,
    ]


async def test_statuses_under_an_older_head_are_as_of_that_head(
    client: Client, issued: AnchoredChain
) -> None:
    batch, commitment = issued.city.statement(3).batch_id, issued.city.commitments(3)[0]
    expected = {11: None, 14: Status.SUSPENDED, 16: Status.VALID}
    for size, status in expected.items():
        answer = await client.proofs(ProofsRequest(statuses=((batch, commitment),), head=size))
        root = verify_status_entry(answer.status_entry, answer.head.checkpoint).root
        proved = verify_certificate_statuses(answer.statuses[0], root, batch, commitment)
        assert (proved.certificate and proved.certificate.status) == status


async def test_anchored_is_the_first_head_that_has_all_batches(client: Client, issued: AnchoredChain) -> None:
    batches = tuple(issued.city.statement(size).batch_id for size in (3, 4))
    answer = await client.proofs(ProofsRequest(batches=batches, head=ANCHORED))
    assert answer.head.checkpoint.size == 11
    assert all(answer.batches)


async def test_batches_that_are_not_logged_yet_can_be_waited_for(
    client: Client, issued: AnchoredChain
) -> None:
    batches = tuple(issued.city.statement(size).batch_id for size in (3, 5, 6))
    asked = asyncio.create_task(client.proofs(ProofsRequest(batches=batches, head=ANCHORED, wait=10)))
    await issued.issue(5)
    client.peer.grown()
    await asyncio.sleep(0.05)
    assert not asked.done()
    await issued.issue(6)
    client.peer.grown()
    answer = await asked
    assert answer.head.checkpoint.size == 20
    assert answer.head.note.of(cosigner_of("org1"))
    assert all(answer.batches)


async def test_a_batch_that_does_not_come_is_null_under_the_newest_head(client: Client) -> None:
    answer = await client.proofs(ProofsRequest(batches=(bytes(32),), head=ANCHORED, wait=1))
    assert (answer.batches, answer.head.checkpoint.size) == ((None,), 16)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"batches":[],"head":"oldest","issuers":[],"statuses":[],"wait":0}',
        b'{"batches":[],"head":0,"issuers":[],"statuses":[],"wait":0}',
        b'{"batches":[],"head":"newest","issuers":[],"statuses":[],"wait":11}',
        b'{"batches":["00"],"head":"newest","issuers":[],"statuses":[],"wait":0}',
        b'{"batches":[],"head":"newest","issuers":[{"id":"A"}],"statuses":[],"wait":0}',
        b'{"batches":[],"head":"newest","issuers":[],"statuses":[null],"wait":0}',
        b"[" * 5000,
    ],
)
async def test_a_body_that_is_no_request_is_refused(client: Client, body: bytes) -> None:
    assert await client.refused(400, "POST", "/proofs", body) == "invalid_request"


async def test_more_than_may_be_asked_is_refused(client: Client) -> None:
    body = ProofsRequest(batches=_numbered(MAX_ASKED + 1)).to_bytes()
    assert await client.refused(400, "POST", "/proofs", body) == "invalid_request"
    assert await client.refused(413, "POST", "/proofs", bytes(600 * 1024)) == "too_large"


async def test_what_is_asked_for_twice_is_refused(client: Client) -> None:
    body = ProofsRequest(batches=_numbered(2)).to_bytes().replace(b"01", b"00")
    assert await client.refused(400, "POST", "/proofs", body) == "invalid_request"


def _numbered(count: int) -> tuple[bytes, ...]:
    return tuple(number.to_bytes(32, "big") for number in range(count))


async def test_as_much_as_may_be_asked_is_answered(client: Client, issued: AnchoredChain) -> None:
    batch = issued.city.statement(3).batch_id
    answer = await client.proofs(
        ProofsRequest(
            batches=_numbered(MAX_ASKED),
            statuses=tuple((batch, commitment) for commitment in _numbered(MAX_ASKED)),
        )
    )
    assert (len(answer.batches), len(answer.statuses)) == (MAX_ASKED, MAX_ASKED)


async def test_inclusion_and_consistency_paths_are_rfc_9162s(client: Client) -> None:
    log = await log_of(client)
    for size in (1, 5, 16):
        for index in (0, size - 1):
            found = await client.json(f"/proof/inclusion?index={index}&size={size}")
            assert found == {"path": [node.hex() for node in merkle.inclusion_path(log[:size], index)]}
    for first, second in ((0, 16), (3, 5), (8, 16), (16, 16)):
        found = await client.json(f"/proof/consistency?first={first}&second={second}")
        assert found == {"path": [node.hex() for node in merkle.consistency_path(log[:second], first)]}


@pytest.mark.parametrize(
    ("status", "path"),
    [
        (400, "/proof/inclusion"),
        (400, "/proof/inclusion?index=5&size=5"),
        (400, "/proof/inclusion?index=0&size=0"),
        (400, "/proof/inclusion?index=x&size=5"),
        (404, "/proof/inclusion?index=0&size=17"),
        (400, "/proof/consistency?first=6&second=5"),
        (404, "/proof/consistency?first=6&second=17"),
        (400, "/proof/consistency?first=6"),
        (400, "/status/00/00"),
        (404, f"/status/{'00' * 32}/{'00' * 32}?size=4"),
        (400, f"/status/{'00' * 32}/{'00' * 32}?size=x"),
        (404, "/nothing"),
        (405, "/proofs"),
        (404, "/tile/0/001"),
        (404, "/tile/0/000"),
        (404, "/tile/0/000.p/17"),
        (404, "/tile/1/000.p/1"),
        (404, "/tile/entries/000"),
        (404, "/tile/entries/000.p/17"),
        (400, "/tile/0/0"),
        (400, "/tile/00/000.p/1"),
        (400, "/tile/0/000.p/0"),
        (400, "/tile/0/000.p/256"),
        (400, "/tile/entries/x000/000"),
        (400, "/tile/0/..%2f..%2findex%2fdata.mdb"),
        (400, "/tile/0/x"),
    ],
)
async def test_what_is_not_there_and_what_is_no_request(client: Client, status: int, path: str) -> None:
    await client.refused(status, "GET", path)


async def test_a_status_is_proved_under_the_newest_head(client: Client, issued: AnchoredChain) -> None:
    batch, commitment = issued.city.statement(3).batch_id, issued.city.commitments(3)[1]
    found = await client.json(f"/status/{batch.hex()}/{commitment.hex()}")
    assert found["records"]["certificate"]["status"] == "suspended"
    older = await client.json(f"/status/{batch.hex()}/{commitment.hex()}?size=11")
    assert older["records"] == {"batch": None, "certificate": None}


async def test_tiles_are_enough_to_derive_every_root_again(client: Client, issued: AnchoredChain) -> None:
    for size in range(5, 70):
        await issued.issue(size, size + 100, size + 200)
    await client.taken_in(issued)
    size = client.service.status().size
    assert size > 256
    full, partial = divmod(size, 256)
    tiles = {Tile(0, 0): await client.request("GET", "/tile/0/000")}
    assert tiles[Tile(0, 0)][2]["Cache-Control"] == "public, max-age=31536000, immutable"
    assert tiles[Tile(0, 0)][2]["Content-Type"] == "application/octet-stream"
    tiles[Tile(0, 1, partial)] = await client.request("GET", f"/tile/0/001.p/{partial}")
    tiles[Tile(1, 0, full)] = await client.request("GET", f"/tile/1/000.p/{full}")
    log = unbundle(await client.get("/tile/entries/000"))
    log += unbundle(await client.get(f"/tile/entries/001.p/{partial}"))
    tree = TileTree(size, lambda tile: tiles[tile][1])
    newest = Checkpoint.from_text(SignedNote.from_bytes(await client.get("/checkpoint")).text)
    assert newest.size == size
    assert tree.root() == newest.root == merkle.root(log)


async def test_partial_tiles_of_every_earlier_size_are_served(client: Client) -> None:
    whole = await client.get("/tile/0/000.p/16")
    log = await log_of(client)
    for width in range(1, 16):
        assert await client.get(f"/tile/0/000.p/{width}") == whole[: 32 * width]
        assert unbundle(await client.get(f"/tile/entries/000.p/{width}")) == log[:width]


async def test_health_says_what_it_knows(client: Client, issued: AnchoredChain) -> None:
    found = await client.json("/health")
    assert found | {"last_cosigned": 0} == {
        "alarms": {},
        "newest_alarm": None,
        "rules": 1,
        "ticking": None,
        "time": None,
        "trouble": None,
        "block": 7,
        "disagreeing": [],
        "last_cosigned": 0,
        "peer_height": 7,
        "refusing": None,
        "size": 16,
    }


async def test_metrics_are_prometheus_text_and_name_nothing_of_the_log(
    client: Client, issued: AnchoredChain
) -> None:
    text = (await client.get("/metrics")).decode()
    for line in (
        "shirushi_witness_log_entries 16.0",
        "shirushi_witness_block_height 7.0",
        "shirushi_witness_peer_block_height 7.0",
        "shirushi_witness_lag_blocks 0.0",
        "shirushi_witness_signing 1.0",
    ):
        assert line in text.splitlines()
    assert "shirushi_witness_last_cosignature_timestamp_seconds 1." in text
    assert issued.city.statement(3).batch_id.hex() not in text


async def test_nothing_of_a_request_is_logged(
    client: Client, issued: AnchoredChain, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    batch, commitment = issued.city.statement(3).batch_id.hex(), issued.city.commitments(3)[1].hex()
    await client.get(f"/status/{batch}/{commitment}")
    await client.refused(404, "GET", f"/status/{batch}/{commitment}?size=4")
    assert commitment not in caplog.text


async def test_requests_beyond_an_addresss_limit_are_refused_and_the_checkpoint_is_not(
    client: Client,
) -> None:
    waiting = [
        asyncio.create_task(client.request("GET", "/checkpoint/999?wait=2"))
        for _ in range(limits.REQUESTS_PER_ADDRESS)
    ]
    while not waiting[0].done():
        status, body, _ = await client.request("GET", "/health")
        if status == 503:
            break
    assert b"busy" in body
    assert SignedNote.from_bytes(await client.get("/checkpoint"))
    assert {(await each)[0] for each in waiting} == {404}
    assert (await client.json("/health"))["size"] == 16


async def test_pages_of_other_origins_may_ask_for_what_is_read_only(client: Client) -> None:
    for method, path in (("GET", "/checkpoint"), ("POST", "/proofs"), ("GET", "/nothing")):
        _, _, headers = await client.request(method, path)
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in headers
        status, _, asked = await client.request("OPTIONS", path)
        assert (status, asked["Access-Control-Allow-Origin"], asked["Access-Control-Allow-Methods"]) == (
            204,
            "*",
            method,
        )
    _, _, headers = await client.request("GET", "/metrics")
    assert "Access-Control-Allow-Origin" not in headers


async def test_a_request_that_takes_too_long_is_ended(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REQUEST_SECONDS", 0.1)
    assert await client.refused(408, "GET", "/checkpoint/999?wait=5") == "timeout"


async def test_answers_are_canonical_json(client: Client) -> None:
    body = await client.get("/health")
    assert encode(json.loads(body)) == body
