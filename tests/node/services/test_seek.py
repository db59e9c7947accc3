"""A deliver client is admitted until its certificate expires."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fabric_protos.common import common_pb2
from fabric_protos.orderer import ab_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from tests.support.consortium import CHANNEL, Consortium
from tests.support.throwaway_ca import END, NOW
from tests.support.transactions import transaction

from shirushi_core.fabric.policy import SignedData
from shirushi_node.ledger.access import READERS
from shirushi_node.ledger.ledger import Channel
from shirushi_node.ledger.seek import Seeker, SeekError, SeekRequest


class MovableClock:
    """Shows the time it was set to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
async def channel(tmp_path: Path) -> AsyncIterator[tuple[Consortium, Channel]]:
    consortium = Consortium()
    running = Channel(tmp_path / "ledger", consortium.genesis, consortium.orderers, [], clock=lambda: NOW)
    await running.start()
    yield consortium, running
    await running.stop()


def request_of(consortium: Consortium) -> SeekRequest:
    """Return a request for the genesis block, again and again."""
    position = ab_pb2.SeekPosition(oldest=ab_pb2.SeekOldest())
    client = consortium.client
    payload = common_pb2.Payload(
        header=common_pb2.Header(
            channel_header=common_pb2.ChannelHeader(
                channel_id=CHANNEL, timestamp=Timestamp(seconds=int(NOW.timestamp()))
            ).SerializeToString()
        )
    ).SerializeToString()
    signed = SignedData(payload, client.identity.serialized, client.sign(payload))
    return SeekRequest(CHANNEL, ab_pb2.SeekInfo(start=position, stop=position), signed, END)


async def test_a_client_is_admitted_while_its_certificate_holds(
    channel: tuple[Consortium, Channel],
) -> None:
    consortium, running = channel
    seeker = Seeker(running, READERS, MovableClock())
    assert [number async for number in seeker.blocks(request_of(consortium))] == [0]


async def test_a_client_whose_certificate_expired_is_forbidden(channel: tuple[Consortium, Channel]) -> None:
    consortium, running = channel
    clock = MovableClock()
    clock.now = END + timedelta(seconds=1)
    with pytest.raises(SeekError, match="deliver client identity expired") as refused:
        await anext(Seeker(running, READERS, clock).blocks(request_of(consortium)))
    assert refused.value.status == common_pb2.FORBIDDEN


async def test_a_certificate_that_expires_during_the_walk_ends_it(
    channel: tuple[Consortium, Channel],
) -> None:
    consortium, running = channel
    clock = MovableClock()
    request = request_of(consortium)
    request.info.stop.specified.number = 1
    blocks = Seeker(running, READERS, clock).blocks(request)
    assert await anext(blocks) == 0
    clock.now = END + timedelta(seconds=1)
    await running.order(transaction(consortium.client, consortium.peers(), channel_id=CHANNEL).data)
    with pytest.raises(SeekError, match="deliver client identity expired"):
        await anext(blocks)
