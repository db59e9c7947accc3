"""What real nodes say to bad transactions, status requests, event requests and seeks, and the embedded ones: the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2
from fabric_protos.orderer import ab_pb2
from fabric_protos.peer import events_pb2_grpc
from tests.fabric.both import Both, told
from tests.fabric.damages import GARBLED, REFUSED
from tests.fabric.forging import Forge, cast_of
from tests.fabric.random_plans import OPEN, Plan, Touched
from tests.fabric.twins import Twins
from tests.support.raw_client import RawClient
from tests.support.transactions import sign_envelope

SECONDS, SHORT = 20, 0.5
NOBODY, STRANGER, EXPIRED, FORGED = "nobody", "foreign-client1", "expired-client1", "forged-peer2"
WHERE = ("peer", "peer, filtered", "orderer")
BAD_SIGNERS = (NOBODY, STRANGER, EXPIRED, FORGED)


@pytest.fixture(scope="module")
def envelopes(twins: Twins) -> dict[str, bytes]:
    """Transactions that orderers refuse."""
    forge = Forge(twins.topology.channel, cast_of(twins.layout, twins.topology), seed=0)
    touched = (Touched(OPEN, writes=(("key", b"value"),)),)
    with twins.store.snapshot() as state:
        return {
            name: forge.envelope(Plan(name, touched, damage=name), number, state)
            for number, name in enumerate(REFUSED)
        }


@pytest.fixture(scope="module")
def both(twins: Twins, envelopes: dict[str, bytes]) -> Iterator[Both]:
    opened = Both(twins)
    yield opened
    opened.close()


@pytest.mark.parametrize("name", REFUSED)
def test_submitting(both: Both, envelopes: dict[str, bytes], name: str) -> None:
    async def call(client: RawClient) -> Any:
        envelope = common_pb2.Envelope.FromString(envelopes[name])
        request = gateway_pb2.SubmitRequest(channel_id=client.channel_id, prepared_transaction=envelope)
        await client.gateway.Submit(request, timeout=SECONDS)

    async def without_names(client: RawClient) -> Any:
        """Which orderers answer first is nobody's choice."""
        status, text, details = await told(call, client)
        return status, text, [message for _, message in details]

    both.answer(without_names)


@pytest.mark.parametrize("name", REFUSED)
def test_broadcasting(both: Both, envelopes: dict[str, bytes], name: str) -> None:
    async def call(client: RawClient) -> Any:
        stream = client.orderer.Broadcast(timeout=SECONDS)
        await stream.write(common_pb2.Envelope.FromString(envelopes[name]))
        return [(each.status, each.info.replace("\u00a0", " ")) async for each in stream]

    both.answer(call)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {
            "channel_id": "elsewhere",
            "prepared_transaction": common_pb2.Envelope(payload=b"p", signature=b"s"),
        },
        {"channel_id": "", "prepared_transaction": common_pb2.Envelope(payload=b"p", signature=b"s")},
        {"channel_id": "CHANNEL", "prepared_transaction": common_pb2.Envelope(payload=b"p")},
        {"channel_id": "CHANNEL", "prepared_transaction": common_pb2.Envelope()},
    ],
    ids=["nothing", "unknown channel", "no channel", "unsigned", "empty"],
)
def test_submitting_less_than_a_transaction(both: Both, fields: dict[str, Any]) -> None:
    async def call(client: RawClient) -> Any:
        request = gateway_pb2.SubmitRequest(**_on(client, fields))
        await client.gateway.Submit(request, timeout=SECONDS)

    both.answer(call)


STATUS_REQUESTS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no identity": {"channel_id": "CHANNEL", "transaction_id": "x"},
    "no channel": {"identity": "client1", "transaction_id": "x"},
    "no transaction": {"identity": "client1", "channel_id": "CHANNEL"},
    "unknown channel": {"identity": "client1", "channel_id": "elsewhere", "transaction_id": "x"},
    "garbled identity": {"identity": GARBLED, "channel_id": "CHANNEL", "transaction_id": "x"},
    "unknown transaction": {"identity": "client1", "channel_id": "CHANNEL", "transaction_id": "x"},
    **{
        who: {"identity": who, "channel_id": "CHANNEL", "transaction_id": "x"}
        for who in (*BAD_SIGNERS, "orderer1", "client3")
    },
}


@pytest.mark.parametrize("name", STATUS_REQUESTS)
def test_asking_for_a_commit_status(both: Both, name: str) -> None:
    async def call(client: RawClient) -> Any:
        request = gateway_pb2.CommitStatusRequest(**_on(client, STATUS_REQUESTS[name], both))
        signed = _signed(both, gateway_pb2.SignedCommitStatusRequest, request, STATUS_REQUESTS[name])
        return await client.gateway.CommitStatus(signed, timeout=SHORT)

    both.answer(call)


@pytest.mark.parametrize("signature", [b"", GARBLED])
@pytest.mark.parametrize("request_bytes", [b"", GARBLED])
def test_asking_for_a_commit_status_with_garbage(both: Both, request_bytes: bytes, signature: bytes) -> None:
    async def call(client: RawClient) -> Any:
        signed = gateway_pb2.SignedCommitStatusRequest(request=request_bytes, signature=signature)
        return await client.gateway.CommitStatus(signed, timeout=SHORT)

    both.answer(call)


LISTENING = {"identity": "client1", "channel_id": "CHANNEL", "chaincode_id": OPEN}
OLDEST = ab_pb2.SeekPosition(oldest=ab_pb2.SeekOldest())
NEWEST = ab_pb2.SeekPosition(newest=ab_pb2.SeekNewest())
TO_COME = ab_pb2.SeekPosition(specified=ab_pb2.SeekSpecified(number=10**6))

EVENT_REQUESTS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no identity": {"channel_id": "CHANNEL", "chaincode_id": OPEN},
    "no channel": {"identity": "client1", "chaincode_id": OPEN},
    "no chaincode": {"identity": "client1", "channel_id": "CHANNEL"},
    "unknown chaincode": {**LISTENING, "chaincode_id": "another"},
    "unknown channel": {**LISTENING, "channel_id": "elsewhere"},
    "from the oldest": {**LISTENING, "start_position": OLDEST},
    "from the newest": {**LISTENING, "start_position": NEWEST},
    "from a block to come": {**LISTENING, "start_position": TO_COME},
    "from no position": {**LISTENING, "start_position": ab_pb2.SeekPosition()},
    "after an unknown transaction": {**LISTENING, "after_transaction_id": "x"},
    **{who: {**LISTENING, "identity": who} for who in (*BAD_SIGNERS, "orderer1", "client3")},
}


@pytest.mark.parametrize("name", EVENT_REQUESTS)
def test_listening_to_chaincode_events(both: Both, name: str) -> None:
    fields = EVENT_REQUESTS[name]

    async def call(client: RawClient) -> Any:
        request = gateway_pb2.ChaincodeEventsRequest(**_on(client, fields, both))
        signed = _signed(both, gateway_pb2.SignedChaincodeEventsRequest, request, fields)
        return [each async for each in client.gateway.ChaincodeEvents(signed, timeout=SHORT)]

    both.answer(call)


SEEKS: dict[str, dict[str, Any]] = {
    "the first block": {"start": "oldest", "stop": "oldest"},
    "a block": {"start": 2, "stop": 2},
    "blocks by their headers": {"start": 0, "stop": 2, "headers_only": True},
    "no start": {"start": None, "stop": "newest"},
    "no stop": {"start": "oldest", "stop": None},
    "backwards": {"start": 3, "stop": 2},
    "beyond the next": {"start": 10**6, "stop": 10**6},
    "beyond the last, without waiting": {"start": 0, "stop": 10**6, "wait": False},
    "the next, without waiting": {"start": "next_commit", "stop": 10**6, "wait": False},
    "the newest": {"start": "newest", "stop": "newest"},
    "from the newest to the oldest": {"start": "newest", "stop": "oldest"},
    "unknown channel": {"start": 0, "stop": 0, "channel_id": "elsewhere"},
    "no channel": {"start": 0, "stop": 0, "channel_id": ""},
    "of an hour ago": {"start": 0, "stop": 0, "at": -3600.0},
    "of an hour to come": {"start": 0, "stop": 0, "at": 3600.0},
    **{who: {"start": 0, "stop": 0, "as": who} for who in (*BAD_SIGNERS, "orderer1", "client3", "peer2")},
}


@pytest.mark.parametrize(
    ("name", "where"),
    [
        (name, where)
        for name, seek in SEEKS.items()
        for where in WHERE
        # Filtered blocks are made of the blocks' data: headers alone are not compared.
        if not ("headers_only" in seek and where == "peer, filtered")
    ],
)
def test_seeking(both: Both, name: str, where: str) -> None:
    async def call(client: RawClient) -> Any:
        options = dict(SEEKS[name])
        who = options.pop("as", "client1")
        if "at" in options:
            options["at"] += time.time()
        user = both.cast[who]
        sender = RawClient(client.channel_id, user, client.peer, client.peer)  # type: ignore[arg-type]
        return await _delivered(client, where, sender.seek(**options))

    both.answer(call)


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize(
    "payload",
    [
        b"",
        GARBLED,
        common_pb2.Payload().SerializeToString(),
        common_pb2.Payload(header=common_pb2.Header()).SerializeToString(),
        common_pb2.Payload(header=common_pb2.Header(channel_header=GARBLED)).SerializeToString(),
        common_pb2.Payload(header=common_pb2.Header(signature_header=GARBLED)).SerializeToString(),
    ],
    ids=["nothing", "garbled", "no header", "empty header", "channel header", "signature header"],
)
def test_seeking_with_garbage(both: Both, payload: bytes, where: str) -> None:
    async def call(client: RawClient) -> Any:
        return await _delivered(
            client, where, sign_envelope(common_pb2.Envelope(payload=payload), client.user)
        )

    both.answer(call)


async def _delivered(client: RawClient, where: str, envelope: common_pb2.Envelope) -> list[Any]:
    """Return the blocks' headers and the statuses that a seek is answered with, until it ends or nothing comes."""
    if where == "orderer":
        stream = client.orderer.Deliver(timeout=SECONDS)
    elif where == "peer":
        stream = events_pb2_grpc.DeliverStub(client.peer).Deliver(timeout=SECONDS)
    else:
        stream = events_pb2_grpc.DeliverStub(client.peer).DeliverFiltered(timeout=SECONDS)
    found: list[Any] = []
    try:
        await stream.write(envelope)
        async with asyncio.timeout(SHORT):
            while (answer := await stream.read()) is not grpc.aio.EOF:
                kind = answer.WhichOneof("Type")
                if kind == "block":
                    found.append((answer.block.header, answer.block.data))
                elif kind == "filtered_block":
                    found.append(answer.filtered_block)
                else:
                    found.append(common_pb2.Status.Name(answer.status))
                    break
    except TimeoutError:
        found.append("nothing more")
    finally:
        stream.cancel()
    return found


def _on(client: RawClient, fields: dict[str, Any], both: Both | None = None) -> dict[str, Any]:
    """Return a request's fields, with the channel and identities for their names."""
    found = {key: client.channel_id if each == "CHANNEL" else each for key, each in fields.items()}
    identity = found.get("identity")
    if isinstance(identity, str) and both is not None:
        found["identity"] = both.cast[identity].identity.serialized
    return found


def _signed(both: Both, kind: Any, request: Any, fields: dict[str, Any]) -> Any:
    who = fields.get("identity")
    signer = both.cast[who if isinstance(who, str) else "client1"]
    data = request.SerializeToString()
    return kind(request=data, signature=signer.sign(data))
